import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openPglite } from "../../../src/db/pglite.ts";
import type { ClusterAddress } from "../cluster.ts";
import { openTestDatabase } from "../databases.ts";
import type { Sql } from "../dump.ts";
import { copyPgliteTemplate, silent } from "../templates.ts";

export type InterruptedDriver = "postgres" | "pglite";

const pollMs = 3;

/** A database that processes use one after the other, and that can be inspected after one was killed. */
export interface Target {
  env: Record<string, string>;
  inspect<T>(read: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export function openTarget(driver: InterruptedDriver, cluster: ClusterAddress): Promise<Target> {
  return driver === "postgres" ? openPostgresTarget(cluster) : openPgliteTarget();
}

async function openPostgresTarget(cluster: ClusterAddress): Promise<Target> {
  const database = await openTestDatabase("postgres", { cluster });
  const sql: Sql = (query) => database.sql(query);
  const sessions =
    "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'steam-pics-sync'";
  return {
    env: database.env,
    async inspect(read) {
      // The server completes a statement although its client is dead.
      while ((await sql(sessions))[0]?.count !== 0) await delay(pollMs);
      return read(sql);
    },
    close: () => database.close(),
  };
}

/** Inspects copies, so that the next process finds the folder as the killed one left it. */
async function openPgliteTarget(): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-interrupted-"));
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, true);
  return {
    env: { DATA_DIR: dataDir },
    async inspect(read) {
      const copy = join(folder, "copy");
      await cp(dataDir, copy, { recursive: true });
      const database = await openPglite({ dataDir: copy, logger: silent });
      try {
        return await read((query) => database.query(query));
      } finally {
        await database.close();
        await rm(copy, { recursive: true, force: true });
      }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

import { setTimeout as delay } from "node:timers/promises";
import { createCatalogReader, typeIsLeftOut } from "../db/catalog-reader.ts";
import { hasDatabase } from "../db/data-folder.ts";
import { nameOf } from "../db/database-name.ts";
import { openDatabase } from "../db/open.ts";
import { DataDirInUseError, readOwner } from "../db/owner-lock.ts";
import { overviewOf } from "../db/sync-calls.ts";
import type { Config } from "../process/config.ts";
import { NotFoundError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import { openOwnerSource } from "./owner-http.ts";
import type { CatalogSource } from "./port.ts";

export type SourceOptions = Pick<Config, "database" | "http" | "keep"> & { logger: Logger };

/** Wait for an owner without HTTP: another reading command, which is done with the folder soon. */
const ownerTimeoutMs = 10_000;
const ownerPollMs = 100;

/**
 * Opens the catalog for reading: the database itself, or its owner when the embedded one is in use.
 *
 * @throws {NotFoundError} when there is no embedded database yet; none is created.
 * @throws {DataDirInUseError} when its owner serves no HTTP; DatabaseError as {@link openDatabase} does.
 */
export async function openSource(options: SourceOptions): Promise<CatalogSource> {
  const { database, http } = options;
  if (database.driver === "pglite" && !(await hasDatabase(database.dataDir))) {
    // An owner that is creating the database already holds the lock.
    const owner = await readOwner(database.dataDir);
    if (owner?.address) return openOwnerSource(database.dataDir, owner, http);
    throw new NotFoundError(`There is no catalog in ${database.dataDir} yet; \`npm start\` makes one.`);
  }
  for (const deadline = Date.now() + ownerTimeoutMs; ; ) {
    try {
      return await readDatabase(options);
    } catch (error) {
      if (!(error instanceof DataDirInUseError) || database.driver !== "pglite") throw error;
      if (error.owner?.address) return openOwnerSource(database.dataDir, error.owner, http);
      if (Date.now() > deadline) throw error;
    }
    await delay(ownerPollMs);
  }
}

async function readDatabase({ database, keep, logger }: SourceOptions): Promise<CatalogSource> {
  const db = await openDatabase(database, { logger, maxConnections: 2, address: null });
  const reader = createCatalogReader(db);
  return {
    name: nameOf(database),
    db,
    async app(appid) {
      const [app, branches, depots] = await Promise.all([
        reader.app(appid),
        reader.branches(appid),
        reader.depots(appid),
      ]);
      if (app === null) return null;
      const areKept = keep.depots || (depots ?? []).length > 0;
      return { app, branches: branches ?? [], depots: areKept ? (depots ?? []) : null };
    },
    async whyNotStored(appid) {
      const type = await reader.skippedType(appid);
      return type === null ? null : typeIsLeftOut(type);
    },
    async status() {
      const [state, backlog, workers] = await Promise.all([reader.state(), reader.backlog(), reader.workers()]);
      const { failing_apps, webhooks } = backlog;
      return { catalog: overviewOf(state, backlog), failing_apps, workers, webhooks };
    },
    close: () => db.close(),
  };
}

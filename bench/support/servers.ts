import { createCatalogStore } from "../../src/db/catalog-store.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import type { ClusterAddress } from "../../test/support/cluster.ts";
import { asSuperuser, urlOf } from "../../test/support/cluster.ts";
import { ownerOf, serverTemplate, silent } from "../../test/support/templates.ts";

/** Creates a migrated database in the cluster; the URL is for its owner. A checkpoint first gives every run the same start. */
export async function freshDatabase(
  cluster: ClusterAddress,
  kind: "postgres" | "supabase",
  prepare?: string,
): Promise<{ name: string; url: string; drop(): Promise<void> }> {
  const name = `bench_${process.pid}_${++databases}`;
  const template = await serverTemplate(cluster, kind, true);
  await asSuperuser(cluster, "postgres", async (client) => {
    await client.query(`create database ${name} template ${template} owner ${ownerOf[kind]}`);
    await client.query("checkpoint");
  });
  if (prepare) await asSuperuser(cluster, name, (client) => client.query(prepare));
  return {
    name,
    url: urlOf(cluster, ownerOf[kind], name),
    async drop() {
      await asSuperuser(cluster, "postgres", (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

let databases = 0;

/** The service's catalog store over a Postgres database. */
export async function openStore(url: string) {
  const db = await openPostgres({ url, logger: silent, maxConnections: 1 });
  return { store: createCatalogStore(db, createDatabaseRetry("postgres", { logger: silent })), db };
}

import type pg from "pg";
import { asSuperuser, startCluster } from "../test/support/cluster.ts";
import { table } from "./support/figures.ts";
import { loadByApply, recordBatches } from "./write-path.ts";

/**
 * The statements inside `pics_apply`, by time: what `pg_stat_statements` counts with `track = all` while apps are stored for the first
 * time. Functions include the statements that they run, and these the checks of foreign keys. Counting costs about 1 µs a statement, so
 * that the checks, 52 an app, look dearer than they are.
 *
 *     node bench/statements.ts [APPS]
 */
export async function benchStatements({ apps = 5_000 } = {}): Promise<string> {
  const cluster = await startCluster({ durable: true });
  try {
    await asSuperuser(cluster.address, "postgres", async (client) => {
      await client.query("alter system set shared_preload_libraries = 'pg_stat_statements'");
      await client.query("alter system set pg_stat_statements.track = 'all'");
    });
    await cluster.crash();
    await cluster.start();
    await asSuperuser(cluster.address, "postgres", (client) => client.query("create extension pg_stat_statements"));
    const loaded = await loadByApply(cluster.address, recordBatches(apps), {});
    return await asSuperuser(cluster.address, "postgres", (client) => statementsOf(client, loaded.name, apps));
  } finally {
    await cluster.stop();
  }
}

interface StatementRow {
  query: string;
  calls: number;
  rows: number;
  us: number;
  buffers: number;
  wal: number;
}

async function statementsOf(client: pg.Client, database: string, apps: number): Promise<string> {
  const { rows } = await client.query<StatementRow>(
    `select regexp_replace(left(query, 90), '[\\s|]+', ' ', 'g') as query, calls::integer, rows::integer,
       total_exec_time * 1000 / $2 as us, (shared_blks_hit + shared_blks_read)::float8 / $2 as buffers, wal_bytes::float8 / $2 as wal
     from pg_stat_statements where dbid = (select oid from pg_database where datname = $1)
     order by total_exec_time desc limit 40`,
    [database, apps],
  );
  return table(
    ["statement", "calls", "rows", "µs per app", "buffers per app", "WAL bytes per app"],
    rows.map(({ query, calls, rows: written, us, buffers, wal }) => [query, calls, written, us, buffers, wal]),
  );
}

if (import.meta.main) {
  const [apps = 5_000] = process.argv.slice(2).map(Number);
  console.log(await benchStatements({ apps }));
}

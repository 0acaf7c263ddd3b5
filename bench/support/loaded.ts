import type pg from "pg";
import { asSuperuser, type Cluster, startCluster } from "../../test/support/cluster.ts";
import { type Service, startService } from "../../test/support/service.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../../test/support/steam/child.ts";
import { freshDatabase } from "./servers.ts";

/** A Postgres server with a complete catalog of a simulated Steam, each a process of its own. */
export interface Loaded {
  cluster: Cluster;
  steam: ForkedSteam;
  name: string;
  url: string;
  /** Runs `work` as superuser on the database. */
  asSuperuser<T>(work: (client: pg.Client) => Promise<T>): Promise<T>;
  /** Starts a change monitor as a process; resolves when it is healthy. */
  startMonitor(env?: Record<string, string>, database?: Record<string, string>): Promise<Service>;
}

/** Everything is closed by `stack`. Statements are counted (pg_stat_statements). */
export async function openLoaded(
  stack: AsyncDisposableStack,
  { apps, latencyMs, kind = "postgres" }: { apps: number; latencyMs: number; kind?: "postgres" | "supabase" },
): Promise<Loaded> {
  const cluster = await startCluster({ durable: true, settings: ["shared_preload_libraries=pg_stat_statements"] });
  stack.defer(() => cluster.stop());
  const steam = await forkSimulatedSteam({ generate: { seed: 1, count: apps }, latencyMs, keepRequests: false });
  stack.defer(() => steam.close());
  const { name, url, drop } = await freshDatabase(cluster.address, kind);
  stack.defer(drop);
  await asSuperuser(cluster.address, name, (client) =>
    client.query("create schema stats; create extension pg_stat_statements with schema stats"),
  );
  const bulk = startService({
    args: ["bulk-sync"],
    steam,
    database: { env: { DATABASE_URL: url } },
    env: { BULK_REQUEST_DELAY: "0", METADATA_REQUEST_DELAY: "0" },
  });
  stack.defer(() => bulk.stop());
  if ((await bulk.exited).code !== 0) throw new Error(`the bulk sync failed:\n${bulk.text}`);
  return {
    cluster,
    steam,
    name,
    url,
    asSuperuser: (work) => asSuperuser(cluster.address, name, work),
    async startMonitor(env = {}, database = { DATABASE_URL: url }) {
      const service = startService({
        steam,
        database: { env: database },
        env: { MODE: "change_monitor", RECONCILE_INTERVAL: "0", ...env },
      });
      stack.defer(() => service.stop());
      await service.until("/health", ({ status }) => status === "ok");
      return service;
    },
  };
}

/** What the database did since some moment of the past. */
export interface DatabaseCounters {
  transactions: number;
  walBytes: number;
  /** Time that sessions spent with statements, in seconds. */
  activeSeconds: number;
  /** Calls so far, by SQL function. */
  calls: Map<string, number>;
}

export async function databaseCounters({ asSuperuser }: Loaded): Promise<DatabaseCounters> {
  return asSuperuser(async (client) => {
    await client.query("select pg_stat_force_next_flush()");
    const { rows } = await client.query<{ transactions: number; wal: number; active: number }>(
      `select xact_commit::float8 as transactions, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal,
         active_time / 1000 as active
       from pg_stat_database where datname = current_database()`,
    );
    const statements = await client.query<{ query: string; calls: number }>(
      `select query, calls::float8 as calls from stats.pg_stat_statements
       where dbid = (select oid from pg_database where datname = current_database()) and toplevel`,
    );
    const calls = new Map<string, number>();
    for (const { query, calls: count } of statements.rows) {
      const name = /"?public"?\."?(\w+)"?\s*\(/.exec(query)?.[1];
      if (name) calls.set(name, (calls.get(name) ?? 0) + count);
    }
    const [row] = rows;
    return {
      transactions: row?.transactions ?? 0,
      walBytes: row?.wal ?? 0,
      activeSeconds: row?.active ?? 0,
      calls,
    };
  });
}

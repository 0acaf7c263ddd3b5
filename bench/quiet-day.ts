import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { startCluster } from "../test/support/cluster.ts";
import { startService } from "../test/support/service.ts";
import { forkSimulatedSteam } from "../test/support/steam/child.ts";
import { table } from "./support/figures.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * Cost of a quiet day: requests to Steam, transactions and WAL while nothing changes, of the change monitor as a process with a poll every
 * 30 s, alone and as eight workers on one database. Extrapolated from a few polls.
 *
 *     node bench/quiet-day.ts [SECONDS]
 */
export interface QuietDayBench {
  rows: { workers: number; polls: number; requests: number; transactions: number; walBytes: number }[];
}

const pollSeconds = 30;
const settleMs = 15_000;

export async function benchQuietDay(seconds = 90): Promise<QuietDayBench> {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster({ durable: true });
  stack.defer(() => cluster.stop());
  const steam = await forkSimulatedSteam({ generate: { seed: 1, count: 2_000 }, latencyMs: 100, keepRequests: false });
  stack.defer(() => steam.close());
  const { url, drop } = await freshDatabase(cluster.address, "postgres");
  stack.defer(drop);
  const database = { env: { DATABASE_URL: url } };
  const bulk = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
  stack.defer(() => bulk.stop());
  if ((await bulk.exited).code !== 0) throw new Error("the bulk sync failed");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  stack.defer(() => client.end());

  const env = { MODE: "change_monitor", POLL_INTERVAL: String(pollSeconds), RECONCILE_INTERVAL: "0" };
  const services: ReturnType<typeof startService>[] = [];
  stack.defer(async () => void (await Promise.all(services.map((service) => service.stop()))));
  const rows: QuietDayBench["rows"] = [];
  for (const workers of [1, 8]) {
    while (services.length < workers) {
      const service = startService({ steam, database, env });
      services.push(service);
      await service.until("/health", ({ status }) => status === "ok");
    }
    await delay(settleMs);
    const before = await countersOf(client, services);
    await delay(seconds * 1_000);
    const after = await countersOf(client, services);
    rows.push({
      workers,
      polls: seconds / pollSeconds,
      requests: after.requests - before.requests,
      transactions: after.transactions - before.transactions,
      walBytes: after.walBytes - before.walBytes,
    });
  }
  return { rows };
}

async function countersOf(client: pg.Client, services: readonly ReturnType<typeof startService>[]) {
  const pages = await Promise.all(
    services.map(async (service) => (await fetch(`${await service.url()}/metrics`)).text()),
  );
  const requests = pages
    .flatMap((page) => [...page.matchAll(/^steam_requests_total\{.*\} (\d+)$/gm)])
    .reduce((sum, [, count]) => sum + Number(count), 0);
  const { rows } = await client.query<{ transactions: number; wal: number }>(
    `select xact_commit::float8 as transactions, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::float8 as wal
     from pg_stat_database where datname = current_database()`,
  );
  return { requests, transactions: rows[0]?.transactions ?? 0, walBytes: rows[0]?.wal ?? 0 };
}

export function formatQuietDay({ rows }: QuietDayBench): string {
  const pollsADay = 86_400 / pollSeconds;
  return table(
    ["workers", "requests to Steam a poll", "database calls a poll", "WAL a poll, KB", "WAL a day, MB"],
    rows.map(({ workers, polls, requests, transactions, walBytes }) => [
      String(workers),
      (requests / polls).toFixed(1),
      (transactions / polls).toFixed(1),
      (walBytes / polls / 1_000).toFixed(1),
      (((walBytes / polls) * pollsADay) / 1_000_000).toFixed(0),
    ]),
  );
}

if (import.meta.main) console.log(formatQuietDay(await benchQuietDay(Number(process.argv[2] ?? 90))));

import { setTimeout as delay } from "node:timers/promises";
import { urlOf } from "../test/support/cluster.ts";
import { startSupabaseApi } from "../test/support/postgrest.ts";
import type { Service } from "../test/support/service.ts";
import { table } from "./support/figures.ts";
import { databaseCounters, type Loaded, openLoaded } from "./support/loaded.ts";

/**
 * Cost of a quiet day: requests to Steam, calls of the database and WAL while nothing changes, of the change monitor as a process with a
 * poll every 30 s: one and eight workers on Postgres, and one through PostgREST, where each call is an HTTP request. Extrapolated from a few
 * polls.
 *
 *     node bench/quiet-day.ts [SECONDS]
 */
export interface QuietDayBench {
  rows: QuietDayRow[];
}

interface QuietDayRow {
  way: string;
  polls: number;
  requests: number;
  walBytes: number;
  /** By SQL function. */
  calls: Map<string, number>;
}

const pollSeconds = 30;
/** More than a poll: by then a worker leads, has named new tags and counted the catalog, which it does once. */
const settleMs = 40_000;

export async function benchQuietDay(seconds = 120): Promise<QuietDayBench> {
  await using stack = new AsyncDisposableStack();
  const loaded = await openLoaded(stack, { apps: 2_000, latencyMs: 100, kind: "supabase" });
  const api = await startSupabaseApi(urlOf(loaded.cluster.address, "authenticator", loaded.name));
  stack.defer(() => api.stop());
  // What the load leaves to autovacuum is no part of a quiet day.
  await loaded.asSuperuser(async (client) => {
    await client.query("vacuum analyze");
    await client.query("checkpoint");
  });
  const env = { POLL_INTERVAL: String(pollSeconds) };
  const rows: QuietDayRow[] = [];

  const rest = await loaded.startMonitor(env, { SUPABASE_URL: api.url, SUPABASE_SERVICE_KEY: api.serviceKey });
  rows.push(await measure("one worker through PostgREST", loaded, [rest], seconds, api.faults.requests));
  await rest.stop();

  const services: Service[] = [];
  for (const workers of [1, 8]) {
    while (services.length < workers) services.push(await loaded.startMonitor(env));
    rows.push(await measure(workers === 1 ? "one worker" : `${workers} workers`, loaded, services, seconds));
  }
  return { rows };
}

async function measure(
  way: string,
  loaded: Loaded,
  services: readonly Service[],
  seconds: number,
  httpRequests?: ReadonlyMap<string, number>,
): Promise<QuietDayRow> {
  await delay(settleMs);
  const read = async () => {
    const http = httpRequests && new Map(httpRequests);
    return { requests: await steamRequests(services), http, ...(await databaseCounters(loaded)) };
  };
  const before = await read();
  await delay(seconds * 1_000);
  const after = await read();
  return {
    way,
    polls: seconds / pollSeconds,
    requests: after.requests - before.requests,
    walBytes: after.walBytes - before.walBytes,
    calls: difference(after.http ?? after.calls, before.http ?? before.calls),
  };
}

async function steamRequests(services: readonly Service[]): Promise<number> {
  const pages = await Promise.all(
    services.map(async (service) => (await fetch(`${await service.url()}/metrics`)).text()),
  );
  const counts = pages.flatMap((page) => [...page.matchAll(/^steam_requests_total\{.*\} (\d+)$/gm)]);
  return counts.reduce((sum, [, count]) => sum + Number(count), 0);
}

function difference(after: ReadonlyMap<string, number>, before: ReadonlyMap<string, number>): Map<string, number> {
  const counts = [...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return new Map(counts.filter(([, count]) => count > 0));
}

export function formatQuietDay({ rows }: QuietDayBench): string {
  const pollsADay = 86_400 / pollSeconds;
  const header = ["", "requests to Steam", "calls of the database", "of them", "WAL, KB", "WAL a day, MB"];
  const cells = rows.map(({ way, polls, requests, walBytes, calls }) => [
    way,
    (requests / polls).toFixed(1),
    ([...calls.values()].reduce((sum, count) => sum + count, 0) / polls).toFixed(1),
    [...calls].map(([name, count]) => `\`${name}\` ${(count / polls).toFixed(1)}`).join(", "),
    (walBytes / polls / 1_000).toFixed(1),
    (((walBytes / polls) * pollsADay) / 1_000_000).toFixed(0),
  ]);
  return [`For each poll, of ${pollSeconds} s:`, "", table(header, cells)].join("\n");
}

if (import.meta.main) console.log(formatQuietDay(await benchQuietDay(Number(process.argv[2] ?? 120))));

/**
 * A soak test of the change monitor: workers as processes of their own, a Steam that announces changes all the time,
 * and faults of Steam, of the database and of the workers at random moments. Checks the invariants that must hold once
 * the faults stop.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { type Cluster, superuser, urlOf } from "../cluster.ts";
import { openTestDatabase, type TestDatabase } from "../databases.ts";
import type { Sql } from "../independent-reading/compare.ts";
import { type ServiceOptions, startService } from "../service.ts";
import { generateCatalog } from "../steam/generate.ts";
import { createRandom } from "../steam/random.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../steam/simulated-steam.ts";
import { createFleet } from "./fleet.ts";
import { startNoise } from "./noise.ts";
import { createTraffic } from "./traffic.ts";
import { audit, judge } from "./verdict.ts";

export interface MonitorSoakOptions {
  /** Not shared with other tests, since it is crashed. */
  cluster: Cluster;
  driver: "postgres" | "supabase";
  /** The last of several is DRAIN_ONLY. */
  workers: number;
  seed: number;
  apps: number;
  /** The faults last until this many changes of apps were announced and this many workers were killed. */
  changes: number;
  kills: number;
  /** Steam's real rate is 20,600 a day; a hundred times that are 24 a second. */
  changesPerSecond: number;
  report?: (line: string) => void;
}

export interface MonitorSoak {
  changes: number;
  kills: number;
  /** A log of what happened. */
  story: string[];
  /** From the end of the faults until everything announced was stored. */
  settledMs: number;
  /** Violated invariants, in words; empty when all hold. */
  violations: string[];
}

const pollIntervalMs = 500;
const leaseMs = 3_000;
const pace = {
  MODE: "change_monitor",
  POLL_INTERVAL: String(pollIntervalMs / 1_000),
  LEASE_SECONDS: String(leaseMs / 1_000),
  PROCESS_BATCH_SIZE: "25",
  BULK_REQUEST_DELAY: "0.02",
  BULK_TIMEOUT: "1.5",
  RECONNECT_MAX_DELAY: "1",
};
/**
 * Besides a lease and two polls: reconnecting to Steam and to the database, an idle wait of the worker pool, a sweep if
 * there is a gap.
 */
const reconnectMs = 20_000;
/** Far less than is stored at this rate. */
const drainedPerSecond = 25;
const sampleMs = 400;

export async function soakMonitor(options: MonitorSoakOptions): Promise<MonitorSoak> {
  const { cluster, driver, workers, seed, apps, changes, kills, changesPerSecond, report = () => {} } = options;
  await using stack = new AsyncDisposableStack();
  const catalog = generateCatalog({ seed, count: apps, maxAppid: 60_000 });
  // Five seconds of changes: some outages last longer, and end in a gap.
  const changeWindow = Math.ceil(5 * changesPerSecond);
  const steam = await startSimulatedSteam({ catalog, latencyMs: 20, changeWindow, keepRequests: false });
  stack.defer(() => steam.close());
  const database = await openTestDatabase(driver, { cluster: cluster.address, prepare: audit });
  stack.defer(() => database.close());
  await load(steam, database);

  const each = (index: number): ServiceOptions => ({
    steam,
    database,
    env: { ...pace, ...(index > 0 && index === workers - 1 && { DRAIN_ONLY: "true" }) },
  });
  const fleet = createFleet(
    Array.from({ length: workers }, (_, index) => each(index)),
    createRandom(seed, 3),
  );
  stack.defer(() => fleet.close());
  const traffic = createTraffic(catalog, seed);
  stack.defer(() => traffic.stop());
  const watch = watchCursor(cluster, database);
  stack.defer(() => watch.stop());

  const startedAt = performance.now();
  fleet.start();
  traffic.start(changesPerSecond);
  const killEveryMs = ((changes / changesPerSecond) * 1_000) / Math.max(1, kills) / 1.2;
  const noise = startNoise({ steam, cluster, api: database.api, fleet, seed, kills, killEveryMs });
  for (let told = 0; traffic.changes < changes || fleet.kills < kills; told++) {
    await delay(1_000);
    if (told % 20 === 19) report(`${traffic.changes} changes, ${fleet.kills} kills`);
  }
  traffic.stop();
  await noise.stop();
  const noiseSeconds = Math.round((performance.now() - startedAt) / 1_000);

  const before = await inDatabase(cluster, database, standing);
  const limitMs = leaseMs + 2 * pollIntervalMs + reconnectMs + (before.pending / drainedPerSecond) * 1_000;
  const { settledMs, left } = await settle(cluster, database, catalog.currentChangeNumber, limitMs);
  await watch.stop();
  await fleet.close();

  const violations = [...fleet.violations, ...watch.violations];
  if (left !== null) violations.push(`not settled ${Math.round(settledMs)} ms after the noise: ${left}`);
  const facts = await inDatabase(cluster, database, async (sql) => {
    violations.push(...(await judge(sql, catalog, traffic)));
    return (
      await sql("select (select count(*) from app_changes) as history, (select count(*) from pics_gaps) as gaps")
    )[0];
  });
  const struck = [...steam.faults.struck].map(([kind, times]) => `${times} ${kind}`).join(", ");
  const story = [
    `${traffic.changes} changes of apps in ${noiseSeconds} s: ${traffic.added} new apps, ${traffic.removed.size} gone at the end`,
    `${fleet.kills} × kill -9, ${fleet.stops} × SIGTERM, ${fleet.freezes} × frozen`,
    `${noise.databaseCrashes} crashes of Postgres, ${noise.steamOutages} outages of Steam; requests struck: ${struck}`,
    `${facts?.gaps} gaps swept, ${facts?.history} rows of history`,
    `when the noise stopped ${before.pending} apps were pending, ${before.failing} of them in backoff`,
    `everything stored ${(settledMs / 1_000).toFixed(1)} s later (limit ${(limitMs / 1_000).toFixed(0)} s)`,
  ];
  return { changes: traffic.changes, kills: fleet.kills, story, settledMs, violations };
}

/** A bulk sync without faults. */
async function load(steam: SimulatedSteam, database: TestDatabase): Promise<void> {
  const service = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
  try {
    const { code } = await service.exited;
    if (code !== 0) throw new Error(`the bulk sync ended with ${code}: ${JSON.stringify(service.logs.at(-1))}`);
  } finally {
    await service.stop();
  }
}

/** Through a connection of its own, since the server is restarted. */
async function inDatabase<T>(cluster: Cluster, { url }: TestDatabase, work: (sql: Sql) => Promise<T>): Promise<T> {
  const name = new URL(url ?? "").pathname.slice(1);
  const client = new pg.Client({ connectionString: urlOf(cluster.address, superuser, name) });
  client.on("error", () => {}); // The interrupted query rejects as well.
  try {
    await client.connect();
    return await work(async (query, params) => (await client.query(query, params)).rows as Record<string, unknown>[]);
  } finally {
    await client.end();
  }
}

interface Standing {
  cursor: number;
  pending: number;
  failing: number;
}

async function standing(sql: Sql): Promise<Standing> {
  const [row] = await sql(`
    select (select last_change_number from pics_sync_state) as cursor, count(*) as pending, count(*) filter (where attempts > 0) as failing
    from sync_status where pics_pending_change is not null`);
  return { cursor: Number(row?.cursor), pending: Number(row?.pending), failing: Number(row?.failing) };
}

/**
 * Waits until everything is stored. Apps in backoff would wait for 30 s and more, so their next attempt is moved to
 * now.
 */
async function settle(cluster: Cluster, database: TestDatabase, current: number, limitMs: number) {
  const startedAt = performance.now();
  for (;;) {
    const { cursor, pending, failing } = await inDatabase(cluster, database, async (sql) => {
      await sql("update sync_status set next_attempt_at = now() where next_attempt_at > now()");
      return standing(sql);
    });
    const settledMs = performance.now() - startedAt;
    if (cursor === current && pending === 0) return { settledMs, left: null };
    const left = `${pending} apps pending, ${failing} failing, the cursor ${current - cursor} behind`;
    if (settledMs > limitMs) return { settledMs, left };
    await delay(100);
  }
}

/** Polls the cursor and records whether it ever goes back. */
function watchCursor(cluster: Cluster, database: TestDatabase) {
  const stopping = new AbortController();
  const violations: string[] = [];
  let highest = 0;
  const loop = async () => {
    while (!stopping.signal.aborted) {
      const now = await inDatabase(cluster, database, standing).catch(() => null);
      if (now && now.cursor < highest) violations.push(`the cursor went back from ${highest} to ${now.cursor}`);
      highest = Math.max(highest, now?.cursor ?? 0);
      await delay(sampleMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const ended = loop();
  return {
    violations,
    stop() {
      stopping.abort();
      return ended;
    },
  };
}

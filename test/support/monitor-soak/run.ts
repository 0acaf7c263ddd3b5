/**
 * A soak test of the change monitor: workers as processes of their own, a Steam that announces changes all the time,
 * and faults of Steam, of the database and of the workers at random moments. Checks the invariants that must hold once
 * the faults stop.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../cluster.ts";
import { openTestDatabase, type TestDatabase } from "../databases.ts";
import type { Sql } from "../independent-reading/compare.ts";
import { type ServiceOptions, startService } from "../service.ts";
import { generateCatalog } from "../steam/generate.ts";
import { createRandom } from "../steam/random.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../steam/simulated-steam.ts";
import { connectTo, standing } from "./database.ts";
import { falseAnswerSettings } from "./false-answers.ts";
import { createFleet, type Fleet } from "./fleet.ts";
import { type Noise, startNoise } from "./noise.ts";
import { watchPromises } from "./promises.ts";
import { settle, settleWithheld } from "./settle.ts";
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
const { unknownConfirmMs, maxShrink, emptyJumpMax } = falseAnswerSettings;
const pace = {
  MODE: "change_monitor",
  POLL_INTERVAL: String(pollIntervalMs / 1_000),
  LEASE_SECONDS: String(leaseMs / 1_000),
  PROCESS_BATCH_SIZE: "25",
  BULK_REQUEST_DELAY: "0.02",
  BULK_TIMEOUT: "1.5",
  RECONNECT_MAX_DELAY: "1",
  APP_RETRY_DELAY: "2",
  APP_RETRY_MAX_DELAY: "20",
  UNKNOWN_CONFIRM_SECONDS: String(unknownConfirmMs / 1_000),
  MAX_SHRINK: String(maxShrink),
  EMPTY_JUMP_MAX: String(emptyJumpMax),
};
/** Reconnecting to Steam and to the database, and an idle wait of the worker pool. */
const reconnectMs = 20_000;
/** A sweep of a gap, with the last pause before it asks for what Steam left unanswered. */
const sweepMs = 20_000;
/** Time to settle, besides that for the pending apps. */
const idleLimitMs = leaseMs + 2 * pollIntervalMs + reconnectMs + sweepMs + unknownConfirmMs;
/** Far less than is stored at this rate. */
const drainedPerSecond = 25;

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
  const inDatabase = connectTo(cluster, database);
  const watch = watchPromises(inDatabase, catalog);
  stack.defer(() => watch.stop());

  const startedAt = performance.now();
  fleet.start();
  traffic.start(changesPerSecond);
  const killEveryMs = ((changes / changesPerSecond) * 1_000) / Math.max(1, kills) / 1.2;
  const { api } = database;
  const noise = startNoise({ steam, cluster, api, fleet, traffic, inDatabase, seed, kills, killEveryMs });
  for (let told = 0; traffic.changes < changes || fleet.kills < kills; told++) {
    await delay(1_000);
    if (told % 20 === 19)
      report(`${traffic.changes} changes, ${fleet.kills} kills, ${noise.falseAnswers.massUnknown} masses`);
  }
  traffic.stop();
  await noise.stop();
  const noiseSeconds = Math.round((performance.now() - startedAt) / 1_000);

  const before = await inDatabase(standing);
  const limitMs = idleLimitMs + (before.pending / drainedPerSecond) * 1_000;
  const { settledMs, left } = await settle(inDatabase, catalog.currentChangeNumber, limitMs);
  await watch.stop();
  const withheld = await settleWithheld(inDatabase, limitMs);
  await fleet.close();

  const violations = [...fleet.violations, ...watch.violations];
  if (left !== null) violations.push(`not settled ${Math.round(settledMs)} ms after the noise: ${left}`);
  if (withheld.left !== null) violations.push(`not settled after a day: ${withheld.left}`);
  violations.push(...(await inDatabase((sql) => judge(sql, catalog, traffic))));
  const story = [
    `${traffic.changes} changes of apps in ${noiseSeconds} s: ${traffic.added} new apps, ${traffic.everRemoved.size} removed, ${traffic.removed.size} gone at the end`,
    `${fleet.kills} × kill -9, ${fleet.stops} × SIGTERM, ${fleet.freezes} × frozen`,
    `${noise.databaseCrashes} crashes of Postgres, ${noise.steamOutages} outages of Steam`,
    `requests struck: ${[...steam.faults.struck].map(([kind, times]) => `${times} ${kind}`).join(", ")}`,
    falseAnswersIn(noise),
    await inDatabase((sql) => gapsAndHistory(sql, fleet)),
    `${watch.samples} samples of what the cursor promises`,
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

function falseAnswersIn({ falseAnswers }: Noise): string {
  const { mutePeriods, shortenedPayloads, omittedApps, smallJumps, largeJumps, silentChangelists } = falseAnswers;
  const { falseUnknown, massUnknown, hours, muteSweeps } = falseAnswers;
  return [
    `${mutePeriods} mute periods`,
    `${muteSweeps} sweeps with a mute Steam`,
    `${shortenedPayloads} of shortened payloads`,
    `${omittedApps} of omitted apps and tokens`,
    `${falseUnknown} of false "unknown"`,
    `${massUnknown} of "unknown" of a mass`,
    `${hours} hours passed`,
    `empty changelists: ${smallJumps} small, ${largeJumps} large, ${silentChangelists} that left out changes`,
  ].join(", ");
}

async function gapsAndHistory(sql: Sql, { sweeps }: Fleet): Promise<string> {
  const [row] = await sql(
    "select (select count(*) from app_changes) as history, (select count(*) from pics_gaps) as gaps",
  );
  return `${row?.gaps} gaps closed by ${sweeps.complete} sweeps, ${sweeps.failed} sweeps failed; ${row?.history} rows of history`;
}

/**
 * A bulk sync that is killed repeatedly (`kill -9`) and restarted on the same database, and its invariants:
 *
 * - the database ends as that of an uninterrupted run;
 * - an app that was stored when the process died is never fetched again;
 * - every app that the process had reported as done before it died is in the database;
 * - apps not stored are fetched again only if their batch was in flight;
 * - an app has a row exactly when it counts as stored, and then it is not pending;
 * - the next process can take the embedded database's folder at once.
 *
 * The moments are drawn from a seed and fall into every phase: the start, the logon, the sweep, between a fetch and its
 * write, the names of the tags.
 */
import type { ClusterAddress } from "../cluster.ts";
import { openTestDatabase } from "../databases.ts";
import { type Dump, differencesOf, dumpDatabase, type Sql } from "../dump.ts";
import { type Service, startService } from "../service.ts";
import type { ForkedSteam } from "../steam/child.ts";
import type { FaultKind } from "../steam/faults.ts";
import type { GenerateOptions } from "../steam/generate.ts";
import { createRandom } from "../steam/random.ts";
import { anySweep, describeMoment, leasesLostBy, planMoments, runUntil, type Turn } from "./moments.ts";
import { type InterruptedDriver, openTarget } from "./targets.ts";

export interface InterruptionOptions {
  driver: InterruptedDriver;
  cluster: ClusterAddress;
  /**
   * Not used by other clients meanwhile. Its latency should be some milliseconds, so that kills hit what is in flight.
   */
  steam: ForkedSteam;
  uninterrupted: UninterruptedRun;
  seed: number;
  kills: number;
  /** Adds faults of Steam while processes are killed. */
  faults?: boolean;
  report?: (line: string) => void;
}

export interface Interruption {
  /** Processes that were killed at a planned moment. */
  kills: number;
  /** Those of them after which some apps were stored and others were not. */
  killsMidway: number;
  /** The moment of each kill and the number of apps stored by then, in words. */
  history: string[];
  /** Apps requested more often than in an uninterrupted run. */
  appsFetchedAgain: number;
  /** From the last start to its first step after the database was open. */
  restartMs: number;
  /** Violated invariants, in words; empty when all hold. */
  violations: string[];
}

/** The result of an uninterrupted bulk sync. */
export interface UninterruptedRun {
  dump: Dump;
  /** Requests per app: one, or two with a token. */
  fetches: Map<number, number>;
}

/**
 * A catalog for a number of kills: too large to be stored before the last one, and spread so that sweep and fetch
 * overlap.
 */
export function catalogFor(kills: number, seed: number): GenerateOptions {
  return { seed, count: 300 + 60 * kills, maxAppid: 60_000 };
}

const batchSize = 25;
const concurrency = 3;
const mostInFlight = batchSize * concurrency;
/** A start that waits for the heartbeat of a dead owner of the data folder to grow stale takes longer than this. */
const restartLimitMs = 12_000;

const pace = {
  BULK_BATCH_SIZE: String(batchSize),
  BULK_CONCURRENCY: String(concurrency),
  BULK_REQUEST_DELAY: "0.02",
  // A sweep of 20 requests.
  APP_ID_MAX: "100000",
  // A restart waits for what the killed process held.
  LEASE_SECONDS: "2",
};

/** Under faults an app may fail often, a request hang, and its lease has to outlast that. */
const paceWithFaults = {
  ...pace,
  LEASE_SECONDS: "8",
  BULK_TIMEOUT: "2",
  BULK_MAX_RETRIES: "100",
  RECONNECT_MAX_DELAY: "1",
};
const faultKinds: FaultKind[] = ["drop", "hang", "slow", "logoff", "garbage", "partial_reply"];
faultKinds.push("no_buffer", "truncated", "omit", "logon_refused", "cm_list");
const faultRate = 0.04;

/** One bulk sync of everything that `steam` has into an empty Postgres. */
export async function runUninterrupted(cluster: ClusterAddress, steam: ForkedSteam): Promise<UninterruptedRun> {
  await steam.call("clearLog");
  const database = await openTestDatabase("postgres", { cluster });
  const service = startService({ args: ["bulk-sync"], steam, database, env: pace });
  try {
    const { code } = await service.exited;
    if (code !== 0) throw new Error(`the uninterrupted run ended with ${code}: ${JSON.stringify(service.logs.at(-1))}`);
    return { dump: await dumpDatabase((query) => database.sql(query)), fetches: await steam.call("fetchCounts") };
  } finally {
    await service.stop();
    await database.close();
  }
}

/** Kills a bulk sync `kills` times, lets the last one finish, and reports violated invariants. */
export async function interruptBulkSync(options: InterruptionOptions): Promise<Interruption> {
  const { steam, seed, uninterrupted, faults = false, report = () => {} } = options;
  const target = await openTarget(options.driver, options.cluster);
  const ledger = createLedger(uninterrupted.fetches);
  const history: string[] = [];
  const random = createRandom(seed);
  const planned = planMoments(random, options.kills);
  let service: Service | null = null;
  const start = () =>
    startService({ args: ["bulk-sync"], steam, database: target, env: faults ? paceWithFaults : pace });

  await steam.call("clearLog");
  if (faults) await steam.call("randomFaults", { seed: seed + 1, rate: faultRate, kinds: faultKinds });
  try {
    while (ledger.kills < options.kills) {
      const moment = planned[ledger.kills] ?? anySweep(random);
      service = start();
      const turn = await runUntil(moment, service, steam);
      if (!turn.killed && turn.code !== 0) throw new Error(`a run ended with ${turn.code}: ${turn.lastWords}`);
      // When it finished before its moment came, the next one is killed at a moment that occurs in every run.
      if (!turn.killed) planned[ledger.kills] = anySweep(random);
      else {
        const { stored, halfDone } = await target.inspect(readStored);
        ledger.killed(turn, stored, halfDone, (await steam.call("stats")).counts.product_info);
        const line = `kill ${String(ledger.kills).padStart(2)}: ${describeMoment(moment)}, ${stored.size} apps stored`;
        history.push(line);
        report(line);
      }
    }

    await steam.call("clearFaults");
    const startedAt = performance.now();
    service = start();
    await service.logged(/^bulk sync begins/);
    const restartMs = performance.now() - startedAt;
    const { code } = await service.exited;
    if (code !== 0) throw new Error(`the last run ended with ${code}: ${JSON.stringify(service.logs.at(-1))}`);

    const requested = (await steam.call("requests", "product_info")).map(({ appids }) => appids);
    const appsFetchedAgain = ledger.finished(requested, leasesLostBy(service), faults);
    const violations = [...ledger.violations, ...differencesOf(uninterrupted.dump, await target.inspect(dumpDatabase))];
    if (restartMs >= restartLimitMs) violations.push(`the last start took ${Math.round(restartMs)} ms`);
    const { kills, killsMidway } = ledger;
    return { kills, killsMidway, history, appsFetchedAgain, restartMs, violations };
  } finally {
    await service?.stop();
    await steam.call("clearFaults");
    await target.close();
  }
}

/** Records what was stored at each kill, and which apps may be requested after it. */
function createLedger(usualFetches: ReadonlyMap<number, number>) {
  /** Apps that were stored when a process died, with how many product info requests had been made by then. */
  const storedAt = new Map<number, number>();
  let leasesLost = 0;
  const ledger = {
    kills: 0,
    killsMidway: 0,
    violations: [] as string[],

    killed(turn: Turn, stored: ReadonlySet<number>, halfDone: readonly unknown[], requestsSoFar: number) {
      ledger.kills += 1;
      leasesLost += turn.leasesLost;
      const violated = (text: string) => ledger.violations.push(`kill ${ledger.kills}: ${text}`);
      const lost = [...storedAt.keys()].filter((appid) => !stored.has(appid));
      if (lost.length > 0) violated(`stored before and not any more: ${sample(lost)}`);
      if (halfDone.length > 0) violated(`neither stored nor missing: ${sample(halfDone)}`);
      const gained = stored.size + lost.length - storedAt.size;
      if (turn.reportedDone > gained) violated(`${turn.reportedDone} apps reported as done, ${gained} stored`);
      for (const appid of stored) if (!storedAt.has(appid)) storedAt.set(appid, requestsSoFar);
      if (stored.size > 0 && stored.size < usualFetches.size) ledger.killsMidway += 1;
    },

    /** @returns the number of apps requested more often than in an uninterrupted run. */
    finished(requests: readonly (readonly number[])[], leasesLostAtLast: number, faults: boolean): number {
      const storedBefore = (appid: number, index: number) => index >= (storedAt.get(appid) ?? Number.POSITIVE_INFINITY);
      const needless = requests.flatMap((appids, index) => appids.filter((appid) => storedBefore(appid, index)));
      if (needless.length > 0) ledger.violations.push(`fetched again although stored at a kill: ${sample(needless)}`);

      const fetches = new Map<number, number>();
      for (const appid of requests.flat()) fetches.set(appid, (fetches.get(appid) ?? 0) + 1);
      const again = [...fetches].filter(([appid, times]) => times > (usualFetches.get(appid) ?? 0)).length;
      const limit = ledger.kills * mostInFlight + leasesLost + leasesLostAtLast;
      // Under faults the session repeats requests by itself.
      if (!faults && again > limit) ledger.violations.push(`${again} apps fetched again, at most ${limit} in flight`);
      return again;
    },
  };
  return ledger;
}

/** Apps that count as stored, and rows of those that are in no state that a single bulk sync should ever commit. */
async function readStored(sql: Sql): Promise<{ stored: Set<number>; halfDone: unknown[] }> {
  const rows = await sql(`
    select s.*, a.appid is not null as has_row, s.last_pics_sync is not null and s.pics_pending_change is null as is_stored
    from sync_status s left join apps a on a.appid = s.appid
  `);
  const stored = rows.filter((row) => row.is_stored).map(({ appid }) => Number(appid));
  return { stored: new Set(stored), halfDone: rows.filter((row) => row.has_row !== row.is_stored) };
}

function sample(list: readonly unknown[]): string {
  return `${list.length}, such as ${JSON.stringify(list.slice(0, 3))}`;
}

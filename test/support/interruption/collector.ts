/**
 * Crash test: a collector is killed (`kill -9`) repeatedly on two days and restarted on the same database. Invariants:
 *
 * - at the end of each day the database equals that of an undisturbed collector, and an independent reading of SteamSpy's answers;
 * - at every kill each app and each game is in a state of that day or of the day before, according to the progress of the process;
 * - saved answers are never requested again; at most one page of each kind, or one batch of details, is requested and lost.
 *
 * The moments are drawn from a seed and cover all phases: reading and applying the lists, SteamSpy's pages, details.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterAddress } from "../cluster.ts";
import { type Dump, differencesOf } from "../dump.ts";
import { startService } from "../service.ts";
import { createRandom } from "../steam/random.ts";
import { compareMetadata } from "../web/compare-metadata.ts";
import { type AppsOfDay, askedAgain, faultsOf, listedOn, lostBy } from "./collector-ledger.ts";
import { anyMoment, describeMoment, type Moment, planMoments, runUntil, type Turn } from "./collector-moments.ts";
import { dumpCollected, readStored, type Stored } from "./collector-state.ts";
import { type CollectorTarget, openCollectorTarget, type Place } from "./collector-targets.ts";
import type { CollectorWeb } from "./collector-web.ts";
import { type Day, nextDaySql } from "./collector-world.ts";
import type { InterruptedDriver } from "./targets.ts";

export { killsInAll } from "./collector-moments.ts";
export { type CollectorWeb, startCollectorWeb } from "./collector-web.ts";
export { createWorld, type Day } from "./collector-world.ts";

export interface CollectorInterruptionOptions {
  driver: InterruptedDriver;
  cluster: ClusterAddress;
  /** Used by this test alone. */
  web: CollectorWeb;
  days: readonly Day[];
  undisturbed: readonly UndisturbedDay[];
  seed: number;
  report?: (line: string) => void;
}

export interface CollectorInterruption {
  /** Kills by phase. */
  kills: Record<Place, number>;
  /** The kills, described. */
  history: string[];
  /** Violated invariants, described; empty if all hold. */
  violations: string[];
}

/** What the database holds at the end of a day. */
export interface UndisturbedDay {
  dump: Dump;
  apps: Map<number, string>;
}

const batchSize = 50;
const env = {
  // Most of the start-up time is reading and compiling the program.
  NODE_COMPILE_CACHE: join(tmpdir(), "spsync-compile-cache"),
  STEAM_API_KEY: "key-of-the-store",
  BATCH_SIZE: String(batchSize),
  // More than the games here: an interrupted run must not request more than an undisturbed one.
  MAX_DETAILS: "1000000",
  STEAMSPY_API_LIMIT: "6000/second",
  STEAMSPY_ALL_LIMIT: "6000/second",
};
/** On Postgres the test expires the lease itself, so the lease is long enough for a slow machine. */
const leaseSeconds: Record<InterruptedDriver, string> = { postgres: "60", pglite: "2" };

/** One collector a day on an empty Postgres. */
export async function collectUndisturbed(
  cluster: ClusterAddress,
  web: CollectorWeb,
  days: readonly Day[],
): Promise<UndisturbedDay[]> {
  const target = await openCollectorTarget("postgres", cluster);
  try {
    const results: UndisturbedDay[] = [];
    for (const day of days) {
      serve(web, day);
      await finish(target, "postgres", web);
      const dump = await target.inspect(dumpCollected);
      const { apps } = await target.inspect(readStored);
      results.push({ dump, apps });
      await target.edit(nextDaySql);
    }
    return results;
  } finally {
    await target.close();
  }
}

/** Kills collectors on every day, lets the last one of each day finish, and reports violated invariants. */
export async function interruptCollector(options: CollectorInterruptionOptions): Promise<CollectorInterruption> {
  const { driver, web, days, undisturbed, seed, report = () => {} } = options;
  const random = createRandom(seed);
  const target = await openCollectorTarget(driver, options.cluster);
  const result: CollectorInterruption = {
    kills: { reading: 0, applying: 0, pages: 0, details: 0 },
    history: [],
    violations: [],
  };
  const plan = planMoments(random, days, batchSize, target.halts !== null);
  try {
    for (const [number, day] of days.entries()) {
      serve(web, day);
      const apps: AppsOfDay = {
        before: undisturbed[number - 1]?.apps ?? new Map(),
        atEnd: undisturbed[number]?.apps ?? new Map(),
      };
      const membersBefore = listedOn(days[number - 1] ?? { ...day, lists: emptyLists });
      let last: Stored | null = null;

      async function note(what: string, turn: Turn): Promise<void> {
        const stored = await target.inspect(readStored);
        const faults = [
          ...(last ? askedAgain(last, turn.asked) : []),
          ...lostBy(stored, turn.asked, batchSize),
          ...faultsOf(stored, day, apps, membersBefore),
        ];
        last = stored;
        const line = `day ${number + 1}: ${what}`;
        result.history.push(line);
        report(line);
        result.violations.push(...faults.map((fault) => `${line}: ${fault}`));
      }

      for (const planned of plan[number] ?? []) {
        for (let moment = planned, killed = false; !killed; moment = anyMoment(random)) {
          const turn = await run(target, driver, web, moment);
          killed = turn.killed;
          if (killed) result.kills[moment.place] += 1;
          await note(killed ? describeMoment(moment) : "ended before its moment came", turn);
        }
      }
      await note("not disturbed", await finish(target, driver, web));
      const differences = differencesOf(undisturbed[number]?.dump ?? new Map(), await target.inspect(dumpCollected));
      const misread = await target.inspect((sql) => compareMetadata(sql, day.metadata.atEnd, 5));
      const all = [...differences, ...misread.map((difference) => JSON.stringify(difference))];
      result.violations.push(...all.map((text) => `day ${number + 1}, at its end: ${text}`));
      await target.edit(nextDaySql);
    }
    return result;
  } finally {
    await target.close();
  }
}

function serve({ list, spy }: CollectorWeb, { lists, dump }: Day): void {
  list.lists = lists;
  spy.dump = dump;
}

const emptyLists: Day["lists"] = { games: [], dlc: [], software: [], videos: [], hardware: [] };

async function finish(target: CollectorTarget, driver: InterruptedDriver, web: CollectorWeb): Promise<Turn> {
  const turn = await run(target, driver, web, null);
  if (turn.code !== 0) throw new Error(`an undisturbed run ended with ${turn.code}: ${turn.lastWords}`);
  return turn;
}

async function run(
  target: CollectorTarget,
  driver: InterruptedDriver,
  web: CollectorWeb,
  moment: Moment | null,
): Promise<Turn> {
  const start = () =>
    startService({
      args: ["collect"],
      steam: web,
      database: target,
      env: { ...env, LEASE_SECONDS: leaseSeconds[driver] },
    });
  const turn = await runUntil(moment, start, web, target.halts);
  if (!turn.killed && turn.code !== 0) throw new Error(`a run ended with ${turn.code}: ${turn.lastWords}`);
  await target.lapse();
  return turn;
}

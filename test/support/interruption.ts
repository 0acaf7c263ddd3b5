/**
 * A bulk sync that is killed again and again (`kill -9`) and started again on the same database, and what must hold of it:
 *
 * - the database ends as that of an undisturbed run;
 * - an app that was stored when the process died is never fetched again;
 * - what the process had reported as done before it died is in the database;
 * - besides what is stored, no more is fetched again than the batches that were in flight;
 * - an app has its row exactly when it counts as stored, and then no work is left for it;
 * - the next process can take the embedded database's folder at once.
 *
 * The moments are drawn from a seed and fall into every phase: the start, the logon, the sweep, between a fetch and its write, the names
 * of the tags.
 */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openPglite } from "../../src/db/pglite.ts";
import type { ClusterAddress } from "./cluster.ts";
import { openTestDatabase } from "./databases.ts";
import { type Dump, differencesOf, dumpDatabase, type Sql } from "./dump.ts";
import { type Service, startService } from "./service.ts";
import type { ForkedSteam } from "./steam/child.ts";
import type { FaultKind } from "./steam/faults.ts";
import type { GenerateOptions } from "./steam/generate.ts";
import { createRandom, type Random } from "./steam/random.ts";
import type { SimulatedRequestKind } from "./steam/request-log.ts";
import { copyPgliteTemplate, silent } from "./templates.ts";

export type InterruptedDriver = "postgres" | "pglite";

export interface InterruptionOptions {
  driver: InterruptedDriver;
  cluster: ClusterAddress;
  /** Nobody else asks it anything meanwhile. Its latency should be some milliseconds, so that kills hit what is in flight. */
  steam: ForkedSteam;
  undisturbed: UndisturbedRun;
  seed: number;
  kills: number;
  /** Steam misbehaves as well while the killing lasts. */
  faults?: boolean;
  report?: (line: string) => void;
}

export interface Interruption {
  /** Processes that were killed at a planned moment. */
  kills: number;
  /** When they were killed and how many apps were stored by then, in words. */
  history: string[];
  /** Apps that were asked for more often than in an undisturbed run. */
  appsFetchedAgain: number;
  /** From the last start to its first step after the database was open. */
  restartMs: number;
  /** What did not hold, in words; empty when all did. */
  violations: string[];
}

/** What one bulk sync does when nobody disturbs it. */
export interface UndisturbedRun {
  dump: Dump;
  /** How often it asked for each app: once, or once more with a token. */
  fetches: Map<number, number>;
}

/** A catalogue for so many kills: large enough not to be stored before the last, and spread so that sweep and fetch overlap. */
export function catalogueFor(kills: number, seed: number): GenerateOptions {
  return { seed, count: 300 + 60 * kills, maxAppid: 60_000 };
}

const batchSize = 25;
const concurrency = 3;
const mostInFlight = batchSize * concurrency;
const pollMs = 3;
/** So long the embedded database's folder would stay taken if it could not be seen that its owner is dead. */
const lockStaleMs = 15_000;

const pace = {
  BULK_BATCH_SIZE: String(batchSize),
  BULK_CONCURRENCY: String(concurrency),
  BULK_REQUEST_DELAY: "0.02",
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
const faultKinds: FaultKind[] = [
  "drop",
  "hang",
  "slow",
  "logoff",
  "garbage",
  "partial_reply",
  "no_buffer",
  "truncated",
];
const moreFaultKinds: FaultKind[] = ["omit", "logon_refused", "cm_list"];
const faultRate = 0.04;

/** One bulk sync of everything that `steam` has into an empty Postgres. */
export async function runUndisturbed(cluster: ClusterAddress, steam: ForkedSteam): Promise<UndisturbedRun> {
  await steam.call("clearLog");
  const database = await openTestDatabase("postgres", { cluster });
  const service = startService({ args: ["bulk-sync"], steam, database, env: pace });
  try {
    const { code } = await service.exited;
    if (code !== 0) throw new Error(`the undisturbed run ended with ${code}: ${JSON.stringify(service.logs.at(-1))}`);
    return { dump: await dumpDatabase((query) => database.sql(query)), fetches: await steam.call("fetchCounts") };
  } finally {
    await service.stop();
    await database.close();
  }
}

/** Kills a bulk sync so many times, lets the last one finish, and says what did not hold. */
export async function interruptBulkSync(options: InterruptionOptions): Promise<Interruption> {
  const { steam, report = () => {} } = options;
  const target = options.driver === "postgres" ? await postgresTarget(options.cluster) : await pgliteTarget();
  const env = options.faults ? paceWithFaults : pace;
  const start = () => startService({ args: ["bulk-sync"], steam, database: target, env });
  const random = createRandom(options.seed);
  const result: Interruption = { kills: 0, history: [], appsFetchedAgain: 0, restartMs: 0, violations: [] };
  const violated = (text: string) => result.violations.push(text);
  /** Apps that were stored when a process died, with how many product info requests had been made by then. */
  const storedAt = new Map<number, number>();
  let leasesLost = 0;

  const seedOfFaults = options.seed + 1;
  if (options.faults)
    await steam.call("randomFaults", {
      seed: seedOfFaults,
      rate: faultRate,
      kinds: [...faultKinds, ...moreFaultKinds],
    });

  const planned = planMoments(random, options.kills);
  try {
    await steam.call("clearLog");
    while (result.kills < options.kills) {
      const moment = planned[result.kills] ?? anySweep(random);
      const before = storedAt.size;
      const turn = await runUntil(moment, start(), steam);
      leasesLost += turn.leasesLost;
      if (!turn.killed) {
        // It finished before its moment came; every run sweeps.
        planned[result.kills] = anySweep(random);
        if (turn.code !== 0) throw new Error(`a run ended with ${turn.code}: ${turn.lastWords}`);
        continue;
      }
      result.kills += 1;

      const requested = (await steam.call("requests", "product_info")).length;
      const { stored, halfDone } = await target.inspect(readStored);
      const lost = [...storedAt.keys()].filter((appid) => !stored.has(appid));
      if (lost.length > 0) violated(`kill ${result.kills}: stored before and not any more: ${sample(lost)}`);
      if (halfDone.length > 0) violated(`kill ${result.kills}: neither stored nor missing: ${sample(halfDone)}`);
      for (const appid of stored) if (!storedAt.has(appid)) storedAt.set(appid, requested);
      const gained = storedAt.size - before;
      if (turn.reportedDone > gained)
        violated(`kill ${result.kills}: ${turn.reportedDone} apps were reported as done, ${gained} are stored`);

      const line = `kill ${String(result.kills).padStart(2)}: ${describe(moment)}, ${storedAt.size} apps stored`;
      result.history.push(line);
      report(line);
    }

    await steam.call("clearFaults");
    const startedAt = performance.now();
    const last = start();
    await last.logged(/^bulk sync begins/);
    result.restartMs = performance.now() - startedAt;
    if (result.restartMs >= lockStaleMs) violated(`the last start took ${Math.round(result.restartMs)} ms`);
    const { code } = await last.exited;
    leasesLost += leasesLostBy(last);
    if (code !== 0) throw new Error(`the last run ended with ${code}: ${JSON.stringify(last.logs.at(-1))}`);
    for (const line of differencesOf(options.undisturbed.dump, await target.inspect(dumpDatabase))) violated(line);
  } finally {
    await steam.call("clearFaults");
    await target.close();
  }

  const requests = await steam.call("requests", "product_info");
  const needless = requests.flatMap(({ appids }, index) =>
    appids.filter((appid) => index >= (storedAt.get(appid) ?? Number.POSITIVE_INFINITY)),
  );
  if (needless.length > 0) violated(`fetched again although they were stored at a kill: ${sample(needless)}`);

  const fetches = await steam.call("fetchCounts");
  const usual = options.undisturbed.fetches;
  result.appsFetchedAgain = [...fetches].filter(([appid, times]) => times > (usual.get(appid) ?? 0)).length;
  const limit = result.kills * mostInFlight + leasesLost;
  if (!options.faults && result.appsFetchedAgain > limit)
    violated(`${result.appsFetchedAgain} apps were fetched again, at most ${limit} were in flight`);
  return result;
}

/** When to kill: so long after the start, or after the n-th request of a kind that the process makes. */
interface Moment {
  after: SimulatedRequestKind | "start";
  count: number;
  delayMs: number;
}

/** The end comes last: a run that gets there leaves later ones nothing to fetch. */
function planMoments(random: Random, kills: number): Moment[] {
  const moments = Array.from({ length: kills }, () => drawMoment(random));
  if (kills > 1) moments[kills - 1] = { after: "tag_names", count: 1, delayMs: random.int(0, 40) };
  // Whatever is drawn, some batch is hit between its fetch and its write.
  moments[0] = { after: "product_info", count: random.int(2, 4), delayMs: random.int(20, 60) };
  return moments;
}

function drawMoment(random: Random): Moment {
  const after = random.weighted<Moment["after"]>([
    [3, "start"],
    [1, "logon"],
    [2, "metadata"],
    [8, "product_info"],
    [2, "access_tokens"],
  ]);
  if (after === "start") return { after, count: 0, delayMs: random.int(50, 2_000) };
  if (after === "metadata") return { after, count: random.int(1, 6), delayMs: random.int(0, 40) };
  // A reply takes 20 ms and a write some tens.
  return { after, count: random.int(1, after === "product_info" ? 4 : 1), delayMs: random.int(0, 90) };
}

function anySweep(random: Random): Moment {
  return { after: "metadata", count: random.int(1, 20), delayMs: random.int(0, 40) };
}

function describe({ after, count, delayMs }: Moment): string {
  const place = after === "start" ? "after the start" : `after request ${count} of ${after}`;
  return `${delayMs} ms ${place}`;
}

interface Turn {
  killed: boolean;
  code: number | null;
  /** Apps that the process said were stored, just before it was killed; 0 when it did not answer. */
  reportedDone: number;
  leasesLost: number;
  lastWords: string;
}

async function runUntil(moment: Moment, service: Service, steam: ForkedSteam): Promise<Turn> {
  const gone = new AbortController();
  void service.exited.then(() => gone.abort());
  let reportedDone = 0;
  try {
    if (moment.after !== "start") await requestsMade(moment.after, moment.count, steam, gone.signal);
    await delay(moment.delayMs, undefined, { signal: gone.signal });
    reportedDone = await doneSoFar(service);
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    await service.stop();
  }
  const { code, signal } = await service.exited;
  const lastWords = JSON.stringify(service.logs.at(-1));
  return { killed: signal === "SIGKILL", code, reportedDone, leasesLost: leasesLostBy(service), lastWords };
}

async function requestsMade(kind: SimulatedRequestKind, count: number, steam: ForkedSteam, signal: AbortSignal) {
  const countSoFar = async () => (await steam.call("stats")).counts[kind];
  const before = await countSoFar();
  while ((await countSoFar()) < before + count) await delay(pollMs, undefined, { signal });
}

async function doneSoFar(service: Service): Promise<number> {
  if (service.logs.length === 0) return 0; // It does not listen yet.
  try {
    const { body } = await service.get("/status");
    return (body.bulk as { done: number } | null)?.done ?? 0;
  } catch {
    return 0; // It does not listen any more.
  }
}

/** Apps whose time ran out on a slow machine while the process lived; they are fetched again. */
function leasesLostBy(service: Service): number {
  const told = service.logs.filter(({ message }) => /lease had run out|lease ran out/.test(message));
  return told.reduce((sum, { apps }) => sum + Number(apps), 0);
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

/** A database that processes use one after the other, and that can be read after one has been killed. */
interface Target {
  env: Record<string, string>;
  inspect<T>(read: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

async function postgresTarget(cluster: ClusterAddress): Promise<Target> {
  const database = await openTestDatabase("postgres", { cluster });
  const sql: Sql = (query) => database.sql(query);
  const sessions =
    "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'steam-pics-sync'";
  return {
    env: database.env,
    async inspect(read) {
      // The server runs a statement to its end although who sent it is dead.
      while ((await sql(sessions))[0]?.count !== 0) await delay(pollMs);
      return read(sql);
    },
    close: () => database.close(),
  };
}

/** Reads copies, so that it is the next process that finds the folder as the killed one left it. */
async function pgliteTarget(): Promise<Target> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-interrupted-"));
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, true);
  return {
    env: { DATA_DIR: dataDir },
    async inspect(read) {
      const copy = join(folder, "copy");
      await cp(dataDir, copy, { recursive: true });
      const database = await openPglite({ dataDir: copy, logger: silent });
      try {
        return await read((query) => database.query(query));
      } finally {
        await database.close();
        await rm(copy, { recursive: true, force: true });
      }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

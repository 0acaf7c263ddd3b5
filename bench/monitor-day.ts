import { setTimeout as delay } from "node:timers/promises";
import type { Service } from "../test/support/service.ts";
import { createRandom } from "../test/support/steam/random.ts";
import { table } from "./support/figures.ts";
import { type DatabaseCounters, databaseCounters, type Loaded, openLoaded } from "./support/loaded.ts";
import { cpuByProgram, cpuOf } from "./support/process-meter.ts";

/**
 * A day of the change monitor at Steam's real rate of changes, compressed: CPU time of the worker, CPU and database time of Postgres, and
 * WAL, each for a whole real day. The service runs as a process on a durable Postgres with default settings.
 *
 * What is compressed by the factor: the changes (20,600 a day, each of a random app, at random times), `POLL_INTERVAL` (30 s), and the
 * checkpoints of Postgres (every 5 min), after which pages are written whole into the WAL. So a poll finds as many changes as on a real day.
 * What happens by the clock (heartbeats, counts of the catalog) is measured without changes in real time, and added. The polls themselves
 * are in both parts, so the sum is a little too high.
 *
 *     node bench/monitor-day.ts [SECONDS] [FACTOR]
 */
export interface MonitorDayBench {
  /** Seconds of the compressed part; these × the factor is the part of a day that was measured. */
  seconds: number;
  factor: number;
  apps: number;
  changes: number;
  /** Of `changes`; the others were announced at the end and are not stored yet, or changed twice between two polls. */
  stored: number;
  /** Polls that found something. With fewer than planned, the machine is too slow for the factor, and each finds more. */
  polls: number;
  plannedPolls: number;
  /** For a real day: what happens by the clock, and what the changes cost. */
  idle: Cost;
  busy: Cost;
}

export interface Cost {
  workerSeconds: number;
  postgresSeconds: number;
  databaseSeconds: number;
  walMegabytes: number;
  calls: number;
}

const changesADay = 20_600;
const daySeconds = 86_400;
const pollSeconds = 30;
const checkpointSeconds = 300;
const apps = 20_000;
const idleSeconds = 60;
/** A new process takes more CPU time at first, and counts the catalog. */
const settleMs = 20_000;
const seed = 1;

export async function benchMonitorDay({ seconds = 90, factor = 100 } = {}): Promise<MonitorDayBench> {
  await using stack = new AsyncDisposableStack();
  const loaded = await openLoaded(stack, { apps, latencyMs: 10 });

  const quiet = await loaded.startMonitor({ POLL_INTERVAL: String(pollSeconds) });
  await delay(settleMs);
  const idle = await measure(loaded, quiet, () => delay(idleSeconds * 1_000));
  await quiet.stop();

  const service = await loaded.startMonitor({
    POLL_INTERVAL: String(pollSeconds / factor),
    // A batch of a poll waits for the next turn of a request at most, as on a real day.
    BULK_REQUEST_DELAY: String(0.5 / factor),
  });
  await delay(settleMs);
  let changes = 0;
  const busy = await measure(loaded, service, async () => {
    const ended = AbortSignal.timeout(seconds * 1_000);
    const checkpoints = runCheckpoints(loaded, factor, ended);
    changes = await announce(loaded, (changesADay / daySeconds) * factor, ended);
    await checkpoints;
  });
  return {
    seconds,
    factor,
    apps,
    changes,
    stored: busy.stored,
    polls: busy.polls,
    plannedPolls: (seconds * factor) / pollSeconds,
    idle: perDay(idle, idleSeconds),
    busy: perDay(busy, seconds * factor),
  };
}

interface Measured extends Omit<DatabaseCounters, "calls"> {
  polls: number;
  workerSeconds: number;
  postgresSeconds: number;
  stored: number;
}

/** What the worker and the database use during `work`. */
async function measure(loaded: Loaded, service: Service, work: () => Promise<void>): Promise<Measured> {
  const read = async (): Promise<Measured> => {
    const { calls, ...counters } = await databaseCounters(loaded);
    return {
      ...counters,
      polls: calls.get("pics_poll") ?? 0,
      workerSeconds: cpuOf(service.pid) ?? 0,
      postgresSeconds: cpuByProgram().get("postgres") ?? 0,
      stored: Number((await service.get("/status")).body.apps_stored),
    };
  };
  const before = await read();
  await work();
  const after = await read();
  const spent = (key: keyof Measured) => after[key] - before[key];
  return {
    workerSeconds: spent("workerSeconds"),
    postgresSeconds: spent("postgresSeconds"),
    activeSeconds: spent("activeSeconds"),
    walBytes: spent("walBytes"),
    transactions: spent("transactions"),
    stored: spent("stored"),
    polls: spent("polls"),
  };
}

/** Announces changes of random apps at random times (Poisson). Returns their number. */
async function announce({ steam }: Loaded, perSecond: number, ended: AbortSignal): Promise<number> {
  const random = createRandom(seed, 1);
  const startedAt = performance.now();
  let at = 0;
  for (let count = 0; ; count++) {
    at += (-Math.log(1 - random.next()) / perSecond) * 1_000;
    // By the clock, since timers are late by a millisecond or more.
    const waitMs = startedAt + at - performance.now();
    if (waitMs > 1) await delay(waitMs);
    if (ended.aborted) return count;
    await steam.call("changeRandom", 1);
  }
}

async function runCheckpoints({ asSuperuser }: Loaded, factor: number, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await asSuperuser((client) => client.query("checkpoint"));
    await delay((checkpointSeconds / factor) * 1_000, undefined, { signal }).catch(() => {});
  }
}

function perDay(measured: Measured, seconds: number): Cost {
  const { workerSeconds, postgresSeconds, activeSeconds, walBytes, transactions } = measured;
  const scale = daySeconds / seconds;
  return {
    workerSeconds: workerSeconds * scale,
    postgresSeconds: postgresSeconds * scale,
    databaseSeconds: activeSeconds * scale,
    walMegabytes: (walBytes * scale) / 1e6,
    calls: transactions * scale,
  };
}

export function formatMonitorDay({
  seconds,
  factor,
  apps,
  changes,
  stored,
  polls,
  plannedPolls,
  idle,
  busy,
}: MonitorDayBench): string {
  const rows: [string, (cost: Cost) => number][] = [
    ["CPU time of the worker, s", ({ workerSeconds }) => workerSeconds],
    ["CPU time of Postgres, s", ({ postgresSeconds }) => postgresSeconds],
    ["time of statements, s", ({ databaseSeconds }) => databaseSeconds],
    ["WAL, MB", ({ walMegabytes }) => walMegabytes],
    ["transactions", ({ calls }) => calls],
  ];
  const hours = ((seconds * factor) / 3_600).toFixed(1);
  return [
    `${changes.toLocaleString("en-US")} changes of ${apps.toLocaleString("en-US")} apps in ${seconds} s: ${hours} hours of a day, ` +
      `compressed ${factor} times; ${stored.toLocaleString("en-US")} were stored meanwhile, by ${polls} polls of ${Math.round(plannedPolls)}. For a day of ${changesADay.toLocaleString("en-US")} changes:`,
    "",
    table(
      ["", "by the clock", "for the changes", "in all"],
      rows.map(([name, of]) => [name, of(idle), of(busy), of(idle) + of(busy)]),
    ),
  ].join("\n");
}

if (import.meta.main) {
  const [seconds = 90, factor = 100] = process.argv.slice(2).map(Number);
  console.log(formatMonitorDay(await benchMonitorDay({ seconds, factor })));
}

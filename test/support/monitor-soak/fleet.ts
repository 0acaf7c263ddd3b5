import { setTimeout as delay } from "node:timers/promises";
import { type Exit, type Service, type ServiceOptions, startService } from "../service.ts";
import type { Random } from "../steam/random.ts";

/** Several workers, each a process of its own, that are killed, stopped, frozen and restarted. */
export interface Fleet {
  kills: number;
  stops: number;
  freezes: number;
  /** Sweeps of all workers so far that ended. */
  readonly sweeps: { complete: number; failed: number };
  /** Invariants that workers violated, in words. */
  readonly violations: string[];
  start(): void;
  /** `kill -9`, and a new process in its place. */
  kill(): Promise<void>;
  /** SIGTERM, and a new process once it has ended. */
  stop(): Promise<void>;
  /** SIGSTOP, and SIGCONT after the given time. */
  freeze(ms: number): Promise<void>;
  /** Resolves when all of them run again. */
  settle(): Promise<void>;
  /** Resolves when all of them have logged on to Steam, after the given time, or when `signal` aborts. */
  ready(limitMs: number, signal: AbortSignal): Promise<void>;
  /** Ends all of them. */
  close(): Promise<void>;
}

interface Seat {
  options: ServiceOptions;
  service: Service | null;
  /** An action on it is under way. */
  busy: Promise<void> | null;
  /** Its end is expected. */
  ending: boolean;
  /** It has had its time to work, so it may be killed, stopped or frozen. */
  isDue: boolean;
}

/** Share of the processes that are due from their start; the others first log on and work for a while. */
const dueFromStart = 0.25;
const longestWorkMs = 4_000;
const loggedOnMessage = /logged on to Steam/;

const shutdownLimitMs = 12_000;

export function createFleet(seats: readonly ServiceOptions[], random: Random): Fleet {
  const all: Seat[] = seats.map((options) => ({ options, service: null, busy: null, ending: false, isDue: false }));
  const violations: string[] = [];
  const sweeps = { complete: 0, failed: 0 };
  const countSweeps = ({ logs }: Service) => {
    for (const { message } of logs) {
      if (message.startsWith("gap sweep complete")) sweeps.complete += 1;
      if (message.startsWith("gap sweep failed")) sweeps.failed += 1;
    }
  };

  function launch(seat: Seat): void {
    const service = startService(seat.options);
    seat.service = service;
    seat.ending = false;
    seat.isDue = random.chance(dueFromStart);
    const workMs = random.int(0, longestWorkMs);
    void service
      .logged(loggedOnMessage)
      .catch(() => {}) // It ended before, or takes long.
      .then(() => delay(workMs))
      .then(() => {
        if (seat.service === service) seat.isDue = true;
      });
    void service.exited.then((exit) => {
      countSweeps(service);
      if (seat.service !== service || seat.ending) return;
      violations.push(`a worker ended by itself with ${describe(exit)}: ${lastWords(service)}`);
      launch(seat);
    });
  }

  /** Runs an action on a worker that is due; does nothing when there is none. */
  async function toOne(work: (seat: Seat, service: Service) => Promise<void>): Promise<void> {
    const free = all.filter(({ busy, isDue }) => busy === null && isDue);
    const seat = free.length > 0 ? random.pick(free) : null;
    if (!seat?.service) return;
    seat.busy = work(seat, seat.service).finally(() => {
      seat.busy = null;
    });
    await seat.busy;
  }

  const fleet: Fleet = {
    kills: 0,
    stops: 0,
    freezes: 0,
    sweeps,
    violations,
    start() {
      for (const seat of all) launch(seat);
    },
    kill: () =>
      toOne(async (seat, service) => {
        seat.ending = true;
        service.kill("SIGKILL");
        await service.exited;
        fleet.kills += 1;
        await delay(random.int(0, 400));
        launch(seat);
      }),
    stop: () =>
      toOne(async (seat, service) => {
        seat.ending = true;
        const startedAt = performance.now();
        // Before it listens to signals, a SIGTERM ends it as any program.
        const listens = service.logs.length > 0;
        service.kill("SIGTERM");
        const exit = await service.exited;
        const tookMs = performance.now() - startedAt;
        fleet.stops += 1;
        if (listens && exit.code !== 0) violations.push(`SIGTERM ended with ${describe(exit)}: ${lastWords(service)}`);
        if (tookMs > shutdownLimitMs) violations.push(`SIGTERM took ${Math.round(tookMs)} ms: ${lastWords(service)}`);
        launch(seat);
      }),
    freeze: (ms) =>
      toOne(async (_, service) => {
        service.kill("SIGSTOP");
        fleet.freezes += 1;
        await delay(ms);
        service.kill("SIGCONT");
      }),
    async settle() {
      await Promise.all(all.map(({ busy }) => busy));
    },
    async ready(limitMs, signal) {
      await fleet.settle();
      const loggedOn = all.map(({ service }) => service?.logged(loggedOnMessage).catch(() => {}));
      await Promise.race([Promise.all(loggedOn), delay(limitMs, undefined, { signal }).catch(() => {})]);
    },
    async close() {
      await fleet.settle();
      for (const seat of all) seat.ending = true;
      await Promise.all(all.map(({ service }) => service?.stop()));
    },
  };
  return fleet;
}

const describe = ({ code, signal }: Exit) => signal ?? `code ${code}`;
const lastWords = ({ logs, text }: Service) =>
  `${logs
    .slice(-4)
    .map((line) => JSON.stringify(line))
    .join("\n")}${text}`.slice(-3_000);

/**
 * A clock that jumps from timer to timer, for work whose waiting is all on timers while its database is real:
 *
 *     const clock = startFakeClock({ startAt: "2025-06-01T00:00:00Z" });
 *     onTestFinished(clock.restore);
 *     await clock.run(collect({ db: clock.wrapDatabase(database.db), fetch: clock.wrapFetch(asFetch(spy)) }));
 *     expect(clock.elapsedMs()).toBe(80 * 60_000);
 *
 * The time of this thread alone is faked: `now()` in SQL stays real, and so does `AbortSignal.timeout`.
 */
import { vi } from "vitest";
import type { Database } from "../../src/db/database.ts";
import { unanswered } from "./web/web-api.ts";

export interface FakeClockOptions {
  /** What `Date` says at the start. Default: 2025-06-01T12:00:00Z. */
  startAt?: Date | string | number;
}

export interface FakeClock {
  /**
   * Settles as the work does, moving the clock to its next timer whenever nothing real is in flight. Throws when the work waits and
   * there is neither a timer nor anything in flight, and when it takes {@link realLimitMs} of real time.
   */
  run<T>(work: Promise<T> | (() => Promise<T>)): Promise<T>;
  /** Counts a promise of something real (I/O, a thread) as in flight; the clock stands until it settles. */
  real<T>(promise: Promise<T>): Promise<T>;
  /** The database, every call of it counted as in flight. */
  wrapDatabase<D extends Database>(db: D): D;
  /** The fetch, every request counted as in flight but those of `asFetch` that will never be answered. */
  wrapFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch;
  /** How far the clock has moved since its start. */
  elapsedMs(): number;
  /** Back to real timers; what still waits on the fake ones waits for ever. */
  restore(): void;
}

const realLimitMs = 50_000;
/** Turns of the event loop in which what has just happened may start something real. */
const quietTurns = 3;
/** How often the clock looks again at what is in flight. */
const lookAgainMs = 20;

export function startFakeClock({ startAt = "2025-06-01T12:00:00Z" }: FakeClockOptions = {}): FakeClock {
  const { setImmediate: realSetImmediate, setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;
  const inFlight = new Set<Promise<unknown>>();
  let wake = () => {};
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
    now: new Date(startAt),
    shouldClearNativeTimers: true,
  });
  const startedAtMs = Date.now();

  function real<T>(promise: Promise<T>): Promise<T> {
    const landed = () => {
      inFlight.delete(promise);
      wake();
    };
    inFlight.add(promise);
    promise.then(landed, landed);
    return promise;
  }

  const isBusy = () => [...inFlight].some((promise) => !unanswered.has(promise));
  const turn = () => new Promise((resolve) => realSetImmediate(resolve));
  const landing = () =>
    new Promise<void>((resolve) => {
      const timer = realSetTimeout(resolve, lookAgainMs);
      wake = () => {
        realClearTimeout(timer);
        resolve();
      };
    });

  function fault(what: string): Error {
    const state = `${inFlight.size} calls in flight, ${vi.getTimerCount()} timers`;
    return new Error(`the fake clock ${what} after ${elapsedMs()} ms: ${state}`);
  }

  async function settle(isOver: () => boolean, deadline: bigint): Promise<void> {
    for (let quiet = 0; quiet < quietTurns && !isOver(); ) {
      await turn();
      quiet = isBusy() ? 0 : quiet + 1;
      if (quiet === 0) await landing();
      if (process.hrtime.bigint() > deadline) throw fault(`gave up (${realLimitMs} ms of real time)`);
    }
  }

  const elapsedMs = () => Date.now() - startedAtMs;

  return {
    async run(work) {
      const promise = typeof work === "function" ? work() : work;
      const deadline = process.hrtime.bigint() + BigInt(realLimitMs) * 1_000_000n;
      let over = false;
      const end = () => {
        over = true;
        wake();
      };
      promise.then(end, end);
      for (;;) {
        await settle(() => over, deadline);
        if (over) return await promise;
        if (vi.getTimerCount() === 0) throw fault("has nothing to wait for, and the work is not done");
        vi.advanceTimersToNextTimer();
      }
    },
    real,
    wrapDatabase(db) {
      return new Proxy(db, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property, target);
          if (typeof value !== "function") return value;
          return (...args: unknown[]) => {
            const result: unknown = Reflect.apply(value, target, args);
            return result instanceof Promise ? real(result) : result;
          };
        },
      });
    },
    wrapFetch:
      (fetch) =>
      (...args) =>
        real(fetch(...args)),
    elapsedMs,
    restore() {
      vi.useRealTimers();
    },
  };
}

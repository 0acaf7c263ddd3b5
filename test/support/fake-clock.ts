/**
 * Fake clock that jumps from timer to timer, for code whose waits are all timers while its database is real:
 *
 *     const clock = startFakeClock({ startAt: "2025-06-01T00:00:00Z" });
 *     onTestFinished(clock.restore);
 *     await clock.run(collect({ db: clock.wrapDatabase(database.db), fetch: clock.wrapFetch(asFetch(spy)) }));
 *     expect(clock.elapsedMs()).toBe(80 * 60_000);
 *
 * It fakes the time of this thread only: `now()` in SQL stays real, and so does `AbortSignal.timeout`.
 */
import { vi } from "vitest";
import type { Database } from "../../src/db/database.ts";
import { unanswered } from "./web/web-api.ts";

export interface FakeClockOptions {
  /** Initial value of `Date`. Default: 2025-06-01T12:00:00Z. */
  startAt?: Date | string | number;
}

export interface FakeClock {
  /**
   * Settles as the work does. Advances the clock to the next timer whenever nothing real is in flight. Rejects when the
   * work waits although there is neither a timer nor anything in flight, and after {@link realLimitMs} of real time.
   */
  run<T>(work: Promise<T> | (() => Promise<T>)): Promise<T>;
  /** Counts a real promise (I/O, a thread) as in flight; the clock does not advance until it settles. */
  real<T>(promise: Promise<T>): Promise<T>;
  /** Wraps a database so that each call counts as in flight. */
  wrapDatabase<D extends Database>(db: D): D;
  /** Wraps a fetch so that each request counts as in flight, except those of `asFetch` that are never answered. */
  wrapFetch(fetch: typeof globalThis.fetch): typeof globalThis.fetch;
  /** How far the clock has advanced since its start. */
  elapsedMs(): number;
  /** Restores real timers. Work that still waits on fake ones never continues. */
  restore(): void;
}

const realLimitMs = 50_000;
/** Turns of the event loop after which code that has just run must have started its I/O. */
const quietTurns = 3;
/** Interval at which the promises in flight are checked. */
const checkMs = 20;

export function startFakeClock({ startAt = "2025-06-01T12:00:00Z" }: FakeClockOptions = {}): FakeClock {
  const inFlight = trackInFlight();
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
    now: new Date(startAt),
    shouldClearNativeTimers: true,
  });
  const startedAtMs = Date.now();
  const elapsedMs = () => Date.now() - startedAtMs;

  function fault(what: string): Error {
    const state = `${inFlight.count()} calls in flight, ${vi.getTimerCount()} timers`;
    return new Error(`the fake clock ${what} after ${elapsedMs()} ms: ${state}`);
  }

  return {
    async run(work) {
      const promise = typeof work === "function" ? work() : work;
      const deadline = process.hrtime.bigint() + BigInt(realLimitMs) * 1_000_000n;
      let isOver = false;
      const end = () => {
        isOver = true;
        inFlight.wake();
      };
      promise.then(end, end);
      for (;;) {
        const isQuiet = await inFlight.quiet(() => isOver, deadline);
        if (isOver) return await promise;
        if (!isQuiet) throw fault(`gave up (${realLimitMs} ms of real time)`);
        if (vi.getTimerCount() === 0) throw fault("has nothing to wait for, and the work is not done");
        vi.advanceTimersToNextTimer();
      }
    },
    real: inFlight.real,
    wrapDatabase: (db) => wrapMethods(db, inFlight.real),
    wrapFetch:
      (fetch) =>
      (...args) =>
        inFlight.real(fetch(...args)),
    elapsedMs,
    restore() {
      vi.useRealTimers();
    },
  };
}

/** Tracks real promises, on the real timers: call it before they are faked. */
function trackInFlight() {
  const { setImmediate: realSetImmediate, setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;
  const promises = new Set<Promise<unknown>>();
  let wake = () => {};
  const isBusy = () => [...promises].some((promise) => !unanswered.has(promise));
  const nextTurn = () => new Promise((resolve) => realSetImmediate(resolve));
  const settledOrChecked = () =>
    new Promise<void>((resolve) => {
      const timer = realSetTimeout(resolve, checkMs);
      wake = () => {
        realClearTimeout(timer);
        resolve();
      };
    });

  return {
    count: () => promises.size,
    wake: () => wake(),
    real<T>(promise: Promise<T>): Promise<T> {
      const settled = () => {
        promises.delete(promise);
        wake();
      };
      promises.add(promise);
      promise.then(settled, settled);
      return promise;
    },
    /**
     * Waits until nothing has been in flight for some turns of the event loop, or `isOver`. False when the deadline has
     * passed.
     */
    async quiet(isOver: () => boolean, deadline: bigint): Promise<boolean> {
      for (let turns = 0; turns < quietTurns && !isOver(); ) {
        await nextTurn();
        turns = isBusy() ? 0 : turns + 1;
        if (turns === 0) await settledOrChecked();
        if (process.hrtime.bigint() > deadline) return false;
      }
      return true;
    },
  };
}

/** The same object, with `onPromise` called for each promise that a method returns. */
function wrapMethods<T extends object>(object: T, onPromise: (promise: Promise<unknown>) => Promise<unknown>): T {
  return new Proxy(object, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        const result: unknown = Reflect.apply(value, target, args);
        return result instanceof Promise ? onPromise(result) : result;
      };
    },
  });
}

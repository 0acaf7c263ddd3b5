import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { RateLimit } from "../../../src/process/config-values.ts";
import { createPause, createSlidingWindow, paced } from "../../../src/web/limits.ts";
import { createRateLimiter, type Limit } from "../../../src/web/rate-limiter.ts";
import { drive, failure, mostWithin, startClock, turns } from "./harness.ts";

const never = new AbortController().signal;

interface Arrival {
  atMs: number;
  /** Which of the windows limit it. */
  limitedBy: boolean[];
}

/** Start times of the calls in the rate limiter. It uses promises only for its result, so timers alone drive it. */
function startsOf(limits: RateLimit[], arrivals: Arrival[]): number[] {
  const rateLimiter = createRateLimiter();
  const windows = limits.map(createSlidingWindow);
  const from = performance.now();
  const starts: number[] = [];
  for (const [index, { atMs, limitedBy }] of arrivals.entries()) {
    const record: Limit = {
      freeAt: () => 0,
      take(now) {
        starts[index] = now - from;
      },
    };
    setTimeout(
      () => void rateLimiter.acquire([...windows.filter((_, window) => limitedBy[window]), record], never),
      atMs,
    );
  }
  vi.runAllTimers();
  return starts;
}

/** Reference implementation, millisecond by millisecond: in order of arrival, each call starts as soon as its windows are free. */
function greedyStarts(limits: RateLimit[], arrivals: Arrival[]): number[] {
  const started = limits.map((): number[] => []);
  const starts: number[] = [];
  const order = [...arrivals.keys()].sort((a, b) => (arrivals[a]?.atMs ?? 0) - (arrivals[b]?.atMs ?? 0) || a - b);
  for (let now = 0; Object.keys(starts).length < arrivals.length; now++) {
    for (const index of order) {
      const { atMs, limitedBy } = arrivals[index] as Arrival;
      if (atMs > now || starts[index] !== undefined) continue;
      const isFree = limits.every(({ count, periodMs }, window) => {
        const recent = started[window]?.filter((at) => at > now - periodMs) ?? [];
        return !limitedBy[window] || recent.length < count;
      });
      if (!isFree) continue;
      starts[index] = now;
      for (const window of limits.keys()) if (limitedBy[window]) started[window]?.push(now);
    }
  }
  return starts;
}

const limit = fc.record({ count: fc.integer({ min: 1, max: 5 }), periodMs: fc.integer({ min: 1, max: 60 }) });
const arrivals = (windows: number) =>
  fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 120 }),
      limitedBy: fc.array(fc.boolean(), { minLength: windows, maxLength: windows }),
    }),
    { maxLength: 40 },
  );

describe("createRateLimiter", () => {
  it("never exceeds a window, and starts each call as early as possible", () => {
    startClock();
    const cases = fc
      .integer({ min: 1, max: 3 })
      .chain((windows) => fc.tuple(fc.array(limit, { minLength: windows, maxLength: windows }), arrivals(windows)));
    fc.assert(
      fc.property(cases, ([limits, calls]) => {
        const starts = startsOf(limits, calls);
        for (const [window, { count, periodMs }] of limits.entries()) {
          const counted = starts.filter((_, index) => calls[index]?.limitedBy[window]);
          expect(mostWithin(counted, periodMs)).toBeLessThanOrEqual(count);
        }
        expect(starts).toEqual(greedyStarts(limits, calls));
      }),
      { numRuns: 300 },
    );
  });

  it("spaces the requests of a paced limit evenly", () => {
    startClock();
    const limit = paced({ count: 7, periodMs: 60_000 });
    const starts = startsOf(
      [limit],
      Array.from({ length: 50 }, () => ({ atMs: 0, limitedBy: [true] })),
    );
    const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([8_572]));
    expect(mostWithin(starts, 60_000)).toBe(7);
  });

  it("does not delay calls with free limits behind calls that wait for another limit", async () => {
    startClock();
    const rateLimiter = createRateLimiter();
    const [slow, fast] = [
      createSlidingWindow({ count: 1, periodMs: 1_000 }),
      createSlidingWindow({ count: 2, periodMs: 1_000 }),
    ];
    await rateLimiter.acquire([slow, fast], never);
    const both = rateLimiter.acquire([slow, fast], never);
    await rateLimiter.acquire([fast], never);
    expect(performance.now()).toBe(0);
    await drive(both);
    expect(performance.now()).toBe(1_000);
  });

  it("rejects an aborted wait with signal.reason, without counting it", async () => {
    startClock();
    const rateLimiter = createRateLimiter();
    const window = createSlidingWindow({ count: 1, periodMs: 1_000 });
    await rateLimiter.acquire([window], never);
    const stop = new AbortController();
    const [given, next] = [rateLimiter.acquire([window], stop.signal), rateLimiter.acquire([window], never)];
    stop.abort({ why: "stopped" });
    await expect(given).rejects.toEqual({ why: "stopped" });
    await expect(rateLimiter.acquire([window], stop.signal)).rejects.toEqual({ why: "stopped" });
    await drive(next);
    expect(performance.now()).toBe(1_000);
  });

  it("leaves no timer when the last wait is aborted", async () => {
    startClock();
    const rateLimiter = createRateLimiter();
    const window = createSlidingWindow({ count: 1, periodMs: 1_000 });
    await rateLimiter.acquire([window], never);
    const stop = new AbortController();
    const waiting = rateLimiter.acquire([window], stop.signal);
    expect(vi.getTimerCount()).toBe(1);
    stop.abort();
    await expect(waiting).rejects.toBe(stop.signal.reason);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("createPause", () => {
  it("keeps the longer of two waits", async () => {
    startClock();
    const rateLimiter = createRateLimiter();
    const pause = createPause(rateLimiter.recheck);
    pause.wait(5_000, "long");
    pause.wait(1_000, "short");
    expect(pause.paused?.()).toMatchObject({ until: "2026-03-01T12:00:05.000Z", because: "long" });
    await drive(rateLimiter.acquire([pause], never));
    expect(performance.now()).toBe(5_000);
    expect(pause.paused?.()).toBe(null);
  });

  it("waits longer than the longest timer, and caps absurd times at a year", async () => {
    startClock();
    const rateLimiter = createRateLimiter();
    const pause = createPause(rateLimiter.recheck);
    pause.wait(1e30, "absurd");
    expect(pause.paused?.()?.until).toBe("2027-03-01T12:00:00.000Z");
    const waiting = rateLimiter.acquire([pause], never);
    vi.advanceTimersByTime(30 * 86_400_000);
    const passed = vi.fn();
    void waiting.then(passed);
    await turns();
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(335 * 86_400_000);
    await waiting;
  });

  it("fails waiting calls when a block begins", async () => {
    startClock();
    const rateLimiter = createRateLimiter();
    const pause = createPause(rateLimiter.recheck);
    pause.wait(5_000, "later");
    const waiting = failure(rateLimiter.acquire([pause], never));
    expect(pause.block(60_000, "blocked")).toBe("2026-03-01T12:01:00.000Z");
    expect(pause.block(60_000, "blocked")).toBe(null);
    pause.wait(3_600_000, "longer");
    expect(await waiting).toMatchObject({ fault: "blocked" });
    expect(performance.now()).toBe(0);
    vi.advanceTimersByTime(60_000);
    await rateLimiter.acquire([pause], never);
  });
});

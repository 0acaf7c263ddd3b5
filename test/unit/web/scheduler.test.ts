import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { RateLimit } from "../../../src/web/endpoints.ts";
import { createHold, createWindow, evenly } from "../../../src/web/rate-limits.ts";
import { type Brake, createGate } from "../../../src/web/scheduler.ts";
import { drive, failure, mostWithin, startClock, turns } from "./harness.ts";

const never = new AbortController().signal;

interface Arrival {
  atMs: number;
  /** Which of the windows it must pass. */
  passes: boolean[];
}

/** When each call starts, on the real gate. The gate works without promises but for its answer, so timers alone move it. */
function startsOf(limits: RateLimit[], arrivals: Arrival[]): number[] {
  const gate = createGate();
  const windows = limits.map(createWindow);
  const from = performance.now();
  const starts: number[] = [];
  for (const [index, { atMs, passes }] of arrivals.entries()) {
    const record: Brake = {
      freeAt: () => 0,
      take(now) {
        starts[index] = now - from;
      },
    };
    setTimeout(() => void gate.enter([...windows.filter((_, window) => passes[window]), record], never), atMs);
  }
  vi.runAllTimers();
  return starts;
}

/** The same, millisecond by millisecond: whoever came first goes first, and nobody waits who may go. */
function greedyStarts(limits: RateLimit[], arrivals: Arrival[]): number[] {
  const passed = limits.map((): number[] => []);
  const starts: number[] = [];
  const order = [...arrivals.keys()].sort((a, b) => (arrivals[a]?.atMs ?? 0) - (arrivals[b]?.atMs ?? 0) || a - b);
  for (let now = 0; Object.keys(starts).length < arrivals.length; now++) {
    for (const index of order) {
      const { atMs, passes } = arrivals[index] as Arrival;
      if (atMs > now || starts[index] !== undefined) continue;
      const isFree = limits.every(({ count, periodMs }, window) => {
        const recent = passed[window]?.filter((at) => at > now - periodMs) ?? [];
        return !passes[window] || recent.length < count;
      });
      if (!isFree) continue;
      starts[index] = now;
      for (const window of limits.keys()) if (passes[window]) passed[window]?.push(now);
    }
  }
  return starts;
}

const limit = fc.record({ count: fc.integer({ min: 1, max: 5 }), periodMs: fc.integer({ min: 1, max: 60 }) });
const arrivals = (windows: number) =>
  fc.array(
    fc.record({
      atMs: fc.integer({ min: 0, max: 120 }),
      passes: fc.array(fc.boolean(), { minLength: windows, maxLength: windows }),
    }),
    { maxLength: 40 },
  );

describe("the gate", () => {
  it("never lets more through than the windows hold, and lets nobody wait longer than needed", () => {
    startClock();
    const cases = fc
      .integer({ min: 1, max: 3 })
      .chain((windows) => fc.tuple(fc.array(limit, { minLength: windows, maxLength: windows }), arrivals(windows)));
    fc.assert(
      fc.property(cases, ([limits, calls]) => {
        const starts = startsOf(limits, calls);
        for (const [window, { count, periodMs }] of limits.entries()) {
          const counted = starts.filter((_, index) => calls[index]?.passes[window]);
          expect(mostWithin(counted, periodMs)).toBeLessThanOrEqual(count);
        }
        expect(starts).toEqual(greedyStarts(limits, calls));
      }),
      { numRuns: 300 },
    );
  });

  it("keeps an even limit without bursts", () => {
    startClock();
    const limit = evenly({ count: 7, periodMs: 60_000 });
    const starts = startsOf(
      [limit],
      Array.from({ length: 50 }, () => ({ atMs: 0, passes: [true] })),
    );
    const gaps = starts.slice(1).map((at, index) => at - (starts[index] ?? 0));
    expect(new Set(gaps)).toEqual(new Set([8_572]));
    expect(mostWithin(starts, 60_000)).toBe(7);
  });

  it("holds nobody up who waits for something else", async () => {
    startClock();
    const gate = createGate();
    const [slow, fast] = [createWindow({ count: 1, periodMs: 1_000 }), createWindow({ count: 2, periodMs: 1_000 })];
    await gate.enter([slow, fast], never);
    const both = gate.enter([slow, fast], never);
    await gate.enter([fast], never);
    expect(performance.now()).toBe(0);
    await drive(both);
    expect(performance.now()).toBe(1_000);
  });

  it("ends a wait with the reason of the abort, and takes nothing for it", async () => {
    startClock();
    const gate = createGate();
    const window = createWindow({ count: 1, periodMs: 1_000 });
    await gate.enter([window], never);
    const stop = new AbortController();
    const [given, next] = [gate.enter([window], stop.signal), gate.enter([window], never)];
    stop.abort({ why: "stopped" });
    await expect(given).rejects.toEqual({ why: "stopped" });
    await expect(gate.enter([window], stop.signal)).rejects.toEqual({ why: "stopped" });
    await drive(next);
    expect(performance.now()).toBe(1_000);
  });

  it("leaves no timer behind when nobody waits any more", async () => {
    startClock();
    const gate = createGate();
    const window = createWindow({ count: 1, periodMs: 1_000 });
    await gate.enter([window], never);
    const stop = new AbortController();
    const waiting = gate.enter([window], stop.signal);
    expect(vi.getTimerCount()).toBe(1);
    stop.abort();
    await expect(waiting).rejects.toBe(stop.signal.reason);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a hold", () => {
  it("keeps the longest wait", async () => {
    startClock();
    const gate = createGate();
    const hold = createHold(gate.wake);
    hold.wait(5_000, "long");
    hold.wait(1_000, "short");
    expect(hold.paused?.()).toMatchObject({ until: "2026-03-01T12:00:05.000Z", because: "long" });
    await drive(gate.enter([hold], never));
    expect(performance.now()).toBe(5_000);
    expect(hold.paused?.()).toBe(null);
  });

  it("outlasts the timers' longest delay, and takes absurd times for a year", async () => {
    startClock();
    const gate = createGate();
    const hold = createHold(gate.wake);
    hold.wait(1e30, "absurd");
    expect(hold.paused?.()?.until).toBe("2027-03-01T12:00:00.000Z");
    const waiting = gate.enter([hold], never);
    vi.advanceTimersByTime(30 * 86_400_000);
    const passed = vi.fn();
    void waiting.then(passed);
    await turns();
    expect(passed).not.toHaveBeenCalled();
    vi.advanceTimersByTime(335 * 86_400_000);
    await waiting;
  });

  it("fails those that wait when it becomes a block", async () => {
    startClock();
    const gate = createGate();
    const hold = createHold(gate.wake);
    hold.wait(5_000, "later");
    const waiting = failure(gate.enter([hold], never));
    expect(hold.block(60_000, "blocked")).toBe("2026-03-01T12:01:00.000Z");
    expect(hold.block(60_000, "blocked")).toBe(null);
    hold.wait(3_600_000, "longer");
    expect(await waiting).toMatchObject({ fault: "blocked" });
    expect(performance.now()).toBe(0);
    vi.advanceTimersByTime(60_000);
    await gate.enter([hold], never);
  });
});

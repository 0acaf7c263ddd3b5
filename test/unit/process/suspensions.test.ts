import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { detectSuspensions, runningMs } from "../../../src/process/suspensions.ts";

const hourMs = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString();

describe("detectSuspensions", () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }));
  afterEach(() => void vi.useRealTimers());

  it("reports the time between two ticks when the second comes far too late", async () => {
    const reported: unknown[] = [];
    const detector = detectSuspensions((suspension) => reported.push(suspension));
    await vi.advanceTimersByTimeAsync(10_000);
    // The clock moves and no timer runs: a machine that sleeps.
    vi.setSystemTime(hourMs);
    await vi.advanceTimersByTimeAsync(1_000);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(reported).toEqual([{ from: iso(10_000), until: iso(hourMs + 1_000) }]);
    expect(detector.recent()).toEqual(reported);
    detector.stop();
  });

  it("includes a suspension that has just ended, before the first tick after it", async () => {
    const detector = detectSuspensions(() => {});
    await vi.advanceTimersByTimeAsync(10_000);
    vi.setSystemTime(hourMs);
    expect(detector.recent()).toEqual([{ from: iso(10_000), until: iso(hourMs) }]);
    detector.stop();
  });

  it("takes ticks that are late by load, and a clock that is set back, for no suspension", async () => {
    const detector = detectSuspensions(() => {});
    for (let late = 0; late < 100; late++) {
      vi.setSystemTime(Date.now() + 3_000);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    vi.setSystemTime(0);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(detector.recent()).toEqual([]);
    detector.stop();
  });
});

describe("runningMs", () => {
  const suspensions = [
    { from: iso(1_000), until: iso(5_000) },
    { from: iso(8_000), until: iso(9_000) },
  ];
  it.each([
    ["no suspension", 10_000, 12_000, 2_000],
    ["all of them", 0, 10_000, 5_000],
    ["one that began before", 3_000, 6_000, 1_000],
    ["one that ends later", 0, 2_000, 1_000],
    ["nothing but one", 2_000, 4_000, 0],
  ])("counts a span with %s", (_name, since, until, ms) => {
    expect(runningMs(since, until, suspensions)).toBe(ms);
  });
});

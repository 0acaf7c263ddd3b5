import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createTracker } from "../../../src/collector/progress.ts";

const startAt = "2025-06-01T12:00:00.000Z";
const minuteMs = 60_000;

beforeEach(() => void vi.useFakeTimers({ now: new Date(startAt) }));
afterEach(() => void vi.useRealTimers());

describe("createTracker", () => {
  it("starts without phase progress and rate", () => {
    const tracker = createTracker();
    vi.advanceTimersByTime(minuteMs);
    expect(tracker.status()).toEqual({
      phase: "starting",
      done: 0,
      total: null,
      rate_per_minute: 0,
      eta_seconds: null,
    });
    expect(tracker.lastProgressAt()).toBeNull();
  });

  it("resets counts and rate at each phase", () => {
    const tracker = createTracker();
    tracker.begin("reading_list", null);
    vi.advanceTimersByTime(minuteMs);
    tracker.add(500);
    tracker.add(250);
    expect(tracker.status()).toEqual({
      phase: "reading_list",
      done: 750,
      total: null,
      rate_per_minute: 750,
      eta_seconds: null,
    });
    tracker.begin("all_games", 80, minuteMs);
    expect(tracker.status()).toEqual({
      phase: "all_games",
      done: 0,
      total: 80,
      rate_per_minute: 0,
      eta_seconds: null,
    });
  });

  it("estimates the time left by the rate if it is below the rate limit", () => {
    const tracker = createTracker();
    tracker.begin("details", 100, 1_000);
    vi.advanceTimersByTime(2 * minuteMs);
    tracker.add(40);
    expect(tracker.status()).toMatchObject({ rate_per_minute: 20, eta_seconds: 180 });
  });

  it("estimates the time left by the rate limit if the first steps are faster", () => {
    const tracker = createTracker();
    tracker.begin("all_games", 80, minuteMs);
    vi.advanceTimersByTime(500);
    tracker.add(1);
    expect(tracker.status()).toMatchObject({ done: 1, total: 80, eta_seconds: 79 * 60 });
    for (let page = 1; page < 79; page++) {
      vi.advanceTimersByTime(minuteMs);
      tracker.add(1);
    }
    expect(tracker.status()).toMatchObject({ done: 79, eta_seconds: 60 });
    expect(tracker.status().rate_per_minute).toBeCloseTo(1, 1);
    tracker.add(1);
    expect(tracker.status().eta_seconds).toBe(0);
    // Missed pages retried at the end come on top.
    tracker.add(1);
    expect(tracker.status()).toMatchObject({ done: 81, total: 80, eta_seconds: 0 });
  });

  it("has no estimate after a long time without progress", () => {
    const tracker = createTracker();
    tracker.begin("details", 100, 1_000);
    tracker.add(50);
    expect(tracker.status().eta_seconds).toBe(50);
    vi.advanceTimersByTime(11 * minuteMs);
    expect(tracker.status()).toMatchObject({ done: 50, rate_per_minute: 0, eta_seconds: null });
  });

  it("does not count the position where a phase resumes as speed", () => {
    const tracker = createTracker();
    tracker.begin("all_games", 80, minuteMs);
    tracker.advanceTo(40, 82);
    expect(tracker.status()).toMatchObject({ done: 40, total: 82, rate_per_minute: 0, eta_seconds: null });
    vi.advanceTimersByTime(minuteMs);
    tracker.add(1);
    expect(tracker.status()).toMatchObject({ done: 41, rate_per_minute: 1, eta_seconds: 41 * 60 });
    tracker.begin("details", null, 1_000);
    tracker.advanceTo(200, 400);
    expect(tracker.status()).toMatchObject({ done: 200, rate_per_minute: 0, eta_seconds: null });
    vi.advanceTimersByTime(minuteMs);
    tracker.add(100);
    expect(tracker.status()).toMatchObject({ done: 300, rate_per_minute: 100, eta_seconds: 100 });
  });

  it("advances to an absolute position", () => {
    const tracker = createTracker();
    tracker.begin("applying_list", null);
    tracker.advanceTo(500, 2_000);
    vi.advanceTimersByTime(minuteMs);
    tracker.advanceTo(1_000, 2_000);
    tracker.advanceTo(1_000, 2_000);
    expect(tracker.status()).toMatchObject({ done: 1_000, total: 2_000, rate_per_minute: 500, eta_seconds: 120 });
    tracker.add(1);
    tracker.advanceTo(1_002, 1_002);
    expect(tracker.status()).toMatchObject({ done: 1_002, total: 1_002, eta_seconds: 0 });
  });

  it("reports the time of the last step or phase change", () => {
    const tracker = createTracker();
    const steps = [() => tracker.begin("waiting", null), () => tracker.add(0), () => tracker.advanceTo(0, 5)];
    for (const [index, step] of steps.entries()) {
      vi.advanceTimersByTime(1_000);
      step();
      vi.advanceTimersByTime(1_000);
      tracker.status();
      expect(tracker.lastProgressAt()).toBe(new Date(Date.parse(startAt) + index * 2_000 + 1_000).toISOString());
    }
  });
});

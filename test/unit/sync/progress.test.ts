import { describe, expect, it } from "vitest";
import { type BulkProgress, secondsLeft, shareOf } from "../../../src/sync/progress.ts";
import { formatBar } from "../../../src/terminal/bars.ts";

const counted: Omit<BulkProgress, "share"> = {
  phase: "syncing",
  swept_ids: 5_400_000,
  sweep_end: 5_400_000,
  total: 2000,
  done: 990,
  failed: 3,
  unknown: 7,
  rate_per_second: 312.4,
  eta_seconds: 65,
};
const progress = (changed: Partial<BulkProgress> = {}): BulkProgress => {
  const now = { ...counted, ...changed };
  return { ...now, share: shareOf(now) };
};

describe("formatBar", () => {
  it("shows share, counts, rate, time left and failures in one line", () => {
    expect(formatBar(progress(), 120)).toBe(
      "syncing   ████████████░░░░░░░░░░░░  50%  1,000 of 2,000, 312/s, 1 min 05 s left, 3 failed",
    );
  });

  it("shows ids during the sweep, with and without a known end", () => {
    const sweeping = { phase: "sweeping", swept_ids: 1_350_000, eta_seconds: null, failed: 0 } as const;
    expect(formatBar(progress(sweeping), 120)).toBe(
      "sweeping  ██████░░░░░░░░░░░░░░░░░░  25%  1,350,000 of 5,400,000 ids, 2,000 to fetch",
    );
    expect(formatBar(progress({ ...sweeping, sweep_end: null }), 120)).toContain("  0%  1,350,000 ids, 2,000 to fetch");
  });

  it("shows 100 % at the end, also of nothing, and never more", () => {
    expect(formatBar(progress({ phase: "done", total: 0, done: 0 }), 120)).toContain("100%");
    expect(formatBar(progress({ done: 5000 }), 120)).toContain("100%");
  });

  it("fits the terminal", () => {
    expect(formatBar(progress({ total: 254_113, done: 250_000 }), 80).length).toBeLessThan(80);
  });
});

describe("secondsLeft", () => {
  it("adds the time of the sweep and of the pending apps, and is null while either is unknown", () => {
    expect(secondsLeft("sweeping", 5, 100)).toBe(105);
    expect(secondsLeft("sweeping", 0, 100)).toBe(100);
    expect(secondsLeft("sweeping", 5, null)).toBeNull();
    expect(secondsLeft("sweeping", null, 100)).toBeNull();
    expect(secondsLeft("syncing", 5, null)).toBe(5);
    expect(secondsLeft("starting", null, null)).toBeNull();
    expect(secondsLeft("done", null, null)).toBe(0);
  });
});

import { describe, expect, it } from "vitest";
import type { CollectorProgress } from "../../../src/collector/progress.ts";
import { type BulkProgress, shareOf } from "../../../src/sync/progress.ts";
import { formatBulkLine, formatCollectorLine } from "../../../src/terminal/bars.ts";

const counted: Omit<BulkProgress, "share"> = {
  phase: "syncing",
  swept_ids: 5_400_000,
  sweep_end: 5_400_000,
  total: 2000,
  done: 990,
  failed: 3,
  unknown: 7,
  unconfirmed: 0,
  skipped: 0,
  unanswered: 0,
  rate_per_second: 312.4,
  eta_seconds: 65,
};
const progress = (changed: Partial<BulkProgress> = {}): BulkProgress => {
  const now = { ...counted, ...changed };
  return { ...now, share: shareOf(now) };
};

describe("formatBulkLine", () => {
  it("shows share, counts, rate, time left and failures", () => {
    expect(formatBulkLine(progress(), 120)).toBe(
      "syncing   ████████████░░░░░░░░░░░░  50%  1,000 of 2,000, 312/s, 1 min 05 s left, 3 failed",
    );
  });

  it("shows ids during the sweep, with and without a known end", () => {
    const sweeping = { phase: "sweeping", swept_ids: 1_350_000, eta_seconds: null, failed: 0 } as const;
    expect(formatBulkLine(progress(sweeping), 120)).toBe(
      "sweeping  ██████░░░░░░░░░░░░░░░░░░  25%  1,350,000 of 5,400,000 ids, 2,000 to fetch",
    );
    expect(formatBulkLine(progress({ ...sweeping, sweep_end: null }), 120)).toContain(
      "  0%  1,350,000 ids, 2,000 to fetch",
    );
  });

  it("shows ids that Steam left unanswered", () => {
    expect(formatBulkLine(progress({ unanswered: 1_234 }), 120)).toMatch(/3 failed, 1,234 unanswered$/);
  });

  it("is at 100% when done, even without apps, and never above", () => {
    expect(formatBulkLine(progress({ phase: "done", total: 0, done: 0 }), 120)).toContain("100%");
    expect(formatBulkLine(progress({ done: 5000 }), 120)).toContain("100%");
  });

  it("fits the terminal", () => {
    expect(formatBulkLine(progress({ total: 254_113, done: 250_000 }), 80).length).toBeLessThan(80);
  });
});

describe("formatCollectorLine", () => {
  const halfway: CollectorProgress = {
    phase: "details",
    done: 1_500,
    total: 3_000,
    failed: 0,
    rate_per_minute: 59.6,
    eta_seconds: 1_500,
    games: null,
    endpoints: [],
    last_error: null,
    next_run_at: null,
  };
  const games = { pending: 60_412, success: 24_310, failed: 7, not_found: 12 };
  const noRate = { rate_per_minute: 0, eta_seconds: null };

  const cases: [Partial<CollectorProgress>, string][] = [
    [{}, "details   ████████████░░░░░░░░░░░░  50%  1,500 of 3,000 games, 60/min, 25 min 00 s left"],
    [
      { games, failed: 3 },
      "details   ████████████░░░░░░░░░░░░  50%  1,500 of 3,000 games, 60/min, 25 min 00 s left, 3 failed, " +
        "24,310 known, 60,412 pending",
    ],
    [
      { phase: "all_games", done: 20, total: 80, rate_per_minute: 1, eta_seconds: 3_600 },
      "all games ██████░░░░░░░░░░░░░░░░░░  25%  20 of 80 pages, 1/min, 1 h 00 min left",
    ],
    [
      { phase: "reading_list", done: 50_000, total: null, rate_per_minute: 125_000.4, eta_seconds: null },
      "app list  ░░░░░░░░░░░░░░░░░░░░░░░░       50,000 apps, 125,000/min",
    ],
    [
      { phase: "applying_list", done: 250_000, total: 250_000, ...noRate },
      "applying  ████████████████████████ 100%  250,000 of 250,000 apps",
    ],
    [{ phase: "all_games", done: 81, total: 80, ...noRate }, "all games ████████████████████████ 100%  81 of 80 pages"],
    [{ done: 0, total: 0, ...noRate }, "details   ░░░░░░░░░░░░░░░░░░░░░░░░       0 of 0 games"],
    [
      { phase: "waiting", done: 0, total: null, ...noRate, games },
      "waiting   ░░░░░░░░░░░░░░░░░░░░░░░░       0 apps, 24,310 known, 60,412 pending",
    ],
    [
      { phase: "done", done: 0, total: null, rate_per_minute: 0, eta_seconds: 0 },
      "done      ████████████████████████ 100%  0 apps",
    ],
  ];
  it.each(cases)("shows %j", (change, line) => {
    expect(formatCollectorLine({ ...halfway, ...change }, 200)).toBe(line);
  });

  it.each([40, 60, 80, 120])("fits %i columns by cutting the end", (width) => {
    const line = formatCollectorLine({ ...halfway, games, failed: 3 }, width);
    expect(line.length).toBe(Math.min(width - 1, 119));
    expect(formatCollectorLine({ ...halfway, games, failed: 3 }, 200).startsWith(line)).toBe(true);
  });

  it("fits 80 columns by default", () => {
    expect(formatCollectorLine({ ...halfway, games })).toHaveLength(79);
  });
});

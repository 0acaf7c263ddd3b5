import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLogger, createOutput } from "../../src/logger.ts";
import {
  type BulkProgress,
  createProgress,
  createRateMeter,
  formatBar,
  formatDuration,
} from "../../src/sync/progress.ts";
import { type BulkSummary, formatSummary, reportSummary } from "../../src/sync/summary.ts";

const halfway: BulkProgress = {
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

const summary: BulkSummary = {
  apps_total: 254_113,
  by_type: [
    { name: "game", count: 190_204 },
    { name: "dlc", count: 60_120 },
    { name: "an application type with a very long name", count: 12 },
  ],
  deck: [{ category: "verified", count: 6412 }],
  top_tags: Array.from({ length: 20 }, (_, index) => ({ name: `Tag ${index}`, count: 1000 - index })),
  requests: { changes: 1, metadata: 1100, product_info: 1272, access_tokens: 0, tag_names: 3, http_payload: 0 },
  stored: 254_113,
  unknown: 12,
  failed: Array.from({ length: 7 }, (_, index) => ({ appid: 440 + index, error: `truncated\n${"text ".repeat(40)}` })),
  failed_count: 9,
  duration_seconds: 812.3,
  apps_per_second: 312.84,
};

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function createTerminal() {
  const stream = new PassThrough();
  Object.assign(stream, { isTTY: true, columns: 80 });
  return { output: createOutput(stream as unknown as NodeJS.WriteStream), text: () => String(stream.read() ?? "") };
}

describe("createRateMeter", () => {
  function createMeter() {
    let time = 1_000_000;
    const meter = createRateMeter(() => time);
    const pass = (ms: number) => {
      time += ms;
    };
    return { meter, pass };
  }

  it("knows nothing before the first count", () => {
    const { meter, pass } = createMeter();
    pass(5000);
    expect(meter.rate()).toBe(0);
    expect(meter.etaSeconds(10)).toBeNull();
    expect(meter.etaSeconds(0)).toBe(0);
  });

  it("measures over the time that has passed so far", () => {
    const { meter, pass } = createMeter();
    for (let batch = 0; batch < 10; batch++) {
      pass(1000);
      meter.add(200);
    }
    expect(meter.rate()).toBe(200);
    expect(meter.etaSeconds(1000)).toBe(5);
  });

  it("forgets what is older than its window", () => {
    const { meter, pass } = createMeter();
    meter.add(100_000);
    for (let batch = 0; batch < 60; batch++) {
      pass(1000);
      meter.add(50);
    }
    expect(meter.rate()).toBeCloseTo(50, 0);
    pass(60_000);
    expect(meter.rate()).toBe(0);
  });
});

describe("formatBar", () => {
  it("shows share, counts, rate, time left and failures in one line", () => {
    expect(formatBar(halfway, 120)).toBe(
      "syncing   ████████████░░░░░░░░░░░░  50%  1,000 of 2,000, 312/s, 1 min 05 s left, 3 failed",
    );
  });

  it("shows ids while it sweeps, with and without a known end", () => {
    const sweeping: BulkProgress = {
      ...halfway,
      phase: "sweeping",
      swept_ids: 1_350_000,
      eta_seconds: null,
      failed: 0,
    };
    expect(formatBar(sweeping, 120)).toBe(
      "sweeping  ██████░░░░░░░░░░░░░░░░░░  25%  1,350,000 of 5,400,000 ids, 2,000 to fetch",
    );
    expect(formatBar({ ...sweeping, sweep_end: null }, 120)).toContain("  0%  1,350,000 ids, 2,000 to fetch");
  });

  it("is full at the end, even of nothing, and never more than full", () => {
    expect(formatBar({ ...halfway, phase: "done", total: 0, done: 0 }, 120)).toContain("100%");
    expect(formatBar({ ...halfway, done: 5000 }, 120)).toContain("100%");
  });

  it("fits the terminal", () => {
    expect(formatBar({ ...halfway, total: 254_113, done: 250_000 }, 80).length).toBeLessThan(80);
  });

  it.each([
    [0.42, "0.4 s"],
    [8, "8 s"],
    [59.6, "1 min 00 s"],
    [80, "1 min 20 s"],
    [3600 + 5 * 60, "1 h 05 min"],
  ])("writes %d seconds as %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

describe("createProgress", () => {
  it("writes a structured line every five seconds where there is no terminal", () => {
    const lines: unknown[] = [];
    const logger = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const stream = new PassThrough() as unknown as NodeJS.WriteStream;
    const progress = createProgress({ snapshot: () => halfway, output: createOutput(stream), logger });
    progress.start();
    vi.advanceTimersByTime(14_999);
    progress.stop();
    vi.advanceTimersByTime(60_000);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toEqual({ level: 30, bulk: halfway, msg: "bulk sync in progress" });
  });

  it("draws a bar on a terminal, keeps log lines above it, and leaves the last state", () => {
    const { output, text } = createTerminal();
    const logger = createLogger({ level: "info", output });
    let progress = halfway;
    const bar = createProgress({ snapshot: () => progress, output, logger });
    bar.start();
    vi.advanceTimersByTime(400);
    expect(text()).toContain("1,000 of 2,000");

    logger.info("a line of the log");
    const [above = "", below = ""] = text().split("a line of the log");
    expect(above).toContain("\x1b[2K");
    expect(stripVTControlCharacters(below)).toMatch(/^\nsyncing .*1,000 of 2,000/);

    progress = { ...halfway, phase: "done", done: 1990, eta_seconds: 0 };
    bar.stop();
    bar.stop();
    expect(stripVTControlCharacters(text())).toMatch(/^done .*100% {2}2,000 of 2,000, 312\/s, 3 failed\n$/);
    vi.advanceTimersByTime(10_000);
    expect(text()).toBe("");

    logger.info("after the bar");
    expect(stripVTControlCharacters(text())).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: after the bar\n$/);
  });
});

describe("formatSummary", () => {
  it("fits 80 columns and says everything", () => {
    const text = formatSummary(summary);
    for (const line of text.split("\n")) expect(line.length).toBeLessThan(80);
    expect(text).toContain("Bulk sync finished in 13 min 32 s: 254,113 apps stored, 313 apps/s");
    expect(text).toMatch(/^game +190,204 {3}verified +6,412 {3}Tag 0 +1,000$/m);
    expect(text).toMatch(/^an application type … 12 /m);
    expect(text).toContain("Requests to Steam: 1 changes, 1,100 metadata, 1,272 product info, 3 tag names\n");
    expect(text).toContain("Unknown to Steam: 12   Failed: 9\n  440: truncated text text");
    expect(text).toContain("  and 4 more, see sync_status.last_error\n");
    expect(text).not.toContain("Tag 10");
  });

  it("has room for a run that found nothing", () => {
    const empty = { ...summary, by_type: [], deck: [], top_tags: [], requests: {}, failed: [], failed_count: 0 };
    const text = formatSummary({
      ...empty,
      apps_total: 0,
      stored: 0,
      unknown: 0,
      duration_seconds: 0.4,
      apps_per_second: 0,
    });
    expect(text).toMatch(/^none +none +none$/m);
    expect(text).toContain("Requests to Steam: none\nUnknown to Steam: 0   Failed: 0\n");
  });

  it("is one structured line where there is no terminal", () => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    reportSummary(summary, createOutput(new PassThrough() as unknown as NodeJS.WriteStream), logger);
    expect(lines).toEqual([expect.objectContaining({ summary, msg: "bulk sync finished" })]);
    const { output, text } = createTerminal();
    reportSummary(summary, output, logger);
    expect(text()).toBe(formatSummary(summary));
    expect(lines).toHaveLength(1);
  });
});

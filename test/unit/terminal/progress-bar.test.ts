import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLogger, createOutput } from "../../../src/process/logger.ts";
import { createRateMeter } from "../../../src/process/rate-meter.ts";
import { formatCount, formatDuration, formatLine } from "../../../src/terminal/format.ts";
import { createProgress } from "../../../src/terminal/progress-bar.ts";
import { createTerminal } from "../../support/terminal.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("createRateMeter", () => {
  function createMeter(windowMs?: number) {
    let time = 1_000_000;
    const meter = createRateMeter(() => time, windowMs);
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

  it("looks back as far as it is told to", () => {
    const { meter, pass } = createMeter(600_000);
    for (let page = 0; page < 30; page++) {
      pass(60_000);
      meter.add(1);
    }
    expect(meter.rate() * 60).toBeCloseTo(1, 1);
    expect(meter.etaSeconds(50)).toBe(3_000);
  });
});

describe("createProgress", () => {
  it("writes a structured line every so often where there is no terminal", () => {
    const lines: unknown[] = [];
    const logger = pino({ base: null, timestamp: false }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const output = createOutput(new PassThrough() as unknown as NodeJS.WriteStream);
    let done = 0;
    const progress = createProgress({
      line: () => "a bar",
      fields: () => ({ bulk: { done } }),
      message: "bulk sync in progress",
      linesEveryMs: 5_000,
      output,
      logger,
    });
    progress.start();
    progress.start();
    vi.advanceTimersByTime(5_000);
    done = 10;
    vi.advanceTimersByTime(9_999);
    progress.stop();
    progress.stop();
    vi.advanceTimersByTime(60_000);
    expect(lines).toEqual([
      { level: 30, bulk: { done: 0 }, msg: "bulk sync in progress" },
      { level: 30, bulk: { done: 10 }, msg: "bulk sync in progress" },
    ]);
  });

  it("draws a bar on a terminal, keeps log lines above it, and leaves the last state", () => {
    const { output, text } = createTerminal();
    const logger = createLogger({ level: "info", output });
    let line = "syncing 1,000 of 2,000";
    const widths = new Set<number>();
    const bar = createProgress({
      line: (width) => {
        widths.add(width);
        return line;
      },
      fields: () => ({ bulk: line }),
      message: "never on a terminal",
      linesEveryMs: 100,
      output,
      logger,
    });
    bar.start();
    vi.advanceTimersByTime(400);
    expect(text()).toContain("1,000 of 2,000");
    expect([...widths]).toEqual([80]);

    logger.info("a line of the log");
    const [above = "", below = ""] = text().split("a line of the log");
    expect(above).toContain("\x1b[2K");
    expect(stripVTControlCharacters(below)).toBe("\nsyncing 1,000 of 2,000");

    line = "done 2,000 of 2,000";
    bar.stop();
    bar.stop();
    expect(stripVTControlCharacters(text())).toBe("done 2,000 of 2,000\n");
    vi.advanceTimersByTime(10_000);
    expect(text()).toBe("");

    logger.info("after the bar");
    expect(stripVTControlCharacters(text())).toMatch(/^\[\d\d:\d\d:\d\d\] INFO: after the bar\n$/);

    line = "once more";
    bar.start();
    bar.stop();
    expect(stripVTControlCharacters(text())).toContain("once more\n");
  });
});

describe("formatLine", () => {
  it.each([
    [0, "syncing   ░░░░░░░░░░░░░░░░░░░░░░░░   0%  5 apps, 1/s"],
    [0.999, "syncing   ████████████████████████  99%  5 apps, 1/s"],
    [1, "syncing   ████████████████████████ 100%  5 apps, 1/s"],
    [null, "syncing   ░░░░░░░░░░░░░░░░░░░░░░░░       5 apps, 1/s"],
  ])("shows a share of %s", (share, line) => {
    expect(formatLine("syncing", share, ["5 apps", "1/s"], 80)).toBe(line);
  });

  it("leaves the last column free, where a terminal would begin a new line", () => {
    expect(formatLine("syncing", 1, ["x".repeat(80)], 60)).toHaveLength(59);
  });
});

describe("formatCount", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [254_113, "254,113"],
    [-1_200, "-1,200"],
  ])("writes %d as %s", (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});

describe("formatDuration", () => {
  it.each([
    [0.42, "0.4 s"],
    [8, "8 s"],
    [59.6, "1 min 00 s"],
    [9.96, "10 s"],
    [80, "1 min 20 s"],
    [3599.6, "1 h 00 min"],
    [3600 + 5 * 60, "1 h 05 min"],
  ])("writes %d seconds as %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createLogger, createOutput } from "../../../src/process/logger.ts";
import { createProgress } from "../../../src/terminal/progress-bar.ts";
import { createTerminal } from "../../support/terminal.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("createProgress", () => {
  it("logs a structured line per interval without a terminal", () => {
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

  it("draws a bar on a terminal, keeps log lines above it and leaves the last state", () => {
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

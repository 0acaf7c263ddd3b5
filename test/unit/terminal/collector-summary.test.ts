import { PassThrough } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { CollectorSummary } from "../../../src/collector/collector.ts";
import { createOutput } from "../../../src/process/logger.ts";
import { formatCollectorSummary, reportCollectorSummary } from "../../../src/terminal/collector-summary.ts";
import { createTerminal } from "../../support/terminal.ts";

const list = { vanished: 0, fault: null };
const summary: CollectorSummary = {
  list: {
    done: true,
    lists: [
      { ...list, kind: "games", before: 124_000, now: 124_356 },
      { ...list, kind: "dlc", before: 60_120, now: 60_100, vanished: 25 },
      { ...list, kind: "hardware", before: 0, now: 140 },
      { ...list, kind: "videos", before: 12, now: 12 },
    ],
    applied: 184_596,
    inserted: 1_412,
    relisted: 3,
    delisted: 1_025,
  },
  pass: { pages: 79, games: 78_811, missed: [7, 12] },
  details: { success: 2_950, not_found: 45, failed: 5 },
  games: { pending: 60_412, success: 24_310, failed: 7, not_found: 45 },
  owners_doubtful: 1_204,
  requests: { steam_web_api: 9, steamspy_all: 82, steamspy: 3_020 },
  duration_seconds: 8_225.2,
};

describe("formatCollectorSummary", () => {
  it("shows lists, pages, details and requests", () => {
    expect(formatCollectorSummary(summary)).toBe(`
Collector run finished in 2 h 17 min

List of games                  124,356 apps   +356
List of dlc                     60,100 apps   -20
List of hardware                   140 apps
List of videos                      12 apps   +0
Apps                              1,412 new   1,025 delisted, 3 back
All games                      78,811 games   79 pages, 2 missing
Details                         2,950 games   45 unknown, 5 failed
In the database         24,310 with details   60,412 pending
Doubtful owners                 1,204 games   contradicted by their reviews

Requests: 9 steam web api, 82 steamspy all, 3,020 steamspy

`);
  });

  it("omits phases that did not run", () => {
    const details = { success: 0, not_found: 0, failed: 0 };
    const nothing = { list: null, pass: null, details, games: null, owners_doubtful: null, requests: {} };
    expect(formatCollectorSummary({ ...nothing, duration_seconds: 0.4 })).toBe(`
Collector run finished in 0.4 s

Details                             0 games   0 unknown, 0 failed

Requests: none

`);
  });

  it("fits 80 columns with large numbers", () => {
    const million = 1_000_000;
    const quarter = 250_000;
    const text = formatCollectorSummary({
      list: {
        ...{ done: true, applied: million, inserted: million, relisted: quarter, delisted: quarter },
        lists: [{ ...list, kind: "hardware", before: million, now: 0 }],
      },
      pass: { pages: 1_000, games: million, missed: Array.from({ length: 500 }, (_, page) => page) },
      details: { success: million, not_found: quarter, failed: quarter },
      games: { pending: million, success: million, failed: 0, not_found: 0 },
      owners_doubtful: million,
      requests: { steam_web_api: 100_000, steamspy_all: 1_000, steamspy: million },
      duration_seconds: 1_000_000,
    });
    for (const line of text.split("\n")) expect(line.length).toBeLessThan(80);
    expect(text).toContain("500 missing");
  });
});

describe("reportCollectorSummary", () => {
  it("writes text to a terminal, one structured log line elsewhere", () => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    const stream = new PassThrough();
    reportCollectorSummary(summary, createOutput(stream as unknown as NodeJS.WriteStream), logger);
    expect(lines).toEqual([expect.objectContaining({ level: 30, summary, msg: "collector run finished" })]);
    expect(stream.read()).toBeNull();

    const { output, text } = createTerminal();
    reportCollectorSummary(summary, output, logger);
    expect(text()).toBe(formatCollectorSummary(summary));
    expect(lines).toHaveLength(1);
  });
});

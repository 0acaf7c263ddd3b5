import { PassThrough } from "node:stream";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { createOutput } from "../../../src/process/logger.ts";
import type { BulkSummary } from "../../../src/sync/progress.ts";
import { formatBulkSummary, reportBulkSummary } from "../../../src/terminal/bulk-summary.ts";
import { createTerminal } from "../../support/terminal.ts";

const summary: BulkSummary = {
  apps_total: 254_113,
  by_type: [
    { name: "game", count: 190_204 },
    { name: "dlc", count: 60_120 },
    { name: "an application type with a very long name", count: 12 },
  ],
  deck: [{ category: "verified", count: 6412 }],
  top_tags: Array.from({ length: 20 }, (_, index) => ({ name: `Tag\u001b[2J${index}`, count: 1000 - index })),
  requests: { changes: 1, metadata: 1100, product_info: 1272, access_tokens: 0, tag_names: 3, http_payload: 0 },
  stored: 254_113,
  unknown: 12,
  unconfirmed: 0,
  skipped: 0,
  unanswered: 0,
  failed: Array.from({ length: 7 }, (_, index) => ({
    appid: 440 + index,
    error: `truncated\u001b]0;title\u0007\n${"text ".repeat(40)}`,
  })),
  failed_count: 9,
  duration_seconds: 812.3,
  apps_per_second: 312.84,
};

describe("formatBulkSummary", () => {
  it("shows totals, tables, requests and failures within 80 columns", () => {
    const text = formatBulkSummary(summary);
    for (const line of text.split("\n")) expect(line.length).toBeLessThan(80);
    expect(text).toContain("Bulk sync finished in 13 min 32 s: 254,113 apps stored, 313 apps/s");
    expect(text).toMatch(/^game +190,204 {3}verified +6,412 {3}Tag \[2J0 +1,000$/m);
    expect(text).toMatch(/^an application type … 12 /m);
    expect(text).toContain("Requests to Steam: 1 changes, 1,100 metadata, 1,272 product info, 3 tag names\n");
    expect(text).toContain("Unknown to Steam: 12   Failed: 9\n  440: truncated ]0;title text text");
    expect(text).toContain("  and 4 more, see sync_status.last_error\n");
    expect(text).not.toContain("Tag [2J10");
    expect(text).not.toMatch(/[^\P{Cc}\n]/u);
  });

  it("shows how many ids Steam left unanswered, if any", () => {
    expect(formatBulkSummary(summary)).not.toContain("nanswered");
    expect(formatBulkSummary({ ...summary, unanswered: 4_321 })).toContain(
      "\nUnanswered by Steam, never stored, taken for unknown: 4,321 ids\n",
    );
  });

  it("formats a run without any app", () => {
    const empty = { ...summary, by_type: [], deck: [], top_tags: [], requests: {}, failed: [], failed_count: 0 };
    const text = formatBulkSummary({
      ...empty,
      apps_total: 0,
      stored: 0,
      unknown: 0,
      unconfirmed: 0,
      duration_seconds: 0.4,
      apps_per_second: 0,
    });
    expect(text).toMatch(/^none +none +none$/m);
    expect(text).toContain("Requests to Steam: none\nUnknown to Steam: 0   Failed: 0\n");
  });

  it("logs one structured line without a terminal", () => {
    const lines: Record<string, unknown>[] = [];
    const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line)) });
    reportBulkSummary(summary, createOutput(new PassThrough() as unknown as NodeJS.WriteStream), logger);
    expect(lines).toEqual([expect.objectContaining({ summary, msg: "bulk sync finished" })]);
    const { output, text } = createTerminal();
    reportBulkSummary(summary, output, logger);
    expect(text()).toBe(formatBulkSummary(summary));
    expect(lines).toHaveLength(1);
  });
});

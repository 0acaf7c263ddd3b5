import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { LibrarySummary } from "../../../src/library/progress.ts";
import type { Output } from "../../../src/process/logger.ts";
import { formatLibraryLine } from "../../../src/terminal/bars.ts";
import { reportLibrarySummary } from "../../../src/terminal/library-summary.ts";

const summary: LibrarySummary = {
  steam_id64: "76561197960287930",
  s3_location: "file:///data/imports/u1/run-raw.csv",
  s3_enriched_location: "file:///data/imports/u1/run-enriched.csv",
  game_count: 12_345,
  skipped: { count: 1, first: ["app 2147483648: its appid is out of range"] },
  unmatched: {
    count: 300,
    first: ["A \u001b[31mred\u001b[0m\ngame (7): no game of IGDB has its name", `${"x".repeat(200)} (8)`],
  },
  ignored: { count: 1, first: ["Portal 2 Soundtrack (323180): Steam calls it music"] },
  enrichment: { processed: 12_345, matched: 12_000, unmatched: 300, filtered: 45 },
  import: {
    imported_games_created: 12_344,
    imported_games_updated: 1,
    games_created: 11_000,
    games_updated: 7,
    library_items_created: 10_999,
  },
};

describe("formatLibraryLine", () => {
  it.each([
    [{ phase: "steam_import", done: 0, total: null }, /^Steam/],
    [{ phase: "igdb_enrichment", done: 400, total: 1_000 }, /^IGDB.*40.*400 of 1,000 games/],
    [{ phase: "database_import", done: 0, total: 0 }, /^database.*0 of 0 games/],
    [{ phase: "done", done: 1_000, total: 1_000 }, /^done.*100.*1,000 of 1,000 games/],
  ] as const)("shows phase, share and counts of %j", (progress, line) => {
    expect(formatLibraryLine(progress)).toMatch(line);
    expect(formatLibraryLine(progress, 30).length).toBeLessThanOrEqual(30);
  });
});

describe("reportLibrarySummary", () => {
  function report(isTerminal: boolean) {
    const [written, logged]: [string[], string[]] = [[], []];
    const output = { isTerminal, write: (lines: string) => written.push(lines) } as unknown as Output;
    reportLibrarySummary(
      summary,
      output,
      pino({ messageKey: "message" }, { write: (line: string) => logged.push(line) }),
    );
    return { text: written.join(""), logs: logged.map((line) => JSON.parse(line)) };
  }

  it("writes a table of at most 80 columns to a terminal", () => {
    const { text, logs } = report(true);
    expect(logs).toEqual([]);
    expect(text).toMatch(/12,345 games/);
    expect(text).toMatch(/Not matched +300\n/);
    expect(text).toMatch(/New in the library +12,344 +and 1 changed\n/);
    expect(text).toMatch(/New library items +10,999\n/);
    expect(text).toContain("\nNo games:\n  Portal 2 Soundtrack (323180): Steam calls it music\n\n");
    expect(text).toContain("\nLeft out:\n  app 2147483648: its appid is out of range\n");
    expect(text).toMatch(/\n {2}A \\x1b\[31mred\\x1b\[0m game \(7\): .*\n {2}x+…\n {2}and 298 more; --report FILE/);
    expect(text).toContain(summary.s3_enriched_location);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("writes one log line elsewhere", () => {
    const { text, logs } = report(false);
    expect(text).toBe("");
    expect(logs).toEqual([expect.objectContaining({ message: "library import finished", summary })]);
  });
});

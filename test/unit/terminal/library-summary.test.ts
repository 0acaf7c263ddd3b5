import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { LibrarySummary } from "../../../src/library/progress.ts";
import type { Output } from "../../../src/process/logger.ts";
import { formatLibraryLine } from "../../../src/terminal/bars.ts";
import { reportLibrarySummary } from "../../../src/terminal/library-summary.ts";

const summary: LibrarySummary = {
  s3_location: "file:///data/imports/u1/run-raw.csv",
  s3_enriched_location: "file:///data/imports/u1/run-enriched.csv",
  game_count: 12_345,
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
    expect(text).toMatch(/Imported games +12,344 +new, 1 changed/);
    expect(text).toMatch(/Library items +10,999 +new/);
    expect(text).toContain(summary.s3_enriched_location);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("writes one log line elsewhere", () => {
    const { text, logs } = report(false);
    expect(text).toBe("");
    expect(logs).toEqual([expect.objectContaining({ message: "library import finished", summary })]);
  });
});

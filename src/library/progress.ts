import type { Logger, Output } from "../process/logger.ts";
import { formatCount, formatLine } from "../terminal/progress-bar.ts";
import type { EnrichmentStats, ImportStats } from "./events.ts";

/** How far an import of one library is. */
export interface LibraryProgress {
  phase: "starting" | "steam_import" | "igdb_enrichment" | "database_import" | "done";
  /** Games of this phase. */
  done: number;
  /** Null while nobody knows. */
  total: number | null;
}

export interface LibrarySummary {
  s3_location: string;
  s3_enriched_location: string;
  game_count: number;
  enrichment: EnrichmentStats;
  import: ImportStats;
}

const phaseNames: Record<LibraryProgress["phase"], string> = {
  starting: "starting",
  steam_import: "Steam",
  igdb_enrichment: "IGDB",
  database_import: "database",
  done: "done",
};

/** One line of at most `width` columns; what comes last is cut first. */
export function formatLibraryLine({ phase, done, total }: LibraryProgress, width = 80): string {
  const share = phase === "done" ? 1 : total === null || total === 0 ? null : done / total;
  const games = total === null ? "" : `${formatCount(done)} of ${formatCount(total)} games`;
  return formatLine(phaseNames[phase], share, [games], width);
}

/** Tells the summary: in a few lines on a terminal, as one structured log line elsewhere. */
export function reportLibrarySummary(summary: LibrarySummary, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatLibrarySummary(summary));
  else logger.info({ summary }, "library import finished");
}

/** The summary for a terminal of 80 columns. */
export function formatLibrarySummary({ game_count, enrichment, import: stats, ...files }: LibrarySummary): string {
  const lines = [
    "",
    `Library import finished: ${formatCount(game_count)} games`,
    "",
    row("Matched with IGDB", enrichment.matched),
    row("Not matched", enrichment.unmatched),
    row("No games", enrichment.filtered, "DLC, demos, soundtracks and the like"),
    row("Imported games", stats.imported_games_created, `new, ${formatCount(stats.imported_games_updated)} changed`),
    row("Games", stats.games_created, `new, ${formatCount(stats.games_updated)} changed`),
    row("Library items", stats.library_items_created, "new"),
    "",
    files.s3_location,
    files.s3_enriched_location,
    "",
  ];
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function row(name: string, count: number, note = ""): string {
  return `${name.padEnd(20)} ${formatCount(count).padStart(8)}  ${note}`;
}

import type { LibrarySummary } from "../library/progress.ts";
import type { Logger, Output } from "../process/logger.ts";
import { formatCount } from "./format.ts";

/** Reports the summary: as text on a terminal, as one structured log line elsewhere. */
export function reportLibrarySummary(summary: LibrarySummary, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatLibrarySummary(summary));
  else logger.info({ summary }, "library import finished");
}

/** The summary of a library import for a terminal of 80 columns. */
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

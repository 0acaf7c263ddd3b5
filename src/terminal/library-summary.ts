import type { LibrarySummary } from "../library/progress.ts";
import type { Logger, Output } from "../process/logger.ts";
import { visibleText } from "../process/visible.ts";
import { formatCount } from "./format.ts";

type NamedGames = LibrarySummary["unmatched"];

/** Reports the summary: as text on a terminal, as one structured log line elsewhere. */
export function reportLibrarySummary(summary: LibrarySummary, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatLibrarySummary(summary));
  else logger.info({ summary }, "library import finished");
}

/** The summary of a library import for a terminal of 80 columns. */
export function formatLibrarySummary(summary: LibrarySummary): string {
  const { game_count, enrichment, import: stats, skipped, unmatched, ignored } = summary;
  const lines = [
    "",
    `Library import finished: ${formatCount(game_count)} games of Steam profile ${summary.steam_id64}`,
    "",
    row("Matched with IGDB", enrichment.matched),
    row("Not matched", enrichment.unmatched, refusedNote(enrichment.failed)),
    row("No games", enrichment.filtered, "DLC, demos, soundtracks and the like"),
    ...(skipped.count > 0 ? [row("Left out", skipped.count, "entries of Steam that cannot be stored")] : []),
    "",
    row("New in the library", stats.imported_games_created, `and ${formatCount(stats.imported_games_updated)} changed`),
    row("New games", stats.games_created, `and ${formatCount(stats.games_updated)} changed`),
    row("New library items", stats.library_items_created),
    ...named("Not matched", unmatched),
    ...named("No games", ignored),
    ...named("Left out", skipped),
    "",
    summary.s3_location,
    summary.s3_enriched_location,
    "",
  ];
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

const refusedNote = (count = 0) => (count > 0 ? `${formatCount(count)} refused by IGDB, asked again next time` : "");

function row(name: string, count: number, note = ""): string {
  return `${name.padEnd(20)} ${formatCount(count).padStart(8)}  ${note}`;
}

const maxWidth = 80;

/** The first games of a kind, a line each, and how many more there are. */
function named(title: string, { count, first }: NamedGames): string[] {
  if (count === 0) return [];
  const lines = first.map((text) => {
    // Names are what publishers typed.
    const line = `  ${visibleText(text.replace(/\s+/g, " "))}`;
    return line.length > maxWidth ? `${line.slice(0, maxWidth - 1)}…` : line;
  });
  const rest = count - first.length;
  const more = rest > 0 ? [`  and ${formatCount(rest)} more; --report FILE lists every game`] : [];
  return ["", `${title}:`, ...lines, ...more];
}

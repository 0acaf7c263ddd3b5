import type { Logger, Output } from "../process/logger.ts";
import type { BulkSummary } from "../sync/progress.ts";
import { formatCount, formatDuration } from "./format.ts";
import { clean } from "./layout.ts";

const columnWidth = 24;
const gap = "   ";
const rowLimit = 10;
const failedLimit = 5;
const lineWidth = 79;

/** The summary of a bulk sync for a terminal of 80 columns: three short tables, then requests and failures. */
export function formatBulkSummary(summary: BulkSummary): string {
  const tables = [
    table("Apps by type", summary.by_type),
    table(
      "Steam Deck",
      summary.deck.map(({ category, count }) => ({ name: category, count })),
    ),
    table("Most used tags", summary.top_tags),
  ];
  const height = Math.max(...tables.map((lines) => lines.length));
  const rows = Array.from({ length: height }, (_, row) =>
    tables.map((lines) => lines[row] ?? " ".repeat(columnWidth)).join(gap),
  );
  const requests = Object.entries(summary.requests)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${formatCount(count)} ${kind.replaceAll("_", " ")}`);
  const failures = summary.failed.slice(0, failedLimit).map(({ appid, error }) => `  ${appid}: ${clean(error)}`);
  const unnamed = summary.failed_count - failures.length;
  const lines = [
    "",
    `Bulk sync finished in ${formatDuration(summary.duration_seconds)}: ${formatCount(summary.stored)} apps stored, ` +
      `${formatCount(Math.round(summary.apps_per_second))} apps/s`,
    `Catalog: ${formatCount(summary.apps_total)} apps`,
    "",
    ...rows,
    "",
    ...wrap(`Requests to Steam: ${requests.join(", ") || "none"}`),
    `Unknown to Steam: ${formatCount(summary.unknown)}   Failed: ${formatCount(summary.failed_count)}`,
    ...(summary.skipped > 0
      ? [`Not stored, since APP_TYPES leaves their type out: ${formatCount(summary.skipped)}`]
      : []),
    ...unconfirmedLines(summary.unconfirmed),
    ...(summary.unanswered > 0
      ? [`Unanswered by Steam, never stored, taken for unknown: ${formatCount(summary.unanswered)} ids`]
      : []),
    ...failures,
    ...(failures.length > 0 && unnamed > 0 ? [`  and ${formatCount(unnamed)} more, see sync_status.last_error`] : []),
    "",
  ];
  return `${lines.map((line) => cut(line.trimEnd(), lineWidth)).join("\n")}\n`;
}

function unconfirmedLines(apps: number): string[] {
  if (apps === 0) return [];
  return wrap(
    `Unconfirmed: ${formatCount(apps)} stored apps that Steam says it does not know; they stay until a later pass hears ` +
      "the same, or --accept-unknown confirms it",
  );
}

/** Reports the summary: as text on a terminal, as one structured log line elsewhere. */
export function reportBulkSummary(summary: BulkSummary, output: Output, logger: Logger): void {
  if (output.isTerminal) output.write(formatBulkSummary(summary));
  else logger.info({ summary }, "bulk sync finished");
}

function table(title: string, entries: { name: string; count: number }[]): string[] {
  const rows = entries.slice(0, rowLimit).map(({ name, count }) => {
    const number = formatCount(count);
    const label = cut(clean(name), columnWidth - number.length - 1);
    return label.padEnd(columnWidth - number.length) + number;
  });
  if (rows.length === 0) rows.push("none".padEnd(columnWidth));
  return [title.padEnd(columnWidth), "─".repeat(columnWidth), ...rows];
}

function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.split(/(?<=,) /)) {
    const joined = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (joined.length <= lineWidth) lines[lines.length - 1] = joined;
    else lines.push(`  ${word}`);
  }
  return lines;
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}

import { formatCount, formatDuration } from "../terminal/format.ts";
import { clean, gap, paint, type Terminal, table } from "../terminal/layout.ts";
import { type Outcome, type Result, results } from "./check.ts";

/** What was checked, for people: line by line while it goes on, and as a report for an issue. */

/** What the findings are about. Holds no secret. */
export interface Subject {
  version: string;
  /** `v24.21.0`. */
  node: string;
  /** `linux x64`. */
  platform: string;
  /** Null when the configuration cannot be used. */
  driver: string | null;
  /** When the checks began; ISO 8601. */
  checked_at: string;
}

const styles: Record<Result, Parameters<typeof paint>[1]> = {
  ok: "green",
  warning: "yellow",
  failed: ["red", "bold"],
  skipped: "dim",
};
const [markWidth, nameWidth, durationWidth] = [9, 15, 6];

/** The result as a word, which needs no colour to be told, the name, what was found, and how long that took. */
export function formatOutcome(outcome: Outcome, terminal: Terminal): string {
  const summaryWidth = terminal.columns - markWidth - nameWidth - durationWidth - 3 * gap;
  const cells = [
    paint(terminal, styles[outcome.result], `  ${outcome.result}`),
    outcome.name,
    outcome.summary,
    durationOf(outcome),
  ];
  return `${table([cells], [markWidth, nameWidth, summaryWidth, durationWidth]).join("\n")}\n`;
}

function durationOf({ duration_ms }: Outcome): string {
  return duration_ms < 1_000 ? `${duration_ms} ms` : formatDuration(duration_ms / 1_000);
}

/** `9 ok, 1 warning, 2 skipped`. */
export function formatCounts(outcomes: readonly Outcome[]): string {
  return results
    .map((result) => ({ result, count: outcomes.filter((outcome) => outcome.result === result).length }))
    .filter(({ count }) => count > 0)
    .map(({ result, count }) => `${formatCount(count)} ${result}${result === "warning" && count > 1 ? "s" : ""}`)
    .join(", ");
}

/** Markdown: what the program is, and a table of everything that was found. */
export function formatReport(
  { version, node, platform, driver, checked_at }: Subject,
  outcomes: readonly Outcome[],
): string {
  const about = [
    `steam-pics-sync ${version}`,
    `Node ${node}`,
    platform,
    `database: ${driver ?? "unknown"}`,
    checked_at,
  ];
  const rows = outcomes.map(({ group, name, result, summary, duration_ms }) =>
    [`${group}: ${name}`, result, summary, formatCount(duration_ms)].map(inCell).join(" | "),
  );
  return [
    `**${about.join(", ")}**: ${formatCounts(outcomes)}`,
    "",
    "| Check | Result | Found | ms |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
    "",
  ].join("\n");
}

/** A text that neither ends its cell nor is taken for markup. */
function inCell(text: string): string {
  return clean(text).replace(/[\\|<>`*]/g, "\\$&");
}

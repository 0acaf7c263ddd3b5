import { formatCount, formatDuration } from "../terminal/format.ts";
import { clean, gap, paint, type Terminal, table } from "../terminal/layout.ts";
import { type Outcome, type Result, results } from "./check.ts";

/** Output of `doctor`: one line per check while it runs, and a Markdown report for an issue. */

/** The environment of the checks. Contains no secrets. */
export interface Subject {
  version: string;
  /** `v24.21.0`. */
  node: string;
  /** `linux x64`. */
  platform: string;
  /** Null when the configuration is invalid. */
  driver: string | null;
  /** Start of the checks; ISO 8601. */
  checked_at: string;
}

const styles: Record<Result, Parameters<typeof paint>[1]> = {
  ok: "green",
  warning: "yellow",
  failed: ["red", "bold"],
  skipped: "dim",
};
const [markWidth, nameWidth, durationWidth] = [9, 15, 6];

/** One check as a row: result (as a word too, for output without colours), name, finding, duration. */
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

/** The report as Markdown: the environment and a table of all findings. */
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
    [`${group}: ${name}`, result, summary, formatCount(duration_ms)].map(escapeCell).join(" | "),
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

/** Escapes a text for a cell of a Markdown table. */
function escapeCell(text: string): string {
  return clean(text).replace(/[\\|<>`*]/g, "\\$&");
}

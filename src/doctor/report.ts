import { formatCount, formatDuration } from "../terminal/format.ts";
import { clean, gap, paint, paragraph, type Style, styled, type Terminal, table } from "../terminal/layout.ts";
import { type Outcome, type Result, results } from "./check.ts";

/** Output of `doctor`: a row per check while it runs, the counts, and with --report a Markdown report for an issue. */

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

const styles: Record<Result, Style> = { ok: "green", warning: "yellow", failed: ["red", "bold"], skipped: "dim" };
const [markWidth, nameWidth] = [9, 15];
/** Narrower terminals have no room for three columns: the finding then stands below the name. */
const minTableColumns = 64;
const indent = 4;

export interface Printer {
  /** A group begins: writes what is left of the one before, and its title. */
  group(title: string): void;
  outcome(outcome: Outcome): void;
  /** Writes what is left. */
  end(): void;
}

/** Writes outcomes as they come; checks that were skipped for the same cause follow at the end of their group, as one row. */
export function createPrinter(write: (text: string) => void, terminal: Terminal): Printer {
  let blocked = new Map<string, Outcome[]>();
  function end(): void {
    for (const [cause, outcomes] of blocked) write(formatBlocked(cause, outcomes, terminal));
    blocked = new Map();
  }
  return {
    group(title) {
      end();
      write(`\n${paint(terminal, "bold", title)}\n`);
    },
    outcome(outcome) {
      if (outcome.cause === null) write(formatOutcome(outcome, terminal));
      else blocked.set(outcome.cause, [...(blocked.get(outcome.cause) ?? []), outcome]);
    },
    end,
  };
}

/** One check as a row: result (as a word too, for output without colours), name, finding; the remedy below the finding. */
export function formatOutcome(outcome: Outcome, terminal: Terminal): string {
  const { result, name, remedy } = outcome;
  const mark = styled(terminal, styles[result], `  ${result}`);
  const summary = `${outcome.summary}${durationOf(outcome)}`;
  if (terminal.columns < minTableColumns) {
    const head = table([[mark, name]], [markWidth, terminal.columns - markWidth - gap]);
    return lines([...head, ...indented(summary, terminal), ...(remedy ? indented(`→ ${remedy}`, terminal) : [])]);
  }
  const rows = [[mark, name, summary], ...(remedy ? [["", "", `→ ${remedy}`]] : [])];
  return lines(table(rows, [markWidth, nameWidth, terminal.columns - markWidth - nameWidth - 2 * gap]));
}

/** `–  6 checks skipped: Steam cannot be reached (clock, metadata, …)`. */
function formatBlocked(cause: string, outcomes: readonly Outcome[], terminal: Terminal): string {
  const names = outcomes.map(({ name }) => name).join(", ");
  const text = `${outcomes.length} ${outcomes.length === 1 ? "check" : "checks"} skipped: ${cause} (${names})`;
  const mark = styled(terminal, styles.skipped, "  –");
  return lines(table([[mark, text]], [markWidth, terminal.columns - markWidth - gap]));
}

const lines = (rows: readonly string[]) => `${rows.join("\n")}\n`;
const indented = (text: string, { columns }: Terminal) => table([["", text]], [indent - gap, columns - indent]);

/** How long a check took, where it was to be noticed. */
function durationOf({ duration_ms }: Outcome): string {
  return duration_ms < 1_000 ? "" : ` (${formatDuration(duration_ms / 1_000)})`;
}

/** The counts, and what to do next. */
export function formatClosing(
  outcomes: readonly Outcome[],
  { terminal, report }: { terminal: Terminal; report: boolean },
): string {
  const hasFailed = outcomes.some(({ result }) => result === "failed");
  const next = hasFailed
    ? "Correct what failed, the first one first, and run doctor again."
    : "Nothing stands in the way of `npm start`.";
  const hint = report ? "" : " `npm start -- doctor --report` adds a report to paste into an issue.";
  return `\n${lines(paragraph(`${formatCounts(outcomes)}. ${next}${hint}`, terminal))}`;
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
  const rows = outcomes.map(({ group, name, result, summary, remedy, duration_ms }) =>
    [`${group}: ${name}`, result, remedy ? `${summary} → ${remedy}` : summary, formatCount(duration_ms)]
      .map(escapeCell)
      .join(" | "),
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

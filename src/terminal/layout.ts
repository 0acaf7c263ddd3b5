import { styleText } from "node:util";
import Table from "cli-table3";
import { formatDuration } from "./format.ts";

/** How the texts of the command line are laid out. */

/** Where a text is shown. */
export interface Terminal {
  columns: number;
  stream: NodeJS.WritableStream;
}

const defaultColumns = 80;
/** Wider lines are hard to read; narrower ones cannot hold a label and a word. */
const maxColumns = 120;
const minColumns = 40;

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  const columns = Math.min(maxColumns, Math.max(minColumns, stream.columns || defaultColumns));
  return { columns, stream };
}

/** Styled on a terminal, unless NO_COLOR is set; plain elsewhere. */
export function paint(terminal: Terminal, style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: terminal.stream });
}

/**
 * A foreign text for one line of a terminal: control characters (which could move the cursor or colour what follows) and marks that
 * reverse the direction of writing become spaces.
 */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu, " ").trim();
}

/** Between two columns. */
export const gap = 2;
const sides = ["top", "bottom", "left", "right", "mid"].flatMap((side) => [side, `${side}-mid`]);
const corners = ["top-left", "top-right", "bottom-left", "bottom-right", "middle"];
const noBorders = Object.fromEntries([...sides, ...corners].map((part) => [part, ""]));

/** Rows in columns of these widths and a gap between them, cells wrapped between words. Lines end without spaces. */
export function table(rows: readonly (readonly string[])[], widths: readonly number[]): string[] {
  if (rows.length === 0) return [];
  const layout = new Table({
    chars: noBorders,
    style: { "padding-left": 0, "padding-right": gap, head: [], border: [] },
    wordWrap: true,
    colWidths: widths.map((width) => width + gap),
  });
  for (const row of rows) {
    layout.push(
      // A word that is longer than its column, such as an address, is broken; any other is not.
      row.map((content, index) => ({
        content,
        wrapOnWordBoundary: longestWord(content) <= (widths[index] ?? 0),
      })),
    );
  }
  return layout
    .toString()
    .split("\n")
    .map((line) => line.trimEnd());
}

function longestWord(text: string): number {
  return Math.max(...text.split(/\s+/).map((word) => word.length));
}

/** A sentence in as many lines as it needs. */
export function paragraph(text: string, terminal: Terminal): string[] {
  return table([[text]], [terminal.columns]);
}

/** Labels and what belongs to them, indented, for as long as the lines are. Pairs without a value are left out. */
export function facts(
  pairs: readonly (readonly [label: string, value: string | null])[],
  terminal: Terminal,
): string[] {
  const rows = pairs.flatMap(([label, value]) => (value === null || value === "" ? [] : [[`  ${label}`, value]]));
  return table(rows, [labelWidth, terminal.columns - labelWidth - gap]);
}

export const labelWidth = 20;

/** `8 s`, `1 min 20 s`, `2 h 05 min`, `3 days`. */
export function formatAge(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  return days < 2 ? formatDuration(Math.max(0, Math.round(seconds))) : `${days} days`;
}

/** `2026-11-26 08:00:12 UTC`. */
export function formatTime(iso: string): string {
  return `${new Date(iso).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A moment as such and as what has passed since: `2026-11-26 08:00:12 UTC (14 s ago)`. */
export function formatMoment(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1_000;
  return `${formatTime(iso)} (${seconds >= 0 ? `${formatAge(seconds)} ago` : `in ${formatAge(-seconds)}`})`;
}

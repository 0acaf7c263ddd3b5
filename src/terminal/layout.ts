import { styleText } from "node:util";
import Table from "cli-table3";
import { formatDuration } from "./format.ts";

/** Layout of text on a terminal: colours, columns, wrapping, times. */

/** The output that a text is formatted for. */
export interface Terminal {
  columns: number;
  stream: NodeJS.WritableStream;
}

const defaultColumns = 80;
/** Wider lines are hard to read; narrower ones have no room for a label and a value. */
const maxColumns = 120;
const minColumns = 40;

export function terminalOf(stream: NodeJS.WriteStream): Terminal {
  const columns = Math.min(maxColumns, Math.max(minColumns, stream.columns || defaultColumns));
  return { columns, stream };
}

/** Adds a style (colour, bold) on a terminal, unless NO_COLOR is set. */
export function paint(terminal: Terminal, style: Parameters<typeof styleText>[0], text: string): string {
  return styleText(style, text, { stream: terminal.stream });
}

/**
 * Sanitizes untrusted text for one line of a terminal: control characters (which could move the cursor or change colours) and
 * bidirectional marks (which reverse the direction of writing) become spaces.
 */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]+/gu, " ").trim();
}

/** Columns of space between two cells. */
export const gap = 2;
const sides = ["top", "bottom", "left", "right", "mid"].flatMap((side) => [side, `${side}-mid`]);
const corners = ["top-left", "top-right", "bottom-left", "bottom-right", "middle"];
const noBorders = Object.fromEntries([...sides, ...corners].map((part) => [part, ""]));

/** Lays out rows in columns of these widths with a gap between them; cells wrap between words, trailing spaces are removed. */
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
      // Only a word that is longer than its column, such as a URL, is broken.
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

/** Wraps a text at the width of the terminal. */
export function paragraph(text: string, terminal: Terminal): string[] {
  return table([[text]], [terminal.columns]);
}

/** Lays out labels and values, indented and wrapped. Pairs without a value are omitted. */
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

/** A time and its age: `2026-11-26 08:00:12 UTC (14 s ago)`. */
export function formatMoment(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1_000;
  return `${formatTime(iso)} (${seconds >= 0 ? `${formatAge(seconds)} ago` : `in ${formatAge(-seconds)}`})`;
}

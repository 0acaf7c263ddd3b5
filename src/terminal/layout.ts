import { stripVTControlCharacters, styleText } from "node:util";
import { formatDuration } from "./format.ts";
import { widthOf, wrap } from "./wrap.ts";

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

export type Style = Parameters<typeof styleText>[0];

/** Adds a style (colour, bold) on a terminal, unless NO_COLOR is set. */
export function paint(terminal: Terminal, style: Style, text: string): string {
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

/** A text with a style, for a cell or paragraph: wrapped first and styled line by line, so that no escape code is ever cut. */
export interface Styled {
  text: string;
  /** Adds the style to one line. */
  paint(line: string): string;
}
export type Cell = string | Styled;

/** {@link paint}, for a text that is still to be wrapped. */
export function styled(terminal: Terminal, style: Style, text: string): Styled {
  return { text, paint: (line) => paint(terminal, style, line) };
}

/** Lays out rows in columns of these widths with a gap between them; cells wrap between words, trailing spaces are removed. */
export function table(rows: readonly (readonly Cell[])[], widths: readonly number[]): string[] {
  return rows.flatMap((cells) => {
    const columns = cells.map((cell, index) => wrap(textOf(cell), widths[index] ?? 1));
    const height = Math.max(0, ...columns.map((lines) => lines.length));
    return Array.from({ length: height }, (_, line) => rowLine(cells, columns, widths, line));
  });
}

/** One line of a row. Columns after the last one with a text are omitted. */
function rowLine(cells: readonly Cell[], columns: string[][], widths: readonly number[], line: number): string {
  const texts = columns.map((lines) => (lines[line] ?? "").trimEnd());
  const last = texts.findLastIndex((text) => text !== "");
  return texts
    .slice(0, last + 1)
    .map((text, index) => {
      const cell = cells[index];
      const shown = typeof cell === "object" && text !== "" ? cell.paint(text) : text;
      const space = index === last ? 0 : Math.max(0, (widths[index] ?? 1) - widthOf(text)) + gap;
      return shown + " ".repeat(space);
    })
    .join("");
}

/** A style that a text was given before it is wrapped would be counted and cut like letters, so it is removed. */
const textOf = (cell: Cell) => stripVTControlCharacters(typeof cell === "string" ? cell : cell.text);

/** Wraps a text at the width of the terminal. */
export function paragraph(text: Cell, terminal: Terminal): string[] {
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

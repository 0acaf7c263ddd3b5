import cliTruncate from "cli-truncate";
import stringWidth from "string-width";
import wrapAnsi from "wrap-ansi";

/** Width and wrapping of plain text on a terminal. Texts contain no escape codes: styles are added to finished lines (layout.ts). */

/** One column of indentation while a line is wrapped, which would remove a space: a character of private use, so no text has it. */
const placeholder = "\ue000";

/** Columns that a line takes on a terminal; wide characters and emoji take two. */
export const widthOf = (text: string): number => stringWidth(text);

/** Cuts a line at `width` columns; what is cut off is shown as `…`. */
export const cut = (text: string, width: number): string => cliTruncate(text, Math.max(1, width));

/**
 * Wraps a text at `width` columns, between words; a word that is wider than a line, such as a URL, is broken. Line breaks and the
 * indentation of the first line stay.
 */
export function wrap(text: string, width: number): string[] {
  return text.split("\n").flatMap((line) => {
    const [indent = ""] = /^\s*/.exec(line) ?? [];
    const filled = placeholder.repeat(Math.min(indent.length, width - 1)) + spaced(line);
    return wrapAnsi(filled, Math.max(1, width), { hard: true }).replaceAll(placeholder, " ").split("\n");
  });
}

/** The words of a line with one space between them; none before a word without width, which would end a full line with the space. */
function spaced(line: string): string {
  const words = line.trim().split(/\s+/);
  return words.map((word, index) => (index > 0 && widthOf(word) > 0 ? ` ${word}` : word)).join("");
}

import { distance } from "fastest-levenshtein";

const mostEdits = 3;
const shortestPrefix = 3;
/** No name is longer, and the distance takes time by the product of both lengths. */
const longestName = 200;

/** Edits (insertions, deletions, replacements) within which two texts are near: one in three characters, at least 1 and at most 3. */
export function editsOf(text: string): number {
  return Math.min(mostEdits, Math.max(1, Math.floor(text.length / 3)));
}

/**
 * The name that was probably meant: the nearest within {@link editsOf}, ignoring case, else the shortest that starts with the text. Null
 * when none is near.
 */
export function nearest(text: string, names: readonly string[]): string | null {
  if (text.length > longestName) return null;
  const given = text.toLowerCase();
  const [best] = names
    .map((name) => ({ name, rank: rankOf(given, name.toLowerCase()) }))
    .filter(({ rank }) => rank < Number.POSITIVE_INFINITY)
    .sort((a, b) => a.rank - b.rank);
  return best?.name ?? null;
}

function rankOf(given: string, name: string): number {
  const edits = Math.abs(given.length - name.length) > mostEdits ? Number.POSITIVE_INFINITY : distance(given, name);
  if (edits <= editsOf(given)) return edits;
  const isPrefix = given.length >= shortestPrefix && name.startsWith(given);
  return isPrefix ? mostEdits + name.length - given.length : Number.POSITIVE_INFINITY;
}

/** `; did you mean tag?`, or nothing when no name is near; `format` writes the name, for example in quotes. */
export function didYouMean(text: string, names: readonly string[], format: (name: string) => string = (name) => name) {
  const name = nearest(text, names);
  return name === null ? "" : `; did you mean ${format(name)}?`;
}

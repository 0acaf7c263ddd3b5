/** Characters that a terminal obeys or that reorder what follows: C0 and C1 controls, line separators, marks of the writing direction. */
const unsafe = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;

/** Shows control characters as `\x1b` or `\u202e`, so that a text from outside cannot drive a terminal. Line breaks and tabs stay. */
export function visibleText(text: string): string {
  return text.replace(unsafe, (found) => {
    if (found === "\n" || found === "\t") return found;
    const code = found.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** A copy of a plain value in which every text, and every name of a member, is a {@link visibleText}. */
export function visibleTexts(value: unknown): unknown {
  if (typeof value === "string") return visibleText(value);
  if (Array.isArray(value)) return value.map(visibleTexts);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [visibleText(name), visibleTexts(each)]));
}

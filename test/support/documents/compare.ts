/** Compares what a document shows with what is there. In a document, `…` stands for anything. */

const anything = "…";

/**
 * Differences between JSON as a document shows it and a value. `…` as the last entry of an object or array means that
 * there may be more; as a value it is any value.
 */
export function differences(shown: string, actual: unknown): string[] {
  const json = shown.replaceAll(/"(?:[^"\\]|\\.)*"|…/g, (token, at: number) => {
    if (token !== anything) return token;
    const isValue = shown.slice(0, at).trimEnd().endsWith(":");
    const isLastOfObject = shown
      .slice(at + 1)
      .trimStart()
      .startsWith("}");
    return isLastOfObject && !isValue ? '"…": "…"' : '"…"';
  });
  return compare(JSON.parse(json), actual, "$");
}

function compare(shown: unknown, actual: unknown, path: string): string[] {
  if (shown === anything) return actual === undefined ? [`${path} is missing`] : [];
  if (typeof shown === "string" && shown.includes(anything) && typeof actual === "string") {
    return matches(shown, actual) ? [] : [`${path} is ${JSON.stringify(actual)}`];
  }
  if (Array.isArray(shown) && Array.isArray(actual)) {
    const isOpen = shown.at(-1) === anything;
    const entries = isOpen ? shown.slice(0, -1) : shown;
    const isLong = isOpen ? actual.length >= entries.length : actual.length === entries.length;
    if (!isLong) return [`${path} has ${actual.length} entries: ${JSON.stringify(actual)}`];
    return entries.flatMap((entry, index) => compare(entry, actual[index], `${path}[${index}]`));
  }
  if (isObject(shown) && isObject(actual)) {
    const { [anything]: isOpen, ...entries } = shown;
    const more = isOpen === undefined ? Object.keys(actual).filter((key) => !(key in entries)) : [];
    return [
      ...more.map((key) => `${path}.${key} is not shown`),
      ...Object.entries(entries).flatMap(([key, value]) => compare(value, actual[key], `${path}.${key}`)),
    ];
  }
  return Object.is(shown, actual) ? [] : [`${path} is ${JSON.stringify(actual)}`];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a text is as shown, where `…` is any text, and a line with `…` alone any lines. */
export function matches(shown: string, actual: string): boolean {
  const pattern = shown
    .split("\n")
    .map((line) => (line.trim() === anything ? "(?:.*\n)*?.*" : line.split(anything).map(escaped).join(".*")))
    .join("\n");
  return new RegExp(`^${pattern}$`).test(actual);
}

const escaped = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** The text with every figure alike: times, counts and sizes differ from run to run. */
export function withoutFigures(text: string): string {
  return text.replaceAll(/\d[\d,.]*/g, "0").replaceAll(/[ \t]+/g, " ");
}

/**
 * KeyValues text as an ordered list of pairs: nothing is merged, nothing is dropped, repeated keys stay side by side.
 *
 * Only what PICS sends is read (quoted tokens and braces); anything else is an error. It exists to check the product's
 * own parser, so it shares no code with it and is simple rather than fast.
 */
export type Pairs = [key: string, value: string | Pairs][];

/** White space, then a brace or a quoted token in which a backslash takes the next character with it. */
const tokenPattern = /\s*(?:([{}])|"([^"\\]*(?:\\[\s\S][^"\\]*)*)")/y;

const escapes: Record<string, string> = { "\\\\": "\\", '\\"': '"', "\\n": "\n", "\\t": "\t" };

interface Token {
  brace: string | undefined;
  text: string;
}

/** Reads a whole text, such as `"appinfo" { … }`. Throws on anything but balanced pairs of quoted tokens. */
export function readPairs(text: string): Pairs {
  const tokens = tokenize(text);
  let position = 0;

  function block(closing: boolean): Pairs {
    const pairs: Pairs = [];
    for (;;) {
      const key = tokens[position++];
      if (key === undefined || key.brace === "}") {
        if ((key === undefined) === closing) throw new Error(`unbalanced braces at token ${position}`);
        return pairs;
      }
      const value = tokens[position++];
      if (key.brace !== undefined || value === undefined || value.brace === "}") {
        throw new Error(`a key and its value expected at token ${position}`);
      }
      pairs.push([key.text, value.brace === "{" ? block(true) : value.text]);
    }
  }

  return block(false);
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < end) {
    const start = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (match === null) throw new Error(`neither a quoted token nor a brace at character ${start}`);
    const quoted = match[2] ?? "";
    tokens.push({ brace: match[1], text: quoted.replace(/\\[\s\S]/g, (pair) => escapes[pair] ?? pair) });
  }
  return tokens;
}

/**
 * The value behind a path of keys, the first of each where a key is repeated; undefined when there is none. Keys are
 * equal without regard to the case of ASCII letters: Valve's public reader (`KeyValues::FindKey`) does the same.
 */
export function at(pairs: Pairs, ...path: string[]): string | Pairs | undefined {
  let value: string | Pairs | undefined = pairs;
  for (const key of path) {
    if (value === undefined || typeof value === "string") return undefined;
    value = value.find(([other]) => other === key || (other.length === key.length && small(other) === small(key)))?.[1];
  }
  return value;
}

/** The block behind a path, each key once with its first value; undefined for no value or a plain one. */
export function blockAt(pairs: Pairs, ...path: string[]): Pairs | undefined {
  const value = at(pairs, ...path);
  if (value === undefined || typeof value === "string") return undefined;
  const seen = new Set<string>();
  return value.filter(([key]) => {
    const isFirst = !seen.has(small(key));
    seen.add(small(key));
    return isFirst;
  });
}

function small(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

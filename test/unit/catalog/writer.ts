/** A block to write as KeyValues: an object, or pairs where keys repeat or numeric ones stand in another order. */
export type Tree = { [key: string]: string | Tree } | Pairs;
export type Pairs = [key: string, value: string | Tree][];

/** Writes a tree as PICS does: every token quoted, `\` and `"` escaped, everything else raw. */
export function write(tree: Tree, indent = ""): string {
  const quoted = (token: string) => `"${token.replace(/["\\]/g, "\\$&")}"`;
  const pairs = Array.isArray(tree) ? tree : Object.entries(tree);
  return pairs
    .map(([key, value]) =>
      typeof value === "string"
        ? `${indent}${quoted(key)}\t\t${quoted(value)}\n`
        : `${indent}${quoted(key)}\n${indent}{\n${write(value, `${indent}\t`)}${indent}}\n`,
    )
    .join("");
}

/** A numbered list as PICS writes it: `{ "0" "19" "1" "492" }`. */
export function numbered(...values: (string | Tree)[]): Tree {
  return Object.fromEntries(values.entries());
}

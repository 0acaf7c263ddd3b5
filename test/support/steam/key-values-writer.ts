/** A value of text KeyValues: a scalar, or a block. A block of pairs may repeat a key and keeps its order. */
export type KeyValue = string | number | KeyValueBlock;
export type KeyValueBlock = { [key: string]: KeyValue | undefined } | [key: string, value: KeyValue | undefined][];

/**
 * Writes text KeyValues as PICS does: tabs and newlines, `\\` and `\"` escaped, everything else raw, a newline at the end.
 * Keys whose value is undefined are left out. Mind that an object lists its numeric keys first; use pairs otherwise.
 *
 * `toKeyValues({ appinfo: { appid: 10 } })` is `"appinfo"\n{\n\t"appid"\t\t"10"\n}\n`.
 */
export function toKeyValues(block: KeyValueBlock, indent = ""): string {
  let text = "";
  const pairs = Array.isArray(block) ? block : Object.entries(block);
  for (const [key, value] of pairs) {
    if (value === undefined) continue;
    text += `${indent}"${escaped(key)}"`;
    if (typeof value === "object") text += `\n${indent}{\n${toKeyValues(value, `${indent}\t`)}${indent}}\n`;
    else text += `\t\t"${escaped(String(value))}"\n`;
  }
  return text;
}

function escaped(text: string): string {
  return /["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text;
}

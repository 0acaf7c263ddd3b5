/** A `common` section as JSON: plain values and blocks, nothing else. */
export interface CommonSection {
  [key: string]: string | CommonSection;
}

/**
 * Writes a `common` section that was kept as JSON as the app info text that PICS would send: `appinfo { appid, common }`,
 * indented by tabs, `\` and `"` escaped, line breaks as they are.
 *
 * A JSON object hands out numeric keys in numeric order, which is the order in which PICS had them.
 */
export function commonToText(appid: number, common: CommonSection): string {
  return pairToText("appinfo", { appid: String(appid), common }, "");
}

function pairToText(key: string, value: string | CommonSection, indent: string): string {
  if (typeof value === "string") return `${indent}${quote(key)}\t\t${quote(value)}\n`;
  const inside = Object.entries(value).map(([name, child]) => pairToText(name, child, `${indent}\t`));
  return `${indent}${quote(key)}\n${indent}{\n${inside.join("")}${indent}}\n`;
}

function quote(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

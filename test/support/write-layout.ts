import { readFileSync, writeFileSync } from "node:fs";
import { layoutTable } from "./layout.ts";

/** `npm run docs`: writes the table of modules into docs/architecture.md, between its two markers. */

const file = new URL("../../docs/architecture.md", import.meta.url);
const text = readFileSync(file, "utf8");
writeFileSync(
  file,
  text.replace(
    /(<!-- modules -->\n)[\s\S]*?(\n*<!-- \/modules -->)/,
    (_, begin, end) => `${begin}${layoutTable()}\n\n${end.trimStart()}`,
  ),
);

import { readFileSync, writeFileSync } from "node:fs";
import { startCluster } from "./cluster.ts";
import { dictionaryOf } from "./dictionary/database.ts";
import { renderDictionary } from "./dictionary/render.ts";
import { errorTable, faultTable } from "./error-table.ts";
import { layoutTable } from "./layout.ts";
import { licenceList } from "./licences.ts";

/**
 * `npm run docs`: writes the tables that are made from the source into the documents, each between its two markers; those of the data
 * dictionary are made by the migrations, on a Postgres of its own.
 */
function write(file: string, marker: string, table: string): void {
  const url = new URL(`../../docs/${file}`, import.meta.url);
  const between = new RegExp(`(<!-- ${marker} -->\\n+)[\\s\\S]*?(\\n*<!-- /${marker} -->)`);
  const fill = (_: string, begin: string, end: string) => `${begin}${table}\n\n${end.trimStart()}`;
  writeFileSync(url, readFileSync(url, "utf8").replace(between, fill));
}

write("architecture.md", "modules", layoutTable());
write("licences.md", "licences", licenceList());
write("database-errors.md", "faults", faultTable());
write("database-errors.md", "codes", errorTable());

const cluster = await startCluster();
try {
  const parts = renderDictionary(await dictionaryOf(cluster.address));
  for (const [marker, part] of Object.entries(parts)) write("data.md", marker, part);
} finally {
  await cluster.stop();
}

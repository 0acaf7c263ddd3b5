import { expect, it } from "vitest";
import type { Manifest } from "../../../src/exchange/manifest.ts";
import { formatExportLine, formatImportLine } from "../../../src/terminal/bars.ts";
import { formatExport, formatImport } from "../../../src/terminal/exchange-summary.ts";

const table = (name: string, rows: number, bytes: number) => ({ name, rows, bytes }) as Manifest["tables"][number];
const manifest = {
  change_number: 31_234_567,
  since: null,
  tables: [table("apps", 254_113, 31_200_000), table("app_steam_tags", 2_900_000, 4_100)],
} as unknown as Manifest;
const done = { folder: "./export", seconds: 84 };

it("an export is summed up by table", () => {
  expect(formatExport(manifest, done)).toBe(`
Exported 3,154,113 rows, 31.2 MB, to ./export in 1 min 24 s
As of change 31234567
  apps                254,113  31.2 MB
  app_steam_tags    2,900,000  4.1 kB

`);
  const since = { made_at: "", change_number: null };
  expect(formatExport({ ...manifest, since }, done)).toContain(
    "As of change 31234567, what changed since change none\n",
  );
});

it("an import says how to go on", () => {
  expect(formatImport(manifest, done)).toBe(`
Imported 3,154,113 rows from ./export in 1 min 24 s
As of change 31234567; \`npm start\` fetches what changed since

`);
});

it("both show their progress in one line of at most the given width", () => {
  const writing = { tables: 11, tablesTotal: 22, table: "app_steam_tags", rows: 1_234_567 };
  expect(formatExportLine(writing)).toBe("export    ████████████░░░░░░░░░░░░  50%  app_steam_tags, 1,234,567 rows");
  const loading = { phase: "loading" as const, table: "apps", rows: 3, rowsTotal: 4 };
  expect(formatImportLine(loading)).toBe("loading   ██████████████████░░░░░░  75%  apps, 3 of 4 rows");
  expect(formatExportLine({ ...writing, tablesTotal: 0 }, 40)).toHaveLength(39);
});

import { expect, it } from "vitest";
import { assetUrls } from "../../../src/catalog/assets.ts";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import { canonical, differences, recordOf } from "../../../src/terminal/comparison.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { generateRecords } from "../../support/steam/records.ts";
import { useCatalog } from "./catalog.ts";

/** Normal form of stored and fetched apps: a difference in it is a change. */
forEachDatabase(
  "comparison of stored and fetched apps",
  (open) => {
    const catalog = useCatalog(open);

    it("finds no difference right after storing, and each field that differs", async () => {
      const reader = createCatalogReader(catalog.database.db);
      const records = generateRecords(200);
      await catalog.store(...records);
      let compared = 0;
      for (const stored of records) {
        // A stored app is read with art as addresses, and `fetch` makes the same of Steam's.
        const record = { ...stored, assets: assetUrls(stored.appid, stored.assets ?? null) };
        const view = await reader.app(record.appid);
        const [branches, depots] = [await reader.branches(record.appid), await reader.depots(record.appid)];
        if (!view || !branches) throw new Error(`${record.appid} is not stored`);
        const read = { app: view, branches, depots };
        expect({ appid: record.appid, differs: differences(recordOf(read), canonical(record)) }).toEqual({
          appid: record.appid,
          differs: [],
        });
        for (const name of Object.keys(record) as (keyof typeof record)[]) {
          const [stored, steam] = [recordOf(read), canonical(record)];
          if (name === "appid" || !(name in stored)) continue;
          Object.assign(steam, { [name]: other(steam[name as "name"]) });
          expect(differences(stored, steam)).toEqual([name]);
          compared += 1;
        }
      }
      expect(compared).toBeGreaterThan(records.length * 10);
    });
  },
  ["postgres"],
);

/** Another value of the same kind. */
function other(value: unknown): unknown {
  if (Array.isArray(value)) return [...value, 4_999_999];
  if (typeof value === "boolean") return !value;
  if (typeof value === "number") return value + 1;
  return value === null ? "something" : null;
}

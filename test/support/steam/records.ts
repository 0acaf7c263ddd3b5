import { extractApp } from "../../../src/catalog/extract.ts";
import { labelsOf } from "../../../src/catalog/labels.ts";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import { generateCatalog } from "./generate.ts";

/** Records of the generated catalog, as a bulk sync hands them to the store. */
export function generateRecords(count: number): StoredRecord[] {
  const catalog = generateCatalog({ seed: 1, count });
  return [...catalog.apps.values()].map((app) => {
    const isDenied = app.access === "denied";
    const text = catalog.body(app, isDenied ? "public" : "whole").bytes.toString("utf8");
    const { record, isPartial, lacks } = extractApp(app.appid, text, isDenied);
    const labels = labelsOf(record);
    return {
      ...record,
      ...(labels && { labels }),
      change_number: app.changeNumber,
      partial: isPartial,
      missing_token: isDenied,
      lacks,
    };
  });
}

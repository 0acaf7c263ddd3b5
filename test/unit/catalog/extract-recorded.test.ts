import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { extractApp } from "../../../src/catalog/extract.ts";

/**
 * Recorded texts (`<name>.vdf`) and the records that they become (`<name>.json`), compared whole.
 *
 * To record: put a text there, run `UPDATE_FIXTURES=1 npx vitest run test/unit/catalog`, then `npm run format`, and
 * read the difference before keeping it.
 */
const folder = new URL("../../fixtures/extract/", import.meta.url);
const names = readdirSync(folder)
  .filter((file) => file.endsWith(".vdf"))
  .map((file) => file.slice(0, -".vdf".length));

function extractRecorded(name: string): unknown {
  const text = readFileSync(new URL(`${name}.vdf`, folder), "utf8");
  const appid = Number(/"appid"\s+"(\d+)"/.exec(text)?.[1]);
  return JSON.parse(JSON.stringify(extractApp(appid, text, false).record));
}

describe("extractApp on recorded texts", () => {
  it("finds recorded texts", () => {
    expect(names.length).toBeGreaterThanOrEqual(6);
  });

  it.each(names)("%s", (name) => {
    const record = extractRecorded(name);
    const file = new URL(`${name}.json`, folder);
    if (process.env.UPDATE_FIXTURES) writeFileSync(file, `${JSON.stringify(record, null, 2)}\n`);
    expect(record).toEqual(JSON.parse(readFileSync(file, "utf8")));
  });
});

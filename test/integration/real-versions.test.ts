import { afterAll, describe, expect, it } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { compareWithDatabase } from "../support/independent-reading/compare.ts";
import { rowsAfter } from "../support/independent-reading/expected.ts";
import { changesBetween, type ExpectedChange } from "../support/independent-reading/history.ts";
import { readPayload } from "../support/independent-reading/read.ts";
import type { ExpectedRows } from "../support/independent-reading/rows.ts";
import { batchesOf, createWriter, hasVersions, readVersions } from "../support/real-versions.ts";

/**
 * Real versions of real apps, one after the other in the order of their change numbers, through the write path (claim,
 * extraction, Postgres). The history must be what independent readings of the same texts differ in.
 *
 * The data lies beside the repository and is never part of it; where it is absent, these tests say that they are
 * skipped.
 */
const timeColumns = ["steam_release_date", "original_release_date", "store_asset_mtime", "last_content_update"];
const isoTime = (value: unknown) => (typeof value === "string" ? new Date(value).toISOString() : value);

/** A value of the history as an expectation has it: times in UTC, names in one order. */
function normalized(field: string, value: unknown): unknown {
  if (timeColumns.includes(field)) return isoTime(value);
  if (field === "steam_deck" && value !== null) {
    const deck = value as { test_timestamp: unknown };
    return { ...deck, test_timestamp: isoTime(deck.test_timestamp) };
  }
  if (field === "branches") {
    const branches = value as { built_at: unknown; updated_at: unknown }[];
    return branches.map((row) => ({ ...row, built_at: isoTime(row.built_at), updated_at: isoTime(row.updated_at) }));
  }
  return ["developers", "publishers", "franchises"].includes(field) ? [...(value as string[])].sort() : value;
}

async function readHistory({ sql }: TestDatabase): Promise<ExpectedChange[]> {
  const rows = await sql<ExpectedChange>(
    'select appid, change_number::integer, field, old, new from app_changes order by change_number, appid, field collate "C"',
  );
  return rows.map((row) => ({
    ...row,
    old: normalized(row.field, row.old),
    new: normalized(row.field, row.new),
  }));
}

describe.skipIf(!hasVersions)(`real versions${hasVersions ? "" : " (skipped: ../shared/pics is not there)"}`, () => {
  let database: TestDatabase | null = null;
  afterAll(() => database?.close());

  it("leave the history in which independent readings differ, step by step", async () => {
    const versions = readVersions();
    database = await openTestDatabase("postgres");
    const store = createWriter(database.db);
    const stored = new Map<number, ExpectedRows>();
    const parents = new Map<number, unknown>();
    const expected: ExpectedChange[] = [];
    for (const batch of batchesOf(versions)) {
      await store(batch);
      const readings = batch.map((version) => ({
        ...version,
        reading: readPayload(version.appid, version.text, false),
      }));
      // The rows of a batch are written before its relations: a DLC may come with the app that it belongs to.
      for (const { appid, reading } of readings)
        if ("parent_appid" in reading.columns) parents.set(appid, reading.columns.parent_appid);
      for (const { appid, change_number, reading } of readings) {
        const before = stored.get(appid) ?? null;
        const after = rowsAfter(before, appid, change_number, reading, parents);
        if (before !== null) expected.push(...changesBetween(appid, before, after));
        stored.set(appid, after);
      }
    }

    const byPlace = (a: ExpectedChange, b: ExpectedChange) => a.change_number - b.change_number || a.appid - b.appid;
    const history = await readHistory(database);
    expect(history).toEqual(expected.sort(byPlace));
    const { differences, apps } = await compareWithDatabase(database.sql, stored);
    expect(differences).toEqual([]);
    const steps = versions.length - apps;
    expect({ versions: versions.length, apps, steps }).toEqual({ versions: 889, apps: 60, steps: 829 });
    process.stdout.write(`${apps} real apps, ${steps} steps, ${history.length} rows of history, 0 differ\n`);
  });
});

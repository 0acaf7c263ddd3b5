import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { createCatalogStore } from "../../src/db/catalog-store.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import type { Pics } from "../../src/steam/port.ts";
import { applyBatch } from "../../src/sync/apply-batch.ts";
import { startLease } from "../../src/sync/lease.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { compareWithDatabase } from "../support/independent-reading/compare.ts";
import { rowsAfter } from "../support/independent-reading/expected.ts";
import { changesBetween, type ExpectedChange } from "../support/independent-reading/history.ts";
import { readPayload } from "../support/independent-reading/read.ts";
import type { ExpectedRows } from "../support/independent-reading/rows.ts";
import { silent } from "../support/templates.ts";

/**
 * Real versions of real apps, one after the other in the order of their change numbers, through the write path (claim,
 * extraction, Postgres). The history must be what independent readings of the same texts differ in.
 *
 * The data lies beside the repository and is never part of it; where it is absent, these tests say that they are
 * skipped.
 */
const file = fileURLToPath(new URL("../../../shared/pics/versions.jsonl.gz", import.meta.url));
const present = existsSync(file);

interface Version {
  appid: number;
  change_number: number;
  text: string;
}

function readVersions(): Version[] {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Version).sort((a, b) => a.change_number - b.change_number);
}

/** Consecutive versions of different apps: what a worker may store at once without skipping a version. */
function* batchesOf(versions: Version[]): Generator<Version[]> {
  let batch: Version[] = [];
  for (const version of versions) {
    if (batch.some(({ appid }) => appid === version.appid)) {
      yield batch;
      batch = [];
    }
    batch.push(version);
  }
  yield batch;
}

/** Stores a batch as a worker does: mark, claim, fetch, extract, apply. Steam's answer is the given texts. */
function createWriter({ db }: TestDatabase) {
  const store = createCatalogStore(db, createDatabaseRetry(db.driver, { logger: silent }));
  const appBackoff = { firstMs: 1_000, maxMs: 1_000 };
  return async (batch: Version[]): Promise<void> => {
    const payloads = batch.map(({ appid, change_number, text }) => {
      return { appid, changeNumber: change_number, text, error: null, onlyPublic: false, missingToken: false };
    });
    const appids = batch.map(({ appid }) => appid);
    await store.mark({ apps: payloads, unknown: [], full: false });
    const lease = startLease(store, 60_000, new AbortController().signal);
    const claim = { leaseId: lease.id, max: batch.length, leaseMs: 60_000, appids, maxAttempts: null };
    const { apps } = await store.claim(claim);
    const pics = {
      productInfo: async () => ({ apps: payloads, unknown: [] }),
      accessTokens: async (denied: number[]) => ({ granted: new Map(), denied }),
    } as unknown as Pics;
    const keep = { appInfo: true, depots: true };
    const unknownRule = { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false };
    const deps = { pics, store, logger: silent, upsertBatchSize: 500, appBackoff, unknownRule, keep, history: true };
    const outcome = await applyBatch(deps, lease, apps);
    lease.end();
    if (outcome.stored !== batch.length) throw new Error(`not all stored: ${JSON.stringify(outcome)}`);
  };
}

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

describe.skipIf(!present)(`real versions${present ? "" : " (skipped: ../shared/pics is not there)"}`, () => {
  let database: TestDatabase | null = null;
  afterAll(() => database?.close());

  it("leave the history in which independent readings differ, step by step", async () => {
    const versions = readVersions();
    database = await openTestDatabase("postgres");
    const store = createWriter(database);
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

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createCatalogStore } from "../../src/db/catalog-store.ts";
import type { Database } from "../../src/db/database.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import type { Pics } from "../../src/steam/port.ts";
import { applyBatch } from "../../src/sync/apply-batch.ts";
import { startLease } from "../../src/sync/lease.ts";
import { silent } from "./templates.ts";

/** Real versions of real apps, beside the repository, and the write path of a worker for them. */

const file = fileURLToPath(new URL("../../../shared/pics/versions.jsonl.gz", import.meta.url));
export const hasVersions = existsSync(file);

export interface Version {
  appid: number;
  change_number: number;
  text: string;
}

/** In the order of their change numbers. */
export function readVersions(): Version[] {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Version).sort((a, b) => a.change_number - b.change_number);
}

/** Consecutive versions of different apps: what a worker may store at once without skipping a version. */
export function* batchesOf(versions: Version[]): Generator<Version[]> {
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
export function createWriter(db: Database): (batch: Version[]) => Promise<void> {
  const store = createCatalogStore(db, createDatabaseRetry(db.driver, { logger: silent }));
  const appBackoff = { firstMs: 1_000, maxMs: 1_000 };
  return async (batch) => {
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

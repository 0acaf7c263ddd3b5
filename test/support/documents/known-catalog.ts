import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { extractApp } from "../../../src/catalog/extract.ts";
import { labelsOf } from "../../../src/catalog/labels.ts";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import { catalogOf } from "../../integration/sql/catalog.ts";
import type { TestDatabase } from "../databases.ts";
import { type KnownApp, knownApps, knownAppText } from "../steam/known-apps.ts";
import { storeTags } from "../steam/store-tags.ts";

/**
 * Stores the well-known apps of the demo, and then some changes of them: what the examples of the documents ask about.
 * Ids of changes and events begin at 1.
 */
export async function storeKnownApps(database: TestDatabase): Promise<void> {
  const { store, sql } = catalogOf(() => database);
  await store(...knownApps.map((app, index) => recordOf(app, 36_000_001 + index)));
  await sql(
    "update pics_sync_state set bulk_completed_at = now(), last_change_number = 36000446, last_verified_at = now()",
  );
  for (const [id, name] of storeTags) await sql("update steam_tags set name = $2 where tag_id = $1", [id, name]);
  let changeNumber = 36_000_400;
  for (const [appid, changes] of knownChanges) {
    const app = knownApps.find((each) => each.appid === appid);
    if (app) await store(recordOf({ ...app, ...changes }, ++changeNumber));
  }
}

/** What happens after the first load, in order; each replaces facts of the app as it was at first. */
const knownChanges: readonly [appid: number, changes: Partial<KnownApp>][] = [
  [730, { buildId: 20_461_004 }],
  [1_030_300, { review: { score: 9, percentage: 95 } }],
  [730, { buildId: 20_461_004, review: { score: 7, percentage: 84 } }],
  [730, { buildId: 20_461_004, review: { score: 7, percentage: 84 }, deck: 2 }],
];

/** The app info of each of these changes, for a simulated Steam. */
export function knownChangeTexts(): [appid: number, text: string][] {
  return knownChanges.flatMap(([appid, changes]) => {
    const app = knownApps.find((each) => each.appid === appid);
    return app ? [[appid, knownAppText(app, changes)]] : [];
  });
}

function recordOf(app: KnownApp, changeNumber: number): StoredRecord {
  const text = knownAppText(app);
  const { record, isPartial, lacks } = extractApp(app.appid, text, false);
  const labels = labelsOf(record);
  const state = { change_number: changeNumber, partial: isPartial, missing_token: false, lacks };
  const sha1 = createHash("sha1").update(text).digest("hex");
  const info = { sha1, size: Buffer.byteLength(text), data: deflateSync(text).toString("base64") };
  return { ...record, ...(labels && { labels }), ...state, info };
}

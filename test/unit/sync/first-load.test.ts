import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CatalogStore } from "../../../src/db/catalog-store.ts";
import type { ApplyRequest, ClaimRequest, MarkRequest } from "../../../src/db/sync-calls.ts";
import { createPics } from "../../../src/steam/pics.ts";
import { createBulkSync } from "../../../src/sync/bulk-sync.ts";
import { silent } from "../../support/templates.ts";
import { createMemorySteam } from "./memory-steam.ts";

/**
 * How long a first load takes at the default pace, on a fake clock and with the appids of real apps. Steam and the
 * store are in memory: the store hands out what is marked in the order of the marks.
 *
 * The data lies beside the repository and is never part of it; where it is absent, this test says that it is skipped.
 */
const shared = fileURLToPath(new URL("../../../../shared/", import.meta.url));
const present = existsSync(`${shared}pics`);
const read = (file: string) => gunzipSync(readFileSync(shared + file)).toString();
const appidsOfLines = (file: string) =>
  read(file)
    .trimEnd()
    .split("\n")
    .map((line) => Number(/"appid": ?(\d+)/.exec(line)?.[1]));

function realAppids() {
  const pages = ["0", "40", "79"].flatMap((page) => Object.keys(JSON.parse(read(`steamspy/all-page-${page}.json.gz`))));
  const games = new Set([...appidsOfLines("pics/common-2026.jsonl.gz"), ...pages.map(Number)]);
  const tools = (JSON.parse(read("applist/software-2025-11-20.json.gz")) as { appid: number }[]).map(
    ({ appid }) => appid,
  );
  return { games, apps: new Set([...games, ...tools, ...appidsOfLines("pics/appinfo.jsonl.gz")]) };
}

function createMemoryStore() {
  const marked = new Map<number, number>();
  const storedAtMs = new Map<number, number>();
  const calls = {
    markSkipped: async () => ({ marked: 0, has_more: false }),
    vacuumSyncState: async () => {},
    beginBulk: async () => ({ last_change_number: null, pending: 0, highest_appid: 0, started_at: "" }),
    async mark({ apps }: MarkRequest) {
      for (const { appid, changeNumber } of apps) marked.set(appid, changeNumber);
      return { known: 0, marked: apps.length, now: "" };
    },
    async claim({ max }: ClaimRequest) {
      const rest = { attempts: 0, access_token: null, needs_token: false, token_denied: false };
      const claimed = [...marked].slice(0, max);
      for (const [appid] of claimed) marked.delete(appid);
      const apps = claimed.map(([appid, change_number]) => ({ appid, change_number, ...rest }));
      return { apps, waiting: marked.size, due_in_seconds: null };
    },
    async apply({ apps }: ApplyRequest) {
      for (const { appid } of apps) storedAtMs.set(appid, performance.now());
      const none = { skipped: 0, stale: 0, unknown: 0, unconfirmed: 0, withheld: 0, failed: 0, lease_lost: 0 };
      return { stored: apps.length, ...none, doubted: [], mass_unknown: false };
    },
    renew: async () => 1,
    finishBulk: async () => null,
    unnamedTags: async () => [],
    unconfirmedCategories: async () => [],
    failing: async () => [],
    summary: async () => ({ apps: storedAtMs.size, by_type: [], deck: [], top_tags: [] }),
  };
  return { store: calls as unknown as CatalogStore, storedAtMs };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe.skipIf(!present)(`first load${present ? "" : " (skipped: ../shared is not there)"}`, () => {
  it("stores 99.9 % of all games within (apps ÷ 400) + 60 seconds at the default pace", async () => {
    const { games, apps } = realAppids();
    const steam = createMemorySteam();
    for (const appid of apps) steam.change(appid);
    const { store, storedAtMs } = createMemoryStore();
    const pace = { requestDelayMs: 500, metadataDelayMs: 500, concurrency: 4, timeoutMs: 60_000 };
    const bulk = createBulkSync({
      pics: createPics({ session: steam.session, logger: silent, ...pace }),
      store,
      logger: silent,
      appids: null,
      full: false,
      appIdMax: null,
      appList: null,
      batchSize: 200,
      concurrency: 4,
      maxAttempts: 5,
      leaseMs: 90_000,
      upsertBatchSize: 500,
      appBackoff: { firstMs: 30_000, maxMs: 3_600_000 },
      unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
      keep: { appInfo: false, depots: true },
      history: true,
    });
    const limitMs = (apps.size / 400 + 60) * 1_000;
    const startedAtMs = performance.now();
    const isEnough = () => [...games].filter((appid) => storedAtMs.has(appid)).length >= 0.999 * games.size;
    const run = bulk.run().catch((error: unknown) => error);
    while (!isEnough() && performance.now() - startedAtMs < limitMs) await vi.advanceTimersByTimeAsync(500);

    const seconds = (performance.now() - startedAtMs) / 1_000;
    process.stdout.write(`${apps.size} apps, 99.9 % of ${games.size} games after ${seconds} s\n`);
    expect(isEnough()).toBe(true);
    await Promise.all([bulk.stop(), vi.advanceTimersByTimeAsync(10_000)]);
    await run;
  });
});

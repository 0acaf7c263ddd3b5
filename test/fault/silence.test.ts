import http from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { SteamError } from "../../src/process/errors.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { createRandom } from "../support/steam/random.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { differences, type MonitorOverrides, startBulk, startMonitor } from "../support/sync.ts";

/** Silence is no proof: what Steam leaves unanswered closes no gap and makes nothing look fresh. */
const count = 400;
const maxAppid = 9_000;
/** The sweep covers two windows. */
const appIdMax = 10_000;
const always = 1_000_000;

let steam: SimulatedSteam;
let database: TestDatabase;
let undo: (() => void)[];

beforeAll(async () => {
  steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 51, count, maxAppid }) });
  undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
  database = await openTestDatabase("postgres");
});
afterAll(async () => {
  for (const each of undo) each();
  await steam.close();
  await database.close();
});
beforeEach(() => steam.log.clear());
afterEach(() => steam.faults.clear());

const bulk = (overrides = {}) => startBulk(database.db, steam, { appIdMax, ...overrides });
const one = async <T>(query: string) => (await database.sql<{ value: T }>(`select (${query}) as value`))[0]?.value as T;
const appids = () => [...steam.catalog.apps.keys()];
const stored = () => one<number>("select count(*) from apps");
const freshness = async () =>
  (await database.sql("select bulk_completed_at, last_verified_at, last_reconciled_at from pics_sync_state"))[0];
const notFresh = { bulk_completed_at: null, last_verified_at: null, last_reconciled_at: null };
const forgetFreshness = () =>
  database.sql(
    "update pics_sync_state set bulk_completed_at = null, last_verified_at = null, last_reconciled_at = null",
  );
const empty = () =>
  database.sql(`truncate apps, steam_tags, franchises, developers, publishers, sync_status, pics_access_tokens, pics_gaps cascade;
                update pics_sync_state set last_change_number = null, bulk_completed_at = null, last_verified_at = null,
                  last_reconciled_at = null`);

/** Those of the apps that are not stored with the change number that Steam has. */
async function outdated(ids: number[]): Promise<number[]> {
  const rows = await database.sql<{ appid: number; change: number }>(
    `select appid, pics_change_number::int as change from sync_status where appid in (${ids.join()})`,
  );
  const changes = new Map(rows.map(({ appid, change }) => [appid, change]));
  return ids.filter((appid) => changes.get(appid) !== steam.catalog.apps.get(appid)?.changeNumber);
}

describe("a bulk sync", () => {
  beforeEach(empty);

  // Seeds are fixed, so that each app is left out of two answers at most: after three it would count as unknown.
  it.each(isFull ? [1, 2, 3] : [1])(
    "is complete although Steam answers in parts and now and then not at all (seed %i)",
    async (seed) => {
      const random = createRandom(seed);
      for (let fault = 0; fault < 2; fault++) {
        steam.faults.add({
          kind: "omit",
          on: "metadata",
          appids: random.sample(appids(), 150),
          times: 1,
          after: fault,
        });
        steam.faults.add({ kind: "silent", on: "metadata", times: 1, after: random.int(0, 4) });
      }
      steam.faults.add({ kind: "hang", on: "metadata", times: 1, after: random.int(0, 4) });
      const summary = await bulk({ timeoutMs: 1_000 }).done;
      expect(steam.faults.struck.get("omit")).toBeGreaterThan(0);
      expect(summary).toMatchObject({ apps_total: count, stored: count, failed_count: 0, unanswered: 0 });
      expect(await differences(database.sql, steam.catalog)).toEqual([]);
      expect(await one("select bulk_completed_at is not null from pics_sync_state")).toBe(true);
    },
  );

  it("counts ids as unknown, and says so, that were never stored and that Steam never answers", async () => {
    const omitted = [...appids().slice(50, 53), 9_876, 9_877];
    steam.faults.add({ kind: "omit", on: "metadata", appids: omitted });
    const run = bulk();
    expect(await run.done).toMatchObject({ stored: count - 3, unanswered: 5 });
    expect(run.status()).toMatchObject({ phase: "done", unanswered: 5 });
    expect(await one("select bulk_completed_at is not null from pics_sync_state")).toBe(true);
  });

  it("is complete when Steam mentions only ids that exist", async () => {
    const missing = Array.from({ length: appIdMax }, (_, index) => index + 1).filter(
      (id) => !steam.catalog.apps.has(id),
    );
    steam.faults.add({ kind: "omit", on: "metadata", appids: missing });
    expect(await bulk().done).toMatchObject({ stored: count, unanswered: missing.length });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    // Each of the three windows: 1 request, then the open ids in halves and in quarters.
    expect(steam.log.counts.metadata).toBe(20);
  });

  it("is not complete when Steam leaves a stored app unanswered, but stores what changed elsewhere", async () => {
    await bulk().done;
    await forgetFreshness();
    const [omitted, ...others] = appids().filter((_, index) => index % 40 === 0);
    if (omitted === undefined) throw new Error("no app");
    for (const appid of [omitted, ...others]) steam.catalog.change(appid);
    steam.faults.add({ kind: "omit", on: "metadata", appids: [omitted, 9_876] });
    const run = bulk();
    await expect(run.done).rejects.toMatchObject({
      fault: "silent",
      message: expect.stringContaining(`Steam left 1 id unanswered (${omitted})`),
    });
    expect(run.status()).toMatchObject({ done: others.length, unanswered: 2 });
    expect(await outdated([omitted, ...others])).toEqual([omitted]);
    expect(await freshness()).toEqual(notFresh);

    steam.faults.clear();
    expect(await bulk().done).toMatchObject({ stored: 1, unanswered: 0 });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it.skipIf(!isFull)(
    `is complete when an app that is stored as unknown to Steam stays unanswered${onlyFull}`,
    async () => {
      await bulk().done;
      const [removed] = appids().slice(77, 78);
      await database.sql(`update apps set is_known = false where appid = ${removed}`);
      steam.faults.add({ kind: "omit", on: "metadata", appids: [removed ?? 0] });
      expect(await bulk().done).toMatchObject({ unanswered: 1 });
    },
  );

  it.skipIf(!isFull)(`of given apps fails when Steam is mute, stores nothing, and resumes${onlyFull}`, async () => {
    const given = appids().slice(0, 60);
    steam.faults.add({ kind: "silent", on: "metadata", times: always });
    const failed = bulk({ appids: given }).done;
    await expect(failed).rejects.toBeInstanceOf(SteamError);
    await expect(failed).rejects.toThrow("Steam left 60 of 60 ids unanswered after 6 rounds of requests");
    expect(await stored()).toBe(0);
    expect(steam.log.counts.metadata).toBe(6);
    expect(await freshness()).toEqual(notFresh);

    steam.faults.clear();
    expect(await bulk({ appids: given }).done).toMatchObject({ stored: 60 });
  });

  it("ends at once when Steam goes mute on the way, and stores what it found before", async () => {
    steam.faults.add({ kind: "silent", on: "metadata", times: always, after: 1 });
    await expect(bulk({ concurrency: 1 }).done).rejects.toThrow("Steam left 5000 of 5000 ids unanswered");
    const first = appids().filter((appid) => appid % 10 === 0);
    expect(await stored()).toBe(first.length);
    expect(await differences(database.sql, steam.catalog, first)).toEqual([]);
    expect(await freshness()).toEqual(notFresh);
  });

  it.each<[string, number, number[] | null]>([
    ["everything", count, null],
    ["one given app", 1, [10]],
  ])("of %s is not complete when Steam sends no app info at all", async (_, apps, given) => {
    const appids = given === null ? null : [...steam.catalog.apps.keys()].slice(0, 1);
    steam.faults.add({ kind: "silent", on: "product_info", times: always });
    await expect(bulk({ appids, maxAttempts: 2 }).done).rejects.toMatchObject({
      fault: "silent",
      message: `Steam left requests for all of ${apps} apps unanswered; they stay pending`,
    });
    expect(await stored()).toBe(0);
    expect(await freshness()).toEqual(notFresh);
  });

  it("is complete when Steam sends no app info for a few odd apps alone", async () => {
    await bulk().done;
    await forgetFreshness();
    const odd = appids().slice(0, 19);
    for (const appid of odd) steam.catalog.change(appid);
    steam.faults.add({ kind: "omit", on: "product_info", appids: odd });
    expect(await bulk({ maxAttempts: 2 }).done).toMatchObject({ stored: 0, failed_count: odd.length });
    expect(await one("select bulk_completed_at is not null from pics_sync_state")).toBe(true);
  });

  it.skipIf(!isFull)(
    `does not take Steam's silence about the apps of the list for a list that failed${onlyFull}`,
    async () => {
      steam.faults.add({ kind: "silent", on: "metadata", times: always });
      await expect(bulk({ apiKey: "0123456789ABCDEF0123456789ABCDEF" }).done).rejects.toMatchObject({
        fault: "silent",
      });
      expect(steam.log.counts.metadata).toBe(6);
    },
  );
});

describe("a gap", () => {
  beforeAll(async () => {
    await empty();
    await bulk().done;
  });
  beforeEach(async () => {
    await database.sql("truncate pics_gaps");
    await forgetFreshness();
  });

  const cursor = () => one<number>("select last_change_number from pics_sync_state");
  const gaps = () =>
    database.sql("select from_change, to_change, repaired_at is not null as repaired from pics_gaps order by id");
  const changeSome = () => {
    const changed = createRandom(52).sample(appids(), 60);
    for (const appid of changed) steam.catalog.change(appid);
    return changed;
  };
  const changePackages = (changes: number) => {
    for (let change = 0; change < changes; change++) steam.catalog.changePackage(change);
  };
  const start = (overrides: MonitorOverrides = {}) => startMonitor(database.db, steam, { appIdMax, ...overrides });
  const repaired = () =>
    vi.waitFor(
      async () => {
        expect(await cursor()).toBe(steam.catalog.currentChangeNumber);
        expect(await one("select count(*) from sync_status where pics_pending_change is not null")).toBe(0);
      },
      { timeout: 20_000, interval: 50 },
    );

  it("stays open, with the cursor before it, until Steam answers the sweep", async () => {
    const from = await cursor();
    changeSome();
    changePackages(6_000);
    const to = steam.catalog.currentChangeNumber;
    steam.faults.add({ kind: "silent", on: "metadata", times: always });
    const monitor = start();
    try {
      await vi.waitFor(() => expect(steam.log.counts.metadata).toBeGreaterThanOrEqual(3 * 6), { timeout: 20_000 });
      expect(await gaps()).toEqual([{ from_change: from, to_change: to, repaired: false }]);
      expect(await cursor()).toBe(from);
      expect(await freshness()).toEqual(notFresh);
      expect(monitor.status().unanswered).toBe(count);

      steam.faults.clear();
      await repaired();
      expect(await gaps()).toEqual([{ from_change: from, to_change: to, repaired: true }]);
      expect(monitor.status().unanswered).toBe(0);
    } finally {
      await monitor.stop();
    }
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it("stays open when Steam leaves one stored app unanswered, but what changed elsewhere is stored", async () => {
    const from = await cursor();
    const [omitted, ...others] = changeSome();
    changePackages(6_000);
    steam.faults.add({ kind: "omit", on: "metadata", appids: [omitted ?? 0] });
    const monitor = start();
    try {
      await vi.waitFor(() => expect(monitor.status().unanswered).toBe(1), { timeout: 20_000 });
      await vi.waitFor(async () => expect(await outdated(others)).toEqual([]), { timeout: 20_000 });
      expect(await outdated([omitted ?? 0])).toEqual([omitted]);
      expect(await gaps()).toMatchObject([{ from_change: from, repaired: false }]);
      steam.faults.clear();
      await repaired();
    } finally {
      await monitor.stop();
    }
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it("is opened for 4,400 changes of which Steam lists none, and repaired", async () => {
    const from = await cursor();
    changeSome();
    changePackages(4_340);
    const to = steam.catalog.currentChangeNumber;
    expect(to - from).toBe(4_400);
    steam.faults.add({ kind: "silent", on: "changes", times: 1 });
    const monitor = start();
    await repaired();
    await monitor.stop();
    expect(await gaps()).toEqual([{ from_change: from, to_change: to, repaired: true }]);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it("is not opened for small changelists without apps and packages, which are counted", async () => {
    const monitor = start();
    try {
      for (let changelist = 1; changelist <= 3; changelist++) {
        steam.faults.add({ kind: "silent", on: "changes", times: 1 });
        changePackages(100);
        await vi.waitFor(() => expect(monitor.status().empty_changelists).toBe(changelist), { timeout: 20_000 });
      }
      await repaired();
    } finally {
      await monitor.stop();
    }
    expect(await gaps()).toEqual([]);
    expect(steam.log.counts.metadata).toBe(0);
  });

  it.skipIf(!isFull)(
    `is not needed: a reconcile that Steam does not answer does not count as done either${onlyFull}`,
    async () => {
      await database.sql("update pics_sync_state set bulk_completed_at = now()");
      steam.faults.add({ kind: "silent", on: "metadata", times: always });
      const monitor = start({ reconcileIntervalMs: 3_600_000 });
      try {
        await vi.waitFor(() => expect(steam.log.counts.metadata).toBeGreaterThanOrEqual(2 * 6), { timeout: 20_000 });
        expect(await freshness()).toMatchObject({ last_verified_at: null, last_reconciled_at: null });
        steam.faults.clear();
        await vi.waitFor(async () => expect((await freshness())?.last_reconciled_at).not.toBeNull(), {
          timeout: 20_000,
        });
      } finally {
        await monitor.stop();
      }
    },
  );
});

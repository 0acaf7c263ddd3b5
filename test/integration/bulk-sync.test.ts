import http from "node:http";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { endBehind, idsPerRequest } from "../../src/sync/sweep.ts";
import {
  type DatabaseKind,
  forEachDatabase,
  type OpenDatabase,
  oneOf,
  type TestDatabase,
} from "../support/databases.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { namelessCategory, storeCategories } from "../support/steam/store-categories.ts";
import { namelessTag } from "../support/steam/store-tags.ts";
import { differences, startBulk } from "../support/sync.ts";

/** The whole path: steam-user, extraction, SQL. */
// The embedded database is the matter of process.test.ts and dashboard.test.ts; tests of the change monitor begin with one through Supabase.
forEachDatabase("bulk sync", bulkSync, oneOf("postgres"));

const poll = { timeout: 20_000 };

function bulkSync(open: OpenDatabase, kind: DatabaseKind): void {
  const count = 600;
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let distrust: () => void;
  let unproxy: () => void;

  beforeAll(async () => {
    steam = await startSimulatedSteam({
      catalog: generateCatalog({ seed: 7, count }),
      appsPerMessage: 60,
      httpMinSize: 9_000,
    });
    distrust = steam.trustHere();
    unproxy = http.setGlobalProxyFromEnv(steam.env);
    database = await open();
  });
  afterAll(async () => {
    unproxy();
    distrust();
    await steam.close();
  });
  beforeEach(() => steam.log.clear());

  const bulk = (overrides = {}) => startBulk(database.db, steam, overrides).done;
  const one = async <T>(query: string) =>
    (await database.sql<{ value: T }>(`select (${query}) as value`))[0]?.value as T;
  /** Changes with every write to a row, so an equal value means that no row was written. */
  const rowVersions = () =>
    one<string>(
      "select md5(string_agg(appid || ':' || xmin::text || ':' || updated_at, ',' order by appid)) from apps",
    );
  const sweepRequests = () => endBehind(Math.max(...steam.catalog.apps.keys())) / idsPerRequest;

  it("fetches exactly the given apps, and records no pass over everything", async () => {
    const appids = [...steam.catalog.apps.keys()].slice(0, 30);
    const neverExisted = 7;
    const summary = await bulk({ appids: [...appids, neverExisted] });

    expect(summary.stored).toBe(appids.length);
    expect(await differences(database.sql, steam.catalog, appids)).toEqual([]);
    expect(steam.log.of("metadata")).toHaveLength(1);
    expect(await one<number>("select count(*) from sync_status")).toBe(appids.length);
    expect(await one("select bulk_completed_at from pics_sync_state")).toBeNull();
  });

  it("with APP_TYPES fetches apps of other types once, stores none of them, and counts them", async () => {
    const appids = [...steam.catalog.apps.keys()].slice(30, 90);
    const types = ["game"];
    const wanted = appids.filter((appid) => {
      const app = steam.catalog.apps.get(appid);
      const text = app && steam.catalog.body(app, app.access === "denied" ? "public" : "whole").bytes.toString();
      // One whose type Steam withholds is stored.
      return ["game", undefined].includes(/\n\t\t"type"\t\t"(\w+)"/.exec(text ?? "")?.[1]?.toLowerCase());
    });
    const summary = await bulk({ appids, types });
    expect(summary).toMatchObject({ stored: wanted.length, skipped: appids.length - wanted.length });
    expect(wanted.length * summary.skipped).toBeGreaterThan(0);
    const before = [...steam.catalog.apps.keys()].slice(0, 30);
    expect(await differences(database.sql, steam.catalog, [...before, ...wanted])).toEqual([]);
    steam.log.clear();
    expect(await bulk({ appids, types })).toMatchObject({ stored: 0, skipped: 0 });
    expect(steam.log.counts).toMatchObject({ product_info: 0 });
  });

  it("stores the whole catalog, also what APP_TYPES had left out, and does not fetch stored apps again", async () => {
    const already = await one<number[]>("select array_agg(appid) from apps");
    const current = steam.catalog.currentChangeNumber;
    const summary = await bulk();

    expect(summary).toMatchObject({ apps_total: count, stored: count - already.length, unknown: 0, failed_count: 0 });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    expect(already.filter((appid) => steam.log.fetchCounts().has(appid))).toEqual([]);
    expect(steam.log.of("metadata")).toHaveLength(sweepRequests());
    expect(steam.log.of("http_payload").length).toBeGreaterThan(0);
    expect(await one<number>("select last_change_number from pics_sync_state")).toBe(current);
    expect(
      await one("select bulk_completed_at is not null and last_verified_at <= bulk_completed_at from pics_sync_state"),
    ).toBe(true);
    expect(
      await one<number>(
        "select count(*) from sync_status where pics_pending_change is not null or lease_id is not null",
      ),
    ).toBe(0);
  });

  it("requests access tokens, stores granted ones, and marks apps whose token is denied", async () => {
    const withAccess = (access: string) =>
      [...steam.catalog.apps.values()].filter((app) => app.access === access).map((app) => app.appid);
    expect(await one("select array_agg(appid order by appid) from sync_status where missing_token")).toEqual(
      withAccess("denied"),
    );
    expect(
      await one("select array_agg(appid order by appid) from pics_access_tokens where denied_at is not null"),
    ).toEqual(withAccess("denied"));
    expect(
      await one("select array_agg(appid order by appid) from pics_access_tokens where access_token is not null"),
    ).toEqual(withAccess("token"));
  });

  it("names the tags, except the one that Steam has no name for", async () => {
    expect(await one("select array_agg(tag_id) from steam_tags where name is null")).toEqual([namelessTag]);
    expect(await one<number>("select count(*) from steam_tags")).toBeGreaterThan(20);
  });

  it("names the categories as Steam does, whatever the seeds say, and keeps seeds that Steam does not name", async () => {
    const names = await database.sql<{ category_id: number; name: string | null; is_confirmed: boolean }>(
      "select category_id, name, named_at is not null as is_confirmed from steam_categories",
    );
    const confirmed = names.filter(({ is_confirmed }) => is_confirmed);
    expect(new Map(confirmed.map(({ category_id, name }) => [category_id, name]))).toEqual(new Map(storeCategories));
    expect(names).toContainEqual({ category_id: 6, name: "Mods (require HL2)", is_confirmed: false });
    expect(names).toContainEqual({ category_id: namelessCategory, name: null, is_confirmed: false });
  });

  it("fetches nothing and writes no app row when the catalog is unchanged", async () => {
    const before = await rowVersions();
    const summary = await bulk();

    expect(summary).toMatchObject({ stored: 0, apps_total: count });
    expect(steam.log.counts).toMatchObject({
      product_info: 0,
      access_tokens: 0,
      metadata: sweepRequests(),
    });
    expect(await rowVersions()).toBe(before);
  });

  it("fetches only what changed, and does not move the cursor", async () => {
    const before = await one<number>("select last_change_number from pics_sync_state");
    const changed = [...steam.catalog.apps.keys()].filter((_, index) => index % 20 === 0);
    for (const appid of changed) steam.catalog.change(appid);
    const summary = await bulk();

    expect(summary.stored).toBe(changed.length);
    expect([...steam.log.fetchCounts().keys()].sort((a, b) => a - b)).toEqual(changed);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    expect(await one("select last_change_number from pics_sync_state")).toBe(before);
  });

  it("leaves an app that Steam does not know to a second answer or an operator, marks it once, and restores it", async () => {
    const [appid, app] = [...steam.catalog.apps].find(([, { access }]) => access === "public") ?? [];
    if (appid === undefined || app === undefined) throw new Error("no public app");
    steam.catalog.remove(appid);
    const removing = startBulk(database.db, steam);
    expect(await removing.done).toMatchObject({ stored: 0, unknown: 0, unconfirmed: 1 });
    const counts = { total: 1, done: 0, failed: 0, unknown: 0, unconfirmed: 1, share: 1, eta_seconds: 0 };
    expect(removing.status()).toMatchObject(counts);
    expect(await one(`select is_known and is_active from apps where appid = ${appid}`)).toBe(true);

    const unknownRule = { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: true };
    expect(await bulk({ unknownRule })).toMatchObject({ unknown: 1, unconfirmed: 0 });
    expect(await one(`select is_known or is_active from apps where appid = ${appid}`)).toBe(false);

    steam.log.clear();
    await bulk();
    expect(steam.log.counts.product_info).toBe(0);

    steam.catalog.add({ appid, text: app.text });
    expect(await bulk()).toMatchObject({ stored: 1, unknown: 0 });
    expect(await one(`select is_known and is_active from apps where appid = ${appid}`)).toBe(true);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it.skipIf(!isFull)(`fetches every app with --full${onlyFull}`, async () => {
    const summary = await bulk({ full: true });
    expect(summary.stored).toBe(count);
    expect(steam.log.fetchCounts().size).toBe(count);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it("ends its sweep at APP_ID_MAX, but includes stored apps beyond it", async () => {
    const beyond = [...steam.catalog.apps.keys()].filter((appid) => appid > idsPerRequest);
    const [changed] = beyond;
    if (changed === undefined) throw new Error("no app beyond the first window");
    steam.catalog.change(changed);
    const summary = await bulk({ appIdMax: idsPerRequest });
    expect(summary.stored).toBe(1);
    expect(steam.log.of("metadata")).toHaveLength(2 + Math.ceil(beyond.length / idsPerRequest));
  });

  // These rules concern the sweep alone, so one database shows them.
  if (kind === "postgres") {
    it("fetches the apps of the Web API's list first", async () => {
      const fresh = await open();
      await startBulk(fresh.db, steam, { apiKey: "0123456789ABCDEF0123456789ABCDEF", batchSize: 20, concurrency: 1 })
        .done;
      expect(await differences(fresh.sql, steam.catalog)).toEqual([]);
      const first = steam.log.of("product_info")[0]?.appids ?? [];
      const listed = [...steam.catalog.apps.values()].filter((app) => app.listKind !== null).map((app) => app.appid);
      expect(first.filter((appid) => !listed.includes(appid))).toEqual([]);
      expect(steam.log.counts.app_list).toBeGreaterThan(0);
    });

    it("names tags as soon as the first apps are stored, before the pass ends", async () => {
      const fresh = await open();
      // Steam answers for the first batch alone.
      const remove = steam.faults.add({ kind: "hang", on: "product_info", after: 1, times: 99 });
      const run = startBulk(fresh.db, steam, { batchSize: 20, concurrency: 1, timeoutMs: 60_000 });
      const names = "select count(*)::integer as count from steam_tags where name is not null";
      await expect.poll(async () => (await fresh.sql<{ count: number }>(names))[0]?.count, poll).toBeGreaterThan(5);
      expect(run.status().done).toBe(20);
      remove();
      await run.stop();
      await run.done.catch(() => {});
      await fresh.close();
    });

    it.skipIf(!isFull)(
      `completes when Steam answers no request for names, and names tags and categories the next time${onlyFull}`,
      async () => {
        const fresh = await open();
        const named = async () =>
          (
            await fresh.sql<{ tags: number; categories: number }>(
              `select (select count(*)::integer from steam_tags where name is not null) as tags,
               (select count(*)::integer from steam_categories where named_at is not null) as categories`,
            )
          )[0];
        const remove = steam.faults.add({ kind: "hang", on: ["tag_names", "category_names"], times: 9 });
        const summary = await startBulk(fresh.db, steam, { timeoutMs: 2_000 }).done;
        remove();
        expect(summary).toMatchObject({ apps_total: count, failed_count: 0 });
        expect(await named()).toEqual({ tags: 0, categories: 0 });
        await startBulk(fresh.db, steam).done;
        expect((await named())?.tags).toBeGreaterThan(20);
        expect((await named())?.categories).toBe(storeCategories.size);
      },
    );

    it.skipIf(!isFull)(`goes on without a list when the Web API refuses it${onlyFull}`, async () => {
      const fresh = await open();
      const remove = steam.faults.add({ kind: "app_list", status: 403, times: 10 });
      const summary = await startBulk(fresh.db, steam, { apiKey: "0123456789ABCDEF0123456789ABCDEF" }).done;
      remove();
      expect(summary.stored).toBe(count);
    });
  }

  if (kind === "supabase") {
    it("loses and duplicates nothing when replies are lost after the commit and the server is away in between", async () => {
      const fresh = await open();
      for (const call of [
        "pics_begin_bulk",
        "pics_mark",
        "pics_claim",
        "pics_apply",
        "pics_apply",
        "pics_finish_bulk",
      ]) {
        fresh.api?.faults.dropReply({ call });
      }
      fresh.api?.faults.answer(503, { call: "pics_claim" });
      fresh.api?.faults.answer(504, { call: "pics_apply" });
      const summary = await startBulk(fresh.db, steam, { batchSize: 100 }).done;

      expect(summary.stored).toBe(count);
      expect(await differences(fresh.sql, steam.catalog)).toEqual([]);
      expect(Math.max(...steam.log.fetchCounts().values())).toBe(1); // metadata said which need an access token
    });
  }
}

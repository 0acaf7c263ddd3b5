import http from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  age,
  appidsOf,
  type CollectorOverrides,
  forgetEverything,
  listsOf,
  simulateWeb,
  startCollector,
  stored,
} from "../support/collector.ts";
import { forEachDatabase, openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { type AppListEntry, createSimulatedAppList } from "../support/web/app-list.ts";
import { compareMetadata } from "../support/web/compare-metadata.ts";
import { generateSteamSpy } from "../support/web/generate-steamspy.ts";
import { type ExpectedMetadata, emptyMetadata, readSteamSpyIndependently } from "../support/web/read-steamspy.ts";
import { loadRealAppLists, loadRealSteamSpy } from "../support/web/real-dumps.ts";
import { createSimulatedSteamSpy } from "../support/web/steamspy.ts";
import { asRoutes } from "../support/web/web-api.ts";

/** End-to-end over the real TLS server, on the embedded database and on Supabase. */
forEachDatabase("the collector", (open) => {
  const dump = generateSteamSpy({ seed: 11, games: 2_500 });
  const lists = listsOf(dump);
  // Not on SteamSpy's pages, and unknown to it.
  lists.games?.unshift({ appid: 5, name: " Five \u0000" }, { appid: 6, name: "" });
  const spy = createSimulatedSteamSpy(dump);
  const list = createSimulatedAppList({ lists, pageSize: 600 });
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let undo: (() => void)[];

  beforeAll(async () => {
    steam = await startSimulatedSteam({
      catalog: generateCatalog({ seed: 1, count: 1 }),
      routes: asRoutes(spy, list),
    });
    undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
    database = await open();
  });
  afterAll(async () => {
    for (const each of undo) each();
    await steam.close();
  });

  it("stores the lists, the pages and the details completely", async () => {
    const maxDetails = 300;
    const { done, status } = startCollector(database.db, { maxDetails, batchSize: 250 });
    const summary = await done;

    const details = spy.log.of("appdetails").map(({ appid }) => appid ?? 0);
    expect(new Set(details).size).toBe(maxDetails);
    const onto = new Map<number, ExpectedMetadata>([5, 6].map((appid) => [appid, emptyMetadata()]));
    const expected = readSteamSpyIndependently(dump, { details, onto });
    expect(await compareMetadata(database.sql, expected)).toEqual([]);

    const count = (status: string) => [...expected.values()].filter((row) => row.fetch_status === status).length;
    const games = { pending: count("pending"), success: count("success"), failed: 0, not_found: count("not_found") };
    expect(games.not_found).toBeGreaterThan(4);
    expect(summary).toMatchObject({
      list: { inserted: 2_542, applied: 2_542, delisted: 0 },
      pass: { pages: 3, missed: [] },
      details: { success: games.success, not_found: games.not_found, failed: 0 },
      games,
      // Six for the games, one for each other kind.
      requests: { steam_web_api: 5 + 4, steamspy_all: 3, steamspy: details.length },
    });
    expect(status()).toMatchObject({ phase: "done", games, last_error: null });

    const named = Object.values(lists).flat();
    const names = named.map(({ appid, name }) => [appid, name.replace("\u0000", "").trim() || null]);
    const { apps } = await stored(database.sql);
    expect(apps.map(({ appid, name }) => [appid, name])).toEqual(names.sort(([a], [b]) => Number(a) - Number(b)));
    expect(apps.filter((app) => !(app.is_listed && app.is_active && app.is_known))).toEqual([]);
  });
});

describe("createCollector on Postgres", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase("postgres");
  });
  afterAll(() => database.close());
  beforeEach(() => forgetEverything(database.sql));

  const sql: TestDatabase["sql"] = (...args) => database.sql(...args);
  const small = (games = 60) => generateSteamSpy({ seed: 3, games });
  const numbers = (appids: Iterable<number>) => [...appids].sort((a, b) => a - b);
  /** Runs the collector over these APIs. Returns its summary and its requests. */
  async function collect(web: ReturnType<typeof simulateWeb>, overrides: CollectorOverrides = {}) {
    const { fetch } = web;
    const summary = await startCollector(database.db, { fetch, retryAttempts: 0, ...overrides }).done;
    return { summary, ...web.asked() };
  }
  const fails = (web: ReturnType<typeof simulateWeb>, overrides: CollectorOverrides = {}) =>
    collect(web, overrides).then(
      () => expect.fail("expected a failure"),
      (error: unknown) => error,
    );

  const realSpy = loadRealSteamSpy();
  const realLists = loadRealAppLists();

  describe.skipIf(realSpy === null)("real answers of SteamSpy (skipped without ../shared/steamspy)", () => {
    const dump = realSpy ?? small(1);

    it("stores all pages", async () => {
      const { summary } = await collect(simulateWeb(dump, { lists: {} }), { maxDetails: 0 });
      expect(summary.pass).toEqual({ pages: 3, games: 2_811, missed: [] });
      // House Party, Cassette Beasts, Moonstone Island, Golden Light: "0 .. 20,000" owners with 2,498 to 14,735 reviews.
      expect(summary.owners_doubtful).toBe(4);
      const doubtful = await sql("select appid from game_metadata where owners_doubtful order by appid");
      expect(doubtful.map(({ appid }) => appid)).toEqual([611_790, 1_245_430, 1_321_440, 1_658_150]);
      expect(await compareMetadata(sql, readSteamSpyIndependently(dump))).toEqual([]);
    });

    it("stores all details", async () => {
      const appids = numbers(dump.details.keys());
      const [first] = Object.entries(dump.pages[0] ?? {}).filter(([appid]) => dump.details.has(Number(appid)));
      const day = { ...dump, pages: [Object.fromEntries([first ?? expect.fail()])] };
      const lists = { games: appids.map((appid) => ({ appid, name: `App ${appid}` })) };
      const { summary, details } = await collect(simulateWeb(day, { lists }));
      expect(summary.details).toEqual({ success: 300, not_found: 0, failed: 0 });
      expect(numbers(details)).toEqual(appids);
      expect(await compareMetadata(sql, readSteamSpyIndependently(day, { details }))).toEqual([]);
    });
  });

  describe.skipIf(realLists === null)("real app lists (skipped without ../shared/applist)", () => {
    // On one of these days more than a share of 0.005 vanishes.
    it.each([0.05, 0.005])("list and delist apps day by day, with MAX_SHRINK %d", async (maxShrink) => {
      const { days } = realLists ?? expect.fail();
      const web = simulateWeb(small(5), { lists: {} });
      const listed = new Map<number, boolean>();
      const outcomes: string[] = [];
      const read = new Map<number, AppListEntry>();
      const changed = { price_change_number: 0, store_modified_at: 0 };
      await sql("delete from app_changes");
      for (const { apps } of days) {
        web.list.lists = { software: apps };
        const before = [...listed].flatMap(([appid, is]) => (is ? [appid] : []));
        const now = new Set(apps.map(({ appid }) => appid));
        const vanished = before.filter((appid) => !now.has(appid));
        const isAccepted = vanished.length <= Math.max(1, before.length * maxShrink);
        outcomes.push(isAccepted ? "accepted" : "refused");

        const rows = await stored(sql);
        if (isAccepted) {
          const { summary } = await collect(web, { maxShrink, maxDetails: 0 });
          for (const appid of vanished) listed.set(appid, false);
          for (const appid of now) listed.set(appid, true);
          for (const app of apps) {
            const { last_modified, price_change_number } = read.get(app.appid) ?? app;
            if (last_modified !== app.last_modified) changed.store_modified_at += 1;
            if (price_change_number !== app.price_change_number) changed.price_change_number += 1;
            read.set(app.appid, app);
          }
          expect(summary.list).toMatchObject({ applied: now.size, delisted: vanished.length });
        } else {
          const error = await fails(web, { maxShrink, maxDetails: 0 });
          expect(error).toMatchObject({ name: "CollectorError", message: expect.stringContaining("software has") });
          expect(await stored(sql)).toEqual(rows);
        }
        expect(await isListed()).toEqual(Object.fromEntries(listed));
      }
      const told =
        "select appid, extract(epoch from store_modified_at)::int as at, price_change_number from apps order by 1";
      expect(await sql(told)).toEqual(
        [...read.values()]
          .map(({ appid, last_modified: at, price_change_number }) => ({ appid, at, price_change_number }))
          .sort((a, b) => a.appid - b.appid),
      );
      const rows = await sql(
        "select field, count(*)::int as rows from app_changes where field <> 'is_listed' group by 1",
      );
      expect(Object.fromEntries(rows.map(({ field, rows }) => [field, rows]))).toEqual(
        maxShrink === 0.05 ? changed : { price_change_number: 3, store_modified_at: 5 },
      );
      expect(outcomes).toEqual(
        maxShrink === 0.05 ? Array(4).fill("accepted") : ["accepted", "accepted", "refused", "refused"],
      );
    });

    it("change nothing on the day when Steam answered [null]", async () => {
      const [first] = realLists?.days ?? [];
      const web = simulateWeb(small(5), { lists: { software: first?.apps ?? [] } });
      await collect(web, { maxDetails: 0 });
      const rows = await stored(sql);
      expect(realLists?.brokenDay).toEqual([null]);
      web.list.faults.add({ fault: "null_entry", times: 5 });
      expect(await fails(web, { maxDetails: 0 })).toMatchObject({
        name: "WebError",
        fault: "invalid",
        message: expect.stringContaining("response.apps.0"),
      });
      expect(await stored(sql)).toEqual(rows);
    });
  });

  describe("the details of a game", () => {
    const metadata = async (appid: number) =>
      (await sql("select * from game_metadata where appid = $1", [appid]))[0] ?? expect.fail("no row");

    it("are retried by five runs, then after 30 days or by a full refresh", async () => {
      const dump = small(10);
      const web = simulateWeb(dump);
      const [, broken = 0] = numbers(dump.details.keys());
      const mend = web.spy.faults.add({ on: { appid: broken }, times: 100, fault: { status: 500 } });
      for (let attempt = 1; attempt <= 5; attempt++) {
        const { summary, details } = await collect(web);
        expect(summary.details.failed).toBe(1);
        expect(details.filter((appid) => appid === broken)).toHaveLength(1);
        expect(details).toHaveLength(attempt === 1 ? 10 : 1);
        expect(await metadata(broken)).toMatchObject({
          fetch_status: "failed",
          fetch_attempts: attempt,
          last_error: "steamspy: steamspy.com/api.php answered 500 (1 attempt)",
          genre: null,
        });
      }
      mend();
      expect((await collect(web)).details).toEqual([]);
      await age(sql, "29 days");
      expect((await collect(web)).details).toEqual([]);
      expect((await collect(web, { fullRefresh: true })).details).toContain(broken);
      expect(await metadata(broken)).toMatchObject({ fetch_status: "success", fetch_attempts: 0, last_error: null });
    });

    it.each([[[25, 25, 10]], [[30, 30]]])("are all fetched again by full-refresh runs of %j games", async (parts) => {
      const dump = small();
      const web = simulateWeb(dump);
      const all = appidsOf(dump);
      await collect(web);
      const told = "select count(tags_json)::int as tags, count(owners_estimate)::int as owners from game_metadata";
      const before = await sql(told);
      const rerun = async (overrides: CollectorOverrides) => {
        const result = await collect(web, { maxDetails: parts[0] ?? 0, batchSize: 15, ...overrides });
        expect(await sql(told)).toEqual(before);
        return result;
      };
      for (let again = 0; again < 2; again++) {
        const asked: number[] = [];
        for (const [index, part] of parts.entries()) {
          const { pages, details } = await rerun({ fullRefresh: true });
          // The pages are crawled again although the last crawl is recent, but only once.
          expect([pages, details.length]).toEqual([index === 0 ? [0] : [], part]);
          asked.push(...details);
        }
        expect(numbers(asked)).toEqual(all);
      }
      expect((await rerun({})).details).toEqual([]);
    });
  });

  async function isListed() {
    const rows = await sql<{ appid: number; is_listed: boolean; is_active: boolean }>(
      "select appid, is_listed, is_active from apps",
    );
    expect(rows.filter((row) => row.is_active !== row.is_listed)).toEqual([]);
    return Object.fromEntries(rows.map(({ appid, is_listed }) => [appid, is_listed]));
  }

  describe("history of the app lists", () => {
    const named = (...appids: number[]) => appids.map((appid) => ({ appid, name: `App ${appid}` }));
    const changes = async () =>
      (await sql("select appid, field, old, new from app_changes order by id")).map((row) => Object.values(row));
    const days = [
      { games: named(10, 20, 30), dlc: named(40) },
      { games: named(20, 30, 50), dlc: named(40) },
      { games: named(10, 20, 30, 50), dlc: named(40) },
    ];
    async function collectDays(history: boolean) {
      await sql("delete from app_changes");
      for (const lists of days) {
        await collect(simulateWeb(small(1), { lists }), { history, maxDetails: 0 });
        await age(sql, "1 day");
      }
      expect(await isListed()).toMatchObject({ 10: true, 20: true, 30: true, 40: true, 50: true });
    }

    it("records what a later list takes out and in, not what the first one has", async () => {
      await collectDays(true);
      expect(await changes()).toEqual([
        [10, "is_listed", true, false],
        [50, "is_listed", null, true],
        [10, "is_listed", false, true],
      ]);
    });

    it("records nothing without history", async () => {
      await collectDays(false);
      expect(await changes()).toEqual([]);
    });
  });

  describe("without an API key", () => {
    /** Stores an app like PICS does. */
    async function pics(appid: number, { name = `PICS ${appid}`, type = "game", isKnown = true } = {}) {
      await sql("insert into apps (appid, name, type, is_known, is_active) values ($1, $2, $3, $4, $4)", [
        appid,
        name,
        type,
        isKnown,
      ]);
      await sql("insert into sync_status (appid, pics_change_number, last_pics_sync) values ($1, 1, now())", [appid]);
    }
    const apps = async () =>
      Object.fromEntries(
        (await sql("select appid, name, is_listed, is_active from apps order by appid")).map(
          ({ appid, name, is_listed, is_active }) => [appid, [name, is_listed, is_active]],
        ),
      );

    it("fetches the details of the active games in the PICS catalog", async () => {
      await pics(10);
      await pics(20, { isKnown: false });
      await pics(30, { type: "demo" });
      await pics(40);
      const dump = small(1);
      const web = simulateWeb(dump);
      const rows = await apps();
      const { summary, lists, details } = await collect(web, { apiKey: null });
      expect([summary.list, lists, numbers(details)]).toEqual([null, [], numbers([10, 40, ...appidsOf(dump)])]);
      expect(await apps()).toEqual(rows);
    });
  });
});

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
import { createSimulatedAppList } from "../support/web/app-list.ts";
import { compareMetadata } from "../support/web/compare-metadata.ts";
import { generateSteamSpy } from "../support/web/generate-steamspy.ts";
import { type ExpectedMetadata, emptyMetadata, readSteamSpyIndependently } from "../support/web/read-steamspy.ts";
import { loadRealAppLists, loadRealSteamSpy } from "../support/web/real-dumps.ts";
import { createSimulatedSteamSpy, leastOwners } from "../support/web/steamspy.ts";
import { asRoutes } from "../support/web/web-api.ts";

/** The whole path over the real TLS server, on all three databases. */
forEachDatabase("the collector", (open, kind) => {
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

  it("stores all that the lists, the pages and the details tell", async () => {
    const maxDetails = kind === "postgres" ? 1_000 : 300;
    const { done, status } = startCollector(database.db, { maxDetails });
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

describe("on one database", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await openTestDatabase("postgres");
  });
  afterAll(() => database.close());
  beforeEach(() => forgetEverything(database.sql));

  const sql: TestDatabase["sql"] = (...args) => database.sql(...args);
  const small = (games = 60) => generateSteamSpy({ seed: 3, games });
  const numbers = (appids: Iterable<number>) => [...appids].sort((a, b) => a - b);
  /** A run over these APIs, and what it asked for. */
  async function collect(web: ReturnType<typeof simulateWeb>, overrides: CollectorOverrides = {}) {
    const { fetch } = web;
    const summary = await startCollector(database.db, { fetch, retryAttempts: 0, ...overrides }).done;
    return { summary, ...web.asked() };
  }
  const fails = (web: ReturnType<typeof simulateWeb>, overrides: CollectorOverrides = {}) =>
    collect(web, overrides).then(
      () => expect.fail("it succeeded"),
      (error: unknown) => error,
    );

  const realSpy = loadRealSteamSpy();
  const realLists = loadRealAppLists();

  describe.skipIf(realSpy === null)("real answers of SteamSpy (skipped without ../shared/steamspy)", () => {
    const dump = realSpy ?? small(1);

    it("pages are stored as they are", async () => {
      const { summary } = await collect(simulateWeb(dump, { lists: {} }), { maxDetails: 0 });
      expect(summary.pass).toEqual({ pages: 3, games: 2_811, missed: [] });
      expect(await compareMetadata(sql, readSteamSpyIndependently(dump))).toEqual([]);
    });

    it("details are stored as they are", async () => {
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
    // More than a share of 0.005 is gone on one of these days.
    it.each([0.05, 0.005])(
      "say day by day which apps are listed, where at most a share of %d may go",
      async (maxShrink) => {
        const { days } = realLists ?? expect.fail();
        const web = simulateWeb(small(5), { lists: {} });
        const listed = new Map<number, boolean>();
        const outcomes: string[] = [];
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
            expect(summary.list).toMatchObject({ applied: now.size, delisted: vanished.length });
          } else {
            const error = await fails(web, { maxShrink, maxDetails: 0 });
            expect(error).toMatchObject({ name: "CollectorError", message: expect.stringContaining("software has") });
            expect(await stored(sql)).toEqual(rows);
          }
          expect(await isListed()).toEqual(Object.fromEntries(listed));
        }
        expect(outcomes).toEqual(
          maxShrink === 0.05 ? Array(4).fill("accepted") : ["accepted", "accepted", "refused", "refused"],
        );
      },
    );

    it("change nothing on the day on which Steam sent [null]", async () => {
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
    const statuses = async () =>
      (
        await sql<{ row: unknown[] }>(
          "select array[fetch_status::text, count(*)::text] as row from game_metadata group by fetch_status",
        )
      ).map(({ row }) => row);
    const metadata = async (appid: number) =>
      (await sql("select * from game_metadata where appid = $1", [appid]))[0] ?? expect.fail("no row");

    it("are asked for once in 30 days, whether SteamSpy knew it or not", async () => {
      const dump = small();
      const web = simulateWeb(dump);
      const all = appidsOf(dump);
      const first = await collect(web, { maxDetails: 100 });
      expect([first.pages, numbers(first.details)]).toEqual([[0], all]);
      expect((await statuses()).sort()).toEqual([
        ["not_found", "3"],
        ["success", "57"],
      ]);

      expect(await collect(web)).toMatchObject({ pages: [], details: [], summary: { pass: null } });
      await age(sql, "19 hours 50 minutes");
      expect(await collect(web)).toMatchObject({ pages: [], details: [] });
      await age(sql, "20 minutes");
      expect(await collect(web)).toMatchObject({ pages: [0], details: [] });
      await age(sql, "29 days");
      expect(await collect(web)).toMatchObject({ pages: [0], details: [] });

      // One that it knew is unknown by now and the other way round; what was told stays.
      const [known = 0] = dump.details.keys();
      const [unknown = 0] = dump.unknown.keys();
      const template = dump.details.get(known) ?? expect.fail();
      const before = await metadata(known);
      dump.unknown.delete(unknown);
      dump.details.set(unknown, { ...template, appid: unknown, positive: 77 });
      dump.unknown.set(known, "hidden");
      await age(sql, "1 day");
      expect(numbers((await collect(web)).details)).toEqual(all);
      expect(await metadata(unknown)).toMatchObject({ fetch_status: "success", positive_reviews: 77 });
      expect(await metadata(known)).toEqual({
        ...before,
        fetch_status: "not_found",
        fetched_at: expect.any(Date),
        last_updated: expect.any(Date),
      });
    });

    it("are asked for by five runs in vain, and by a sixth only where everything is wanted again", async () => {
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

    it("are counted anew once SteamSpy has answered", async () => {
      const web = simulateWeb(small(3));
      const [broken = 0] = appidsOf(web.spy.dump);
      for (const times of [2, 1]) {
        web.spy.faults.add({ on: { appid: broken }, times, fault: { status: 404 } });
        for (let attempt = 1; attempt <= times; attempt++) {
          await collect(web);
          expect(await metadata(broken)).toMatchObject({ fetch_status: "failed", fetch_attempts: attempt });
        }
        await collect(web);
        expect(await metadata(broken)).toMatchObject({ fetch_attempts: 0, last_error: null });
        await age(sql, "31 days");
      }
    });

    it("come in parts of MAX_DETAILS, the most owned first", async () => {
      const dump = small(100);
      const web = simulateWeb(dump);
      const asked: number[] = [];
      for (const count of [30, 30, 30, 10, 0]) {
        const { details } = await collect(web, { maxDetails: 30, batchSize: 7, workers: 1 });
        expect(details).toHaveLength(count);
        asked.push(...details);
      }
      expect(numbers(asked)).toEqual(appidsOf(dump));
      const owners = asked.map((appid) => leastOwners(dump.pages[0]?.[appid]?.owners ?? ""));
      expect(owners).toEqual(owners.toSorted((a, b) => b - a));
      expect(new Set(owners).size).toBeGreaterThan(10);
    });

    it("with --update-metadata are those asked for longest ago, and no list is asked for", async () => {
      const dump = small(20);
      const web = simulateWeb(dump);
      await collect(web, { maxDetails: 15 });
      const never = appidsOf(dump).filter((appid) => !web.spy.log.calls.some((call) => call.appid === appid));
      const asked = await sql<{ appid: number }>(
        "select appid from game_metadata where fetched_at is not null order by md5(appid::text)",
      );
      const oldestFirst = asked.map(({ appid }) => appid);
      for (const [index, appid] of oldestFirst.entries()) {
        await sql("update game_metadata set fetched_at = now() - make_interval(mins => $2) where appid = $1", [
          appid,
          100 - index,
        ]);
      }
      const update = () => collect(web, { updateMetadata: true, maxDetails: 6, workers: 1 });
      expect(await update()).toMatchObject({ lists: [], details: oldestFirst.slice(0, 6), summary: { list: null } });
      expect((await update()).details).toEqual(oldestFirst.slice(6, 12));
      // Those of one batch were asked at one time.
      const { details } = await update();
      expect(details.slice(0, 3)).toEqual(oldestFirst.slice(12));
      expect(oldestFirst.slice(0, 6)).toEqual(expect.arrayContaining(details.slice(3)));
      expect(never.length).toBeGreaterThan(0);
    });

    it.each([[[25, 25, 10]], [[30, 30]], [[60]]])(
      "with --full-refresh are all asked for again, %j a run",
      async (parts) => {
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
            // The pages are asked for again although they are of today, and only once.
            expect([pages, details.length]).toEqual([index === 0 ? [0] : [], part]);
            asked.push(...details);
          }
          expect(numbers(asked)).toEqual(all);
        }
        expect((await rerun({})).details).toEqual([]);
      },
    );
  });

  describe("a run that was stopped", () => {
    const dump = generateSteamSpy({ seed: 5, games: 2_300 });

    it("is followed by one that goes on at its page", async () => {
      const web = simulateWeb(dump);
      const overrides = { maxDetails: 0, retryAttempts: 0 };
      const run = startCollector(database.db, {
        ...overrides,
        fetch: (input, init) => {
          if (web.spy.log.counts.all === 1) void run.stop();
          return web.fetch(input, init);
        },
      });
      await expect(run.done).rejects.toThrow("stopped");
      expect(web.asked().pages).toEqual([0]);
      expect(await collect(web, overrides)).toMatchObject({ pages: [1, 2], summary: { pass: { pages: 2 } } });
      expect(await compareMetadata(sql, readSteamSpyIndependently(dump))).toEqual([]);
    });

    it("is followed by one that goes on in the middle of a list, unless it is to read everything again", async () => {
      const web = simulateWeb(dump, { pageSize: 500 });
      const cursors = (web.list.lists.games ?? []).flatMap(({ appid }, index) => (index % 500 === 499 ? appid : []));
      const stopAfter = async (requests: number, overrides: CollectorOverrides = {}) => {
        const run = startCollector(database.db, {
          maxDetails: 0,
          ...overrides,
          fetch: (input, init) => {
            if (web.list.log.counts.app_list === requests) void run.stop();
            return web.fetch(input, init);
          },
        });
        await expect(run.done).rejects.toThrow("stopped");
        return web.asked().lists;
      };
      expect(await stopAfter(2)).toEqual([0, cursors[0]]);
      expect(await sql("select from apps")).toEqual([]);
      expect(await stopAfter(2)).toEqual([cursors[1], cursors[2]]);
      expect(await stopAfter(1, { fullRefresh: true })).toEqual([0]);
      const { lists } = await collect(web, { maxDetails: 0 });
      expect(lists).toEqual([...cursors, 0, 0, 0, 0]);
      expect(await sql("select from apps where is_listed")).toHaveLength(2_340);
    });
  });

  async function isListed() {
    const rows = await sql<{ appid: number; is_listed: boolean; is_active: boolean }>(
      "select appid, is_listed, is_active from apps",
    );
    expect(rows.filter((row) => row.is_active !== row.is_listed)).toEqual([]);
    return Object.fromEntries(rows.map(({ appid, is_listed }) => [appid, is_listed]));
  }

  describe("who owns what of an app", () => {
    const games = (...appids: number[]) => ({ games: appids.map((appid) => ({ appid, name: `List ${appid}` })) });
    /** As PICS stores an app. */
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

    it("PICS its name, the lists whether it is listed", async () => {
      await pics(10);
      await pics(20, { isKnown: false });
      await pics(30, { type: "demo" });
      const appids = Array.from({ length: 40 }, (_, index) => 1_000 + index);
      const web = simulateWeb(small(1), { lists: games(10, 20, 40, ...appids) });
      const day = async (...listed: number[]) => {
        web.list.lists = games(...listed, ...appids);
        const { summary } = await collect(web, { maxDetails: 0 });
        const { inserted, relisted, delisted } = summary.list ?? expect.fail();
        return [inserted, relisted, delisted];
      };
      expect(await day(10, 20, 40)).toEqual([41, 0, 0]);
      const first = await apps();
      expect(first).toMatchObject({
        10: ["PICS 10", true, true],
        20: ["PICS 20", true, false],
        30: ["PICS 30", null, true],
        40: ["List 40", true, true],
      });
      expect(await day(10, 20)).toEqual([0, 0, 1]);
      expect(await apps()).toEqual({ ...first, 40: ["List 40", false, false] });
      expect(await day(20, 40, 50)).toEqual([1, 1, 1]);
      expect(await apps()).toEqual({ ...first, 10: ["PICS 10", false, false], 50: ["List 50", true, true] });
      expect(await day(10, 20, 40, 50)).toEqual([0, 1, 0]);
      expect(await apps()).toEqual({ ...first, 50: ["List 50", true, true] });
    });

    it("delisted apps are asked for no more, whatever SteamSpy has of them", async () => {
      const dump = small(40);
      const [gone = 0] = appidsOf(dump);
      const web = simulateWeb(dump);
      await collect(web, { maxDetails: 0 });
      web.list.lists.games?.shift();
      expect((await collect(web)).details).toHaveLength(39);
      expect((await apps())[gone]).toEqual([`App ${gone}`, false, false]);
      web.list.lists = listsOf(dump);
      expect((await collect(web)).details).toEqual([gone]);
    });

    it("without a key the catalog of PICS says which games there are", async () => {
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

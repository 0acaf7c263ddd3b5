import { describe, expect, test } from "vitest";
import type { DueRequest, GameDetails, GameNumbers, PageGame } from "../../../src/collector/store.ts";
import { forEachSqlDatabase, record, useCatalog } from "./catalog.ts";
import { useCollecting } from "./collector.ts";

/** A page's numbers, none of them empty. */
const numbers = (appid: number, given: Partial<GameNumbers> = {}): GameNumbers => ({
  appid,
  developer: `Developer ${appid}`,
  publisher: "Publisher, Inc.",
  owners_estimate: "20,000 .. 50,000",
  positive_reviews: 120,
  negative_reviews: 7,
  score_rank: 95,
  average_playtime_forever: 600,
  average_playtime_2weeks: 30,
  price: 1_999,
  ...given,
});
const details = (appid: number, given: Partial<GameDetails> = {}): { status: "success" } & GameDetails => ({
  status: "success",
  ...numbers(appid),
  genre: "Action, Indie",
  languages: "English, German",
  tags_json: { Action: 5_448, "2D": 12 },
  ...given,
});
const empty = (appid: number): GameNumbers => ({
  appid,
  developer: null,
  publisher: null,
  owners_estimate: null,
  positive_reviews: null,
  negative_reviews: null,
  score_rank: null,
  average_playtime_forever: null,
  average_playtime_2weeks: null,
  price: null,
});

forEachSqlDatabase("the collector's SteamSpy functions", (open) => {
  const catalog = useCatalog(open);
  const { sql, call, store, mark, claim, apply, status } = catalog;
  const collecting = useCollecting(catalog);
  const { takeOver, rows, collect } = collecting;
  const beginCrawl = (fullRefresh = false) => collecting.worker.beginCrawl({ fullRefresh });
  /** Games are named unless they say otherwise. */
  const savePage = (page: number, games: (GameNumbers | PageGame)[], missed: number[] = [], complete = false) =>
    collecting.worker.savePage({ games: games.map((game) => ({ named: true, ...game })), page, missed, complete });
  const saveDetails = (...games: Parameters<typeof collecting.worker.saveDetails>[0]) =>
    collecting.worker.saveDetails(games);
  const metadata = async (appid: number) =>
    (await sql("select * from game_metadata where appid = $1", [appid]))[0] ?? null;
  const state = async () => (await sql("select * from collector_state"))[0];
  const games = async () =>
    (await sql<{ appid: number }>("select appid from game_metadata order by appid")).map((row) => row.appid);
  /** Moves times into the past. PGlite's clock counts milliseconds, and several calls fit into one. */
  const age = (ago = "1 second") =>
    sql(
      `with fetched as (update game_metadata set fetched_at = fetched_at - $1::interval)
       update collector_state set pass_started_at = pass_started_at - $1::interval, refresh_since = refresh_since - $1::interval`,
      [ago],
    );

  describe("collector_enqueue", () => {
    test("enqueues active games, by key", async () => {
      await store(
        record(10, 500),
        record(20, 500, { type: "dlc" }),
        record(30, 500),
        record(40, 500, { type: null }),
        record(50, 500),
        record(60, 500),
      );
      await collect({ games: [60, 70] });
      await collect({ games: [70] });
      await mark([], { unknown: [30] });
      await apply((await claim()).lease, { unknown: [30], confirmSeconds: 0 });
      await sql("delete from game_metadata");

      const { worker } = collecting;
      expect(await worker.enqueue(0, 2)).toBe(20);
      expect(await games()).toEqual([10]);
      expect(await worker.enqueue(0, 2)).toBe(20);
      const heir = await takeOver();
      expect(await heir.enqueue(20, 3)).toBe(50);
      expect(await heir.enqueue(50, 3)).toBeNull();
      expect(await games()).toEqual([10, 50]);
      expect(await metadata(50)).toMatchObject({ fetch_status: "pending", fetch_attempts: 0, last_updated: null });

      await saveDetails(details(10));
      const before = await rows("game_metadata");
      expect(await heir.enqueue(0, 100)).toBeNull();
      expect(await rows("game_metadata")).toEqual(before);
    });
  });

  describe("collector_begin_pass and collector_save_page", () => {
    test("begin at the first page, resume, and complete", async () => {
      const first = await beginCrawl();
      expect(first).toEqual({ page: 0, missed: [], expected_pages: null, now: expect.any(String) });
      expect(Math.abs(Date.now() - Date.parse(first.now))).toBeLessThan(60_000);
      expect(await beginCrawl()).toMatchObject({ page: 0, missed: [], expected_pages: null });
      await savePage(1, [numbers(10)]);
      await savePage(2, [], [1]);
      await savePage(3, [numbers(20)], [1]);
      await takeOver();
      expect(await beginCrawl()).toMatchObject({ page: 3, missed: [1], expected_pages: null });
      expect(await collecting.worker.counts()).toMatchObject({ pass_completed_at: null });
      await savePage(3, [numbers(30)]);
      await savePage(3, [], [], true);
      await savePage(3, [], [], true);
      expect(await beginCrawl()).toMatchObject({ page: null, missed: [], expected_pages: 3 });
      expect(await collecting.worker.counts()).toMatchObject({ pass_completed_at: expect.any(String) });
      expect(await games()).toEqual([10, 20, 30]);
    });

    const ages = [
      { complete: true, ago: "19 hours 59 minutes", page: null },
      { complete: true, ago: "20 hours 1 minute", page: 0 },
      { complete: false, ago: "23 hours 59 minutes", page: 2 },
      { complete: false, ago: "24 hours 1 minute", page: 0 },
    ];
    test.each(ages)(
      "continue with page $page when begun $ago ago, complete: $complete",
      async ({ complete, ago, page }) => {
        await beginCrawl();
        await savePage(3, [], [], true);
        await age("2 days");
        await beginCrawl();
        await savePage(2, [numbers(10)], [1], complete);
        await age(ago);
        const again = await beginCrawl();
        expect(again).toMatchObject({ page, missed: page === 0 ? [] : [1], expected_pages: complete ? 2 : 3 });
        if (page === 0) expect(await state()).toMatchObject({ pass_completed_at: null, pass_page: 0, pass_missed: [] });
      },
    );

    test("begin a pass at once for a full refresh, which begins once", async () => {
      await beginCrawl();
      await savePage(3, [], [], true);
      await age();
      expect(await beginCrawl(true)).toMatchObject({ page: 0 });
      await savePage(1, [numbers(10)]);
      const { refresh_since } = (await state()) ?? {};
      expect(refresh_since).not.toBeNull();
      expect(await beginCrawl(true)).toMatchObject({ page: 1 });
      await savePage(3, [], [], true);
      expect(await beginCrawl(true)).toMatchObject({ page: null });
      expect(await beginCrawl()).toMatchObject({ page: null });
      expect(await state()).toMatchObject({ refresh_since });
    });

    test("overwrite every number, and no column of the details", async () => {
      await saveDetails(details(10), { status: "failed", appid: 20, attempts: 2, error: "broken" });
      await sql("update game_metadata set last_updated = now() - interval '1 day' where appid = 10");
      const before = { 10: await metadata(10), 20: await metadata(20) };
      const written = numbers(10, { developer: "New", owners_estimate: "0 .. 20,000", price: 0, score_rank: null });
      await savePage(1, [written, numbers(20), numbers(30)]);
      const now = { last_updated: expect.anything(), last_listed_at: expect.anything() };
      expect(await metadata(10)).toEqual({ ...before[10], ...written, ...now });
      expect(await metadata(10)).not.toMatchObject({ last_updated: before[10]?.last_updated });
      expect(await metadata(20)).toEqual({ ...before[20], ...numbers(20), owners_doubtful: false, ...now });
      expect(await metadata(30)).toEqual({
        ...numbers(30),
        ...now,
        owners_doubtful: false,
        genre: null,
        languages: null,
        tags_json: null,
        fetch_attempts: 0,
        fetch_status: "pending",
        fetched_at: null,
        last_error: null,
      });
      await savePage(1, [empty(10)]);
      expect(await metadata(10)).toMatchObject({ ...empty(10), genre: "Action, Indie", fetch_status: "success" });
      expect(await sql("select from sync_status where appid = 30")).toEqual([]);
    });

    test("do not overwrite a game that a page has named with a blank entry, nor count that as named", async () => {
      await savePage(1, [numbers(10), { ...empty(20), named: false }]);
      const before = [await metadata(10), await metadata(20)];
      expect(before).toMatchObject([{ last_listed_at: expect.anything() }, { ...empty(20), last_listed_at: null }]);
      const blank = { positive_reviews: 0, owners_estimate: "0 .. 20,000", named: false };
      await savePage(
        2,
        [10, 20].map((appid) => ({ ...empty(appid), ...blank })),
      );
      expect(await metadata(10)).toEqual(before[0]);
      expect(await metadata(20)).toMatchObject({ positive_reviews: 0, last_listed_at: null });
      // Details of a blank game are no page.
      await saveDetails(details(20));
      expect(await metadata(20)).toMatchObject({ developer: "Developer 20", last_listed_at: null });
    });

    test.each<[owners: string | null, positive: number | null, negative: number | null, doubtful: boolean | null]>([
      ["0 .. 20,000", 380_000, 10_000, true],
      ["0 .. 20,000", 2_001, null, true],
      ["0 .. 20,000", 1_990, 10, false],
      ["200,000,000 .. 500,000,000", 2_147_483_647, 2_147_483_647, true],
      ["2,000,000 .. 5,000,000", 340_000, 701, false],
      ["0 .. 20,000", null, null, false],
      [null, 380_000, 10_000, null],
      ["many", 380_000, 10_000, null],
    ])("mark owners %j as doubtful with %j and %j reviews: %j", async (owners, positive, negative, doubtful) => {
      const game = { owners_estimate: owners, positive_reviews: positive, negative_reviews: negative };
      await savePage(1, [numbers(10, game), numbers(20)]);
      expect(await metadata(10)).toMatchObject({ ...game, owners_doubtful: doubtful });
      expect(await collecting.worker.counts()).toMatchObject({ owners_doubtful: doubtful ? 1 : 0 });
    });
  });

  describe("collector_due", () => {
    interface Known {
      status: "pending" | "success" | "failed" | "not_found";
      /** When it was last fetched; never by default. */
      ago?: string;
      attempts?: number;
      owners?: string | null;
      reviews?: number;
    }
    async function know(all: Record<number, Known>) {
      const given = Object.entries(all).map(([appid, each]) => ({
        appid: Number(appid),
        attempts: 0,
        ...each,
      }));
      await sql(
        `insert into game_metadata (appid, fetch_status, fetched_at, fetch_attempts, owners_estimate, positive_reviews, negative_reviews)
         select appid, status, now() - ago, attempts, owners, reviews, 0 * reviews
         from jsonb_to_recordset($1::jsonb)
           as g(appid int, status fetch_status, ago interval, attempts int, owners text, reviews int)`,
        [JSON.stringify(given)],
      );
    }
    async function due(given: Partial<DueRequest> = {}) {
      const runStartedAt = given.runStartedAt ?? (await beginCrawl()).now;
      return await collecting.worker.due({ max: 100, maxAttempts: 3, staleFirst: false, ...given, runStartedAt });
    }
    const dueAppids = async (given?: Partial<DueRequest>) => (await due(given)).games.map(({ appid }) => appid);

    const states: { known: Known; usually: boolean; staleFirst: boolean }[] = [
      { known: { status: "pending" }, usually: true, staleFirst: true },
      { known: { status: "success", ago: "29 days 23 hours" }, usually: false, staleFirst: true },
      { known: { status: "success", ago: "30 days 1 hour" }, usually: true, staleFirst: true },
      { known: { status: "not_found", ago: "29 days 23 hours" }, usually: false, staleFirst: true },
      { known: { status: "not_found", ago: "30 days 1 hour" }, usually: true, staleFirst: true },
      { known: { status: "failed", ago: "1 minute", attempts: 1 }, usually: true, staleFirst: true },
      { known: { status: "failed", ago: "1 minute", attempts: 2 }, usually: true, staleFirst: true },
      { known: { status: "failed", ago: "29 days 23 hours", attempts: 3 }, usually: false, staleFirst: true },
      { known: { status: "failed", ago: "30 days 1 hour", attempts: 3 }, usually: true, staleFirst: true },
    ];
    test("depends on status and age of the last attempt", async () => {
      const all = states.map((each, index) => ({ appid: 10 + index, ...each }));
      await know(Object.fromEntries(all.map(({ appid, known }) => [appid, known])));
      for (const mode of ["usually", "staleFirst"] as const) {
        const reply = await due({ staleFirst: mode === "staleFirst" });
        const expected = all.filter((each) => each[mode]);
        const order = (a: { appid: number }, b: { appid: number }) => a.appid - b.appid;
        const sorted = [...reply.games].sort(order);
        expect({ mode, games: sorted, due: reply.due }).toEqual({
          mode,
          games: expected.map(({ appid, known }) => ({ appid, attempts: known.attempts ?? 0, listed: false })),
          due: expected.length,
        });
      }
    });

    test("excludes games fetched in this run", async () => {
      await know({ 10: { status: "pending" }, 20: { status: "pending" }, 30: { status: "success", ago: "40 days" } });
      for (const staleFirst of [false, true]) {
        const { now: runStartedAt } = await beginCrawl(true);
        expect(await dueAppids({ runStartedAt, staleFirst })).toHaveLength(3);
        await saveDetails({ status: "failed", appid: 10, attempts: 1, error: "broken" });
        await saveDetails({ status: "not_found", appid: 20 });
        expect(await due({ runStartedAt, staleFirst })).toMatchObject({ games: [{ appid: 30, attempts: 0 }], due: 1 });
        await saveDetails(details(30));
        expect(await due({ runStartedAt, staleFirst })).toEqual({ games: [], due: 0 });
        await age();
      }
      // The next run retries the failed one.
      expect(await due()).toMatchObject({ games: [{ appid: 10, attempts: 1 }], due: 1 });
    });

    test("says of which games a page has spoken since a week before the last complete pass", async () => {
      await savePage(1, [numbers(10), { ...empty(20), named: false }]);
      await saveDetails({ status: "not_found", appid: 30 });
      await age("40 days");
      const listed = async () => Object.fromEntries((await due()).games.map((game) => [game.appid, game.listed]));
      expect(await listed()).toEqual({ 10: true, 20: false, 30: false });

      /** A pass that has game 40 alone and misses these pages. */
      const pass = async (missed: number[]) => {
        await age("1 day");
        await beginCrawl();
        await savePage(1, [numbers(40)], missed);
        await savePage(1, [], missed, true);
        return await listed();
      };
      await sql("update game_metadata set last_listed_at = now() - interval '5 days' where appid = 10");
      expect(await pass([])).toEqual({ 10: true, 20: false, 30: false, 40: true });
      await sql("update game_metadata set last_listed_at = now() - interval '8 days' where appid = 10");
      // What a pass with a missing page does not name may be on that page.
      await sql("update collector_state set pass_complete_since = now() - interval '2 days'");
      expect(await pass([7])).toMatchObject({ 10: true });
      expect(await pass([])).toMatchObject({ 10: false, 40: true });
    });

    test("excludes inactive apps, includes games that only SteamSpy knows", async () => {
      await store(record(10, 500), record(20, 500));
      await collect({ games: [10, 20, 30] });
      await collect({ games: [10, 20] });
      await mark([], { unknown: [20] });
      await apply((await claim()).lease, { unknown: [20], confirmSeconds: 0 });
      await savePage(1, [numbers(40)]);
      expect(await games()).toEqual([10, 20, 30, 40]);
      expect(await due({ staleFirst: true })).toMatchObject({ due: 2 });
      expect(await dueAppids()).toEqual([40, 10]);
    });

    test("orders by never fetched, failed, fetched longest ago; those never fetched by owners, then reviews", async () => {
      await know({
        1: { status: "pending", owners: null },
        2: { status: "pending", owners: "0 .. 20,000" },
        3: { status: "pending", owners: "200,000,000 .. 500,000,000" },
        4: { status: "pending", owners: "20,000 .. 50,000" },
        5: { status: "pending", owners: "100,000 .. 200,000" },
        6: { status: "pending", owners: "20,000 .. 50,000" },
        7: { status: "pending", owners: "0 .. 20,000", reviews: 390_000 },
        11: { status: "success", ago: "40 days", owners: "0 .. 20,000" },
        12: { status: "success", ago: "31 days", owners: "1,000,000 .. 2,000,000" },
        13: { status: "not_found", ago: "32 days", owners: "1,000,000 .. 2,000,000" },
        14: { status: "failed", ago: "33 days", attempts: 1, owners: "1,000,000 .. 2,000,000" },
        15: { status: "success", ago: "90 days", owners: null },
        16: { status: "success", ago: "1 day", owners: "1,000,000 .. 2,000,000" },
      });
      const inOrder = [3, 7, 5, 4, 6, 2, 1, 14, 15, 11, 13, 12];
      expect(await dueAppids()).toEqual(inOrder);
      expect(await due({ max: 2 })).toMatchObject({ games: [3, 7].map((appid) => ({ appid, attempts: 0 })), due: 12 });
      expect(await dueAppids({ max: 8 })).toEqual(inOrder.slice(0, 8));
      // stale_first: fetched longest ago first, never fetched last.
      expect(await dueAppids({ staleFirst: true })).toEqual([15, 11, 14, 13, 12, 16, 3, 7, 5, 4, 6, 2, 1]);
    });

    test("asks for every game within (games + retries) / max runs, whatever it owns", async () => {
      // One game a day, of 40 and then 44: a round takes longer than the 30 days after which a game is due again.
      const owners = ["20,000,000 .. 50,000,000", "20,000 .. 50,000", "0 .. 20,000", null];
      const ownersOf = (appid: number) => owners[appid % 4] ?? null;
      const first = Array.from({ length: 40 }, (_, index) => index + 1);
      await know(Object.fromEntries(first.map((appid) => [appid, { status: "pending", owners: ownersOf(appid) }])));
      const asked = new Map<number, number[]>();
      const arrivals: Record<number, number> = { 10: 101, 45: 102, 60: 103, 75: 104 };
      for (let day = 0; day < 110; day++) {
        const arrived = arrivals[day];
        if (arrived !== undefined) await know({ [arrived]: { status: "pending", owners: "0 .. 20,000" } });
        for (const { appid, attempts } of (await due({ max: 1, maxAttempts: 5 })).games) {
          asked.set(appid, [...(asked.get(appid) ?? []), day]);
          // Two games always fail.
          await saveDetails(
            appid <= 2
              ? { status: "failed", appid, attempts: attempts + 1, error: "x" }
              : details(appid, { owners_estimate: ownersOf(appid) }),
          );
        }
        await age("1 day");
      }
      expect(asked.size).toBe(44);
      const bound = 44 + 2 * 4;
      for (const [appid, runs] of asked) {
        const since = appid > 100 ? Number(Object.entries(arrivals).find(([, arrived]) => arrived === appid)?.[0]) : 0;
        const gaps = [...runs, 110].map((run, index, all) => run - (all[index - 1] ?? since));
        expect({ appid, longest: Math.max(...gaps) <= bound }).toEqual({ appid, longest: true });
      }
    });

    test("returns every game during a full refresh, which ends when all were fetched", async () => {
      await know({
        10: { status: "success", ago: "1 day" },
        20: { status: "not_found", ago: "2 days" },
        30: { status: "failed", ago: "3 days", attempts: 3 },
        40: { status: "pending" },
        50: { status: "success", ago: "4 days" },
      });
      const lasts = async () => (await state())?.refresh_since !== null;
      expect(await dueAppids()).toEqual([40]);
      expect(await lasts()).toBe(false);

      const first = await beginCrawl(true);
      expect((await dueAppids({ runStartedAt: first.now })).sort()).toEqual([10, 20, 30, 40, 50]);
      await saveDetails(details(10), { status: "not_found", appid: 20 }, details(40));
      // A run that ends early, and a later one.
      expect(await due({ runStartedAt: first.now })).toMatchObject({ due: 2 });
      await takeOver();
      const second = await beginCrawl();
      expect((await dueAppids({ runStartedAt: second.now })).sort()).toEqual([30, 50]);
      expect(await lasts()).toBe(true);
      await saveDetails(details(50), { status: "failed", appid: 30, attempts: 1, error: "broken" });
      expect(await due({ runStartedAt: second.now })).toEqual({ games: [], due: 0 });
      expect(await lasts()).toBe(false);
      await age();
      expect(await due()).toMatchObject({ games: [{ appid: 30, attempts: 1 }], due: 1 });
      expect(await beginCrawl(true)).toMatchObject({ page: 0 });
      expect(await due()).toMatchObject({ due: 5 });
    });

    test("ends a full refresh although games are due for other reasons", async () => {
      await know({ 10: { status: "success", ago: "1 day" }, 20: { status: "failed", ago: "1 day", attempts: 1 } });
      await beginCrawl(true);
      await saveDetails(details(10), { status: "failed", appid: 20, attempts: 2, error: "broken" });
      await age();
      expect(await due()).toMatchObject({ games: [{ appid: 20, attempts: 2 }], due: 1 });
      expect(await state()).toMatchObject({ refresh_since: null });
    });
  });

  describe("collector_save_details", () => {
    test("writes details with status and attempts, and is idempotent", async () => {
      for (const given of [{}, {}, { developer: "Other", score_rank: null, tags_json: {}, languages: null }]) {
        await saveDetails(details(10, given));
        const { status: fetch_status, ...columns } = details(10, given);
        expect(await metadata(10)).toEqual({
          ...columns,
          fetch_status,
          fetch_attempts: 0,
          last_error: null,
          last_updated: expect.anything(),
          last_listed_at: null,
          owners_doubtful: false,
          fetched_at: expect.anything(),
        });
      }
    });

    test("keeps stored words when an answer has no languages, genre and tags at all", async () => {
      const none = { genre: null, languages: null, tags_json: {} };
      await saveDetails(
        details(10),
        details(20, none),
        details(30, { genre: "Indie", languages: null, tags_json: {} }),
      );
      await saveDetails(details(10, { ...none, price: 99 }), details(30, none));
      const { genre, languages, tags_json } = details(10);
      expect(await metadata(10)).toMatchObject({ genre, languages, tags_json, price: 99, fetch_status: "success" });
      expect(await metadata(20)).toMatchObject(none);
      expect(await metadata(30)).toMatchObject({ genre: "Indie", languages: null, tags_json: {} });
    });

    test("keeps stored details of not_found and failed games", async () => {
      await saveDetails(details(10), details(20));
      await sql(
        "update game_metadata set last_updated = now() - interval '1 day', fetched_at = now() - interval '1 day'",
      );
      const before = { 10: await metadata(10), 20: await metadata(20) };
      const results = [
        { status: "not_found", appid: 10 },
        { status: "failed", appid: 20, attempts: 2, error: "HTTP 500" },
        { status: "not_found", appid: 30 },
        { status: "failed", appid: 40, attempts: 1, error: "HTTP 500" },
      ] as const;
      const recent = async (appid: number) => {
        const [row] = await sql(
          "select fetched_at > now() - interval '1 hour' as recent from game_metadata where appid = $1",
          [appid],
        );
        return row?.recent;
      };
      for (let times = 0; times < 2; times++) {
        await saveDetails(...results);
        const asked = { fetched_at: expect.anything() };
        expect(await metadata(10)).toEqual({ ...before[10], ...asked, fetch_status: "not_found" });
        const failed = { fetch_status: "failed", fetch_attempts: 2, last_error: "HTTP 500" };
        expect(await metadata(20)).toEqual({ ...before[20], ...asked, ...failed });
        expect(await metadata(30)).toMatchObject({ ...empty(30), fetch_status: "not_found", last_updated: null });
        expect(await metadata(40)).toMatchObject({ tags_json: null, fetch_status: "failed", fetch_attempts: 1 });
      }
      for (const { appid } of results) expect({ appid, recent: await recent(appid) }).toEqual({ appid, recent: true });
      await saveDetails(details(20), { status: "not_found", appid: 40 });
      expect(await metadata(20)).toMatchObject({ fetch_status: "success", fetch_attempts: 0, last_error: null });
      expect(await metadata(40)).toMatchObject({ fetch_status: "not_found", fetch_attempts: 0, last_error: null });
      expect(await collecting.worker.counts()).toMatchObject({
        games: { pending: 0, success: 1, failed: 0, not_found: 3 },
      });
    });

    test("sets last_steamspy_sync of answered games, and nothing else of sync_status", async () => {
      await store(record(10, 500), record(20, 500));
      await mark([
        [10, 600],
        [30, 600],
      ]);
      await claim({ appids: [10] });
      const before = { 10: await status(10), 20: await status(20), 30: await status(30) };
      await saveDetails(
        details(10),
        { status: "failed", appid: 20, attempts: 1, error: "broken" },
        { status: "not_found", appid: 30 },
        details(40),
        { status: "failed", appid: 50, attempts: 1, error: "broken" },
      );
      const synced = { last_steamspy_sync: expect.anything() };
      expect(before[10]).toMatchObject({ last_steamspy_sync: null });
      expect(await status(10)).toEqual({ ...before[10], ...synced });
      expect(await status(20)).toEqual(before[20]);
      expect(await status(30)).toEqual({ ...before[30], ...synced });
      expect(await status(40)).toMatchObject({ ...synced, pics_pending_change: null, pics_change_number: null });
      expect(await status(50)).toEqual({});
    });

    test("neither creates nor hides pending apps of PICS", async () => {
      await saveDetails(details(10), details(20));
      expect(await call("pics_state")).toMatchObject({ pending: 0, failing: 0 });
      expect((await claim()).apps).toEqual([]);
      expect(await mark([[10, 500]])).toMatchObject({ marked: 1 });
      const { lease, appids } = await claim();
      expect(appids).toEqual([10]);
      await apply(lease, { apps: [record(10, 500)] });
      expect(await status(10)).toMatchObject({ pics_change_number: 500, last_steamspy_sync: expect.anything() });
    });

    test("moves games to the end of get_apps_for_sync", async () => {
      await sql("insert into apps (appid) values (10), (20), (30), (40)");
      const next = async (max: number) =>
        (await catalog.database.db.rpc("get_apps_for_sync", { source: "steamspy", max_apps: max })) as number[];
      expect(await next(10)).toEqual([10, 20, 30, 40]);
      const earlier = () => sql("update sync_status set last_steamspy_sync = last_steamspy_sync - interval '1 second'");
      await saveDetails(details(20));
      await earlier();
      await saveDetails({ status: "not_found", appid: 10 }, { status: "failed", appid: 30, attempts: 1, error: "x" });
      expect(await next(10)).toEqual([30, 40, 20, 10]);
      await earlier();
      await saveDetails(details(20));
      expect(await next(3)).toEqual([30, 40, 10]);
    });

    test("rolls back for a value out of range, as a fault of the data", async () => {
      const bad = details(20, { price: 2 ** 31 });
      await expect(saveDetails(details(10), bad)).rejects.toMatchObject({ fault: "data" });
      expect(await games()).toEqual([]);
      expect(await sql("select from sync_status")).toEqual([]);
    });
  });
});

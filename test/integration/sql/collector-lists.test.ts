import pg from "pg";
import { describe, expect, test } from "vitest";
import { LeaseLostError } from "../../../src/db/leader-lease.ts";
import { forEachSqlDatabase, record, useCatalog } from "./catalog.ts";
import { type Lists, listedApp, useCollecting } from "./collector.ts";

const range = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);

forEachSqlDatabase("the collector's app lists", (open, kind) => {
  const catalog = useCatalog(open);
  const { sql, call, mark, claim, apply, store, app } = catalog;
  const collecting = useCollecting(catalog);
  const { takeOver, collect, read, rows, apps } = collecting;
  const begin = (fresh = false, kinds = ["games", "dlc"]) => collecting.worker.beginList({ kinds, fresh });
  const save = (run: number, appids: number[], complete = false, kind = "games") => {
    const listed = appids.map((appid) => listedApp(appid));
    return collecting.worker.saveList({ run, kind, apps: listed, after: appids.at(-1) ?? 0, complete });
  };
  const accept = (run: number, maxShrink = 0.05) => collecting.worker.acceptList({ run, maxShrink });
  const applyNext = (run: number, max = 1_000) => collecting.worker.applyList({ run, max, history: true });
  const gamesAsked = async () =>
    (await sql<{ appid: number }>("select appid from game_metadata order by appid")).map(({ appid }) => appid);
  /** Steam answers that it does not know these. */
  async function forget(...appids: number[]) {
    await mark([], { unknown: appids });
    const { lease } = await claim({ appids });
    expect(await apply(lease, { unknown: appids, confirmSeconds: 0 })).toMatchObject({ unknown: appids.length });
  }
  const listed = (appid: number, name = `List ${appid}`) => [true, true, name];
  const unlisted = (appid: number, name = `List ${appid}`) => [false, false, name];

  describe("collector_begin_list and collector_save_list", () => {
    const blank = { games: { after: 0, complete: false }, dlc: { after: 0, complete: false } };

    test("resume an unfinished run, by another leader too", async () => {
      const first = await begin();
      expect(first).toEqual({ run: 1, phase: "reading", cursor: blank, age_seconds: expect.any(Number) });
      expect(await begin()).toMatchObject({ run: 1, phase: "reading", cursor: blank });
      await save(1, [10, 20]);
      await save(1, [5, 30], true, "dlc");
      await takeOver();
      const cursor = { games: { after: 20, complete: false }, dlc: { after: 30, complete: true } };
      expect(await begin()).toMatchObject({ run: 1, phase: "reading", cursor });
    });

    const anew = [
      { why: "when asked to", kinds: ["games", "dlc"], fresh: true, age: "0 s" },
      { why: "after more than an hour", kinds: ["games", "dlc"], fresh: false, age: "61 minutes" },
      { why: "when a kind is no longer asked for", kinds: ["games"], fresh: false, age: "0 s" },
      { why: "when another kind is asked for", kinds: ["games", "dlc", "videos"], fresh: false, age: "0 s" },
    ];
    test.each(anew)("begin a new run $why", async ({ kinds, fresh, age }) => {
      await begin();
      await save(1, [10, 20], true);
      await save(1, [30], true, "dlc");
      await sql("update collector_state set list_started_at = now() - $1::interval", [age]);
      const again = await begin(fresh, kinds);
      const cursor = Object.fromEntries(kinds.map((each) => [each, { after: 0, complete: false }]));
      expect(again).toMatchObject({ run: 2, phase: "reading", cursor });
      expect(again.age_seconds).toBeLessThan(60);
      // Pages of the earlier run do not count.
      for (const each of kinds) await save(2, [], true, each);
      expect((await accept(2)).lists).toEqual(
        [...kinds].sort().map((each) => ({ kind: each, before: 0, now: 0, vanished: 0, fault: null })),
      );
    });

    test("resume a run for an hour", async () => {
      await begin();
      await save(1, [10]);
      await sql("update collector_state set list_started_at = now() - interval '59 minutes'");
      const { run, cursor, age_seconds } = await begin();
      expect({ run, after: cursor.games?.after }).toEqual({ run: 1, after: 10 });
      expect(age_seconds).toBeGreaterThanOrEqual(59 * 60);
    });

    test("are idempotent for a new run", async () => {
      await begin();
      await save(1, [10], true);
      await begin(true);
      expect(await begin(true)).toMatchObject({ phase: "reading", cursor: blank });
    });

    test("accept a page twice, and an app twice in a page", async () => {
      const { run } = await begin(false, ["games"]);
      await save(run, [10, 20, 20, 30]);
      await save(run, [10, 20, 20, 30]);
      await save(run, [], true);
      await save(run, [], true);
      expect((await accept(run)).lists).toEqual([{ kind: "games", before: 0, now: 3, vanished: 0, fault: null }]);
    });

    test("change no other table before the run is accepted", async () => {
      await collect({ games: [10, 20], dlc: [30] });
      const before = [await rows("apps"), await rows("game_metadata")];
      const { run } = await read({ games: [10, 40], dlc: [30] });
      await expect(applyNext(run)).rejects.toThrow(LeaseLostError);
      expect([await rows("apps"), await rows("game_metadata")]).toEqual(before);
      expect(await begin()).toMatchObject({ run, phase: "reading" });
    });

    test("reject pages of an accepted run, and resume its application", async () => {
      const { run } = await read({ games: [10, 20], dlc: [30] });
      await accept(run);
      await expect(save(run, [50])).rejects.toThrow(LeaseLostError);
      await takeOver();
      expect(await begin(true)).toMatchObject({ run, phase: "applying", cursor: {} });
      await applyNext(run, 2);
      expect(await begin(true)).toMatchObject({ run, phase: "applying" });
      expect(await applyNext(run)).toMatchObject({ done: true });
      expect(await begin()).toMatchObject({ run: run + 1, phase: "reading" });
    });
  });

  describe("collector_accept_list", () => {
    /** Apps of a list: before, left of them, new, and the lowest max_shrink that accepts it. */
    const lengths: { had: number; has: number; fresh?: number; from: 0 | 0.05 | 0.5 | 1 | "never" }[] = [
      { had: 100, has: 100, from: 0 },
      { had: 100, has: 95, from: 0.05 },
      { had: 100, has: 94, from: 0.5 },
      { had: 100, has: 95, fresh: 50, from: 0.05 },
      { had: 100, has: 94, fresh: 50, from: 0.5 },
      { had: 20, has: 19, from: 0 },
      { had: 20, has: 18, from: 0.5 },
      { had: 10, has: 5, from: 0.5 },
      { had: 10, has: 4, from: 1 },
      { had: 10, has: 0, from: "never" },
      { had: 10, has: 0, fresh: 3, from: 1 },
      { had: 2, has: 1, from: 0 },
      { had: 1, has: 0, from: "never" },
      { had: 1, has: 0, fresh: 1, from: 0 },
      { had: 0, has: 0, from: 0 },
      { had: 0, has: 0, fresh: 5, from: 0 },
    ];

    test("judges a list with an odd end as a short one, and keeps the apps beyond the end of a broken one", async () => {
      await collect({ games: range(1, 10), dlc: range(20, 4) });
      const broken = { games: [1, 2, 4, 5, 6, 7, 8], dlc: range(20, 4) };
      const ends = { games: "broken" } as const;
      const { verdict: refused } = await collect(broken, { ends, maxShrink: 0.2 });
      const games = { kind: "games", before: 10, now: 7, vanished: 3, end: "broken", after: 8 };
      expect(refused).toMatchObject({ accepted: false, lists: [{ fault: null }, { ...games, fault: "shrunk" }] });
      expect(refused.lists[0]).not.toHaveProperty("end");

      const { verdict, counts } = await collect(broken, { ends, maxShrink: 0.3 });
      expect(verdict).toMatchObject({ accepted: true, lists: [{}, { ...games, fault: null }] });
      expect(counts).toMatchObject({ delisted: 1 });
      expect(await apps()).toMatchObject({ 3: unlisted(3), 9: listed(9), 10: listed(10) });
      // They are still members, so that a later list that ends as Steam says delists them.
      await collect({ games: [1, 2, 4, 5, 6, 7, 8, 10], dlc: range(20, 4) });
      expect(await apps()).toMatchObject({ 9: unlisted(9), 10: listed(10) });

      const { verdict: absent } = await collect(
        { games: [], dlc: range(20, 4) },
        { ends: { games: "absent" }, maxShrink: 1 },
      );
      expect(absent).toMatchObject({ accepted: false, lists: [{}, { now: 0, fault: "shrunk", end: "absent" }] });
      const none = { games: [1, 2, 4, 5, 6, 7, 8, 10], dlc: range(20, 4), videos: [] };
      expect((await collect(none, { ends: { videos: "absent" } })).verdict).toMatchObject({ accepted: true });
    });

    test("accepts a list that lost one app or max_shrink, never all of them", async () => {
      const kinds = lengths.map((given) => ({ fresh: 0, ...given, kind: JSON.stringify(given) }));
      await collect(Object.fromEntries(kinds.map((each) => [each.kind, range(1, each.had)])));
      const now: Lists = Object.fromEntries(
        kinds.map((each) => [each.kind, [...range(1, each.has), ...range(1_001, each.fresh)]]),
      );
      for (const maxShrink of [0, 0.05, 0.5, 1]) {
        const { lists } = (await collect(now, { maxShrink })).verdict;
        const expected = kinds.map(({ kind, had, has, fresh, from }) => {
          const fault = from === "never" || maxShrink < from ? "shrunk" : null;
          return { kind, before: had, now: has + fresh, vanished: had - has, fault };
        });
        expect(lists).toHaveLength(expected.length);
        expect({ maxShrink, lists }).toEqual({ maxShrink, lists: expect.arrayContaining(expected) });
      }
    });

    test("rejects an incomplete list", async () => {
      const { run } = await begin();
      await save(run, [10, 20]);
      await save(run, [30], true, "dlc");
      expect(await accept(run)).toEqual({
        accepted: false,
        lists: [
          { kind: "dlc", before: 0, now: 1, vanished: 0, fault: null },
          { kind: "games", before: 0, now: 2, vanished: 0, fault: "incomplete" },
        ],
      });
      expect(await apps()).toEqual({});
      expect(await begin()).toMatchObject({ run: run + 1, phase: "reading" });
    });

    test("rejects the whole run for one rejected list, changing nothing", async () => {
      await store(record(500, 1), record(600, 1));
      await collect({ games: range(1, 40), dlc: range(100, 40), videos: [500] });
      const before = [await rows("apps"), await rows("game_metadata")];
      const bad: Lists = { games: [...range(1, 36), 41], dlc: range(100, 39), videos: [500, 600] };
      const { verdict, counts } = await collect(bad);
      expect({ accepted: verdict.accepted, counts }).toEqual({ accepted: false, counts: null });
      expect(verdict.lists.map((list) => [list.kind, list.fault])).toEqual([
        ["dlc", null],
        ["games", "shrunk"],
        ["videos", null],
      ]);
      expect([await rows("apps"), await rows("game_metadata")]).toEqual(before);

      // A rejected run changes the membership of no list.
      expect((await collect(bad)).verdict).toEqual(verdict);
      const good = await collect({ games: range(1, 40), dlc: range(100, 40), videos: [500] });
      expect(good.verdict.lists.map(({ before, now, vanished }) => [before, now, vanished])).toEqual([
        [40, 40, 0],
        [40, 40, 0],
        [1, 1, 0],
      ]);
      expect([await rows("apps"), await rows("game_metadata")]).toEqual(before);
    });

    test("returns the same result when repeated", async () => {
      const first = await read({ games: [10, 20] });
      const accepted = await accept(first.run);
      expect(accepted).toMatchObject({ accepted: true });
      expect(await accept(first.run)).toEqual(accepted);
      await applyNext(first.run, 1);
      expect(await accept(first.run)).toEqual(accepted);
      await applyNext(first.run);
      expect(await accept(first.run)).toEqual(accepted);

      const second = await read({ games: [] });
      const refused = await accept(second.run);
      expect(refused).toMatchObject({ accepted: false, lists: [{ fault: "shrunk" }] });
      expect(await accept(second.run, 1)).toEqual(refused);
      await takeOver();
      expect(await accept(second.run)).toEqual(refused);
      expect(await apps()).toEqual({ 10: listed(10), 20: listed(20) });
    });
  });

  describe("collector_apply_list", () => {
    test("inserts new apps, and games as pending in game_metadata", async () => {
      const { counts } = await collect({ games: [10, [20, ""]], dlc: [30], videos: [] });
      expect(counts).toEqual({
        done: true,
        lists: [
          { kind: "dlc", before: 0, now: 1, vanished: 0, fault: null },
          { kind: "games", before: 0, now: 2, vanished: 0, fault: null },
          { kind: "videos", before: 0, now: 0, vanished: 0, fault: null },
        ],
        applied: 3,
        inserted: 3,
        relisted: 0,
        delisted: 0,
      });
      expect(await apps()).toEqual({ 10: listed(10), 20: [true, true, null], 30: listed(30) });
      expect(await app(10)).toMatchObject({ is_known: true, type: null });
      expect(await sql("select appid, fetch_status, fetch_attempts, fetched_at from game_metadata")).toEqual(
        [10, 20].map((appid) => ({ appid, fetch_status: "pending", fetch_attempts: 0, fetched_at: null })),
      );
      expect(await sql("select list_completed_at is not null as done, list_phase from collector_state")).toEqual([
        { done: true, list_phase: null },
      ]);
    });

    test("clears is_listed of vanished apps, sets it for returning ones, leaves apps of PICS alone", async () => {
      await store(record(10, 500, { name: "PICS 10" }), record(77, 500, { name: "Demo" }));
      await collect({ games: [10, 20, 30], dlc: [40] });
      expect((await collect({ games: [20, 30], dlc: [40] })).counts).toMatchObject({ delisted: 1, relisted: 0 });
      const gone = await collect({ games: [20], dlc: [40] });
      expect(gone.counts).toMatchObject({ applied: 2, inserted: 0, relisted: 0, delisted: 1 });
      expect(await apps()).toEqual({
        10: unlisted(10, "PICS 10"),
        20: listed(20),
        30: unlisted(30),
        40: listed(40),
        77: [null, true, "Demo"],
      });
      // A delisted app is not counted again.
      expect((await collect({ games: [20], dlc: [40] })).counts).toMatchObject({ delisted: 0 });
      const back = await collect({ games: [10, 20], dlc: [40] });
      expect(back.counts).toMatchObject({ applied: 3, inserted: 0, relisted: 1, delisted: 0 });
      expect(await apps()).toMatchObject({ 10: listed(10, "PICS 10"), 30: unlisted(30) });
      expect(await gamesAsked()).toEqual([10, 20, 30]);
    });

    test("does not delist an app that only an abandoned run listed", async () => {
      await store(record(77, 500, { name: "Demo" }));
      await collect({ games: [10] });
      await read({ games: [10, 20, 77] });
      await collect({ games: [10] }, { fresh: true });
      expect(await apps()).toEqual({ 10: listed(10), 77: [null, true, "Demo"] });
    });

    test("never delists an app that moves to another kind", async () => {
      await collect({ games: [10, 20], software: [30] });
      for (const lists of [
        { games: [20], software: [10, 30] },
        { games: [10, 20], software: [30] },
      ]) {
        const { counts } = await collect(lists, { max: 1 });
        expect(counts).toMatchObject({ applied: 3, relisted: 0, delisted: 0, inserted: 0 });
        expect(await apps()).toEqual({ 10: listed(10), 20: listed(20), 30: listed(30) });
      }
      const writes = await rows("apps");
      await collect({ games: [20], software: [10, 30] });
      expect(await rows("apps")).toEqual(writes);
      // It is in both lists, and vanishes from both.
      await collect({ games: [10, 20], software: [10, 30] });
      await collect({ games: [20], software: [10, 30] });
      expect(await apps()).toMatchObject({ 10: listed(10) });
      await collect({ games: [20], software: [30] });
      expect(await apps()).toMatchObject({ 10: unlisted(10) });
    });

    test("keeps apps listed whose list is no longer read", async () => {
      await collect({ games: [10, 20, 30], videos: [30, 40, 50] });
      await collect({ games: [10, 20] });
      expect(await apps()).toEqual({ 10: listed(10), 20: listed(20), 30: listed(30), 40: listed(40), 50: listed(50) });
      const { verdict } = await collect({ games: [10, 20], videos: [40, 50] });
      expect(verdict.lists).toMatchObject([
        { kind: "games", before: 2, vanished: 0 },
        { kind: "videos", before: 3, vanished: 1 },
      ]);
      expect(await apps()).toMatchObject({ 30: unlisted(30), 40: listed(40) });
    });

    test("sets names until PICS has stored the app", async () => {
      await store(record(10, 500, { name: "PICS 10" }));
      await mark([[20, 500]]);
      await collect({ games: [10, 20, 30] });
      await collect({ games: [10, [20, "Renamed 20"], [30, ""]] });
      expect(await apps()).toEqual({ 10: listed(10, "PICS 10"), 20: listed(20, "Renamed 20"), 30: listed(30) });

      await store(record(20, 501, { name: "PICS 20" }), record(30, 501, { name: null }));
      expect(await app(20)).toMatchObject({ name: "PICS 20", type: "game", is_listed: true, is_active: true });
      await collect({
        games: [
          [10, "Again"],
          [20, "Again"],
          [30, "Again"],
        ],
      });
      expect(await apps()).toEqual({ 10: listed(10, "PICS 10"), 20: listed(20, "PICS 20"), 30: [true, true, null] });
    });

    test("keeps a listed app inactive while it is unknown to Steam", async () => {
      await store(record(10, 500), record(20, 500));
      await forget(10, 20);
      await collect({ games: [10] });
      expect(await apps()).toMatchObject({ 10: [true, false, "App 10"], 20: [null, false, "App 20"] });
      await collect({ games: [10, 20] });
      await collect({ games: [10] });
      await collect({ games: [10, 20] });
      expect(await apps()).toMatchObject({ 10: [true, false, "App 10"], 20: [true, false, "App 20"] });
      await store(record(10, 501));
      expect(await apps()).toMatchObject({ 10: [true, true, "App 10"] });
    });

    test("leaves a delisted app inactive when PICS stores it", async () => {
      await collect({ games: [10, 20] });
      await collect({ games: [20] });
      await store(record(10, 500, { name: "PICS 10" }));
      expect(await apps()).toMatchObject({ 10: unlisted(10, "PICS 10") });
      await forget(10);
      await collect({ games: [10, 20] });
      expect(await apps()).toMatchObject({ 10: [true, false, "PICS 10"] });
      await forget(20);
      await collect({ games: [10] });
      await store(record(20, 501, { name: "PICS 20" }));
      expect(await apps()).toMatchObject({ 20: unlisted(20, "PICS 20") });
      expect(await app(20)).toMatchObject({ is_known: true });
    });

    test("does not write unchanged rows", async () => {
      await store(record(10, 500));
      await collect({ games: [10, 20, [30, "Thirty"]], dlc: [40] });
      const before = [await rows("apps"), await rows("game_metadata")];
      expect((await collect({ games: [10, 20, [30, ""]], dlc: [40] })).counts).toMatchObject({ applied: 4 });
      expect([await rows("apps"), await rows("game_metadata")]).toEqual(before);
      await collect({ games: [10, 20, [30, "Dreißig"]], dlc: [40] });
      const after = await rows("apps");
      expect(after.filter((row) => !before[0]?.includes(row))).toEqual([expect.stringContaining("Dreißig")]);
    });

    test("inserts a deleted row again while it is listed", async () => {
      await collect({ games: [10, 20] });
      await sql("delete from apps where appid = 10");
      expect((await collect({ games: [10, 20] })).counts).toMatchObject({ inserted: 1 });
      expect(await apps()).toEqual({ 10: listed(10), 20: listed(20) });
    });

    const changes: Lists = { games: [...range(1, 9), ...range(30, 4)], dlc: [...range(10, 11), 40, 41], videos: [30] };
    // Of 27 apps in all.
    test.each([2, 9, 1_000])("has the same result in batches of %i", async (max) => {
      await store(record(5, 500, { name: "PICS 5" }), record(33, 500, { name: "PICS 33" }));
      await collect({ games: range(1, 10), dlc: range(10, 12), videos: [21] }, { max });
      const { counts } = await collect(changes, { max, maxShrink: 1 });
      expect(counts).toMatchObject({ done: true, applied: 26, inserted: 5, relisted: 0, delisted: 1 });
      const expected = Object.fromEntries([...range(1, 20), ...range(30, 4), 40, 41].map((id) => [id, listed(id)]));
      expect(await apps()).toEqual({
        ...expected,
        5: listed(5, "PICS 5"),
        33: listed(33, "PICS 33"),
        21: unlisted(21),
      });
      expect(await gamesAsked()).toEqual([...range(1, 10), ...range(30, 4)]);
    });

    test("is idempotent, the last call included", async () => {
      await collect({ games: range(1, 10) });
      const { run } = await read({ games: [...range(3, 8), 50] });
      await accept(run, 0.5);
      for (let calls = 0; calls < 3; calls++) await applyNext(run, 2);
      await takeOver();
      const last = await applyNext(run, 100);
      expect(last).toMatchObject({ done: true, applied: 9, inserted: 1, relisted: 0, delisted: 2 });
      const written = [await rows("apps"), await rows("app_list_entries"), await rows("collector_state")];
      expect(await applyNext(run, 100)).toEqual(last);
      expect(await applyNext(run, 1)).toEqual(last);
      expect([await rows("apps"), await rows("app_list_entries"), await rows("collector_state")]).toEqual(written);
    });

    // PGlite has one connection and runs calls one after the other.
    if (kind !== "pglite") {
      test("does not overwrite a name that PICS is storing concurrently", async () => {
        /** Resolves when this number of calls waits for row locks, or one has ended. */
        async function waiting(count: number, one?: Promise<unknown>) {
          let ended = false;
          const end = () => {
            ended = true;
          };
          one?.then(end, end);
          const isSo = async () => ended || (await sql("select from pg_locks where not granted")).length >= count;
          await expect.poll(isSo, { interval: 5 }).toBe(true);
        }
        await collect({ games: [10, 20] });
        await mark([[10, 500]]);
        const { lease } = await claim();
        const { run } = await read({ games: [[10, "Renamed"], 20] });
        await accept(run);

        // Another transaction locks app 20, which blocks the list; meanwhile PICS stores app 10, and commits last.
        await sql("begin");
        await sql("update apps set updated_at = now() where appid = 20");
        const applying = applyNext(run);
        await waiting(1);
        const pics = new pg.Client({ connectionString: catalog.database.url ?? "" });
        await pics.connect();
        await pics.query("begin");
        const request = { request_id: lease, lease_id: lease, apps: [record(10, 500, { name: "PICS 10" })] };
        const storing = pics.query("select pics_apply($1)", [JSON.stringify(request)]);
        await waiting(2, storing);
        await sql("commit");
        await waiting(1, applying);
        await storing;
        await pics.query("commit");
        await pics.end();
        expect(await applying).toMatchObject({ done: true });
        expect(await apps()).toEqual({ 10: listed(10, "PICS 10"), 20: listed(20) });
      });
    }
  });

  test("collector_counts returns when a list was last applied", async () => {
    expect(await collecting.worker.counts()).toMatchObject({ list_completed_at: null });
    await read({ games: [10] });
    expect(await collecting.worker.counts()).toMatchObject({ list_completed_at: null });
    await collect({ games: [10] });
    const { list_completed_at } = await call<{ list_completed_at: string }>("collector_counts");
    expect(Math.abs(Date.now() - Date.parse(list_completed_at))).toBeLessThan(60_000);
  });
});

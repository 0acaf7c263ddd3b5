import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { StoredRecord } from "../../../src/db/catalog-store.ts";
import { forEachSqlDatabase, fullColumns, fullRecord, record, useCatalog } from "./catalog.ts";

interface Change {
  appid: number;
  change_number: number;
  field: string;
  old: unknown;
  new: unknown;
}

forEachSqlDatabase("app_changes", (open) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, call, sql } = catalog;

  const changes = async () =>
    (await sql<Change>("select appid, change_number, field, old, new from app_changes order by id")).map((row) => ({
      ...row,
    }));
  /** Field → old and new value, of all rows so far. */
  const fields = async () => Object.fromEntries((await changes()).map((row) => [row.field, [row.old, row.new]]));

  test("has no row for a first insert or an unchanged record", async () => {
    await store(fullRecord(10, 500), record(20, 500));
    await store(fullRecord(10, 501), record(20, 500));
    await store(fullRecord(10, 501, { tags: [492, 19, 21] }));
    expect(await changes()).toEqual([]);
  });

  test("has a row per changed field, with the change number", async () => {
    await store(record(10, 500), record(20, 500), record(30, 500));
    await store(
      record(10, 501, { name: "Renamed", is_free: true }),
      record(20, 502),
      record(30, 503, { metacritic_score: 80 }),
    );
    expect(await changes()).toEqual([
      { appid: 10, change_number: 501, field: "is_free", old: false, new: true },
      { appid: 10, change_number: 501, field: "name", old: "App 10", new: "Renamed" },
      { appid: 30, change_number: 503, field: "metacritic_score", old: null, new: 80 },
    ]);
  });

  test("has every column, with SQL nulls", async () => {
    await store(record(10, 500));
    await store(fullRecord(10, 501));
    const after = await fields();
    const columns = Object.keys(fullColumns);
    expect(Object.keys(after)).toEqual(expect.arrayContaining(columns));
    // Columns that had a value have it as old.
    const hadValue = ["name", "type", "is_free", "has_workshop"];
    for (const column of columns.filter((name) => !hadValue.includes(name))) expect(after[column]?.[0]).toBeNull();
    expect(after.platforms?.[1]).toBe(fullColumns.platforms);
    expect(after.languages?.[1]).toEqual(fullColumns.languages);
    expect(await sql("select field from app_changes where old = 'null'::jsonb or new = 'null'::jsonb")).toEqual([]);
    await sql("delete from app_changes");
    await store(record(10, 502));
    for (const column of columns.filter((name) => !hadValue.includes(name))) {
      expect((await fields())[column]?.[1]).toBeNull();
    }
  });

  test.each<[string, Partial<StoredRecord>, Partial<StoredRecord>, unknown, unknown]>([
    ["tags", { tags: [492, 19] }, { tags: [3, 492] }, [19, 492], [3, 492]],
    ["genres", { genres: [25, 1] }, { genres: [1] }, [1, 25], [1]],
    ["categories", { categories: [22, 2] }, { categories: [] }, [2, 22], []],
    ["dlc", { dlc: [] }, { dlc: [900, 80] }, [], [80, 900]],
    ["developers", { developers: ["b", "a"] }, { developers: ["c", "a"] }, ["a", "b"], ["a", "c"]],
    ["publishers", { publishers: [] }, { publishers: ["z", "y"] }, [], ["y", "z"]],
    ["franchises", { franchises: ["x"] }, { franchises: [] }, ["x"], []],
  ])("has the %s as one sorted list", async (field, before, after, old, now) => {
    await store(record(10, 500, before));
    await store(record(10, 501, after));
    expect(await changes()).toEqual([{ appid: 10, change_number: 501, field, old, new: now }]);
  });

  test("has the primary genre and the Steam Deck as fields of their own", async () => {
    await store(record(10, 500, { genres: [1, 25], primary_genre: 25 }));
    const verdict = {
      category: "playable",
      steamos_category: null,
      test_timestamp: null,
      tested_build_id: "1",
      tests: null,
    };
    await store(
      record(10, 501, { genres: [1, 25], primary_genre: 1, steam_deck: { ...verdict, category: "playable" } }),
    );
    await store(record(10, 502, { genres: [1, 25], primary_genre: 1 }));
    expect(await changes()).toEqual([
      { appid: 10, change_number: 501, field: "primary_genre", old: 25, new: 1 },
      { appid: 10, change_number: 501, field: "steam_deck", old: null, new: verdict },
      { appid: 10, change_number: 502, field: "steam_deck", old: verdict, new: null },
    ]);
  });

  test("has only changed fields of a partial record", async () => {
    await store(fullRecord(10, 500));
    const partial = {
      appid: 10,
      change_number: 501,
      partial: true,
      missing_token: true,
      name: "Renamed",
      type: "application",
    };
    await store(partial as StoredRecord);
    await store({ appid: 10, change_number: 502, partial: true, missing_token: true } as StoredRecord);
    expect(await changes()).toEqual([
      { appid: 10, change_number: 501, field: "name", old: "Portal 2", new: "Renamed" },
    ]);
  });

  describe("of is_known", () => {
    test("has rows when an app becomes unknown and known again", async () => {
      await store(record(10, 500));
      await mark([[10, 501]]);
      await apply((await claim()).lease, { unknown: [10], confirmSeconds: 0 });
      await store(record(10, 502));
      expect(await changes()).toEqual([
        { appid: 10, change_number: 501, field: "is_active", old: true, new: false },
        { appid: 10, change_number: 501, field: "is_known", old: true, new: false },
        { appid: 10, change_number: 502, field: "is_active", old: false, new: true },
        { appid: 10, change_number: 502, field: "is_known", old: false, new: true },
      ]);
    });

    test("has no row for an unknown app that was announced meanwhile or never stored", async () => {
      await store(record(10, 500));
      await mark([
        [10, 501],
        [20, 501],
      ]);
      const { lease } = await claim();
      await mark([[10, 502]]);
      await apply(lease, { unknown: [10, 20] });
      expect(await changes()).toEqual([]);
    });
  });

  test("has no row for a replay, a stale record or a lost lease", async () => {
    await store(record(10, 500));
    await mark([[10, 501]]);
    const { lease } = await claim();
    const request = randomUUID();
    const apps = [record(10, 501, { name: "Renamed" })];
    const first = await apply(lease, { request, apps });
    expect(await apply(lease, { request, apps })).toEqual(first);
    expect(await apply(lease, { apps: [record(10, 502, { name: "Too late" })] })).toMatchObject({ lease_lost: 1 });

    await mark([[10, 501]], { full: true });
    const again = await claim();
    expect(await apply(again.lease, { apps: [record(10, 400, { name: "Older" })] })).toMatchObject({ stale: 1 });
    expect(await changes()).toEqual([{ appid: 10, change_number: 501, field: "name", old: "App 10", new: "Renamed" }]);
  });

  test("is not written with history false", async () => {
    await store(record(10, 500));
    await mark([[10, 501]]);
    const { lease } = await claim();
    const request = { request_id: randomUUID(), lease_id: lease, apps: [record(10, 501, { name: "Renamed" })] };
    await call("pics_apply", { ...request, unknown: [], failed: [], tokens: [], history: false });
    expect(await changes()).toEqual([]);
  });

  test("has no row for apps that another application stored", async () => {
    await sql("insert into apps (appid, name) values (10, 'Old')");
    await sql("insert into sync_status (appid, pics_change_number, last_pics_sync) values (10, 400, '2020-01-01')");
    await store(record(10, 500));
    expect(await changes()).toEqual([]);
  });
});

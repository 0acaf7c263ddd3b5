import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import { branch, deckVerdict, forEachSqlDatabase, fullColumns, fullRecord, record, useCatalog } from "./catalog.ts";

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
    const hadValue = ["name", "type", "is_free", "has_workshop", "family_sharing_excluded"];
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
    [
      "branches",
      { branches: [branch("public", "1"), branch("beta", null)] },
      { branches: [branch("public", "2"), branch("Beta", "1", { password_required: true })] },
      [branch("beta", null), branch("public", "1")],
      [branch("Beta", "1", { password_required: true }), branch("public", "2")],
    ],
  ])("has the %s as one sorted list", async (field, before, after, old, now) => {
    await store(record(10, 500, before));
    await store(record(10, 501, after));
    expect(await changes()).toEqual([{ appid: 10, change_number: 501, field, old, new: now }]);
  });

  test("has the primary genre and the Steam Deck as fields of their own", async () => {
    await store(record(10, 500, { genres: [1, 25], primary_genre_id: 25 }));
    const verdict = deckVerdict("playable", { tested_build_id: "1" });
    await store(record(10, 501, { genres: [1, 25], primary_genre_id: 1, steam_deck: verdict }));
    await store(record(10, 502, { genres: [1, 25], primary_genre_id: 1 }));
    expect(await changes()).toEqual([
      { appid: 10, change_number: 501, field: "primary_genre_id", old: 25, new: 1 },
      { appid: 10, change_number: 501, field: "steam_deck", old: null, new: verdict },
      { appid: 10, change_number: 502, field: "steam_deck", old: verdict, new: null },
    ]);
  });

  test("has only changed fields of a partial record", async () => {
    await store(fullRecord(10, 500));
    const partial = {
      appid: 10,
      change_number: 501,
      missing_token: true,
      name: "Renamed",
      type: "application",
    };
    await store(partial as StoredRecord);
    await store({ appid: 10, change_number: 502, missing_token: true } as StoredRecord);
    expect(await changes()).toEqual([
      { appid: 10, change_number: 501, field: "name", old: "Portal 2", new: "Renamed" },
    ]);
  });

  describe("between versions of the extractor", () => {
    const storeWith = async (version: number | undefined, ...records: StoredRecord[]) => {
      await mark(
        records.map(({ appid, change_number }) => [appid, change_number]),
        { full: true },
      );
      const { lease } = await claim();
      const request = { request_id: randomUUID(), lease_id: lease, apps: records, extractor_version: version };
      await call("pics_apply", { ...request, unknown: [], failed: [], tokens: [] });
    };
    const versionOf = async (appid: number) => (await catalog.status(appid)).extractor_version;
    const corrected: Partial<StoredRecord> = {
      is_free: true,
      platforms: "windows,android",
      languages: { english: { supported: false, full_audio: true, subtitles: false } },
      last_content_update: "2025-01-02T03:04:05+00:00",
      primary_genre_id: 25,
      dlc: [100],
      steam_deck: fullRecord(10, 500).steam_deck ?? null,
    };
    const others: Partial<StoredRecord> = { name: "Renamed", current_build_id: "7", genres: [1] };
    const fieldsOf = async (appid: number) =>
      (await changes()).filter((row) => row.appid === appid).map(({ change_number, field }) => [change_number, field]);

    test.each([undefined, 1])(
      "has no row for the fields that version 2 corrected, once (stored by %j)",
      async (old) => {
        await storeWith(old, record(10, 500));
        if (old === undefined) await sql("update sync_status set extractor_version = null");
        await storeWith(2, record(10, 501, { ...corrected, ...others }));
        expect(await fieldsOf(10)).toEqual(
          Object.keys(others)
            .sort()
            .map((field) => [501, field]),
        );
        expect(await versionOf(10)).toBe(2);

        await sql("delete from app_changes");
        await storeWith(2, record(10, 502));
        const all = Object.keys({ ...corrected, ...others }).sort();
        expect(await fieldsOf(10)).toEqual(all.map((field) => [502, field]));
      },
    );

    test("has no such row either when an older worker stores the app again, and the newer one after it", async () => {
      await storeWith(2, record(10, 500, { ...corrected, ...others }));
      await storeWith(1, record(10, 501));
      await storeWith(2, record(10, 502, { ...corrected, ...others }));
      const fields = Object.keys(others).sort();
      expect(await fieldsOf(10)).toEqual([501, 502].flatMap((change) => fields.map((field) => [change, field])));
    });

    test("has every row between two records of one version, whichever", async () => {
      await storeWith(1, record(10, 500));
      await storeWith(1, record(10, 501, corrected));
      expect(await fieldsOf(10)).toEqual(
        Object.keys(corrected)
          .sort()
          .map((field) => [501, field]),
      );
    });

    test("judges each app of a batch by its own version, and keeps that of an app which is not stored", async () => {
      await storeWith(1, record(10, 500), record(30, 500));
      await storeWith(2, record(20, 500));
      await mark([[30, 501]]);
      await apply((await claim()).lease, { failed: [{ appid: 30, error: "broken" }] });
      await storeWith(2, record(10, 502, { is_free: true }), record(20, 502, { is_free: true }));
      expect(await changes()).toEqual([{ appid: 20, change_number: 502, field: "is_free", old: false, new: true }]);
      expect([await versionOf(10), await versionOf(20), await versionOf(30)]).toEqual([2, 2, 1]);
    });
  });

  test("has one row for an app that is first stored after the first bulk pass", async () => {
    await store(record(10, 500));
    await call("pics_finish_bulk", { started_at: "2026-01-01T00:00:00Z" });
    await store(record(10, 501, { name: "Renamed" }), record(20, 502));
    await store(record(20, 503));
    expect(await changes()).toEqual([
      { appid: 10, change_number: 501, field: "name", old: "App 10", new: "Renamed" },
      { appid: 20, change_number: 502, field: "added", old: null, new: true },
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

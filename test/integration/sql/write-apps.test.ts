import { afterEach, beforeAll, describe, expect, test } from "vitest";
import type { SteamDeckRecord } from "../../../src/catalog/app-record.ts";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import { wrongLabels } from "../../support/labels.ts";
import {
  applied,
  branch,
  deckVerdict,
  depot,
  forEachSqlDatabase,
  fullColumns,
  fullRecord,
  manifest,
  type Row,
  record,
  useCatalog,
} from "./catalog.ts";

const dateColumns = ["steam_release_date", "original_release_date", "store_asset_mtime", "last_content_update"];
/** The columns of an app as a record has them. */
const columnsOf = (row: Row): Row =>
  Object.fromEntries(
    columns.map((key) => {
      const value = row[key];
      return [key, dateColumns.includes(key) && value instanceof Date ? value.toISOString() : value];
    }),
  );
const columns = Object.keys(fullColumns) as (keyof typeof fullColumns)[];
const fullRelations = {
  tags: [492, 19, 21],
  ranks: [1, 2, 3],
  genres: [1, 25],
  primary_genre: 25,
  categories: [2, 22],
  dlc: [1000, 1001],
  developers: ["Valve"],
  publishers: ["Electronic Arts", "Valve"],
  franchises: ["Portal"],
  steam_deck: fullRecord(10, 1).steam_deck,
  branches: fullRecord(10, 1).branches,
  depots: fullRecord(10, 1).depots,
};
const noRelations = {
  tags: [],
  ranks: [],
  genres: [],
  primary_genre: null,
  categories: [],
  dlc: [],
  developers: [],
  publishers: [],
  franchises: [],
  steam_deck: null,
  branches: [],
  depots: [],
};

forEachSqlDatabase("pics_write_apps", (open) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, app, relations, sql, call } = catalog;
  /** A partial record: the keys that are given and no others. */
  const partial = (appid: number, changeNumber: number, given: Partial<StoredRecord> = {}): StoredRecord => ({
    appid,
    change_number: changeNumber,
    partial: true,
    missing_token: true,
    lacks: [],
    ...given,
  });
  const apps = () => sql("select * from apps order by appid");
  /** The version (xmin) of every row of the catalog: a row that is written has a new one. */
  const versions = async () => {
    const tables = ["apps", "developers", "publishers", "franchises", "steam_tags", "steam_genres", "steam_categories"];
    for (const name of ["steam_tags", "genres", "categories", "dlc", "developers", "publishers", "franchises"])
      tables.push(`app_${name}`);
    tables.push("app_steam_deck", "app_changes");
    const queries = tables.map((name) => `select '${name}' as name, xmin::text || ctid::text as version from ${name}`);
    return await sql(`${queries.join(" union all ")} order by 1, 2`);
  };

  /** Every test also holds that the labels of each app are those of its relations. */
  afterEach(async () => {
    expect(await wrongLabels(sql)).toEqual([]);
  });

  test("labels an app with its tags, genres, categories and verdicts, but for ids that have no place there", async () => {
    const steam_deck = deckVerdict("verified", { machine_category: "playable", frame_category: "unknown" });
    await store({ ...fullRecord(10, 500), tags: [2 ** 28, 19, 2 ** 28 - 1], genres: [1], categories: [2], steam_deck });
    const [genre, category, deck, machine, frame] = [1, 2, 3, 4, 5].map((kind) => kind * 2 ** 28);
    expect((await app(10)).labels).toEqual([
      ...[
        19,
        2 ** 28 - 1,
        Number(genre) + 1,
        Number(category) + 2,
        Number(deck) + 4,
        Number(machine) + 3,
        Number(frame) + 1,
      ],
    ]);
    const found = await call<{ apps: unknown[] }>("catalog_apps", {
      max: 9,
      sort: "appid",
      relations: [["tag", String(2 ** 28)]],
    });
    expect(found.apps).toHaveLength(1);
  });

  test("stores every column and relation", async () => {
    await store(fullRecord(10, 500));
    expect(columnsOf(await app(10))).toEqual(fullColumns);
    expect(await relations(10)).toEqual(fullRelations);
  });

  test("empties every column and relation for an empty whole record", async () => {
    await store(fullRecord(10, 500), fullRecord(20, 500));
    await store(record(10, 501, { name: null, type: null }));
    const nothing = { ...fullColumns, is_free: false, has_workshop: false, family_sharing_excluded: false };
    for (const [key, value] of Object.entries(nothing)) if (value !== false) Object.assign(nothing, { [key]: null });
    expect(columnsOf(await app(10))).toEqual(nothing);
    expect(await relations(10)).toEqual(noRelations);
    expect(columnsOf(await app(20))).toEqual(fullColumns);
    expect(await relations(20)).toEqual(fullRelations);
  });

  test("updates branches, depots and manifests, and deletes those that are no longer listed", async () => {
    await store(fullRecord(10, 500), fullRecord(20, 500));
    const changed = {
      branches: [
        branch("new", null),
        branch("public", "9", { description: "stable", built_at: "2026-01-01T00:00:00+00:00" }),
      ],
      depots: [
        depot(621, {
          os_list: "windows,linux",
          from_appid: 228980,
          shared_install: true,
          manifests: [manifest("public", "2")],
        }),
        depot(622, {
          language: "german",
          dlc_appid: 1000,
          name: "Voices",
          os_arch: "64",
          manifests: [manifest("public", "3")],
        }),
      ],
    };
    await store(fullRecord(10, 501, changed));
    expect(await relations(10)).toEqual({ ...fullRelations, ...changed });
    await store(partial(10, 502, { name: "Renamed" }));
    expect(await relations(10)).toEqual({ ...fullRelations, ...changed });
    await store(record(10, 503));
    expect(await relations(10)).toEqual(noRelations);
    expect(await relations(20)).toEqual(fullRelations);
  });

  test("deletes what a whole record no longer lists, and adds what is new", async () => {
    await store(fullRecord(10, 500));
    const changed = {
      tags: [19, 7],
      genres: [1, 3],
      primary_genre: 3,
      categories: [22, 23],
      dlc: [1001, 1002],
      developers: ["Valve", "Valve South"],
      publishers: ["Electronic Arts"],
      franchises: ["Half-Life"],
    };
    await store(fullRecord(10, 501, { ...changed, primary_genre_id: 3, steam_deck: null }));
    expect(await relations(10)).toEqual({ ...fullRelations, ...changed, ranks: [1, 2], steam_deck: null });
  });

  test("updates tag ranks and the primary genre", async () => {
    await store(fullRecord(10, 500));
    await store(fullRecord(10, 501, { tags: [21, 19, 492], primary_genre_id: 1 }));
    expect(await relations(10)).toEqual({ ...fullRelations, tags: [21, 19, 492], primary_genre: 1 });
    await store(fullRecord(10, 502, { primary_genre_id: 70 }));
    expect(await relations(10)).toMatchObject({ genres: [1, 25], primary_genre: null });
  });

  test("replaces the Steam Deck row as a whole", async () => {
    await store(fullRecord(10, 500));
    await store(fullRecord(10, 501, { steam_deck: deckVerdict("unsupported") }));
    expect(await relations(10)).toMatchObject({ steam_deck: deckVerdict("unsupported") });
  });

  test("keeps the columns of a Steam Deck row that an older worker does not know", async () => {
    await store(fullRecord(10, 500));
    const { machine_category, frame_category, ...older } = fullRecord(10, 501).steam_deck ?? {};
    const known = older as SteamDeckRecord;
    await store(record(10, 501, { steam_deck: { ...known, category: "unsupported" } }));
    const steam_deck = { ...fullRecord(10, 501).steam_deck, category: "unsupported" };
    expect(await relations(10)).toMatchObject({ steam_deck });
    await store(record(20, 500, { steam_deck: known }));
    expect(await relations(20)).toMatchObject({
      steam_deck: { ...known, machine_category: null, frame_category: null },
    });
  });

  describe("DLC", () => {
    const dlcOf = async (appid: number) => (await relations(appid)).dlc;

    test("are added by any list and removed by a complete one only", async () => {
      await store(record(10, 500, { dlc: [100, 200] }));
      await store(record(10, 501, { dlc: [200, 300], dlc_complete: false }));
      expect(await dlcOf(10)).toEqual([100, 200, 300]);
      await store(record(10, 502, { dlc: [], dlc_complete: false }));
      expect(await dlcOf(10)).toEqual([100, 200, 300]);
      await store(partial(10, 503, { dlc: [400] }));
      expect(await dlcOf(10)).toEqual([100, 200, 300, 400]);
      await store(record(10, 504, { dlc: [300], dlc_complete: true }));
      expect(await dlcOf(10)).toEqual([300]);
    });

    test("stay while their own record names the app as parent, also one of the same batch", async () => {
      await store(record(10, 500, { dlc: [100, 200, 300, 400] }), record(100, 500, { parent_appid: 10 }));
      await store(record(200, 501, { parent_appid: 10 }), record(300, 501, { parent_appid: 20 }), record(10, 501));
      expect(await dlcOf(10)).toEqual([100, 200]);
      await store(record(100, 502, { parent_appid: null }), record(10, 502));
      expect(await dlcOf(10)).toEqual([200]);
    });

    test("are not invented from the parent of an app", async () => {
      await store(record(10, 500), record(100, 500, { parent_appid: 10 }));
      expect(await dlcOf(10)).toEqual([]);
    });
  });

  describe("a record without some keys, whole or partial alike,", () => {
    test("erases nothing that it does not mention", async () => {
      await store(fullRecord(10, 500));
      const { updated_at } = await app(10);
      await store(partial(10, 501));
      expect(columnsOf(await app(10))).toEqual(fullColumns);
      expect((await app(10)).updated_at).toEqual(updated_at);
      expect(await relations(10)).toEqual(fullRelations);
      expect(await catalog.status(10)).toMatchObject({ pics_change_number: 501, missing_token: true });
    });

    test("replaces exactly the columns that it has", async () => {
      await store(...columns.map((_, index) => fullRecord(index + 1, 500)));
      const emptied = columns.map((key) => ({ [key]: typeof fullColumns[key] === "boolean" ? false : null }));
      await store(...emptied.map((given, index) => partial(index + 1, 501, given)));
      expect((await apps()).map(columnsOf)).toEqual(emptied.map((given) => ({ ...fullColumns, ...given })));
      for (let appid = 1; appid <= columns.length; appid++) expect(await relations(appid)).toEqual(fullRelations);
    });

    test.each([
      ["tags", { tags: [], ranks: [] }],
      ["genres", { genres: [], primary_genre: null }],
      ["categories", { categories: [] }],
      ["dlc", { dlc: [] }],
      ["developers", { developers: [] }],
      ["publishers", { publishers: [] }],
      ["franchises", { franchises: [] }],
      ["steam_deck", { steam_deck: null }],
    ])("mirrors its own %s and leaves the rest", async (key, emptied) => {
      await store(fullRecord(10, 500));
      await store(partial(10, 501, { [key]: key === "steam_deck" ? null : [], dlc_complete: true }));
      expect(await relations(10)).toEqual({ ...fullRelations, ...emptied });
      expect(columnsOf(await app(10))).toEqual(fullColumns);
    });

    test("inserts a row for an app that was never stored", async () => {
      await store(partial(10, 500), partial(20, 500, { name: "Hidden", tags: [19] }));
      expect(await app(10)).toMatchObject({ name: null, is_free: null, is_known: true, is_active: true });
      expect(await app(20)).toMatchObject({ name: "Hidden", type: null });
      expect(await relations(20)).toEqual({ ...noRelations, tags: [19], ranks: [1] });
    });

    test("is handled as such in a batch with whole ones", async () => {
      await store(fullRecord(10, 500), fullRecord(20, 500));
      await store(partial(10, 501), record(20, 501), record(30, 501));
      expect(columnsOf(await app(10))).toEqual(fullColumns);
      expect(await relations(10)).toEqual(fullRelations);
      expect(await app(20)).toMatchObject({ name: "App 20", platforms: null });
      expect(await relations(20)).toEqual(noRelations);
    });
  });

  describe("does not write unchanged rows:", () => {
    test("an app, its relations and its history", async () => {
      await store(fullRecord(10, 500), record(20, 500), partial(30, 500, { tags: [19] }));
      const before = await versions();
      const { updated_at } = await app(10);
      await store(fullRecord(10, 501), record(20, 501), partial(30, 501, { tags: [19] }));
      expect(await versions()).toEqual(before);
      expect(await app(10)).toMatchObject({ updated_at });
      expect(await sql("select from app_changes")).toEqual([]);
    });

    test("writes a change of any one column, to that app only", async () => {
      const before = columns.map((_, index) => record(index + 1, 500, { name: "Same", type: "game" }));
      await store(...before, record(9_999, 500));
      const [clock] = await sql<{ now: Date }>("select clock_timestamp() as now");
      const changes = columns.map((key) => ({ [key]: fullColumns[key] }));
      await store(
        ...before.map((same, index) => ({ ...same, ...changes[index], change_number: 501 })),
        record(9_999, 501),
      );
      const after = (await apps()).slice(0, columns.length).map(columnsOf);
      expect(after).toEqual(before.map((same, index) => ({ ...columnsOf({ ...same }), ...changes[index] })));
      expect(await sql("select appid from apps where updated_at < $1", [clock?.now])).toEqual([{ appid: 9_999 }]);
    });

    test("keeps updated_at of a Steam Deck row until it changes", async () => {
      const time = async () => (await sql("select updated_at from app_steam_deck"))[0]?.updated_at;
      await store(fullRecord(10, 500));
      const before = await time();
      await store(fullRecord(10, 501, { name: "Renamed" }));
      expect(await time()).toEqual(before);
    });
  });

  describe("ids without a name", () => {
    test("get a row; named ones keep their name", async () => {
      await store(fullRecord(10, 500, { tags: [19, 99_001], genres: [1, 99_002], categories: [2, 99_003] }));
      expect(await sql("select * from steam_tags order by 1")).toEqual([
        { tag_id: 19, name: null },
        { tag_id: 99_001, name: null },
      ]);
      expect(await sql("select name from steam_genres where genre_id in (1, 99002) order by genre_id")).toEqual([
        { name: "Action" },
        { name: null },
      ]);
      expect(
        await sql("select name from steam_categories where category_id in (2, 99003) order by category_id"),
      ).toEqual([{ name: "Single-player" }, { name: null }]);
    });

    test("of tags are listed by key and named by non-empty names only", async () => {
      await store(fullRecord(10, 500, { tags: [21, 19, 492] }));
      expect(await call("pics_unnamed_tags", { after: 0, max: 2 })).toEqual([19, 21]);
      expect(await call("pics_unnamed_tags", { after: 21, max: 2 })).toEqual([492]);
      const tags = [
        { tag_id: 19, name: "Action" },
        { tag_id: 21, name: "" },
        { tag_id: 77, name: "Unused" },
      ];
      expect(await call("pics_name_tags", { tags })).toEqual({ named: 1 });
      expect(await call("pics_name_tags", { tags })).toEqual({ named: 0 });
      expect(await call("pics_unnamed_tags", { after: 0, max: 9 })).toEqual([21, 492]);
      await store(fullRecord(10, 501));
      expect(await sql("select name from steam_tags where tag_id = 19")).toEqual([{ name: "Action" }]);
    });
  });

  describe("names of categories", () => {
    const name = (...categories: [number, string | null][]) =>
      call("pics_name_categories", { categories: categories.map(([category_id, name]) => ({ category_id, name })) });
    const stored = async (id: number) =>
      (
        await sql(
          `select name, description, named_at is not null as is_confirmed from steam_categories where category_id = ${id}`,
        )
      )[0];
    beforeAll(() => sql("create table seeded as table steam_categories"));
    afterEach(() =>
      sql(`do $$ begin
        delete from apps; delete from steam_categories; insert into steam_categories table seeded;
      end $$`),
    );

    test("of Steam replace seeded ones, whose description stays only with the same name", async () => {
      const [{ description } = {}] = await sql("select description from steam_categories where category_id = 28");
      expect(description).toEqual(expect.any(String));
      expect(await name([28, "Full Controller-Support"], [63, "Adjustable Text Size"])).toEqual({ named: 2 });
      expect(await stored(28)).toEqual({ name: "Full Controller-Support", description, is_confirmed: true });
      expect(await stored(63)).toEqual({ name: "Adjustable Text Size", description: null, is_confirmed: true });
      expect(await stored(2)).toMatchObject({ name: "Single-player", is_confirmed: false });
    });

    test("follow Steam's renames, and are never replaced by nothing", async () => {
      await store(record(10, 500, { categories: [74] }));
      expect(await stored(74)).toMatchObject({ name: null, is_confirmed: false });
      for (const each of ["Before", "After"]) await name([74, each]);
      expect(await name([74, ""], [74, null], [2, ""])).toEqual({ named: 0 });
      expect(await stored(74)).toMatchObject({ name: "After", is_confirmed: true });
      expect(await stored(2)).toMatchObject({ name: "Single-player", is_confirmed: false });
    });

    test("are stored before an app has the category", async () => {
      await name([77, "Unused"]);
      await store(record(10, 500, { categories: [77] }));
      expect(await stored(77)).toMatchObject({ name: "Unused", is_confirmed: true });
    });

    test("are unconfirmed until Steam gave them, and again after a week", async () => {
      await store(record(10, 500, { categories: [2, 74] }));
      const before = await call<number[]>("pics_unconfirmed_categories");
      expect(before).toEqual([...before].sort((a, b) => a - b));
      expect(before).toEqual(expect.arrayContaining([2, 63, 74]));
      await name(...before.map((id): [number, string] => [id, `Category ${id}`]));
      expect(await call("pics_unconfirmed_categories")).toEqual([]);
      await sql("update steam_categories set named_at = now() - interval '7 days 1 second' where category_id = 74");
      expect(await call("pics_unconfirmed_categories")).toEqual([74]);
    });
  });

  test("writes no row of another app", async () => {
    await store(fullRecord(10, 500), fullRecord(20, 500));
    await mark([[10, 501]]);
    const { lease } = await claim();
    const reply = await apply(lease, { apps: [record(10, 501), record(20, 501)] });
    expect(reply).toEqual(applied({ stored: 1, lease_lost: 1 }));
    expect(await relations(10)).toEqual(noRelations);
    expect(await relations(20)).toEqual(fullRelations);
  });
});

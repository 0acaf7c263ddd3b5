import { beforeEach, describe, expect, test } from "vitest";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import { createLibraryStore, type LibraryStore } from "../../../src/library/store.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { silent } from "../../support/templates.ts";
import { record } from "./catalog.ts";
import { counts, created, igdb, importingOf, owned, useLibrary } from "./library.ts";

forEachDatabase("the library store", (open) => {
  const catalog = useLibrary(open);
  const { sql, store } = catalog;
  const { imported } = importingOf(catalog);
  let library: LibraryStore;
  beforeEach(() => {
    const { db, kind } = catalog.database;
    library = createLibraryStore(db, createDatabaseRetry(kind, { logger: silent }));
  });

  describe("knownApps", () => {
    test("returns type, name and year of the first release in UTC, for apps with a type", async () => {
      await store(
        record(10, 500, {
          original_release_date: "2011-12-31T23:59:59.000Z",
          steam_release_date: "2012-04-18T00:00:00.000Z",
        }),
        record(20, 500, { type: "dlc", steam_release_date: "2013-01-01T00:00:00.000Z" }),
        record(30, 500, { type: null }),
        record(40, 500, { type: "demo", name: null }),
        record(50, 500),
      );
      expect(await library.knownApps([40, 30, 20, 10, 60])).toEqual([
        { appid: 10, type: "game", name: "App 10", release_year: 2011 },
        { appid: 20, type: "dlc", name: "App 20", release_year: 2013 },
        { appid: 40, type: "demo", name: null, release_year: null },
      ]);
      expect(await library.knownApps([])).toEqual([]);
    });

    test("returns the type of apps that the catalog lacks as PICS told it, else by the store's list", async () => {
      await store(record(10, 500), record(20, 500, { type: null, name: "Untyped", steam_release_date: "2013-01-01" }));
      await sql(
        "insert into sync_status (appid, skipped_type) values (10, 'tool'), (30, 'demo') on conflict (appid) do nothing",
      );
      await sql(`insert into app_list_entries (kind, appid, name, seen_in, is_member) values
        ('software', 10, 'Listed 10', 1, true), ('games', 20, 'Listed 20', 1, true), ('dlc', 30, 'Listed 30', 1, true),
        ('dlc', 40, 'Listed 40', 1, true), ('software', 50, '', 1, true), ('videos', 60, 'Listed 60', 1, false),
        ('hardware', 70, 'Listed 70', 1, false), ('dlc', 80, 'Was DLC', 1, false), ('games', 80, 'Now a game', 2, true),
        ('a new kind', 90, 'Listed 90', 1, true)`);
      const known = await library.knownApps([10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
      expect(known.map(({ appid, type, name, release_year }) => [appid, type, name, release_year])).toEqual([
        [10, "game", "App 10", null],
        [20, "game", "Untyped", 2013],
        [30, "demo", "Listed 30", null],
        [40, "dlc", "Listed 40", null],
        [50, "application", null, null],
        [60, "video", "Listed 60", null],
        [70, "hardware", "Listed 70", null],
        [80, "game", "Now a game", null],
      ]);
    });

    test("returns more apps than PostgREST's row limit", async () => {
      await sql("insert into apps (appid, name, type) select i, 'App ' || i, 'game' from generate_series(1, 2500) i");
      const known = await library.knownApps(Array.from({ length: 3_000 }, (_, i) => i));
      expect(known.map(({ appid }) => appid)).toEqual(Array.from({ length: 2_500 }, (_, i) => i + 1));
    });
  });

  describe("the cache of IGDB's answers", () => {
    const age = (uid: string, by: string) =>
      sql("update igdb_answers set fetched_at = fetched_at - $1::interval where uid = $2", [by, uid]);

    test("returns hits and misses for an hour", async () => {
      const game = igdb(620);
      await library.cache(
        new Map<string, unknown>([
          ["620", game],
          ["570", null],
          ["400", igdb(400)],
          ["10", null],
        ]),
      );
      await age("570", "59 minutes 50 seconds");
      await age("400", "60 minutes 1 second");
      await age("10", "60 minutes 1 second");
      expect(await library.getCached(["620", "570", "400", "10", "999"])).toEqual(
        new Map<string, unknown>([
          ["620", game],
          ["570", null],
        ]),
      );
      expect(await library.getCached([])).toEqual(new Map());
    });

    test("overwrites older answers and deletes expired ones", async () => {
      await library.cache(
        new Map<string, unknown>([
          ["620", null],
          ["570", igdb(570)],
        ]),
      );
      await age("620", "59 minutes");
      await age("570", "2 hours");
      await library.cache(new Map([["620", igdb(620)]]));
      expect(await sql("select uid from igdb_answers")).toEqual([{ uid: "620" }]);
      await age("620", "2 minutes");
      expect(await library.getCached(["620"])).toEqual(new Map([["620", igdb(620)]]));
      await library.cache(new Map());
      expect(await library.getCached(["620"])).toHaveProperty("size", 1);
    });
  });

  describe("the token cache", () => {
    const left = (span: string) => sql("update web_tokens set expires_at = now() + $1::interval", [span]);

    test("returns a token until a minute before it expires", async () => {
      expect(await library.tokens.get("igdb")).toBeNull();
      await library.tokens.put("igdb", "first", 5_000_000);
      expect(await library.tokens.get("igdb")).toBe("first");
      expect(await library.tokens.get("another")).toBeNull();
      await left("65 seconds");
      expect(await library.tokens.get("igdb")).toBe("first");
      await left("60 seconds");
      expect(await library.tokens.get("igdb")).toBeNull();
    });

    test("overwrites a token and keeps it for the given lifetime", async () => {
      await library.tokens.put("igdb", "first", 61.5);
      await library.tokens.put("another", "other", 50);
      await library.tokens.put("igdb", "second", 3_600);
      expect(await library.tokens.get("igdb")).toBe("second");
      expect(await library.tokens.get("another")).toBeNull();
      const [row] = await sql(
        "select count(*)::int, max(expires_at - now()) between '59 minutes' and '1 hour' as hour from web_tokens",
      );
      expect(row).toEqual({ count: 2, hour: true });
    });
  });

  test("apply writes a batch once when its reply is lost", async () => {
    const { api } = catalog.database;
    api?.faults.dropReply({ call: "library_apply" });
    expect(await library.apply("u1", [owned(10), owned(20)])).toEqual(created(2));
    expect(await library.apply("u1", [owned(10), owned(20)])).toEqual(counts());
    expect(Object.keys(await imported("u1"))).toEqual(["10", "20"]);
  });
});

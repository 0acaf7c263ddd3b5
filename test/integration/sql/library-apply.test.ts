import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { forEachDatabase } from "../../support/databases.ts";
import { record } from "./catalog.ts";
import { counts, created, type Igdb, igdb, ignored, importingOf, owned, unmatched, useLibrary } from "./library.ts";

forEachDatabase("library_apply", (open) => {
  const catalog = useLibrary(open);
  const { sql, store } = catalog;
  const { apply, imported, items, game, labels, rows } = importingOf(catalog);
  /** Backdates all rows by a day. */
  const age = () =>
    sql(`with games as (update "Game" set "updatedAt" = "updatedAt" - interval '1 day')
         update "ImportedGame" set "createdAt" = "createdAt" - interval '1 day', "updatedAt" = "updatedAt" - interval '1 day'`);

  describe("for a matched game", () => {
    test("inserts an imported game, a game with genres and platforms, and a library item", async () => {
      expect(await apply("u1", [owned(620)])).toEqual(created(1));
      const { 620: row } = await imported("u1");
      const times = { createdAt: expect.any(String), updatedAt: expect.any(String) };
      expect(row).toEqual({
        id: expect.any(String),
        name: "Steam 620",
        storefront: "STEAM",
        storefrontGameId: "620",
        playtime: 60,
        playtimeWindows: 30,
        playtimeMac: 20,
        playtimeLinux: 10,
        lastPlayedAt: "2024-03-01T12:30:45",
        img_icon_url: "https://example.com/620.jpg",
        img_logo_url: null,
        igdbMatchStatus: "MATCHED",
        ...times,
        deletedAt: null,
        userId: "u1",
      });
      // In UTC, independent of the server's time zone.
      expect(Math.abs(Date.now() - Date.parse(`${row?.createdAt}Z`))).toBeLessThan(60_000);
      expect(await game(620)).toEqual({
        id: expect.any(String),
        igdbId: 620,
        hltbId: null,
        title: "Title 620",
        description: "About 620.",
        coverImage: "https://images.igdb.com/igdb/image/upload/t_cover_big/co620.jpg",
        releaseDate: "2011-04-18T00:00:00",
        mainStory: null,
        mainExtra: null,
        completionist: null,
        ...times,
        steamAppId: 620,
        slug: "title-620",
        franchiseId: null,
      });
      expect(await labels(620)).toEqual({ genres: ["Puzzle", "Shooter"], platforms: ["PC (Microsoft Windows)"] });
      expect(await sql(`select "igdbId", slug, abbreviation from "Platform"`)).toEqual([
        { igdbId: 6, slug: "win", abbreviation: "PC" },
      ]);
      const [item] = await sql<{ row: object }>(`select to_jsonb(i) as row from "LibraryItem" i`);
      expect(item?.row).toMatchObject({
        status: "EXPERIENCED",
        platform: "PC (Microsoft Windows)",
        userId: "u1",
        acquisitionType: "DIGITAL",
        gameId: (await game(620))?.id,
        startedAt: null,
        completedAt: null,
        ...times,
      });
    });

    test("writes times in UTC in a session with another time zone", async () => {
      const zone = (setting: string) => sql(`alter function library_apply(jsonb) ${setting}`);
      await zone("set timezone = 'Pacific/Auckland'");
      try {
        await apply("u1", [owned(620)]);
      } finally {
        await zone("reset timezone");
      }
      const { 620: row } = await imported("u1");
      expect(row).toMatchObject({ lastPlayedAt: "2024-03-01T12:30:45" });
      expect(await game(620)).toMatchObject({ releaseDate: "2011-04-18T00:00:00" });
      expect(Math.abs(Date.now() - Date.parse(`${row?.createdAt}Z`))).toBeLessThan(60_000);
    });

    test("accepts absent optional fields of IGDB, and does not overwrite stored ones with them", async () => {
      const bare: Partial<Igdb> = { summary: null, release_date: null, cover_url: null, genres: [], platforms: [] };
      expect(await apply("u1", [owned(10, { igdb: igdb(10, bare) }), owned(20)])).toEqual(created(2));
      expect(await game(10)).toMatchObject({ description: null, coverImage: null, releaseDate: null });
      expect(await labels(10)).toEqual({ genres: [], platforms: [] });
      const before = await rows();
      expect(await apply("u1", [owned(20, { igdb: igdb(20, bare) })])).toEqual(counts());
      expect(await rows()).toEqual(before);
    });

    test("creates one library item for two apps of one game, played if either is", async () => {
      const same = { igdb: igdb(7) };
      const games = [owned(10, { playtime: 0, ...same }), owned(20, { playtime: 5, ...same })];
      expect(await apply("u1", games)).toEqual(
        counts({ imported_games_created: 2, games_created: 1, library_items_created: 1 }),
      );
      expect(await items("u1")).toEqual([["Title 7", "EXPERIENCED"]]);
      const before = await rows();
      for (const one of games.toReversed()) expect(await apply("u1", [one])).toEqual(counts());
      expect(await rows()).toEqual(before);
    });

    test("sets the status by playtime: CURIOUS_ABOUT for 0, otherwise EXPERIENCED", async () => {
      await apply("u1", [owned(10, { playtime: 0 }), owned(20, { playtime: 1 })]);
      expect(await items("u1")).toEqual([
        ["Title 10", "CURIOUS_ABOUT"],
        ["Title 20", "EXPERIENCED"],
      ]);
    });

    test("appends IGDB's id to a slug that is taken, in the same batch or a later one", async () => {
      const slug = "doom";
      await apply("u1", [owned(30, { igdb: igdb(30, { slug }) }), owned(20, { igdb: igdb(20, { slug }) })]);
      await apply("u1", [owned(10, { igdb: igdb(10, { slug }) })]);
      expect(await sql(`select "igdbId", slug from "Game" order by 1`)).toEqual([
        { igdbId: 10, slug: "doom-10" },
        { igdbId: 20, slug: "doom" },
        { igdbId: 30, slug: "doom-30" },
      ]);
      expect(await apply("u1", [owned(30, { igdb: igdb(30, { slug }) })])).toEqual(counts());
      expect(await items("u1")).toHaveLength(3);
    });

    test("shares the game between users, each with an own library item", async () => {
      expect(await apply("u1", [owned(10), owned(20)])).toEqual(created(2));
      const before = await rows();
      expect(await apply("u2", [owned(10, { playtime: 0 })])).toEqual(
        counts({ imported_games_created: 1, library_items_created: 1 }),
      );
      const after = await rows();
      expect(after).toEqual({ ...before, ImportedGame: expect.anything(), LibraryItem: expect.anything() });
      expect(after.ImportedGame).toEqual(expect.arrayContaining(before.ImportedGame ?? []));
      expect(await items("u2")).toEqual([["Title 10", "CURIOUS_ABOUT"]]);
    });
  });

  describe("for an unmatched or ignored game", () => {
    test("inserts one imported game with its status and no game, however often it is applied", async () => {
      const games = [unmatched(10), ignored(20), unmatched(30, { name: "" })];
      expect(await apply("u1", games)).toEqual(counts({ imported_games_created: 3 }));
      expect(await imported("u1")).toMatchObject({
        10: { igdbMatchStatus: "UNMATCHED" },
        20: { igdbMatchStatus: "IGNORED" },
        30: { igdbMatchStatus: "UNMATCHED" },
      });
      const before = await rows();
      expect(before).toMatchObject({ Game: [], LibraryItem: [], Genre: [], Platform: [] });
      expect(await apply("u1", games)).toEqual(counts());
      expect(await rows()).toEqual(before);
    });

    const moves = [
      { stored: "PENDING", arrives: "MATCHED", becomes: "MATCHED", item: true },
      { stored: "UNMATCHED", arrives: "MATCHED", becomes: "MATCHED", item: true },
      { stored: "IGNORED", arrives: "MATCHED", becomes: "IGNORED", item: false },
      { stored: "PENDING", arrives: "UNMATCHED", becomes: "UNMATCHED", item: false },
      { stored: "MATCHED", arrives: "UNMATCHED", becomes: "MATCHED", item: false },
      { stored: "IGNORED", arrives: "UNMATCHED", becomes: "IGNORED", item: false },
      { stored: "PENDING", arrives: "IGNORED", becomes: "IGNORED", item: false },
      { stored: "UNMATCHED", arrives: "IGNORED", becomes: "IGNORED", item: false },
      { stored: "MATCHED", arrives: "IGNORED", becomes: "MATCHED", item: false },
    ] as const;
    test.each(moves)(
      "keeps or changes the status: $stored stored, $arrives applied, gives $becomes",
      async ({ stored, arrives, becomes, item }) => {
        await apply("u1", [unmatched(10)]);
        await sql(`update "ImportedGame" set "igdbMatchStatus" = '${stored}'`);
        const arriving = owned(10, { status: arrives, igdb: arrives === "UNMATCHED" ? null : igdb(10) });
        expect(await apply("u1", [arriving])).toEqual(
          counts({
            imported_games_updated: stored === becomes ? 0 : 1,
            games_created: arrives === "MATCHED" ? 1 : 0,
            library_items_created: item ? 1 : 0,
          }),
        );
        expect(await imported("u1")).toMatchObject({ 10: { igdbMatchStatus: becomes } });
        expect(await items("u1")).toHaveLength(item ? 1 : 0);
      },
    );
  });

  describe("applied a second time", () => {
    const library = [owned(10), owned(20), unmatched(30), ignored(40), owned(50, { playtime: 0 })];

    test("is a no-op", async () => {
      await apply("u1", library);
      await age();
      const before = await rows();
      expect(await apply("u1", library)).toEqual(counts());
      expect(await apply("u1", library.toReversed())).toEqual(counts());
      expect(await rows()).toEqual(before);
    });

    const newer = "2025-01-01T00:00:00.000Z";
    const changes = [
      { what: "name", given: { name: "Another" }, column: { name: "Another" } },
      { what: "playtime", given: { playtime: 61 }, column: { playtime: 61 } },
      { what: "playtime_windows", given: { playtime_windows: 31 }, column: { playtimeWindows: 31 } },
      { what: "playtime_mac", given: { playtime_mac: 21 }, column: { playtimeMac: 21 } },
      { what: "playtime_linux", given: { playtime_linux: 11 }, column: { playtimeLinux: 11 } },
      { what: "last_played_at", given: { last_played_at: newer }, column: { lastPlayedAt: newer.slice(0, 19) } },
      { what: "img_icon_url", given: { img_icon_url: "https://x/y.jpg" }, column: { img_icon_url: "https://x/y.jpg" } },
    ];
    test.each(changes)("updates only the imported game whose $what changed", async ({ given, column }) => {
      await apply("u1", library);
      await age();
      const [before, stored] = [await rows(), await imported("u1")];
      const games = library.map((one) => (one.appid === 20 ? { ...one, ...given } : one));
      expect(await apply("u1", games)).toEqual(counts({ imported_games_updated: 1 }));
      const now = await imported("u1");
      expect(now).toEqual({ ...stored, 20: { ...stored[20], ...column, updatedAt: expect.anything() } });
      expect(now[20]?.updatedAt).not.toBe(stored[20]?.updatedAt);
      const { ImportedGame, ...others } = await rows();
      expect(others).toEqual({ ...before, ImportedGame: undefined });
      expect(ImportedGame?.filter((row) => !before.ImportedGame?.includes(row))).toHaveLength(1);
    });

    const igdbChanges: { what: string; given: Partial<Igdb>; column: object }[] = [
      { what: "name", given: { name: "Another" }, column: { title: "Another" } },
      { what: "summary", given: { summary: "More." }, column: { description: "More." } },
      { what: "cover", given: { cover_url: "https://x/c.jpg" }, column: { coverImage: "https://x/c.jpg" } },
      { what: "date", given: { release_date: newer }, column: { releaseDate: newer.slice(0, 19) } },
    ];
    test.each(igdbChanges)("updates only the game whose $what changed in IGDB", async ({ given, column }) => {
      await apply("u1", library);
      await age();
      const [before, stored] = [await rows(), await game(20)];
      const games = library.map((one) => (one.appid === 20 ? { ...one, igdb: igdb(20, given) } : one));
      expect(await apply("u1", games)).toEqual(counts({ games_updated: 1 }));
      expect(await game(20)).toEqual({ ...stored, ...column, updatedAt: expect.anything() });
      expect((await game(20))?.updatedAt).not.toBe(stored?.updatedAt);
      expect(await rows()).toEqual({ ...before, Game: expect.anything() });
    });

    test("adds genres and platforms, and removes none", async () => {
      await apply("u1", [owned(10)]);
      const genres = [{ id: 31, name: "Adventure", slug: "adventure" }];
      expect(await apply("u1", [owned(10, { igdb: igdb(10, { genres, slug: "renamed" }) })])).toEqual(counts());
      expect(await labels(10)).toMatchObject({ genres: ["Adventure", "Puzzle", "Shooter"] });
      expect(await game(10)).toMatchObject({ slug: "title-10" });
    });

    test("keeps icon and last played when Steam omits them, and lowers a playtime", async () => {
      await apply("u1", [owned(10)]);
      const before = await imported("u1");
      const less = { last_played_at: null, img_icon_url: null };
      expect(await apply("u1", [owned(10, less)])).toEqual(counts());
      expect(await imported("u1")).toEqual(before);
      expect(await apply("u1", [owned(10, { ...less, playtime: 0 })])).toEqual(counts({ imported_games_updated: 1 }));
      expect(await imported("u1")).toMatchObject({
        10: { playtime: 0, lastPlayedAt: "2024-03-01T12:30:45", img_icon_url: "https://example.com/10.jpg" },
      });
    });

    test("keeps a status that the user set, and duplicate items of the user", async () => {
      await apply("u1", [owned(10, { playtime: 0 }), owned(20)]);
      await sql(`update "LibraryItem" set status = 'TOOK_A_BREAK'`);
      await sql(`insert into "LibraryItem" (status, "userId", "gameId", "updatedAt", "completedAt")
                 select 'REVISITING', 'u1', id, now(), now() from "Game" where "igdbId" = 20`);
      const { LibraryItem } = await rows();
      expect(await apply("u1", [owned(10), owned(20)])).toEqual(counts({ imported_games_updated: 1 }));
      expect((await rows()).LibraryItem).toEqual(LibraryItem);
    });

    test("updates a soft-deleted row and leaves it deleted", async () => {
      await apply("u1", [unmatched(10), unmatched(20)]);
      await sql(`update "ImportedGame" set "deletedAt" = '2025-01-01'`);
      const before = await imported("u1");
      expect(await apply("u1", [unmatched(10), owned(20, { playtime: 99 })])).toEqual(
        counts({ imported_games_updated: 1, games_created: 1 }),
      );
      expect(await imported("u1")).toEqual({
        10: before[10],
        20: { ...before[20], playtime: 99, igdbMatchStatus: "MATCHED", updatedAt: expect.anything() },
      });
      expect(await items("u1")).toEqual([]);
    });
  });

  describe("for a blank name", () => {
    test("falls back to the catalog's name, then to the appid", async () => {
      await store(record(10, 500, { name: "Portal 2" }), record(20, 500, { name: null }));
      await apply("u1", [owned(10, { name: "" }), owned(20, { name: "" }), unmatched(30, { name: "" })]);
      expect(await imported("u1")).toMatchObject({
        10: { name: "Portal 2" },
        20: { name: "App 20" },
        30: { name: "App 30" },
      });
    });

    test("keeps the stored name", async () => {
      await apply("u1", [owned(10), unmatched(20)]);
      const before = await rows();
      expect(await apply("u1", [owned(10, { name: "" }), unmatched(20, { name: "" })])).toEqual(counts());
      expect(await rows()).toEqual(before);
    });
  });

  describe("as a request", () => {
    test("is idempotent: a repeated request id gets the same reply and writes nothing", async () => {
      const request = randomUUID();
      expect(await apply("u1", [owned(10)], request)).toEqual(created(1));
      const before = await rows();
      expect(await apply("u1", [owned(10, { playtime: 99 }), owned(20)], request)).toEqual(created(1));
      expect(await rows()).toEqual(before);
    });

    test("deletes replies older than an hour", async () => {
      const [old, recent] = [randomUUID(), randomUUID()];
      for (const request of [old, recent]) await apply("u1", [], request);
      await sql("update pics_replies set created_at = now() - interval '61 minutes' where request_id = $1", [old]);
      await apply("u1", []);
      expect(
        await sql("select request_id from pics_replies where request_id = any ($1::uuid[])", [[old, recent]]),
      ).toEqual([{ request_id: recent }]);
    });

    test("accepts an empty batch and duplicate games", async () => {
      expect(await apply("u1", [])).toEqual(counts());
      expect(await apply("u1", [owned(10), owned(10)])).toEqual(created(1));
      expect(Object.keys(await imported("u1"))).toEqual(["10"]);
    });

    test("accepts any text and the largest integers", async () => {
      const name = `=1+1, "quoted"\n😀 ${"x".repeat(300)} $$ ' \\`;
      const genres = [{ id: 2 ** 31 - 1, name, slug: "sl'ug" }];
      const wide = owned(2 ** 31 - 1, { name, playtime: 2 ** 31 - 1, igdb: igdb(2 ** 31 - 1, { name, genres }) });
      expect(await apply("it's; u1 😀", [wide])).toEqual(created(1));
      expect(await imported("it's; u1 😀")).toMatchObject({ [2 ** 31 - 1]: { name, playtime: 2 ** 31 - 1 } });
      expect(await labels(2 ** 31 - 1)).toMatchObject({ genres: [name] });
    });

    test("rejects the whole batch when one row is invalid", async () => {
      const before = await rows();
      for (const bad of [owned(20, { igdb: null }), owned(20, { playtime: 2 ** 31 })]) {
        await expect(apply("u1", [owned(10), bad])).rejects.toMatchObject({ fault: "data" });
      }
      expect(await rows()).toEqual(before);
    });

    test("applies overlapping batches of 500", async () => {
      const kinds = [owned, owned, unmatched, ignored];
      const batch = (from: number) =>
        Array.from({ length: 500 }, (_, i) => (kinds[(from + i) % 4] ?? owned)(from + i, { playtime: (from + i) % 3 }));
      const reply = counts({ imported_games_created: 500, games_created: 250, library_items_created: 250 });
      expect(await apply("u1", batch(1))).toEqual(reply);
      expect(await apply("u1", batch(501))).toEqual(reply);
      const before = await rows();
      expect(await apply("u1", batch(251))).toEqual(counts());
      expect(await rows()).toEqual(before);
      expect(
        await sql(`select count(*)::int, count(distinct "storefrontGameId")::int as apps from "ImportedGame"`),
      ).toEqual([{ count: 1_000, apps: 1_000 }]);
    });
  });

  describe("for genres and platforms", () => {
    test("stores one row per label that IGDB names inconsistently", async () => {
      const genre = (id: number, name: string, slug: string) => ({ id, name, slug });
      const library = [
        owned(10, { igdb: igdb(10, { genres: [genre(1, "Shooter", "shooter"), genre(2, "Shooter", "shooter-2")] }) }),
        owned(20, { igdb: igdb(20, { genres: [genre(3, "Puzzle", "puzzle"), genre(4, "Puzzling", "puzzle")] }) }),
        owned(30, { igdb: igdb(30, { genres: [genre(1, "Shooting", "shooting"), genre(5, "Arcade", "arcade")] }) }),
      ];
      expect(await apply("u1", library)).toEqual(created(3));
      const before = await rows();
      expect(before.Genre).toHaveLength(3);
      expect(before.GameGenre).toHaveLength(4);
      expect(await apply("u1", library)).toEqual(counts());
      expect(await rows()).toEqual(before);
    });
  });
});

import { describe, expect, test } from "vitest";
import type { ImportedRow } from "../../../src/library/store.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { counts, created, igdb, ignored, importingOf, owned, unmatched, useLibrary } from "./library.ts";

/** What a later import may change: the choices of earlier imports, never those of a person or another application. */
forEachDatabase(
  "a later import",
  (open) => {
    const catalog = useLibrary(open);
    const { sql } = catalog;
    const { apply, imported, items, game, labels, rows } = importingOf(catalog);
    const matchedWith = (appid: number, id: number, given: Partial<ImportedRow> = {}) =>
      owned(appid, { igdb: igdb(id), ...given });
    const statusOf = async (appid: number) => (await imported("u1"))[appid]?.igdbMatchStatus;
    const decide = (status: string) => sql(`update "ImportedGame" set "igdbMatchStatus" = '${status}'`);

    describe("and the match status", () => {
      const by = { MATCHED: owned, UNMATCHED: unmatched, IGNORED: ignored };
      const corrections = [
        { earlier: "UNMATCHED", later: "MATCHED", becomes: "MATCHED" },
        { earlier: "UNMATCHED", later: "IGNORED", becomes: "IGNORED" },
        { earlier: "IGNORED", later: "MATCHED", becomes: "MATCHED" },
        { earlier: "IGNORED", later: "UNMATCHED", becomes: "UNMATCHED" },
        { earlier: "MATCHED", later: "IGNORED", becomes: "IGNORED" },
        { earlier: "MATCHED", later: "UNMATCHED", becomes: "UNMATCHED" },
      ] as const;
      test.each(corrections)("corrects $earlier of an import with $later to $becomes", async (given) => {
        await apply("u1", [by[given.earlier](10)]);
        await apply("u1", [by[given.later](10)]);
        expect(await statusOf(10)).toBe(given.becomes);
        const had = given.earlier === "MATCHED" || given.later === "MATCHED";
        expect(await items("u1")).toHaveLength(had ? 1 : 0);
        const before = await rows();
        expect(await apply("u1", [by[given.later](10)])).toEqual(counts());
        expect(await rows()).toEqual(before);
      });

      test("keeps a match when IGDB did not answer about the game", async () => {
        await apply("u1", [owned(10), ignored(20)]);
        const refused = [10, 20].map((appid) => unmatched(appid, { is_unanswered: true }));
        expect(await apply("u1", refused)).toEqual(counts({ imported_games_updated: 1 }));
        expect([await statusOf(10), await statusOf(20)]).toEqual(["MATCHED", "UNMATCHED"]);
        expect(await apply("u1", [owned(10)])).toEqual(counts());
      });

      const decisions = [
        { earlier: "MATCHED", decided: "IGNORED", later: "MATCHED" },
        { earlier: "MATCHED", decided: "UNMATCHED", later: "MATCHED" },
        { earlier: "UNMATCHED", decided: "MATCHED", later: "IGNORED" },
        { earlier: "UNMATCHED", decided: "IGNORED", later: "MATCHED" },
        { earlier: "IGNORED", decided: "MATCHED", later: "MATCHED" },
      ] as const;
      test.each(decisions)("keeps $decided of a person over $earlier of an import", async (given) => {
        await apply("u1", [by[given.earlier](10)]);
        await decide(given.decided);
        const before = await items("u1");
        for (let run = 0; run < 2; run++) await apply("u1", [by[given.later](10, { igdb: igdb(11) })]);
        expect(await statusOf(10)).toBe(given.decided);
        expect(await items("u1")).toEqual(before);
        await decide("PENDING");
        await apply("u1", [by[given.later](10)]);
        expect(await statusOf(10)).toBe(given.later);
      });

      test("keeps a status that no import wrote, and makes no library item for it", async () => {
        await apply("u1", [unmatched(10), unmatched(20)]);
        await sql("delete from library_choices");
        await sql(`update "ImportedGame" set "igdbMatchStatus" = 'MATCHED' where "storefrontGameId" = '20'`);
        await apply("u1", [owned(10), owned(20)]);
        expect([await statusOf(10), await statusOf(20)]).toEqual(["UNMATCHED", "MATCHED"]);
        expect(await items("u1")).toEqual([]);
      });
    });

    describe("that matches another game", () => {
      const moveTo = (appid: number, id: number) => apply("u1", [matchedWith(appid, id)]);

      test("moves the library item that an import made and no person changed, and the appid of the game", async () => {
        await moveTo(10, 1);
        const [{ id } = { id: 0 }] = await sql<{ id: number }>(`select id from "LibraryItem"`);
        expect(await moveTo(10, 2)).toEqual(counts({ games_created: 1 }));
        expect(await sql(`select item.id, "igdbId" from "LibraryItem" item join "Game" g on g.id = "gameId"`)).toEqual([
          { id, igdbId: 2 },
        ]);
        expect([(await game(1))?.steamAppId, (await game(2))?.steamAppId]).toEqual([null, 10]);
        const before = await rows();
        expect(await moveTo(10, 2)).toEqual(counts());
        expect(await rows()).toEqual(before);
        // The moved item is still the import's.
        await moveTo(10, 3);
        expect(await items("u1")).toEqual([["Title 3", "EXPERIENCED"]]);
      });

      test.each([
        ["status", `update "LibraryItem" set status = 'REVISITING'`],
        ["date", `update "LibraryItem" set "startedAt" = '2025-01-01'`],
        ["platform", `update "LibraryItem" set platform = 'Steam Deck'`],
      ])("keeps the item whose %s a person changed, and makes no second one", async (_, change) => {
        await moveTo(10, 1);
        await sql(change);
        const { LibraryItem } = await rows();
        for (let run = 0; run < 2; run++) await moveTo(10, 2);
        expect((await rows()).LibraryItem).toEqual(LibraryItem);
      });

      test("keeps an item that the user made, and one that the user has for the other game", async () => {
        await apply("u2", [matchedWith(10, 1), matchedWith(20, 2)]);
        await sql(
          `insert into "LibraryItem" ("userId", "gameId", "updatedAt") select 'u1', id, now() from "Game" where "igdbId" = 1`,
        );
        await moveTo(10, 1);
        await moveTo(20, 2);
        const { LibraryItem } = await rows();
        await apply("u1", [matchedWith(10, 2), matchedWith(20, 1)]);
        expect((await rows()).LibraryItem).toEqual(LibraryItem);
      });

      test("keeps the item for another app of the same game, and makes one for the other game", async () => {
        await apply("u1", [matchedWith(10, 1), matchedWith(20, 1)]);
        expect(await moveTo(10, 2)).toMatchObject({ library_items_created: 1 });
        expect((await items("u1")).map(([title]) => title)).toEqual(["Title 1", "Title 2"]);
        // Both apps together take their item along.
        await apply("u2", [matchedWith(10, 1), matchedWith(20, 1)]);
        expect(await apply("u2", [matchedWith(10, 3), matchedWith(20, 3)])).toMatchObject({ library_items_created: 0 });
        expect(await items("u2")).toEqual([["Title 3", "EXPERIENCED"]]);
      });
    });

    describe("after a deletion", () => {
      test("makes no deleted library item again, not even for another app or another game", async () => {
        await apply("u1", [owned(10), owned(20)]);
        await sql(`delete from "LibraryItem" item using "Game" g where g.id = "gameId" and "igdbId" = 10`);
        for (const library of [[owned(10), owned(20)], [matchedWith(30, 10)], [matchedWith(10, 11)]]) {
          expect(await apply("u1", library)).toMatchObject({ library_items_created: 0 });
        }
        expect(await items("u1")).toEqual([["Title 20", "EXPERIENCED"]]);
        expect(await apply("u2", [owned(10)])).toMatchObject({ library_items_created: 1 });
      });

      test("makes no item for an imported game that is marked as deleted", async () => {
        await apply("u1", [unmatched(10)]);
        await sql(`update "ImportedGame" set "deletedAt" = now()`);
        expect(await apply("u1", [owned(10)])).toMatchObject({ imported_games_updated: 1, library_items_created: 0 });
        await sql(`update "ImportedGame" set "deletedAt" = null`);
        expect(await apply("u1", [owned(10)])).toEqual(counts({ library_items_created: 1 }));
      });

      test("imports anew what was removed outright", async () => {
        await apply("u1", [owned(10), owned(20)]);
        await sql(`delete from "ImportedGame"; delete from "Game"`);
        expect(await apply("u1", [owned(10), owned(20)])).toEqual(created(2));
        await sql(`delete from "Game"`);
        expect(await apply("u1", [owned(10)])).toEqual(counts({ games_created: 1, library_items_created: 1 }));
      });
    });

    describe("and unknown values", () => {
      test("overwrites no known playtime or date with null, but lowers a playtime", async () => {
        const unknown = { playtime_windows: null, playtime_mac: null, playtime_linux: null, last_played_at: null };
        await apply("u1", [owned(10)]);
        const before = await imported("u1");
        expect(await apply("u1", [owned(10, { ...unknown, playtime: null })])).toEqual(counts());
        expect(await imported("u1")).toEqual(before);
        expect(await apply("u1", [owned(10, { ...unknown, playtime: 1 })])).toEqual(
          counts({ imported_games_updated: 1 }),
        );
        expect(await imported("u1")).toMatchObject({
          10: { playtime: 1, playtimeWindows: 30, lastPlayedAt: "2024-03-01T12:30:45" },
        });
        expect(await apply("u1", [owned(20, { ...unknown, playtime: null })])).toEqual(created(1));
        expect(await items("u1")).toEqual([
          ["Title 10", "EXPERIENCED"],
          ["Title 20", "CURIOUS_ABOUT"],
        ]);
      });
    });

    describe("and games of others", () => {
      const theirs = `insert into "Game" (id, "igdbId", title, slug, "updatedAt", "steamAppId") values ('cgame', 8, 'Theirs', 'theirs', '2020-01-01', 10)`;

      test("uses a game with the same appid as it is when IGDB's id differs", async () => {
        await sql(theirs);
        const before = await rows();
        const reply = counts({ imported_games_created: 1, library_items_created: 1 });
        expect(await apply("u1", [owned(10)])).toEqual(reply);
        expect(await items("u1")).toEqual([["Theirs", "EXPERIENCED"]]);
        const { Game, GameGenre, GamePlatform } = await rows();
        expect({ Game, GameGenre, GamePlatform }).toEqual({ Game: before.Game, GameGenre: [], GamePlatform: [] });
        expect(await apply("u1", [owned(10)])).toEqual(counts());
      });

      test("prefers the game with IGDB's id", async () => {
        await sql(theirs);
        await sql(
          `insert into "Game" (id, "igdbId", title, slug, "updatedAt") values ('cright', 10, 'Right', 'right', '2020-01-01')`,
        );
        expect(await apply("u1", [owned(10)])).toMatchObject({ games_created: 0, games_updated: 1 });
        expect(await items("u1")).toEqual([["Title 10", "EXPERIENCED"]]);
        expect(await game(10)).toMatchObject({ id: "cright", slug: "right" });
        expect(await labels(10)).toMatchObject({ genres: ["Puzzle", "Shooter"] });
      });

      test("renames genres and platforms that an import made, no others, and removes no link", async () => {
        await sql(
          `insert into "Genre" (id, "igdbId", name, slug, "updatedAt") values ('g', 5, 'Shooters', 'shooter', '2020-01-01')`,
        );
        await apply("u1", [owned(10)]);
        const genres = [
          { id: 5, name: "Shooting", slug: "shooter" },
          { id: 9, name: "Puzzles", slug: "puzzle" },
        ];
        const platforms = [{ id: 6, name: "PC", slug: "win", abbreviation: "PC" }];
        await apply("u1", [owned(10, { igdb: igdb(10, { genres, platforms }) })]);
        expect(await labels(10)).toEqual({ genres: ["Puzzles", "Shooters"], platforms: ["PC"] });
        await sql(`update "Genre" set name = 'By hand' where "igdbId" = 9`);
        const again = [{ id: 9, name: "Again", slug: "puzzle" }];
        await apply("u1", [owned(10, { igdb: igdb(10, { genres: again, platforms }) })]);
        expect(await labels(10)).toEqual({ genres: ["By hand", "Shooters"], platforms: ["PC"] });
      });
    });
  },
  ["postgres"],
);

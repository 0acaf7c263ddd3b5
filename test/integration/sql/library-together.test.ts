import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { ImportCounts, ImportedRow } from "../../../src/library/store.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { counts, created, igdb, importingOf, owned, unmatched, useLibrary } from "./library.ts";

forEachDatabase("concurrent calls of library_apply", (open, kind) => {
  // PGlite has one connection, so that calls are serialized.
  const rounds = Array.from({ length: kind === "pglite" ? 2 : 10 }, (_, round) => round);
  const catalog = useLibrary(open);
  const { sql } = catalog;
  const { apply, items } = importingOf(catalog);

  /** New games in every round, new genres in every other one. Of ten apps, two share one game and one is unmatched. */
  const libraryOf = (round: number): ImportedRow[] =>
    Array.from({ length: 40 }, (_, i) => {
      const appid = round * 1_000 + i;
      if (i % 10 === 9) return unmatched(appid);
      const genres = round % 2 ? [] : [{ id: appid, name: `Genre ${appid}`, slug: `genre-${appid}` }];
      return owned(appid, { igdb: igdb(i % 10 === 8 ? appid - 1 : appid, { genres, platforms: [] }) });
    });
  const shares = { apps: 40, games: 32 };
  const sum = (replies: ImportCounts[]) =>
    replies.reduce((all, reply) => {
      const names = Object.keys(all) as (keyof ImportCounts)[];
      return Object.fromEntries(names.map((name) => [name, all[name] + reply[name]])) as unknown as ImportCounts;
    }, counts());

  async function doubled() {
    return await sql(
      `select 'imported' as what, count(*)::int from "ImportedGame" group by "userId", "storefrontGameId" having count(*) > 1
       union all select 'item', count(*)::int from "LibraryItem" group by "userId", "gameId" having count(*) > 1`,
    );
  }

  test("create no duplicates for one user, in any order of games", async () => {
    for (const round of rounds) {
      const games = libraryOf(round);
      const replies = await Promise.all([apply("u1", games), apply("u1", games.toReversed()), apply("u1", games)]);
      expect(sum(replies)).toEqual(
        counts({
          imported_games_created: shares.apps,
          games_created: shares.games,
          library_items_created: shares.games,
        }),
      );
    }
    expect(await doubled()).toEqual([]);
  });

  test("share new games between users", async () => {
    for (const round of rounds) {
      const games = libraryOf(round);
      const users = ["u1", "u2", "u3"];
      const replies = await Promise.all(
        users.map((user, index) => apply(user, index % 2 ? games.toReversed() : games)),
      );
      expect(sum(replies)).toEqual(
        counts({
          imported_games_created: shares.apps * 3,
          games_created: shares.games,
          library_items_created: shares.games * 3,
        }),
      );
    }
    expect(await doubled()).toEqual([]);
    expect((await items("u1")).length).toBe(shares.games * rounds.length);
  });

  test("apply one request id once and return the same reply", async () => {
    for (const round of rounds) {
      const request = randomUUID();
      const games = [owned(round + 1), owned(round + 101)];
      const replies = await Promise.all([1, 2, 3].map(() => apply("u1", games, request)));
      expect(replies).toEqual([created(2), created(2), created(2)]);
    }
    expect(await doubled()).toEqual([]);
  });
});

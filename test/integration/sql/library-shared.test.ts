import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { SettingRejectedError } from "../../../src/library/errors.ts";
import { createFolderStore } from "../../../src/library/folder-store.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { composeStages, importLibrary, simulateLibraryWeb, steamId } from "../../support/library.ts";
import { savepointDates } from "../../support/savepoint.ts";
import type { IgdbDump } from "../../support/web/igdb.ts";
import { type Importing, importingOf, libraryTables } from "./library.ts";

/**
 * The whole import into the tables of the savepoint application as they were at each date, with LIBRARY_TABLES unset:
 * it writes what is there, creates nothing, and the application's own migrations still apply afterwards.
 */

const folder = await mkdtemp(join(tmpdir(), "spsync-shared-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

const day = 86_400;
const now = Math.floor(Date.now() / 1_000);

/** [appid, name, minutes, last played]. 10–30 match their own IGDB game, 60 matches one that the application has. */
const games = (
  [
    [10, "Unplayed", 0, 0],
    [20, "Played", 60, now - 15 * day],
    [30, "Recent", 5, now - 13 * day],
    [40, "Not in IGDB", 7, 0],
    [50, "Unplayed - Soundtrack", 0, 0],
    [60, "Theirs", 90, now - day],
  ] as const
).map(([appid, name, playtime_forever, rtime_last_played]) => ({
  appid,
  name,
  playtime_forever,
  playtime_windows_forever: playtime_forever,
  playtime_mac_forever: 0,
  playtime_linux_forever: 0,
  playtime_deck_forever: 0,
  rtime_last_played,
  playtime_disconnected: 0,
}));

const dump: IgdbDump = {
  games: [10, 20, 30, 7].map((id) => ({
    id,
    name: `Title ${id}`,
    slug: `title-${id}`,
    game_type: 0,
    genres: [{ id: 5, name: "Shooter", slug: "shooter" }],
    platforms: [{ id: 6, name: "PC (Microsoft Windows)", slug: "win", abbreviation: "PC" }],
  })),
  externalGames: [
    [10, 10],
    [20, 20],
    [30, 30],
    [60, 7],
  ].map(([uid, game], index) => ({ id: index + 1, uid: String(uid), external_game_source: 1, game: game ?? 0 })),
};

/** Rows of the application: a game that IGDB knows with its item, labels under other names, a game of another user. */
const theirRows = (byHand: string) => `
  insert into "User" (id) values ('u1'), ('u2');
  insert into "Game" (id, "igdbId", title, slug, "updatedAt", "mainStory") values ('cgame7', 7, 'Old title', 'their-slug', '2020-01-01', 300);
  insert into "Genre" (id, "igdbId", name, slug, "updatedAt") values ('cgenre', 1005, 'Shooters', 'shooter', '2020-01-01');
  insert into "Platform" (id, "igdbId", name, slug, "updatedAt", abbreviation) values ('cplatform', 6, 'Windows', 'windows', '2020-01-01', 'W');
  insert into "LibraryItem" (status, "updatedAt", platform, "userId", "gameId", "startedAt") values
    ('${byHand}', '2020-01-01', 'Switch', 'u1', 'cgame7', '2019-01-01'), ('${byHand}', '2020-01-01', null, 'u2', 'cgame7', null);
  insert into "ImportedGame" (id, name, storefront, "storefrontGameId", playtime, "lastPlayedAt", "createdAt", "updatedAt", "deletedAt", "userId") values
    ('c1', 'Unplayed', 'STEAM', '10', 0, null, '2020-01-01', '2020-01-01', '2020-02-01', 'u1'),
    ('c2', 'Unplayed', 'STEAM', '10', 0, '2019-12-31', '2020-03-01', '2020-03-01', null, 'u1'),
    ('c3', 'Unplayed', 'STEAM', '10', 0, null, '2020-04-01', '2020-04-01', null, 'u1'),
    ('c4', 'Elsewhere', 'XBOX', '20', 8, null, '2020-01-01', '2020-01-01', null, 'u1'),
    ('c5', 'Played', 'STEAM', '20', 8, null, '2020-01-01', '2020-01-01', null, 'u2');
`;

/** Everything about the tables except their rows: columns, constraints, indexes, policies, types, owners and grants. */
async function definitions({ sql }: TestDatabase): Promise<unknown> {
  const mine = `in (select oid from pg_class where relnamespace = 'public'::regnamespace and relname = any ($1))`;
  const names = [[...libraryTables, "User"]];
  return {
    tables: await sql(
      `select relname, relowner::regrole::text, relacl::text, relrowsecurity from pg_class where oid ${mine} order by 1`,
      names,
    ),
    columns: await sql(
      `select attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid)
       from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
       where attrelid ${mine} and attnum > 0 order by 1, attnum`,
      names,
    ),
    constraints: await sql(
      `select conname, pg_get_constraintdef(oid) from pg_constraint where conrelid ${mine} order by 1`,
      names,
    ),
    indexes: await sql(`select pg_get_indexdef(indexrelid) from pg_index where indrelid ${mine} order by 1`, names),
    triggers: await sql(`select tgname from pg_trigger where not tgisinternal and tgrelid ${mine} order by 1`, names),
    types: await sql(
      `select t.typname, array_agg(e.enumlabel::text order by e.enumsortorder) from pg_type t join pg_enum e on e.enumtypid = t.oid
       where t.typname ~ '[A-Z]' group by 1 order by 1`,
    ),
  };
}

async function openAt(
  index: number,
): Promise<{ database: TestDatabase; importing: Importing; run: () => Promise<Counts> }> {
  const dates = savepointDates.slice(0, index + 1);
  const { byHand } = savepointDates[index] ?? { byHand: "" };
  const database = await openTestDatabase("postgres");
  onTestFinished(() => database.close());
  for (const { migration } of dates) for (const statement of migration) await database.sql(statement);
  await database.sql(theirRows(byHand));
  // The application's role owns the tables; this service's role has the privileges that it needs.
  for (const name of libraryTables) await database.sql(`grant select, insert, update on "${name}" to app`);
  await database.sql(`grant usage on sequence "LibraryItem_id_seq" to app`);
  const web = simulateLibraryWeb({ libraries: { [steamId]: { games } }, dump });
  const stages = composeStages(database.db, web, createFolderStore(folder), { tables: null });
  const importing = importingOf({
    sql: database.sql,
    call: async <T>(name: string, request?: object) => (await database.db.rpc(name, { request })) as T,
  });
  return { database, importing, run: async () => (await importLibrary(stages, "u1")).import };
}

type Counts = Awaited<ReturnType<typeof importLibrary>>["import"];

describe("an import into savepoint's tables", () => {
  const dates = savepointDates.map((date, index) => ({ ...date, index }));

  test.each(dates)("$until: writes what is there, twice, and lets the next migration apply", async (date) => {
    const { index, statuses, byHand, hasMatchStatus, hasPlaytimes } = date;
    const { database, importing, run } = await openAt(index);
    const before = await definitions(database);

    expect(await run()).toEqual({
      imported_games_created: 5,
      imported_games_updated: hasMatchStatus ? 1 : 0,
      games_created: 3,
      games_updated: 1,
      library_items_created: 3,
    });
    expect(await definitions(database)).toEqual(before);
    expect(await importing.items("u1")).toEqual([
      ["Title 10", statuses.unplayed],
      ["Title 20", statuses.played],
      ["Title 30", statuses.recent],
      ["Title 7", byHand],
    ]);
    const platforms = await database.sql(
      `select distinct platform from "LibraryItem" where "userId" = 'u1' order by 1`,
    );
    expect(platforms).toEqual([{ platform: "PC (Microsoft Windows)" }, { platform: "Switch" }]);
    const imported = await database.sql<{ row: Record<string, unknown> }>(
      `select to_jsonb(i) as row from "ImportedGame" i where "userId" = 'u1' order by "storefrontGameId"::int, "createdAt"`,
    );
    const shown = imported.map(({ row }) => [
      row.storefrontGameId,
      row.playtime,
      row.igdbMatchStatus,
      row.playtimeWindows,
    ]);
    const given = [
      ["10", 0, "PENDING", 0],
      ["10", 0, "MATCHED", 0],
      ["10", 0, "PENDING", 0],
      ["20", 8, "PENDING", 0],
      ["20", 60, "MATCHED", 60],
      ["30", 5, "MATCHED", 5],
      ["40", 7, "UNMATCHED", 7],
      ["50", 0, "IGNORED", 0],
      ["60", 90, "MATCHED", 90],
    ];
    expect(shown).toEqual(
      given.map(([appid, playtime, status, windows]) => [
        appid,
        playtime,
        hasMatchStatus ? status : undefined,
        hasPlaytimes ? windows : undefined,
      ]),
    );
    // An unknown date overwrites no known one.
    expect(imported[1]?.row.lastPlayedAt).toBe("2019-12-31T00:00:00");
    expect(await importing.game(7)).toMatchObject({
      id: "cgame7",
      title: "Title 7",
      slug: "their-slug",
      mainStory: 300,
    });
    expect(await importing.labels(7)).toEqual({ genres: ["Shooters"], platforms: ["Windows"] });

    const rows = await importing.rows();
    expect(Object.values(await run())).toEqual([0, 0, 0, 0, 0]);
    expect(await importing.rows()).toEqual(rows);
    expect(await definitions(database)).toEqual(before);

    // A deletion is a decision, also where no column holds the match.
    await database.sql(
      `delete from "LibraryItem" using "Game" g where g.id = "gameId" and "igdbId" = 10 and "userId" = 'u1'`,
    );
    expect(await run()).toMatchObject({ library_items_created: 0 });

    for (const { migration } of savepointDates.slice(index + 1, index + 2)) {
      for (const statement of migration) await database.sql(statement);
      // What the migration added is filled in, and nothing is made twice.
      expect(await run()).toMatchObject({ imported_games_created: 0, games_created: 0, library_items_created: 0 });
      expect(Object.values(await run())).toEqual([0, 0, 0, 0, 0]);
    }
  });

  test("is refused before Steam is asked when the tables have a shape that it does not know", async () => {
    const { database, run } = await openAt(0);
    await database.sql(`delete from "LibraryItem"`);
    await database.sql(`alter table "LibraryItem" add column "shelfId" integer not null`);
    await database.sql(`alter table "Game" rename column slug to "urlName"`);
    const refused = await run().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(SettingRejectedError);
    expect(String(refused)).toMatch(/"Game" has no column "slug"/);
    expect(String(refused)).toMatch(/"Game" requires a value in its column "urlName"/);
    expect(String(refused)).toMatch(/"LibraryItem" requires a value in its column "shelfId"/);
  });
});

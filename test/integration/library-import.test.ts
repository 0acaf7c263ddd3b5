import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "vitest";
import { readEnrichedCsv, readRawCsv } from "../../src/library/csv.ts";
import { createFolderStore } from "../../src/library/folder-store.ts";
import { unmatchedReasons } from "../../src/library/match.ts";
import type { ObjectStore } from "../../src/library/object-store.ts";
import { createS3Store } from "../../src/library/s3-store.ts";
import { oneOf, type TestDatabase } from "../support/databases.ts";
import { differencesOf } from "../support/dump.ts";
import { it as given } from "../support/given.ts";
import {
  composeStages,
  dumpLibrary,
  generateWorld,
  importLibrary,
  type LibraryWeb,
  readLibrary,
  type StageDeps,
  simulateLibraryWeb,
  steamId,
} from "../support/library.ts";
import { startS3 } from "../support/s3.ts";
import type { IgdbDump, IgdbEntry } from "../support/web/igdb.ts";
import type { OwnedGame } from "../support/web/owned-games.ts";
import { loadRealIgdbIds, loadRealLibraries, loadRealPlatforms } from "../support/web/real-libraries.ts";

/** End to end from a Steam profile to rows: only Steam and IGDB are simulated. */

interface Given {
  /** An object store in a folder or a bucket, and its keys. */
  openObjects: (place: "folder" | "s3") => Promise<{ objects: ObjectStore; keys: () => Promise<string[]> }>;
}

const it = given.extend<Given>({
  openObjects: ({ onTestFinished }, use) =>
    use(async (place) => {
      if (place === "s3") {
        const s3 = await startS3("libraries");
        onTestFinished(() => s3.close());
        return { objects: createS3Store(s3.bucket, s3.client()), keys: s3.objects };
      }
      const folder = await mkdtemp(join(tmpdir(), "spsync-imports-"));
      onTestFinished(() => rm(folder, { recursive: true, force: true }));
      const keys = async () => {
        const entries = await readdir(folder, { recursive: true, withFileTypes: true });
        return entries
          .filter((entry) => entry.isFile())
          .map(({ parentPath, name }) => join(parentPath, name).slice(folder.length + 1));
      };
      return { objects: createFolderStore(folder), keys };
    }),
});

const nothingNew = {
  imported_games_created: 0,
  imported_games_updated: 0,
  games_created: 0,
  games_updated: 0,
  library_items_created: 0,
};

/** Expires all cached answers of IGDB. */
const expireAnswers = ({ sql }: TestDatabase) =>
  sql("update igdb_answers set fetched_at = fetched_at - interval '61 minutes'");

async function countOf({ sql }: TestDatabase, table: string): Promise<number> {
  const [row] = await sql<{ count: number }>(`select count(*)::int as count from "${table}"`);
  return row?.count ?? -1;
}

/** Write time of each row by its Steam appid or IGDB id. */
async function writtenAt({ sql }: TestDatabase, table: "ImportedGame" | "Game"): Promise<Map<string, string>> {
  const name = table === "Game" ? '"igdbId"::text' : '"storefrontGameId"';
  const rows = await sql<{ name: string; at: string }>(
    `select ${name} as name, "updatedAt"::text as at from "${table}"`,
  );
  return new Map(rows.map(({ name: key, at }) => [key, at]));
}

const changedIn = (before: Map<string, string>, after: Map<string, string>) =>
  [...after].filter(([key, at]) => before.get(key) !== at).map(([key]) => key);

/** A game of a library, played for an hour by default. */
function owned(appid: number, name: string, playtime_forever = 60): OwnedGame {
  return {
    appid,
    name,
    playtime_forever,
    playtime_windows_forever: playtime_forever,
    playtime_mac_forever: 0,
    playtime_linux_forever: 0,
    playtime_deck_forever: 0,
    rtime_last_played: 0,
    playtime_disconnected: 0,
  };
}

const year = (of: number) => Date.UTC(of, 5, 1) / 1_000;

describe.each(oneOf("pglite", ["pglite", "supabase"]))("a library import (%s)", (kind) => {
  it("imports every game; a second run is a no-op, and a third updates only what changed", async ({
    open,
    openObjects,
  }) => {
    const [database, { objects, keys }] = [await open(kind), await openObjects(kind === "pglite" ? "folder" : "s3")];
    const { library, dump } = generateWorld(5, 620);
    const web = simulateLibraryWeb({ libraries: { [steamId]: library }, dump });
    const deps = composeStages(database.db, web, objects);

    const first = await importLibrary(deps, "u1");
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
    const { processed, matched, unmatched, filtered } = first.enrichment;
    expect(first.game_count).toBe(620);
    expect(processed).toBe(620);
    expect(matched + unmatched + filtered).toBe(620);
    expect(Math.min(matched, unmatched, filtered)).toBeGreaterThan(0);
    expect(first.import).toEqual({
      ...nothingNew,
      imported_games_created: await countOf(database, "ImportedGame"),
      games_created: await countOf(database, "Game"),
      library_items_created: await countOf(database, "LibraryItem"),
      // An app of a later batch does not update a game that an earlier batch created.
      games_updated: 0,
    });
    expect(first.import.imported_games_created).toBe(620);
    expect(first.import.games_created).toBeLessThanOrEqual(matched);
    const raw = readRawCsv(await objects.get(first.s3_location));
    const enriched = readEnrichedCsv(await objects.get(first.s3_enriched_location));
    expect([raw.length, enriched.length]).toEqual([620, 620]);
    expect((await keys()).toSorted()).toEqual(
      [first.s3_location, first.s3_enriched_location].map(objects.keyOf).toSorted(),
    );
    expect(web.igdb.queries.filter(({ endpoint }) => endpoint === "external_games")).toHaveLength(2);

    web.igdb.queries.length = 0;
    const second = await importLibrary(deps, "u1");
    expect({ ...second.import, enrichment: second.enrichment }).toEqual({
      ...nothingNew,
      enrichment: first.enrichment,
    });
    expect(second.s3_location).not.toBe(first.s3_location);
    // Answers and token are cached.
    expect(web.igdb.queries).toEqual([]);
    expect(web.igdb.tokens).toHaveLength(1);

    const importedBefore = await writtenAt(database, "ImportedGame");
    const gamesBefore = await writtenAt(database, "Game");
    const [played, renamed] = [library.games[100], library.games[200]] as [OwnedGame, OwnedGame];
    played.playtime_forever += 5;
    renamed.name = 'Another, "better" name';
    const [entry] = dump.games.filter(({ id }) => gamesBefore.has(String(id)));
    if (entry) entry.summary = "A new summary.";
    await expireAnswers(database);
    const third = await importLibrary(deps, "u1");
    expect(third.import).toEqual({ ...nothingNew, imported_games_updated: 2, games_updated: 1 });
    expect(changedIn(importedBefore, await writtenAt(database, "ImportedGame")).toSorted()).toEqual(
      [String(played.appid), String(renamed.appid)].toSorted(),
    );
    expect(changedIn(gamesBefore, await writtenAt(database, "Game"))).toEqual([String(entry?.id)]);
    expect(web.igdb.tokens).toHaveLength(1);
    const items = await dumpLibrary(database.sql);
    const expected = readLibrary("u1", library, dump);
    // An import never updates a library item: its status is the user's.
    expected.delete("items");
    items.delete("items");
    expect(differencesOf(expected, items)).toEqual([]);
  });
});

describe("concurrent imports", () => {
  it("create no duplicates, for one user and for users who share games", async ({ open, openObjects }) => {
    const [database, { objects }] = [await open("postgres"), await openObjects("folder")];
    const { library, dump } = generateWorld(8, 540);
    const web = simulateLibraryWeb({ libraries: { [steamId]: library }, dump });
    const summaries = await Promise.all(
      ["u1", "u1", "u1", "u2"].map((user) => importLibrary(composeStages(database.db, web, objects), user)),
    );
    const ofBoth = readLibrary("u1", library, dump);
    for (const [table, rows] of readLibrary("u2", library, dump)) {
      if (table === "imported" || table === "items") ofBoth.get(table)?.push(...rows);
    }
    expect(differencesOf(ofBoth, await dumpLibrary(database.sql))).toEqual([]);
    const sum = (name: keyof typeof nothingNew) => summaries.reduce((all, each) => all + each.import[name], 0);
    expect(sum("imported_games_created")).toBe(2 * 540);
    expect(sum("games_created")).toBe(await countOf(database, "Game"));
    expect(sum("library_items_created")).toBe(await countOf(database, "LibraryItem"));
    expect(sum("imported_games_updated")).toBe(0);
  });
});

describe("classification and match of an import", () => {
  const entry = (id: number, name: string, more: Partial<IgdbEntry> = {}): IgdbEntry => ({
    id,
    name,
    slug: `slug-${id}`,
    game_type: 0,
    ...more,
  });

  async function importAll(
    database: TestDatabase,
    objects: ObjectStore,
    games: OwnedGame[],
    dump: IgdbDump,
    more: Partial<StageDeps> = {},
  ) {
    const web: LibraryWeb = simulateLibraryWeb({ libraries: { [steamId]: { games } }, dump });
    const summary = await importLibrary({ ...composeStages(database.db, web, objects), ...more }, "u1");
    const rows = readEnrichedCsv(await objects.get(summary.s3_enriched_location));
    return { summary, web, rows: new Map(rows.map((row) => [row.appid, row])) };
  }

  it("classifies by the catalog first, then by IGDB, then by name", async ({ open, openObjects }) => {
    const [database, { objects }] = [await open("postgres"), await openObjects("folder")];
    await database.sql(`insert into apps (appid, name, type) values
      (10, 'Level - Editor', 'game'), (20, 'A Map', 'dlc'), (30, 'Little Game', 'demo'), (40, 'Named by the catalog', 'game')`);
    const games = [
      owned(10, "Level - Editor"),
      owned(20, "A Map"),
      owned(30, "Little Game"),
      owned(40, ""),
      owned(50, "Far - Multiplayer"),
      owned(60, "Virus Expansion"),
      owned(70, "Big - Soundtrack"),
      owned(80, "The Turing Test"),
    ];
    const externalGames = [10, 20, 30, 50, 60].map((appid) => ({
      id: appid,
      uid: String(appid),
      external_game_source: 1,
      game: appid + 1,
    }));
    const dump = {
      games: [entry(11, "A"), entry(21, "B"), entry(31, "C"), entry(51, "D"), entry(61, "E", { game_type: 2 })],
      externalGames,
    };
    const { rows, web } = await importAll(database, objects, games, dump);
    const classified = [...rows.values()].map(({ appid, name, classification, match_status }) => [
      appid,
      name,
      classification,
      match_status,
    ]);
    expect(classified).toEqual([
      [10, "Level - Editor", "GAME", "MATCHED"],
      [20, "A Map", "DLC", "IGNORED"],
      [30, "Little Game", "NON_GAME", "IGNORED"],
      [40, "Named by the catalog", "GAME", "UNMATCHED"],
      [50, "Far - Multiplayer", "GAME", "MATCHED"],
      [60, "Virus Expansion", "DLC", "IGNORED"],
      [70, "Big - Soundtrack", "NON_GAME", "IGNORED"],
      [80, "The Turing Test", "GAME", "UNMATCHED"],
    ]);
    // Apps that are no games in the catalog are not queried.
    expect(web.igdb.queries.flatMap(({ where }) => where.get("uid") ?? [])).toEqual([
      "10",
      "40",
      "50",
      "60",
      "70",
      "80",
    ]);
    const catalog = new Map([
      [10, { type: "game" }],
      [20, { type: "dlc" }],
      [30, { type: "demo" }],
      [40, { type: "game", name: "Named by the catalog" }],
    ]);
    const expected = readLibrary("u1", { games }, dump, catalog);
    expect(differencesOf(expected, await dumpLibrary(database.sql))).toEqual([]);
  });

  it("chooses among several IGDB games of one appid, and asks Steam for types that the catalog lacks", async ({
    open,
    openObjects,
  }) => {
    const [database, { objects }] = [await open("postgres"), await openObjects("folder")];
    const [dlc, expansion, bundle, remaster] = [1, 2, 3, 9];
    const row = (id: number, appid: number, game: number) => ({ id, uid: `${appid}`, external_game_source: 1, game });
    const dump = {
      games: [
        entry(1, "Half-Life"),
        entry(2, "Half-Life: Opposing Force", { game_type: expansion }),
        entry(3, "Foo Collection", { game_type: bundle }),
        entry(4, "Foo: The Hat", { game_type: dlc }),
        entry(5, "Foo"),
        entry(6, "Foo", { game_type: remaster }),
        entry(7, "Bar"),
        entry(8, "Baz", { game_type: expansion }),
      ],
      externalGames: [
        row(1, 50, 1),
        row(2, 50, 2),
        ...[3, 4, 6, 5].map((game, index) => row(10 + index, 60, game)),
        row(20, 70, 7),
        row(21, 80, 8),
        row(22, 90, 8),
      ],
    };
    await database.sql("insert into apps (appid, name, type) values (60, 'Foo', 'game')");
    const asked: number[][] = [];
    const askSteam = async (appids: readonly number[]) => {
      asked.push([...appids]);
      const types = { 50: "game", 70: "demo", 80: "game" };
      return Object.entries(types).map(([appid, type]) => ({
        appid: Number(appid),
        type,
        name: null,
        release_year: null,
      }));
    };
    const names = ["Half-Life: Opposing Force", "Foo™", "Bar", "Another Name", "Baz"];
    const games = names.map((name, index) => owned(50 + index * 10, name));
    const { rows } = await importAll(database, objects, games, dump, { askSteam });
    const matched = [...rows.values()].map(({ appid, igdb, match_status, reason }) => [
      appid,
      match_status,
      igdb?.id ?? reason,
    ]);
    expect(matched).toEqual([
      [50, "MATCHED", 2],
      [60, "MATCHED", 5],
      [70, "IGNORED", "Steam's type: demo"],
      [80, "MATCHED", 8],
      [90, "IGNORED", "IGDB's type: expansion"],
    ]);
    expect(asked).toEqual([[50, 70, 80, 90]]);
  });

  it("matches by name and year only when exactly one candidate fits", async ({ open, openObjects }) => {
    const [database, { objects }] = [await open("postgres"), await openObjects("folder")];
    const names = ["Pokéball™: Éxtra!", "Twice", "Other Year", "Undated", "Not in IGDB"];
    await database.sql(`insert into apps (appid, name, type, steam_release_date) values
      (1, '${names[0]}', 'game', '2015-02-03'), (2, 'Twice', 'game', '2016-01-01'), (3, 'Other Year', 'game', '2017-01-01'),
      (4, 'Undated', 'game', null), (5, 'Not in IGDB', 'game', '2018-01-01')`);
    const dump = {
      games: [
        entry(101, "Pokéball: Éxtra!", { first_release_date: year(2015) }),
        entry(102, "Pokéball: Éxtra!", { first_release_date: year(2020) }),
        entry(201, "Twice", { first_release_date: year(2016) }),
        entry(202, "Twice", { first_release_date: year(2016) }),
        entry(301, "Other Year", { first_release_date: year(2018) }),
        entry(401, "Undated", { first_release_date: year(2019) }),
      ],
      externalGames: [],
    };
    const games = names.map((name, index) => owned(index + 1, name));
    const { rows, summary } = await importAll(database, objects, games, dump);
    expect([...rows.values()].map(({ appid, matched_by, igdb }) => [appid, matched_by, igdb?.id ?? null])).toEqual([
      [1, "name_and_year", 101],
      [2, null, null],
      [3, null, null],
      [4, null, null],
      [5, null, null],
    ]);
    expect(summary.enrichment).toEqual({ processed: 5, matched: 1, unmatched: 4, filtered: 0 });
    expect([...rows.values()].map(({ reason }) => reason)).toEqual([
      null,
      unmatchedReasons.ambiguous,
      unmatchedReasons.unknown,
      unmatchedReasons.unknown,
      unmatchedReasons.unknown,
    ]);
    expect(await database.sql(`select "igdbId", "steamAppId" from "Game"`)).toEqual([{ igdbId: 101, steamAppId: 1 }]);
  });
});

const realLibraries = loadRealLibraries();
const realIds = loadRealIgdbIds();

describe.skipIf(!realLibraries || !realIds)("the import of real libraries (skipped without ../shared/library)", () => {
  const gameTypes = [
    "Main Game",
    "DLC",
    "Expansion",
    "Bundle",
    "Standalone Expansion",
    "Mod",
    "Episode",
    "Season",
    "Remake",
    "Remaster",
  ];
  gameTypes.push("Expanded Game", "Port", "Fork", "Pack / Addon", "Update");

  /** IGDB with the real pairs, and titles that differ from Steam's names. */
  function realDump(): IgdbDump {
    const platforms = loadRealPlatforms()?.slice(0, 12) ?? [];
    const pairs = realIds?.games ?? [];
    const games = [...new Map(pairs.map((pair) => [pair.igdb_id, pair])).values()].map(
      ({ igdb_id: id, game_type }, index) => ({
        id,
        name: `IGDB's ${id}`,
        slug: `igdbs-${id}`,
        game_type: gameTypes.indexOf(game_type),
        first_release_date: year(1998 + (index % 25)),
        platforms: platforms.slice(index % 6, (index % 6) + 3),
      }),
    );
    const externalGames = pairs.map(({ appid, igdb_id }, index) => ({
      id: index + 1,
      uid: String(appid),
      external_game_source: 1,
      game: igdb_id,
    }));
    return { games, externalGames };
  }

  // On the third transport; the tests above do the same on the other two with generated libraries.
  it("imports every game, matched by the real ids", async ({ open, openObjects, expect }) => {
    const [database, { objects }] = [await open("postgres"), await openObjects("s3")];
    const dump = realDump();
    expect(dump.games.every(({ game_type }) => game_type !== undefined && game_type >= 0)).toBe(true);
    // The pairs come from a third library, of which there are only appids.
    const third = [...(realIds?.games ?? []).map(({ appid }) => appid), ...(realIds?.unmapped ?? [])];
    const libraries = [...(realLibraries ?? []), { games: third.map((appid) => owned(appid, "")) }];
    expect(libraries.map(({ games }) => games.length)).toEqual([129, 350, 121]);
    const pairs = new Map(realIds?.games.map(({ appid, igdb_id }) => [appid, igdb_id]));
    for (const [index, library] of libraries.entries()) {
      const [user, profile] = [`real-${index}`, `7656119800000000${index + 2}`];
      const web = simulateLibraryWeb({ libraries: { [profile]: library }, dump });
      const summary = await importLibrary(composeStages(database.db, web, objects), user, profile);
      expect(summary.game_count).toBe(library.games.length);
      expect(summary.enrichment.processed).toBe(library.games.length);
      const stored = await dumpLibrary(database.sql);
      const ofUser = (rows: string[] = []) => rows.filter((row) => row.startsWith(`["${user}"`));
      const expected = readLibrary(user, library, dump);
      for (const table of ["imported", "items"]) expect(ofUser(stored.get(table))).toEqual(expected.get(table));
      const statuses = await database.sql<{ appid: string; status: string }>(
        `select "storefrontGameId" as appid, "igdbMatchStatus"::text as status from "ImportedGame" where "userId" = '${user}'`,
      );
      const matched = statuses.filter(({ status }) => status === "MATCHED").map(({ appid }) => Number(appid));
      expect(matched.length).toBe(summary.enrichment.matched);
      expect(matched.filter((appid) => !pairs.has(appid))).toEqual([]);
      if (index === 2) {
        const others = statuses.filter(({ status }) => status !== "MATCHED");
        expect(others.filter(({ status }) => status === "UNMATCHED").map(({ appid }) => Number(appid))).toEqual(
          realIds?.unmapped,
        );
        const parts = realIds?.games.filter(({ game_type }) => /^(DLC|Expansion|Pack|Update)/.test(game_type)) ?? [];
        expect(others.length).toBe(parts.length + 3);
      }
      expect((await importLibrary(composeStages(database.db, web, objects), user, profile)).import).toEqual(nothingNew);
    }
  });
});

import { randomUUID } from "node:crypto";
import { beforeAll, expect } from "vitest";
import type { ImportCounts, ImportedRow } from "../../../src/library/store.ts";
import type { OpenDatabase } from "../../support/databases.ts";
import { type Catalog, type Row, useCatalog } from "./catalog.ts";

/** Access to `library_apply` as the third stage calls it, and to the tables behind it. */
export interface Importing {
  /** Applies one batch of a user, without retries, so that every error surfaces. */
  apply(userId: string, games: readonly ImportedRow[], requestId?: string): Promise<ImportCounts>;
  /** Rows of `"ImportedGame"` by appid. Fails on duplicates, which one key would hide. */
  imported(userId: string): Promise<Record<string, Row>>;
  /** The row of `"Game"`. */
  game(igdbId: number): Promise<Row | undefined>;
  /** Titles of a user's library with their status, sorted by title. */
  items(userId: string): Promise<[title: string, status: string][]>;
  /** Names of a game's genres and platforms. */
  labels(igdbId: number): Promise<{ genres: string[]; platforms: string[] }>;
  /** All rows of the library's tables with their `xmin`, so that a rewritten row differs even with equal values. */
  rows(): Promise<Record<string, string[]>>;
}

export const libraryTables = ["ImportedGame", "Game", "LibraryItem", "Genre", "Platform", "GameGenre", "GamePlatform"];

export interface Igdb {
  id: number;
  name: string;
  slug: string;
  summary: string | null;
  release_date: string | null;
  cover_url: string | null;
  genres: { id: number; name: string; slug: string }[];
  platforms: { id: number; name: string; slug: string; abbreviation: string | null }[];
}

/** A game of IGDB with every field set. */
export function igdb(id: number, given: Partial<Igdb> = {}): Igdb {
  return {
    id,
    name: `Title ${id}`,
    slug: `title-${id}`,
    summary: `About ${id}.`,
    release_date: "2011-04-18T00:00:00.000Z",
    cover_url: `https://images.igdb.com/igdb/image/upload/t_cover_big/co${id}.jpg`,
    genres: [
      { id: 5, name: "Shooter", slug: "shooter" },
      { id: 9, name: "Puzzle", slug: "puzzle" },
    ],
    platforms: [{ id: 6, name: "PC (Microsoft Windows)", slug: "win", abbreviation: "PC" }],
    ...given,
  };
}

/** A played game, matched with the IGDB game whose id equals the appid. */
export function owned(appid: number, given: Partial<ImportedRow> = {}): ImportedRow {
  return {
    appid,
    name: `Steam ${appid}`,
    playtime: 60,
    playtime_windows: 30,
    playtime_mac: 20,
    playtime_linux: 10,
    last_played_at: "2024-03-01T12:30:45.000Z",
    img_icon_url: `https://example.com/${appid}.jpg`,
    status: "MATCHED",
    igdb: igdb(appid),
    ...given,
  };
}
export const unmatched = (appid: number, given: Partial<ImportedRow> = {}) =>
  owned(appid, { status: "UNMATCHED", igdb: null, ...given });
/** Ignored although IGDB has a match. */
export const ignored = (appid: number, given: Partial<ImportedRow> = {}) =>
  owned(appid, { status: "IGNORED", ...given });

/** Counts with 0 by default. */
export const counts = (given: Partial<ImportCounts> = {}): ImportCounts => ({
  imported_games_created: 0,
  imported_games_updated: 0,
  games_created: 0,
  games_updated: 0,
  library_items_created: 0,
  ...given,
});

/** The counts for `games` new and matched games. */
export const created = (games: number): ImportCounts =>
  counts({ imported_games_created: games, games_created: games, library_items_created: games });

export function importingOf({ call, sql }: Pick<Catalog, "call" | "sql">): Importing {
  return {
    apply: (user_id, games, request_id = randomUUID()) => call("library_apply", { request_id, user_id, games }),
    async imported(userId) {
      const rows = await sql<{ row: Row }>(
        `select to_jsonb(i) as row from "ImportedGame" i where "userId" = $1 order by "storefrontGameId"`,
        [userId],
      );
      const byApp = new Map(rows.map(({ row }) => [String(row.storefrontGameId), row]));
      expect(byApp.size).toBe(rows.length);
      return Object.fromEntries(byApp);
    },
    game: async (igdbId) =>
      (await sql<{ row: Row }>(`select to_jsonb(g) as row from "Game" g where "igdbId" = $1`, [igdbId]))[0]?.row,
    async items(userId) {
      const rows = await sql<{ title: string; status: string }>(
        `select title, status::text from "LibraryItem" item join "Game" game on game.id = item."gameId"
         where "userId" = $1 order by title collate "C"`,
        [userId],
      );
      return rows.map(({ title, status }) => [title, status]);
    },
    async labels(igdbId) {
      const named = (one: "Genre" | "Platform") =>
        `array(select l.name from "Game${one}" gl join "${one}" l on l.id = gl."${one.toLowerCase()}Id"
               where gl."gameId" = game.id order by 1)`;
      const [row] = await sql<{ genres: string[]; platforms: string[] }>(
        `select ${named("Genre")} as genres, ${named("Platform")} as platforms from "Game" game where "igdbId" = $1`,
        [igdbId],
      );
      return row ?? { genres: [], platforms: [] };
    },
    async rows() {
      const all: Record<string, string[]> = {};
      for (const name of libraryTables) all[name] = await rowsOf(name);
      return all;
    },
  };

  async function rowsOf(name: string): Promise<string[]> {
    const rows = await sql<{ row: unknown }>(
      `select to_jsonb(t) || jsonb_build_object('xmin', t.xmin::text) as row from "${name}" t order by t::text`,
    );
    return rows.map(({ row }) => JSON.stringify(row));
  }
}

/** As {@link useCatalog}, with the library's tables. */
export function useLibrary(open: OpenDatabase): Catalog {
  const catalog = useCatalog(open);
  beforeAll(() => catalog.call("library_create_tables", {}));
  return catalog;
}

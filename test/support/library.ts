/**
 * Composition of the library import's stages as in src/commands/library-import.ts and src/lambda/runtime.ts, in this
 * process, against simulated web APIs:
 *
 *     const web = simulateLibraryWeb({ libraries: { [steamId]: generateLibrary({ seed: 1, games: 300 }) }, dump });
 *     const deps = composeStages(database.db, web, createFolderStore(folder));
 *     const summary = await importLibrary(deps, "u1");
 *     expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
 */
import type { Context } from "aws-lambda";
import { pino } from "pino";
import type { Database } from "../../src/db/database.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import { createIgdb } from "../../src/library/igdb.ts";
import type { ObjectStore } from "../../src/library/object-store.ts";
import { createLibraryImport, type LibraryImportOptions } from "../../src/library/pipeline.ts";
import type { LibrarySummary } from "../../src/library/progress.ts";
import { createLibraryStore } from "../../src/library/store.ts";
import type { TableOwner } from "../../src/library/tables.ts";
import { createWebClient, type WebClientOptions } from "../../src/web/client.ts";
import type { Dump, Sql } from "./dump.ts";
import { createSimulatedCustomNames } from "./web/custom-names.ts";
import { generateIgdbGames } from "./web/generate-igdb.ts";
import { generateLibrary } from "./web/generate-library.ts";
import { createSimulatedIgdb, type IgdbDump, type IgdbEntry, type SimulatedIgdb } from "./web/igdb.ts";
import {
  createSimulatedOwnedGames,
  type OwnedGame,
  type OwnedLibrary,
  type SimulatedOwnedGames,
} from "./web/owned-games.ts";
import { asFetch, type SimulatedWebApi } from "./web/web-api.ts";

export const apiKey = "STEAM-KEY-0123456789ABCDEF";
export const steamId = "76561198000000001";
/** The custom name of that profile. */
export const customName = "customer";

export interface LibraryWeb {
  steam: SimulatedOwnedGames;
  igdb: SimulatedIgdb;
  apis: SimulatedWebApi[];
  fetch: typeof globalThis.fetch;
}

export interface LibraryWebOptions {
  /** By SteamID64. */
  libraries?: Record<string, OwnedLibrary | "private" | "missing">;
  dump?: IgdbDump;
}

/** Simulated Steam, Twitch and IGDB, without rate limits. */
export function simulateLibraryWeb({ libraries = {}, dump }: LibraryWebOptions = {}): LibraryWeb {
  const steam = createSimulatedOwnedGames({ apiKey, libraries: new Map(Object.entries(libraries)) });
  const igdb = createSimulatedIgdb({ ...dump, perSecond: Number.POSITIVE_INFINITY });
  const names = createSimulatedCustomNames({ apiKey });
  names.names.set(customName, steamId);
  const apis = [steam, names, ...igdb.apis];
  return { steam, igdb, apis, fetch: asFetch(...apis) };
}

/** Generates a library, and an IGDB with most of its games. */
export function generateWorld(seed: number, games: number): { library: OwnedLibrary; dump: IgdbDump } {
  const library = generateLibrary({ seed, games });
  return { library, dump: generateIgdbGames({ seed, appids: library.games.map(({ appid }) => appid) }) };
}

export type StageDeps = Omit<LibraryImportOptions, "userId" | "steamId">;

export interface StageOptions extends Partial<Pick<WebClientOptions, "fetch" | "retryAttempts">> {
  /** By default the library's tables are this service's own, which creates them. */
  tables?: TableOwner;
  signal?: AbortSignal;
}

/** Dependencies of the stages, with rate limits above what any test sends. */
export function composeStages(
  db: Database,
  {
    fetch,
    igdb: { clientId, clientSecret },
  }: Pick<LibraryWeb, "fetch"> & { igdb: Pick<SimulatedIgdb, "clientId" | "clientSecret"> },
  objects: ObjectStore,
  { signal = new AbortController().signal, retryAttempts = 3, tables = "own", ...options }: StageOptions = {},
): StageDeps {
  const logger = pino({ level: "silent" });
  const store = createLibraryStore(db, createDatabaseRetry(db.driver, { logger, signal }));
  const generous = { count: 100_000, periodMs: 1_000 };
  const web = createWebClient({
    limits: {
      steamWebApi: { count: 100_000, periodMs: 86_400_000 },
      steamStoreApi: generous,
      steamSpy: generous,
      steamSpyAll: generous,
      igdb: generous,
    },
    retryAttempts,
    reserve: store.reserve,
    logger,
    fetch,
    ...options,
  });
  return {
    web,
    objects,
    store,
    tables,
    apiKey,
    signal,
    igdb: createIgdb({ web, store, clientId, clientSecret, signal }),
  };
}

export function importLibrary(deps: StageDeps, userId: string, profile = steamId): Promise<LibrarySummary> {
  return createLibraryImport({ ...deps, userId, steamId: profile }).run();
}

/** The context argument of a Lambda handler. */
export function lambdaContext(remainingMs = 900_000): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: "stage",
    functionVersion: "$LATEST",
    invokedFunctionArn: "arn:aws:lambda:eu-central-1:123456789012:function:stage",
    memoryLimitInMB: "512",
    awsRequestId: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    logGroupName: "/aws/lambda/stage",
    logStreamName: "2025/06/01/[$LATEST]",
    getRemainingTimeInMillis: () => remainingMs,
    done() {},
    fail() {},
    succeed() {},
  };
}

/** An app of the catalog. */
export interface CatalogApp {
  type: string;
  name?: string;
}

/** Everything that imports have written, for all users, without generated ids and write times. */
export async function dumpLibrary(sql: Sql): Promise<Dump> {
  const queries = {
    imported: `select jsonb_build_array("userId", "storefrontGameId", name, playtime, "playtimeWindows", "playtimeMac", "playtimeLinux",
      extract(epoch from "lastPlayedAt")::bigint, img_icon_url, "igdbMatchStatus") as row from "ImportedGame" where storefront = 'STEAM'`,
    games: `select jsonb_build_array("igdbId", title, description, "coverImage", extract(epoch from "releaseDate")::bigint, slug) as row
      from "Game"`,
    items: `select jsonb_build_array(item."userId", game."igdbId", status, "acquisitionType", platform) as row
      from "LibraryItem" item join "Game" game on game.id = item."gameId"`,
    genres: `select jsonb_build_array(game."igdbId", genre."igdbId", genre.name, genre.slug) as row from "GameGenre"
      join "Game" game on game.id = "gameId" join "Genre" genre on genre.id = "genreId"`,
    platforms: `select jsonb_build_array(game."igdbId", platform."igdbId", platform.name, platform.slug, platform.abbreviation) as row
      from "GamePlatform" join "Game" game on game.id = "gameId" join "Platform" platform on platform.id = "platformId"`,
  };
  const dump: Dump = new Map();
  for (const [table, query] of Object.entries(queries)) {
    dump.set(table, (await sql(query)).map(({ row }) => JSON.stringify(row)).sort());
  }
  return dump;
}

/**
 * The expected {@link dumpLibrary} after an import into an empty database: an oracle, computed from Steam's and IGDB's
 * data without any product code.
 */
export function readLibrary(
  userId: string,
  { games }: OwnedLibrary,
  dump: IgdbDump,
  catalog: ReadonlyMap<number, CatalogApp> = new Map(),
): Dump {
  const entries = new Map(dump.games.map((game) => [game.id, game]));
  const matches = new Map<string, number>();
  for (const { uid, external_game_source, game } of dump.externalGames) {
    if (external_game_source === 1 && game !== undefined && entries.has(game) && !matches.has(uid))
      matches.set(uid, game);
  }
  const imported: unknown[] = [];
  const playtimes = new Map<number, number>();
  for (const game of games) {
    const known = catalog.get(game.appid);
    const name = cleaned(game.name) || known?.name || "";
    const match = entries.get(matches.get(String(game.appid)) ?? 0);
    const isGame = isGameOf(known, match, name);
    if (isGame && match) playtimes.set(match.id, (playtimes.get(match.id) ?? 0) + game.playtime_forever);
    imported.push(importedRow(userId, game, name, isGame ? (match ? "MATCHED" : "UNMATCHED") : "IGNORED"));
  }
  const matched = [...playtimes.keys()].flatMap((id) => entries.get(id) ?? []);
  const items = [...playtimes].map(([id, minutes]) => {
    return [userId, id, minutes > 0 ? "EXPERIENCED" : "CURIOUS_ABOUT", "DIGITAL", "PC (Microsoft Windows)"];
  });
  const genres = matched.flatMap(({ id, genres = [] }) => genres.map((each) => [id, each.id, each.name, each.slug]));
  const platforms = matched.flatMap(({ id, platforms = [] }) =>
    platforms.map((each) => [id, each.id, each.name, each.slug, each.abbreviation ?? null]),
  );
  const tables = { imported, games: matched.map(gameRow), items, genres, platforms };
  return new Map(
    Object.entries<unknown[]>(tables).map(([table, rows]) => [table, rows.map((row) => JSON.stringify(row)).sort()]),
  );
}

function isGameOf(known: CatalogApp | undefined, match: IgdbEntry | undefined, name: string): boolean {
  if (known) return known.type === "game";
  return match ? !nonGameTypes.has(match.game_type ?? 0) : !isAdditionByName(name);
}

function importedRow(userId: string, game: OwnedGame, name: string, status: string) {
  const icons = "https://media.steampowered.com/steamcommunity/public/images/apps";
  return [
    userId,
    String(game.appid),
    name || `App ${game.appid}`,
    game.playtime_forever,
    game.playtime_windows_forever,
    game.playtime_mac_forever,
    game.playtime_linux_forever,
    game.rtime_last_played || null,
    game.img_icon_url ? `${icons}/${game.appid}/${game.img_icon_url}.jpg` : null,
    status,
  ];
}

function gameRow({ id, name, slug, summary, cover, first_release_date: released }: IgdbEntry) {
  const coverUrl = cover ? `https://images.igdb.com/igdb/image/upload/t_cover_big/${cover.image_id}.jpg` : null;
  return [id, name.trim(), summary ?? null, coverUrl, released ?? null, slug];
}

/** `game_type` of DLC, expansion, pack and update. */
const nonGameTypes = new Set([1, 2, 13, 14]);
const suffixes = [
  " season pass",
  " expansion",
  " dlc",
  " demo",
  " soundtrack",
  " editor",
  " - multiplayer",
  " - multi-player",
];
const isAdditionByName = (name: string) => suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
const cleaned = (name = "") => name.split("\0").join("").trim();

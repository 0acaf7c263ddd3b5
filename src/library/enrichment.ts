import { WebError } from "../process/errors.ts";
import { classify } from "./classify.ts";
import { readRawCsv, writeEnrichedCsv } from "./csv.ts";
import type { EnrichmentStats, IgdbEnrichmentEvent, IgdbEnrichmentResponse } from "./events.ts";
import type { Igdb } from "./igdb.ts";
import { enrichedKey } from "./keys.ts";
import { normalizeName, stripTrademarks } from "./names.ts";
import type { ObjectStore } from "./object-store.ts";
import type { EnrichedGame, IgdbGame, LibraryGame } from "./rows.ts";
import type { KnownApp, LibraryStore } from "./store.ts";

export interface EnrichmentDeps {
  objects: ObjectStore;
  igdb: Igdb;
  store: Pick<LibraryStore, "knownApps">;
  signal: AbortSignal;
  /** Called after each step with the number of games processed and their total. */
  onProgress?: (done: number, total: number) => void;
}

/** Games that are matched together. */
const gamesPerStep = 400;

/**
 * Second stage: classifies each entry of a raw file (game, DLC, …), matches the games with IGDB and writes the enriched
 * file beside the raw one.
 *
 * @throws {ImportRejectedError} when the file cannot be read or the credentials are refused.
 * @throws {WebError} when IGDB gives no answer; a retry may help.
 */
export async function igdbEnrichment(
  event: IgdbEnrichmentEvent,
  deps: EnrichmentDeps,
): Promise<IgdbEnrichmentResponse> {
  const { user_id, s3_location } = event;
  const key = enrichedKey(user_id, deps.objects.keyOf(s3_location));
  const games = readRawCsv(await deps.objects.get(s3_location));
  const enriched: EnrichedGame[] = [];
  for (let start = 0; start < games.length; start += gamesPerStep) {
    deps.signal.throwIfAborted();
    enriched.push(...(await enrich(games.slice(start, start + gamesPerStep), deps)));
    deps.onProgress?.(enriched.length, games.length);
  }
  const location = await deps.objects.put(key, writeEnrichedCsv(enriched), "text/csv; charset=utf-8");
  return { success: true, user_id, s3_enriched_location: location, stats: statsOf(enriched) };
}

interface Match {
  game: IgdbGame;
  by: "external_id" | "name_and_year";
}

async function enrich(games: readonly LibraryGame[], { igdb, store }: EnrichmentDeps): Promise<EnrichedGame[]> {
  const appids = games.map(({ appid }) => appid);
  const known = new Map((await store.knownApps(appids)).map((app) => [app.appid, app]));
  const matches = await matchGames(games, known, igdb);
  return games.map((game) => enrichedOf(game, known.get(game.appid), matches.get(game.appid)));
}

function enrichedOf(game: LibraryGame, app: KnownApp | undefined, match: Match | undefined): EnrichedGame {
  const name = game.name || (app?.name ?? "");
  const igdbGameType = match?.game.game_type ?? null;
  const classification = classify({ catalogType: app?.type ?? null, igdbGameType, name });
  const entry = { ...game, name, classification };
  if (classification !== "GAME") return { ...entry, match_status: "IGNORED", matched_by: null, igdb: null };
  if (!match) return { ...entry, match_status: "UNMATCHED", matched_by: null, igdb: null };
  return { ...entry, match_status: "MATCHED", matched_by: match.by, igdb: match.game };
}

/**
 * Matches by appid first, and the remaining games by name and year of release. Skips apps that are not games in the
 * catalog.
 */
async function matchGames(
  games: readonly LibraryGame[],
  known: ReadonlyMap<number, KnownApp>,
  igdb: Igdb,
): Promise<Map<number, Match>> {
  const candidates = games.filter(({ appid, name }) => {
    const app = known.get(appid);
    return !app || classify({ catalogType: app.type, igdbGameType: null, name }) === "GAME";
  });
  const matches = new Map<number, Match>();
  for (const [appid, game] of await igdb.bySteamAppids(candidates.map(({ appid }) => appid))) {
    matches.set(appid, { game, by: "external_id" });
  }
  const unmatched = candidates.filter(({ appid }) => !matches.has(appid));
  for (const [appid, game] of await matchByName(unmatched, known, igdb)) {
    matches.set(appid, { game, by: "name_and_year" });
  }
  return matches;
}

/**
 * Matches by normalized name and year of release. Exactly one candidate counts as a match; several candidates or an
 * unknown year do not, because a wrong match is worse than none.
 */
async function matchByName(
  games: readonly LibraryGame[],
  known: ReadonlyMap<number, KnownApp>,
  igdb: Igdb,
): Promise<Map<number, IgdbGame>> {
  const dated = games.flatMap(({ appid, name }) => {
    const { name: knownName, release_year: year } = known.get(appid) ?? {};
    const anyName = name || knownName;
    return anyName && year ? [{ appid, name: anyName, year }] : [];
  });
  if (dated.length === 0) return new Map();
  const names = new Set(dated.flatMap(({ name }) => [name, stripTrademarks(name)]));
  const candidates = new Map((await gamesByNames([...names], igdb)).map((game) => [game.id, game]));
  const found = new Map<number, IgdbGame>();
  for (const { appid, name, year } of dated) {
    const wanted = normalizeName(name);
    const same = [...candidates.values()].filter(
      (game) =>
        wanted !== "" &&
        normalizeName(game.name) === wanted &&
        game.release_date !== null &&
        new Date(game.release_date).getUTCFullYear() === year,
    );
    const [only] = same;
    if (only && same.length === 1) found.set(appid, only);
  }
  return found;
}

/** IGDB refuses a query for the characters of some names. That is no failure of the stage: the games stay unmatched. */
async function gamesByNames(names: readonly string[], igdb: Igdb): Promise<IgdbGame[]> {
  try {
    return await igdb.byNames(names);
  } catch (error) {
    if (error instanceof WebError && error.fault === "refused") return [];
    throw error;
  }
}

function statsOf(games: readonly EnrichedGame[]): EnrichmentStats {
  const count = (status: EnrichedGame["match_status"]) => games.filter((game) => game.match_status === status).length;
  return {
    processed: games.length,
    matched: count("MATCHED"),
    unmatched: count("UNMATCHED"),
    filtered: count("IGNORED"),
  };
}

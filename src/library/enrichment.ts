import { WebError } from "../process/errors.ts";
import { classify } from "./classify.ts";
import { readRawCsv, writeEnrichedCsv } from "./csv.ts";
import type { EnrichmentStats, IgdbEnrichmentEvent, IgdbEnrichmentResponse } from "./events.ts";
import type { Igdb } from "./igdb.ts";
import { enrichedKey } from "./keys.ts";
import { normalisedName, withoutMarks } from "./names.ts";
import type { ObjectStore } from "./object-store.ts";
import type { EnrichedGame, IgdbGame, LibraryGame } from "./rows.ts";
import type { KnownApp, LibraryStore } from "./store.ts";

export interface EnrichmentDeps {
  objects: ObjectStore;
  igdb: Igdb;
  store: Pick<LibraryStore, "knownApps">;
  signal: AbortSignal;
  /** Called with so many games of so many. */
  onProgress?: (done: number, total: number) => void;
}

/** Games that are looked up together. */
const gamesPerStep = 400;

/**
 * The second stage: each game of a raw file is told apart from DLC and the like, and matched with IGDB; the result is an enriched file beside it.
 *
 * @throws {ImportRejectedError} for a file that cannot be read, and credentials that are refused.
 * @throws {WebError} when IGDB cannot be asked; a retry may help.
 */
export async function igdbEnrichment(
  event: IgdbEnrichmentEvent,
  deps: EnrichmentDeps,
): Promise<IgdbEnrichmentResponse> {
  const { user_id, s3_location } = event;
  const key = enrichedKey(user_id, deps.objects.keyOf(s3_location));
  const games = readRawCsv(await deps.objects.get(s3_location));
  const enriched: EnrichedGame[] = [];
  for (let at = 0; at < games.length; at += gamesPerStep) {
    deps.signal.throwIfAborted();
    enriched.push(...(await enrich(games.slice(at, at + gamesPerStep), deps)));
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
  const known = new Map((await store.knownApps(games.map(({ appid }) => appid))).map((app) => [app.appid, app]));
  // What the catalog calls no game needs no match.
  const wanted = games.filter(
    ({ appid, name }) =>
      !known.has(appid) || classify({ ...evidenceOf(known.get(appid)), igdbGameType: null, name }) === "GAME",
  );
  const matches = new Map<number, Match>();
  for (const [appid, game] of await igdb.bySteamAppids(wanted.map(({ appid }) => appid))) {
    matches.set(appid, { game, by: "external_id" });
  }
  const unmatched = wanted.filter(({ appid }) => !matches.has(appid));
  for (const [appid, game] of await matchByName(unmatched, known, igdb))
    matches.set(appid, { game, by: "name_and_year" });

  return games.map((game) => {
    const match = matches.get(game.appid) ?? null;
    const name = game.name || (known.get(game.appid)?.name ?? "");
    const igdbGameType = match?.game.game_type ?? null;
    const classification = classify({ ...evidenceOf(known.get(game.appid)), igdbGameType, name });
    const isGame = classification === "GAME";
    return {
      ...game,
      name,
      classification,
      match_status: !isGame ? "IGNORED" : match ? "MATCHED" : "UNMATCHED",
      matched_by: isGame && match ? match.by : null,
      igdb: isGame && match ? match.game : null,
    };
  });
}

const evidenceOf = (app: KnownApp | undefined) => ({ catalogType: app?.type ?? null });

/**
 * Games that the appid did not find, by exactly the same name (apart from case, accents, marks and punctuation) and the same year of release.
 * Several candidates, or an unknown year, are no match: never a guess.
 */
async function matchByName(
  games: readonly LibraryGame[],
  known: ReadonlyMap<number, KnownApp>,
  igdb: Igdb,
): Promise<Map<number, IgdbGame>> {
  const dated = games.flatMap(({ appid, name }) => {
    const { name: knownName, release_year: year } = known.get(appid) ?? {};
    const called = name || knownName;
    return called && year ? [{ appid, name: called, year }] : [];
  });
  if (dated.length === 0) return new Map();
  const names = new Set(dated.flatMap(({ name }) => [name, withoutMarks(name)]));
  const candidates = new Map((await namesakes([...names], igdb)).map((game) => [game.id, game]));
  const found = new Map<number, IgdbGame>();
  for (const { appid, name, year } of dated) {
    const wanted = normalisedName(name);
    const same = [...candidates.values()].filter(
      (game) =>
        wanted !== "" &&
        normalisedName(game.name) === wanted &&
        game.release_date !== null &&
        new Date(game.release_date).getUTCFullYear() === year,
    );
    const [only] = same;
    if (only && same.length === 1) found.set(appid, only);
  }
  return found;
}

/** A query that IGDB refuses for what a name holds is no reason to fail: these games are unmatched anyway. */
async function namesakes(names: readonly string[], igdb: Igdb): Promise<IgdbGame[]> {
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

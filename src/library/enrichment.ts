import type { Logger } from "../process/logger.ts";
import { classify } from "./classify.ts";
import { readRawCsv, writeEnrichedCsv } from "./csv.ts";
import type { EnrichmentStats, IgdbEnrichmentEvent, IgdbEnrichmentResponse } from "./events.ts";
import type { Igdb } from "./igdb.ts";
import { enrichedKey } from "./keys.ts";
import { isUnanswered, type Match, matchGames, unmatchedReasons } from "./match.ts";
import type { ObjectStore } from "./object-store.ts";
import type { EnrichedGame, LibraryGame } from "./rows.ts";
import type { KnownApp, LibraryStore } from "./store.ts";

export interface EnrichmentDeps {
  objects: ObjectStore;
  igdb: Igdb;
  store: Pick<LibraryStore, "knownApps">;
  /**
   * Asks Steam for apps whose type the database does not know; those that Steam does not tell are left out. Optional:
   * without it, and where it fails, IGDB's type and the name decide.
   */
  askSteam?: (appids: readonly number[]) => Promise<KnownApp[]>;
  logger?: Pick<Logger, "warn">;
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
  const stats = statsOf(enriched);
  warnOfRefused(stats, deps.logger);
  const location = await deps.objects.put(key, writeEnrichedCsv(enriched), "text/csv; charset=utf-8");
  return { success: true, user_id, s3_enriched_location: location, stats };
}

async function enrich(games: readonly LibraryGame[], deps: EnrichmentDeps): Promise<EnrichedGame[]> {
  const known = await knownApps(
    games.map(({ appid }) => appid),
    deps,
  );
  const matches = await matchGames(games, known, deps.igdb);
  return games.map((game) => enrichedOf(game, known.get(game.appid), matches.get(game.appid)));
}

/** What the database knows of the apps, and Steam of the others. */
async function knownApps(
  appids: readonly number[],
  { store, askSteam }: EnrichmentDeps,
): Promise<Map<number, KnownApp>> {
  const known = new Map((await store.knownApps(appids)).map((app) => [app.appid, app]));
  const missing = appids.filter((appid) => !known.has(appid));
  if (missing.length === 0 || !askSteam) return known;
  for (const app of await askSteam(missing)) known.set(app.appid, app);
  return known;
}

function enrichedOf(game: LibraryGame, app: KnownApp | undefined, match: Match | undefined): EnrichedGame {
  const name = game.name || (app?.name ?? "");
  const igdbGameType = match?.game?.game_type ?? null;
  const { classification, reason } = classify({ steamType: app?.type ?? null, igdbGameType, name });
  const entry = { ...game, name, classification };
  if (classification !== "GAME") return { ...entry, match_status: "IGNORED", matched_by: null, igdb: null, reason };
  if (match?.game) return { ...entry, match_status: "MATCHED", matched_by: match.by, igdb: match.game, reason: null };
  const why = unmatchedReasons[match?.why ?? "unknown"];
  return { ...entry, match_status: "UNMATCHED", matched_by: null, igdb: null, reason: why };
}

/** Games that the stats name; a Lambda response holds 256 KB. */
const maxNamed = 100;

function statsOf(games: readonly EnrichedGame[]): EnrichmentStats {
  const count = (status: EnrichedGame["match_status"]) => games.filter((game) => game.match_status === status).length;
  const failed = games.filter(isUnanswered);
  return {
    processed: games.length,
    matched: count("MATCHED"),
    unmatched: count("UNMATCHED"),
    filtered: count("IGNORED"),
    ...(failed.length > 0 && {
      failed: failed.length,
      failed_games: failed.slice(0, maxNamed).map(({ appid, name }) => ({ appid, name })),
    }),
  };
}

function warnOfRefused(
  { failed = 0, failed_games: games = [] }: EnrichmentStats,
  logger: EnrichmentDeps["logger"],
): void {
  if (failed === 0) return;
  const names = games.map(({ appid, name }) => `${name || "App"} (${appid})`).join(", ");
  logger?.warn(
    { failed, games },
    `IGDB refuses the query for ${failed} of the games; they stay unmatched, and the next import asks again: ${names}`,
  );
}

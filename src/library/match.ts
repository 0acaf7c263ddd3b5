import { chooseByName, chooseGame } from "./choose.ts";
import { classify } from "./classify.ts";
import type { Igdb } from "./igdb.ts";
import { normalizeName, stripTrademarks } from "./names.ts";
import type { EnrichedGame, IgdbGame, LibraryGame } from "./rows.ts";
import type { KnownApp } from "./store.ts";

/** Why a game has no match, as the enriched file says it. */
export const unmatchedReasons = {
  unknown: "not found in IGDB",
  ambiguous: "several IGDB games have its name and year",
  refused: "IGDB refuses the query for it; the next import asks again",
};

/** Whether IGDB refused to answer about a game, which says nothing of whether it has the game. */
export function isUnanswered({ match_status: status, reason }: EnrichedGame): boolean {
  return status === "UNMATCHED" && reason === unmatchedReasons.refused;
}

export type Match =
  | { game: IgdbGame; by: "external_id" | "name_and_year" }
  | { game: null; why: keyof typeof unmatchedReasons };

/**
 * Matches games with IGDB: by Steam's appid, then the rest by name and year of release. Apps that Steam says are no
 * games are left out of the result.
 */
export async function matchGames(
  games: readonly LibraryGame[],
  known: ReadonlyMap<number, KnownApp>,
  igdb: Igdb,
): Promise<Map<number, Match>> {
  const wanted = games.flatMap(({ appid, name }) => {
    const app = known.get(appid);
    const isGame = !app || classify({ steamType: app.type, igdbGameType: null, name }).classification === "GAME";
    return isGame ? [{ appid, name: name || (app?.name ?? ""), year: app?.release_year ?? null }] : [];
  });
  const matches = new Map<number, Match>();
  const byAppid = await igdb.bySteamAppids(wanted.map(({ appid }) => appid));
  for (const { appid, ...app } of wanted) {
    const game = chooseGame(byAppid.games.get(appid) ?? [], app);
    if (game) matches.set(appid, { game, by: "external_id" });
    else matches.set(appid, { game: null, why: byAppid.refused.has(appid) ? "refused" : "unknown" });
  }
  const unmatched = wanted.filter(({ appid }) => matches.get(appid)?.game === null);
  for (const [appid, match] of await matchByName(unmatched, igdb)) {
    const isRefusedById = byAppid.refused.has(appid);
    if (match.game !== null || !isRefusedById) matches.set(appid, match);
  }
  return matches;
}

/** A game without a name or year is left out: a name alone is not enough. */
async function matchByName(
  apps: readonly { appid: number; name: string; year: number | null }[],
  igdb: Igdb,
): Promise<Map<number, Match>> {
  const dated = apps.flatMap(({ year, ...app }) =>
    year !== null && normalizeName(app.name) !== ""
      ? [{ ...app, year, names: [app.name, stripTrademarks(app.name)] }]
      : [],
  );
  if (dated.length === 0) return new Map();
  const { games, refused } = await igdb.byNames([...new Set(dated.flatMap(({ names }) => names))]);
  const candidates = [...new Map([...games.values()].flat().map((game) => [game.id, game])).values()];
  const matchOf = ({ names, ...app }: (typeof dated)[number]): Match => {
    const game = chooseByName(candidates, app);
    if (typeof game === "object") return { game, by: "name_and_year" };
    return { game: null, why: names.some((name) => refused.has(name)) ? "refused" : (game ?? "unknown") };
  };
  return new Map(dated.map((app) => [app.appid, matchOf(app)]));
}

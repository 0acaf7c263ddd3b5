import { normalizeName } from "./names.ts";
import type { IgdbGame } from "./rows.ts";

/** What Steam says of the app that a game is chosen for. */
export interface WantedGame {
  name: string;
  /** Year of the first release; null where it is not known. */
  year: number | null;
}

/**
 * The best of several IGDB games for one game of Steam; undefined without any. IGDB lists several games under one Steam
 * appid: an older game that had it, a bundle, a DLC (seen in IGDB's data).
 *
 * The first criterion that differs decides:
 *
 * 1. the same normalized name;
 * 2. the kind: standalone game, then bundle, then addition (DLC, expansion, pack, update);
 * 3. a name that begins with the other ("Portal" and "Portal: Still Alive");
 * 4. the same year of release, if both are known;
 * 5. among standalone games: main game, then remake, remaster, port and the like, in this order;
 * 6. the lowest id.
 *
 * The name stands above the kind because Steam sells as games what IGDB calls expansions ("Half-Life: Opposing Force",
 * beside "Half-Life"). The year stands above remake and remaster because these share the name of the original ("Dead
 * Space" of 2008 and of 2023). Steam's DLC never gets here: it is ignored, whatever IGDB has.
 */
export function chooseGame(candidates: readonly IgdbGame[], wanted: WantedGame): IgdbGame | undefined {
  const ranked = candidates.map((game) => ({ game, rank: rankOf(game, wanted) }));
  return ranked.sort((a, b) => compare(a.rank, b.rank))[0]?.game;
}

/**
 * The only game of the best kind that has the given name and year; `ambiguous` if there are several, and undefined
 * without any. Two games of one name and year cannot be told apart, and a wrong match is worse than none.
 */
export function chooseByName(
  candidates: readonly IgdbGame[],
  { name, year }: { name: string; year: number },
): IgdbGame | "ambiguous" | undefined {
  const wanted = normalizeName(name);
  if (wanted === "") return undefined;
  const same = candidates.filter((game) => normalizeName(game.name) === wanted && yearOf(game) === year);
  const best = Math.min(...same.map(kindOf));
  const [only, ...others] = same.filter((game) => kindOf(game) === best);
  return others.length > 0 ? "ambiguous" : only;
}

function rankOf(game: IgdbGame, { name, year }: WantedGame): number[] {
  const [own, wanted] = [normalizeName(game.name), normalizeName(name)];
  const isSame = own === wanted;
  const isPart =
    own !== "" && wanted !== "" && (`${own} `.startsWith(`${wanted} `) || `${wanted} `.startsWith(`${own} `));
  const isOfYear = year !== null && yearOf(game) === year;
  return [isSame ? 0 : 1, kindOf(game), isPart ? 0 : 1, isOfYear ? 0 : 1, orderOf(game), game.id];
}

function compare(a: readonly number[], b: readonly number[]): number {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at === -1 ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

/** IGDB's game types (v4 API, `/game_types`) that are no standalone games: bundle; DLC, expansion, pack, update. */
const bundle = 3;
const additions: readonly number[] = [1, 2, 13, 14];
/** Standalone types in order of preference: main game, remake, remaster, expanded game, port; the others follow. */
const standalone: readonly number[] = [0, 8, 9, 10, 11];

function kindOf({ game_type: type }: IgdbGame): number {
  if (type === null) return 0;
  if (additions.includes(type)) return 2;
  return type === bundle ? 1 : 0;
}

function orderOf({ game_type: type }: IgdbGame): number {
  const at = standalone.indexOf(type ?? 0);
  return at === -1 ? standalone.length : at;
}

function yearOf({ release_date: date }: IgdbGame): number | null {
  return date === null ? null : new Date(date).getUTCFullYear();
}

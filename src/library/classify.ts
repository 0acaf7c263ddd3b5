/**
 * Classification of a library entry: a game, or an addition to one.
 *
 * Precedence: the catalog's type if the app is in the catalog, then IGDB's game type, then the name. Names come last
 * because they mislead: "The Turing Test" is not a test, and "Secret Neighbor: Hello Neighbor Multiplayer" is a game of
 * its own.
 */
export type Classification = "GAME" | "DLC" | "MULTIPLAYER_COMPONENT" | "NON_GAME";

export interface Evidence {
  /** `apps.type`; null when the app is not in the catalog. */
  catalogType: string | null;
  /** IGDB's `game_type`; null without a match. */
  igdbGameType: number | null;
  name: string;
}

const byCatalogType = new Map<string, Classification>([
  ["game", "GAME"],
  ["mod", "GAME"],
  ["dlc", "DLC"],
]);

/** IGDB's game types that are not standalone games (v4 API, `/game_types`): 1 DLC, 2 expansion, 13 pack, 14 update. */
const byGameType: Record<number, Classification> = { 1: "DLC", 2: "DLC", 13: "DLC", 14: "NON_GAME" };

/** Suffixes of names, as whole words. */
const bySuffix: [RegExp, Classification][] = [
  [/\s-\s*multi-?player$/i, "MULTIPLAYER_COMPONENT"],
  [/(\s-\s*dlc|\bseason pass|\bexpansion)$/i, "DLC"],
  [/(\s-\s*demo|\s-\s*soundtrack|\beditor)$/i, "NON_GAME"],
];

export function classify({ catalogType, igdbGameType, name }: Evidence): Classification {
  if (catalogType !== null) return byCatalogType.get(catalogType) ?? "NON_GAME";
  if (igdbGameType !== null) return byGameType[igdbGameType] ?? "GAME";
  return bySuffix.find(([suffix]) => suffix.test(name.trim()))?.[1] ?? "GAME";
}

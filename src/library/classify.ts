/**
 * What an entry of a Steam library is: a game, or something that hangs on one.
 *
 * The catalog's own type decides where the app is known, then IGDB's type of the game, and names only as a last resort: by name
 * alone "The Turing Test" would be a test and "Secret Neighbor: Hello Neighbor Multiplayer" a component.
 */
export type Classification = "GAME" | "DLC" | "MULTIPLAYER_COMPONENT" | "NON_GAME";

export interface Evidence {
  /** `apps.type`; null when the catalog does not know the app. */
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

/** IGDB's game types that are no game of their own (v4 API, `/game_types`): 1 DLC, 2 expansion, 13 pack, 14 update. */
const byGameType: Record<number, Classification> = { 1: "DLC", 2: "DLC", 13: "DLC", 14: "NON_GAME" };

/** At the end of a name, as a word of its own. */
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

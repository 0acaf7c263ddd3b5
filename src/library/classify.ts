/**
 * Classification of a library entry: a game, or an addition to one.
 *
 * Precedence: Steam's own type, then IGDB's game type, then the name. What Steam sells as a game is a game, also where
 * IGDB calls it an expansion. Names come last because they mislead: "The Turing Test" is not a test, and "Secret
 * Neighbor: Hello Neighbor Multiplayer" is a game of its own.
 */
export type Classification = "GAME" | "DLC" | "MULTIPLAYER_COMPONENT" | "NON_GAME";

export interface Evidence {
  /** The app's type in PICS, lower-case: `game`, `dlc`, `demo`, …; null where Steam's type is not known. */
  steamType: string | null;
  /** IGDB's `game_type`; null without a match. */
  igdbGameType: number | null;
  name: string;
}

export interface Verdict {
  classification: Classification;
  /** The evidence that it is no game, in a few words; null for a game. */
  reason: string | null;
}

const bySteamType = new Map<string, Classification>([
  ["game", "GAME"],
  ["mod", "GAME"],
  ["dlc", "DLC"],
]);

/** IGDB's game types that are not standalone games (v4 API, `/game_types`). */
const byGameType = new Map<number, [name: string, Classification]>([
  [1, ["DLC", "DLC"]],
  [2, ["expansion", "DLC"]],
  [13, ["pack", "DLC"]],
  [14, ["update", "NON_GAME"]],
]);

/**
 * Patterns of names, for apps whose type neither Steam nor IGDB states. Chosen for precision, since a game that is
 * ignored by mistake is worse than a demo that stays unmatched: measured against Steam's own types of 9,059 names in
 * test/unit/library/real-names.test.ts. Left out because most such apps are games to Steam: Prologue, Test Server, Beta
 * and a bare Pack.
 */
export const namePatterns: readonly { what: string; pattern: RegExp; classification: Classification }[] = [
  { what: "multiplayer part", pattern: /\s-\s*multi-?player$/i, classification: "MULTIPLAYER_COMPONENT" },
  { what: "DLC", pattern: /\sDLC$/i, classification: "DLC" },
  { what: "season pass", pattern: /\bseason pass$/i, classification: "DLC" },
  { what: "expansion", pattern: /\bexpansion$/i, classification: "DLC" },
  {
    what: "content pack",
    pattern: /(\s[-–]\s.*\bpack|\b(character|content|costume|expansion|map|skin|starter|weapon) packs?)$/i,
    classification: "DLC",
  },
  { what: "demo", pattern: /\sdemo$/i, classification: "NON_GAME" },
  { what: "playtest", pattern: /\splaytest$|\b(staging|testing) branch$/i, classification: "NON_GAME" },
  { what: "soundtrack", pattern: /\s(soundtracks?|OST)$/i, classification: "NON_GAME" },
  { what: "server", pattern: /dedicated ?server|(?<!\btest|\bexperimental) server\)?$/i, classification: "NON_GAME" },
  {
    what: "SDK or tool",
    pattern: /\s(SDK|tools?|(creation|development|modding) kit)$/i,
    classification: "NON_GAME",
  },
  { what: "editor", pattern: /\seditor$/i, classification: "NON_GAME" },
  {
    what: "runtime",
    pattern: /^(Proton (\d|Experimental|Hotfix)|Steam Linux Runtime|Steamworks )/,
    classification: "NON_GAME",
  },
];

export function classify({ steamType, igdbGameType, name }: Evidence): Verdict {
  if (steamType !== null) {
    return verdict(bySteamType.get(steamType) ?? "NON_GAME", `Steam's type: ${steamType || "unknown"}`);
  }
  if (igdbGameType !== null) {
    const [type, classification] = byGameType.get(igdbGameType) ?? ["game", "GAME"];
    return verdict(classification, `IGDB's type: ${type}`);
  }
  const found = namePatterns.find(({ pattern }) => pattern.test(name.trim()));
  return found ? verdict(found.classification, `by its name: ${found.what}`) : verdict("GAME", "");
}

function verdict(classification: Classification, reason: string): Verdict {
  return { classification, reason: classification === "GAME" ? null : reason };
}

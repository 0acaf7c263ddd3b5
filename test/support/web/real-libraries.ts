/**
 * Loaders of real answers, which are in `../shared` beside the repository if available, and are never copied into it.
 */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { OwnedGame } from "./owned-games.ts";

const folder = new URL("../../../../shared/library/", import.meta.url);

/** The libraries of two accounts, the smaller first; null when absent. */
export function loadRealLibraries(): { games: OwnedGame[] }[] | null {
  return load(["owned-games-129", "owned-games-350"], (read) =>
    (read as { response: { games: OwnedGame[] } }[]).map(({ response }) => ({ games: response.games })),
  );
}

export interface RealIgdbIds {
  games: { appid: number; igdb_id: number; game_type: string }[];
  /** Appids unknown to IGDB. */
  unmapped: number[];
}

/** IGDB's games of the apps in one library; null when absent. */
export function loadRealIgdbIds(): RealIgdbIds | null {
  return load(["steam-to-igdb-118"], ([ids]) => ids as RealIgdbIds);
}

/** IGDB's platforms; null when absent. */
export function loadRealPlatforms(): { id: number; name: string; slug: string }[] | null {
  return load(["igdb-platforms"], ([platforms]) => platforms as { id: number; name: string; slug: string }[]);
}

function load<T>(names: string[], read: (contents: unknown[]) => T): T | null {
  if (!existsSync(folder)) return null;
  return read(names.map((name) => JSON.parse(gunzipSync(readFileSync(new URL(`${name}.json.gz`, folder))).toString())));
}

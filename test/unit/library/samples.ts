import type { EnrichedGame, IgdbGame, LibraryGame } from "../../../src/library/rows.ts";

/** Builders of rows with defaults, so that a test names only the fields that matter to it. */
export function libraryGame(given: Partial<LibraryGame> = {}): LibraryGame {
  return {
    appid: 620,
    name: "Portal 2",
    playtime_forever: 0,
    playtime_windows: 0,
    playtime_mac: 0,
    playtime_linux: 0,
    playtime_deck: 0,
    playtime_2weeks: 0,
    last_played_at: null,
    img_icon_url: null,
    ...given,
  };
}

export function igdbGame(given: Partial<IgdbGame> = {}): IgdbGame {
  return {
    id: 72,
    name: "Portal 2",
    slug: "portal-2",
    summary: null,
    release_date: null,
    cover_url: null,
    game_type: 0,
    genres: [],
    platforms: [],
    ...given,
  };
}

export function enrichedGame(given: Partial<EnrichedGame> = {}): EnrichedGame {
  return {
    ...libraryGame(),
    classification: "GAME",
    match_status: given.igdb ? "MATCHED" : "UNMATCHED",
    matched_by: given.igdb ? "external_id" : null,
    igdb: null,
    reason: null,
    ...given,
  };
}

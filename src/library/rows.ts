import { z } from "zod";
import { int32Max } from "../process/limits.ts";

/** Schemas of the rows of both files after parsing. In the file itself, numbers and objects are text. */

export const appid = z.number().int().min(1).max(int32Max);
/** A playtime; the column is a Postgres `int` like an id. */
export const minutes = z.number().int().min(0).max(int32Max);

/** A game of a Steam library. Playtimes are minutes; null when Steam does not report them. */
export const libraryGame = z.object({
  appid,
  /** Empty when Steam sends none. */
  name: z.string(),
  playtime_forever: minutes.nullable(),
  playtime_windows: minutes.nullable(),
  playtime_mac: minutes.nullable(),
  playtime_linux: minutes.nullable(),
  playtime_deck: minutes.nullable(),
  playtime_2weeks: minutes.nullable(),
  /** ISO 8601; null when never played. */
  last_played_at: z.string().nullable(),
  img_icon_url: z.string().nullable(),
});
export type LibraryGame = z.infer<typeof libraryGame>;

/** An id of IGDB; the columns are a Postgres `int`. */
export const igdbId = z.number().int().min(1).max(int32Max);

const label = z.object({ id: igdbId, name: z.string(), slug: z.string() });

/** The fields of an IGDB game that the library stores. */
export const igdbGame = z.object({
  id: igdbId,
  name: z.string(),
  slug: z.string(),
  summary: z.string().nullable(),
  /** ISO 8601. */
  release_date: z.string().nullable(),
  cover_url: z.string().nullable(),
  game_type: z.number().int().min(0).nullable(),
  genres: z.array(label),
  platforms: z.array(label.extend({ abbreviation: z.string().nullable() })),
});
export type IgdbGame = z.infer<typeof igdbGame>;

export const enrichedGame = libraryGame.extend({
  classification: z.enum(["GAME", "DLC", "MULTIPLAYER_COMPONENT", "NON_GAME"]),
  match_status: z.enum(["MATCHED", "UNMATCHED", "IGNORED"]),
  /** How the match was found; null without a match. */
  matched_by: z.enum(["external_id", "name_and_year"]).nullable(),
  igdb: igdbGame.nullable(),
  /** Why the game is ignored or unmatched, in a few words; null for a match, and in files of older versions. */
  reason: z.string().nullable(),
});
export type EnrichedGame = z.infer<typeof enrichedGame>;

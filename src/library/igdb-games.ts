import { z } from "zod";
import { text } from "../catalog/values.ts";
import { type IgdbGame, igdbId } from "./rows.ts";

/** Rows of IGDB's `games`, as this program asks for them, and what it makes of them. */

export const gameFields = [
  "id",
  "name",
  "slug",
  "summary",
  "first_release_date",
  "cover.image_id",
  "game_type",
  "genres.id",
  "genres.name",
  "genres.slug",
  "platforms.id",
  "platforms.name",
  "platforms.slug",
  "platforms.abbreviation",
];

/** A text; absent when it is anything else, so that an odd field costs only itself. */
const someText = z.string().optional().catch(undefined);

/**
 * A genre or platform, dropped when its id does not fit its column, like such a game. A dangling reference arrives as a
 * bare id instead of an object, for covers and games too, and is dropped.
 */
const label = z
  .object({ id: igdbId, name: z.string(), slug: z.string(), abbreviation: someText })
  .nullable()
  .catch(null);
const gameRow = z.object({
  id: igdbId,
  name: someText,
  slug: someText,
  summary: someText,
  /** Unix seconds, negative before 1970. Bounds: the years 1 to 9999, which both ISO 8601 and Postgres can write. */
  first_release_date: z.number().int().min(-62_135_596_800).max(253_402_300_799).optional().catch(undefined),
  cover: z.object({ image_id: z.string() }).optional().catch(undefined),
  game_type: z.number().int().min(0).optional().catch(undefined),
  genres: z.array(label).catch([]),
  platforms: z.array(label).catch([]),
});
/** Undefined for a row that is no game: a dangling reference, an id that does not fit its column. */
export const gameOrNothing = gameRow.optional().catch(undefined);

/** The games of some rows, by id, each once. */
export function distinctGames(rows: readonly z.output<typeof gameOrNothing>[]): IgdbGame[] {
  const games = new Map(rows.flatMap((row) => (row ? [[row.id, gameOf(row)] as const] : [])));
  return [...games.values()].sort((a, b) => a.id - b.id);
}

function gameOf(row: z.output<typeof gameRow>): IgdbGame {
  const { first_release_date: released, genres, platforms } = row;
  const image = text(row.cover?.image_id);
  return {
    id: row.id,
    name: text(row.name) ?? `IGDB ${row.id}`,
    slug: text(row.slug) ?? `igdb-${row.id}`,
    summary: text(row.summary),
    release_date: released === undefined ? null : new Date(released * 1000).toISOString(),
    cover_url: image === null ? null : `https://images.igdb.com/igdb/image/upload/t_cover_big/${image}.jpg`,
    game_type: row.game_type ?? null,
    genres: genres.flatMap((genre) => (genre ? [labelOf(genre)] : [])),
    platforms: platforms.flatMap((platform) =>
      platform ? [{ ...labelOf(platform), abbreviation: text(platform.abbreviation) }] : [],
    ),
  };
}

function labelOf({ id, name, slug }: { id: number; name: string; slug: string }) {
  return { id, name: text(name) ?? `IGDB ${id}`, slug: text(slug) ?? `igdb-${id}` };
}

import { z } from "zod";
import { text } from "../catalog/values.ts";
import type { WebClient } from "../web/client.ts";
import { createIgdbToken, IgdbCredentialsError } from "../web/igdb-token.ts";
import { SettingRejectedError } from "./errors.ts";
import { type IgdbGame, igdbGame, igdbId } from "./rows.ts";
import type { LibraryStore } from "./store.ts";

/**
 * Client of IGDB v4: games by their Steam appids, hundreds per query, and by exact names, with genres and platforms.
 * Answers by appid, hits and misses, are cached in the database for an hour, so that other imports and the next Lambda
 * invocation share them.
 *
 * Both methods throw {@link SettingRejectedError} when the credentials are missing or refused, and WebError when IGDB
 * gives no answer.
 */
export interface Igdb {
  /** IGDB's games of the given Steam apps; apps unknown to IGDB are left out. */
  bySteamAppids(appids: readonly number[]): Promise<Map<number, IgdbGame>>;
  /** Games with exactly one of the given names (case-sensitive). */
  byNames(names: readonly string[]): Promise<IgdbGame[]>;
}

export interface IgdbDeps {
  web: WebClient;
  store: Pick<LibraryStore, "getCached" | "cache" | "tokens">;
  clientId: string | null;
  clientSecret: string | null;
  signal: AbortSignal;
}

const api = "https://api.igdb.com/v4";
/** IGDB's upper bound of rows per answer. */
const pageSize = 500;
/** Below the page size, because some uids have several rows: nearly always the answer fits into one page. */
const appidsPerQuery = 400;
const namesPerQuery = 100;
/** `external_game_source` of Steam. The deprecated field `category` matches nothing any more. */
const steamSource = 1;

const gameFields = [
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

/**
 * A genre or platform, dropped when its id does not fit its column, like such a game. A dangling reference arrives as a bare id instead of an object, for covers and games too, and is
 * dropped.
 */
const label = z
  .object({ id: igdbId, name: z.string(), slug: z.string(), abbreviation: z.string().optional() })
  .nullable()
  .catch(null);
const gameRow = z.object({
  id: igdbId,
  name: z.string().optional(),
  slug: z.string().optional(),
  summary: z.string().optional(),
  /** Unix seconds, negative before 1970. Bounds: the years 1 to 9999, which both ISO 8601 and Postgres can write. */
  first_release_date: z.number().int().min(-62_135_596_800).max(253_402_300_799).optional().catch(undefined),
  cover: z.object({ image_id: z.string() }).optional().catch(undefined),
  game_type: z.number().int().min(0).optional().catch(undefined),
  genres: z.array(label).default([]),
  platforms: z.array(label).default([]),
});
const gameOrNothing = gameRow.optional().catch(undefined);
const externalGameRow = z.object({ uid: z.string(), game: gameOrNothing });

export function createIgdb(deps: IgdbDeps): Igdb {
  const { store } = deps;
  const query = createQuery(deps);

  async function fetchByUids(uids: readonly string[]): Promise<Map<string, IgdbGame | null>> {
    const fields = ["uid", ...gameFields.map((field) => `game.${field}`)];
    const where = `external_game_source = ${steamSource} & uid = ${listOf(uids)}`;
    const found = new Map<string, IgdbGame | null>(uids.map((uid) => [uid, null]));
    // A uid may have several rows, some without a game; the first game wins.
    for (const { uid, game } of await query("external_games", fields, where, externalGameRow)) {
      if (game && !found.get(uid)) found.set(uid, gameOf(game));
    }
    return found;
  }

  async function cachedByUids(uids: readonly string[]): Promise<Map<string, IgdbGame | null>> {
    const cached = new Map<string, IgdbGame | null>();
    for (const [uid, answer] of await store.getCached(uids)) {
      // A cache miss when the shape is not today's: another version of this program may have written it.
      const parsed = igdbGame.nullable().safeParse(answer);
      if (parsed.success) cached.set(uid, parsed.data);
    }
    return cached;
  }

  return {
    async bySteamAppids(appids) {
      const uids = appids.map(String);
      const answers = await cachedByUids(uids);
      const missing = uids.filter((uid) => !answers.has(uid));
      for (let start = 0; start < missing.length; start += appidsPerQuery) {
        const fetched = await fetchByUids(missing.slice(start, start + appidsPerQuery));
        await store.cache(fetched);
        for (const [uid, game] of fetched) answers.set(uid, game);
      }
      return new Map([...answers].flatMap(([uid, game]) => (game ? [[Number(uid), game] as const] : [])));
    },

    async byNames(names) {
      const found: IgdbGame[] = [];
      for (let start = 0; start < names.length; start += namesPerQuery) {
        const where = `name = ${listOf(names.slice(start, start + namesPerQuery))}`;
        const rows = await query("games", gameFields, where, gameOrNothing);
        found.push(...rows.flatMap((row) => (row ? [gameOf(row)] : [])));
      }
      return found;
    },
  };
}

/** All rows of a query in Apicalypse, IGDB's query language, page by page. */
type Query = <T>(endpoint: string, fields: readonly string[], where: string, row: z.ZodType<T>) => Promise<T[]>;

function createQuery({ web, store, clientId, clientSecret, signal }: IgdbDeps): Query {
  const token = createIgdbToken({ web, cache: store.tokens, clientId, clientSecret, signal });

  async function post<T>(endpoint: string, body: string, shape: z.ZodType<T>): Promise<T> {
    try {
      return await token.authorize((authorization) => {
        const headers = { ...authorization, "content-type": "text/plain" };
        return web.json("igdb", { url: `${api}/${endpoint}`, method: "POST", headers, body, signal }, shape);
      });
    } catch (error) {
      throw error instanceof IgdbCredentialsError ? new SettingRejectedError(error.message) : error;
    }
  }

  return async (endpoint, fields, where, row) => {
    const rows: z.output<typeof row>[] = [];
    for (let offset = 0; ; offset += pageSize) {
      const body = `fields ${fields.join(",")}; where ${where}; sort id asc; limit ${pageSize}; offset ${offset};`;
      const page = await post(endpoint, body, z.array(row));
      rows.push(...page);
      if (page.length < pageSize) return rows;
    }
  };
}

/** A list of strings in Apicalypse: `("a","b")`. */
function listOf(values: readonly string[]): string {
  const quoted = values.map((value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
  return `(${quoted.join(",")})`;
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

import { z } from "zod";
import { text } from "../catalog/values.ts";
import { WebError } from "../process/errors.ts";
import type { WebClient } from "../web/client.ts";
import { SettingRejectedError } from "./errors.ts";
import { type IgdbGame, igdbGame } from "./rows.ts";
import type { LibraryStore } from "./store.ts";

/**
 * IGDB v4: games by their Steam appids, hundreds in one query, and by exact names. Genres and platforms come along. What it answered within
 * the last hour, hit or miss, and the token are kept in the database, for other imports and the next invocation.
 */
export interface Igdb {
  /** IGDB's games of some Steam apps; without those it does not know. */
  bySteamAppids(appids: readonly number[]): Promise<Map<number, IgdbGame>>;
  /** Games that are called exactly so, with the year of their first release. */
  byNames(names: readonly string[]): Promise<IgdbGame[]>;
}

export interface IgdbDeps {
  web: WebClient;
  store: Pick<LibraryStore, "recallGames" | "keepGames" | "token" | "keepToken">;
  clientId: string | null;
  clientSecret: string | null;
  signal: AbortSignal;
}

const api = "https://api.igdb.com/v4";
const tokenUrl = "https://id.twitch.tv/oauth2/token";
const tokenName = "igdb";
/** The most rows that IGDB gives in one answer. */
const maxRows = 500;
/** So many appids keep the answer in one page nearly always: a few uids come twice. */
const appidsPerQuery = 400;
const namesPerQuery = 100;
/** `external_game_source` of Steam. The older `category` finds nothing any more. */
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

/** A reference to something that is gone stays a bare id: such a label, cover or game is none. */
const label = z
  .object({ id: z.number().int(), name: z.string(), slug: z.string(), abbreviation: z.string().optional() })
  .nullable()
  .catch(null);
const game = z.object({
  id: z.number().int(),
  name: z.string().optional(),
  slug: z.string().optional(),
  summary: z.string().optional(),
  /** Unix seconds; before 1970 below 0. The years 1 to 9999, which both ISO 8601 and Postgres can write. */
  first_release_date: z.number().int().min(-62_135_596_800).max(253_402_300_799).optional().catch(undefined),
  cover: z.object({ image_id: z.string() }).optional().catch(undefined),
  game_type: z.number().int().optional(),
  genres: z.array(label).default([]),
  platforms: z.array(label).default([]),
});
const externalGames = z.array(z.object({ uid: z.string(), game: game.optional().catch(undefined) }));
const token = z.object({ access_token: z.string().min(1), expires_in: z.number() });

export function createIgdb({ web, store, clientId, clientSecret, signal }: IgdbDeps): Igdb {
  async function freshToken(): Promise<string> {
    if (clientId === null || clientSecret === null) {
      throw new SettingRejectedError(
        "IGDB can only be asked with a Twitch application; set IGDB_CLIENT_ID and IGDB_CLIENT_SECRET.",
      );
    }
    const body = new URLSearchParams({
      client_id: clientId,
      client_secret: clientSecret,
      grant_type: "client_credentials",
    });
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const request = { url: tokenUrl, method: "POST", headers, body: body.toString(), signal } as const;
    const { access_token, expires_in } = await web.json("twitch", request, token).catch((error: unknown) => {
      if (!(error instanceof WebError) || (error.fault !== "denied" && error.fault !== "refused")) throw error;
      throw new SettingRejectedError(`Twitch refuses IGDB_CLIENT_ID and IGDB_CLIENT_SECRET (${error.status}).`);
    });
    await store.keepToken(tokenName, access_token, expires_in);
    return access_token;
  }

  /** One new token after a 401: the one at hand may have been taken back. */
  async function query<T>(endpoint: string, body: string, shape: z.ZodType<T>): Promise<T> {
    const ask = async (bearer: string) => {
      const headers = { "client-id": clientId ?? "", authorization: `Bearer ${bearer}`, "content-type": "text/plain" };
      return web.json("igdb", { url: `${api}/${endpoint}`, method: "POST", headers, body, signal }, shape);
    };
    // Asked for each time: the store knows when it ends, and whether another import has a newer one.
    const known = await store.token(tokenName);
    if (known === null) return ask(await freshToken());
    try {
      return await ask(known);
    } catch (error) {
      if (!(error instanceof WebError) || error.fault !== "denied") throw error;
      return ask(await freshToken());
    }
  }

  async function askByAppids(uids: readonly string[]): Promise<Map<string, IgdbGame | null>> {
    const found = new Map<string, IgdbGame | null>(uids.map((uid) => [uid, null]));
    const fields = ["uid", ...gameFields.map((field) => `game.${field}`)].join(",");
    const list = uids.map((uid) => `"${uid}"`).join(",");
    for (let offset = 0; ; offset += maxRows) {
      const rows = await query(
        "external_games",
        `fields ${fields}; where external_game_source = ${steamSource} & uid = (${list}); sort id asc; limit ${maxRows}; offset ${offset};`,
        externalGames,
      );
      // A uid may come twice, and with no game; the first game counts.
      for (const { uid, game } of rows) if (game && !found.get(uid)) found.set(uid, gameOf(game));
      if (rows.length < maxRows) return found;
    }
  }

  return {
    async bySteamAppids(appids) {
      const uids = appids.map(String);
      const known = new Map<string, IgdbGame | null>();
      for (const [uid, kept] of await store.recallGames(uids)) {
        // What an older version kept in another shape is asked for again.
        const parsed = igdbGame.nullable().safeParse(kept);
        if (parsed.success) known.set(uid, parsed.data);
      }
      const missing = uids.filter((uid) => !known.has(uid));
      for (let at = 0; at < missing.length; at += appidsPerQuery) {
        const answers = await askByAppids(missing.slice(at, at + appidsPerQuery));
        await store.keepGames(answers);
        for (const [uid, answer] of answers) known.set(uid, answer);
      }
      return new Map([...known].flatMap(([uid, found]) => (found ? [[Number(uid), found] as const] : [])));
    },

    async byNames(names) {
      const found: IgdbGame[] = [];
      for (let at = 0; at < names.length; at += namesPerQuery) {
        const list = names
          .slice(at, at + namesPerQuery)
          .map(quoted)
          .join(",");
        for (let offset = 0; ; offset += maxRows) {
          const rows = await query(
            "games",
            `fields ${gameFields.join(",")}; where name = (${list}); sort id asc; limit ${maxRows}; offset ${offset};`,
            z.array(game),
          );
          found.push(...rows.map(gameOf));
          if (rows.length < maxRows) break;
        }
      }
      return found;
    },
  };
}

/** A string of Apicalypse. */
function quoted(name: string): string {
  return `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

function gameOf(answer: z.output<typeof game>): IgdbGame {
  const { first_release_date: released, cover, genres, platforms } = answer;
  return {
    id: answer.id,
    name: text(answer.name) ?? `IGDB ${answer.id}`,
    slug: text(answer.slug) ?? `igdb-${answer.id}`,
    summary: text(answer.summary),
    release_date: released === undefined ? null : new Date(released * 1000).toISOString(),
    cover_url: cover ? `https://images.igdb.com/igdb/image/upload/t_cover_big/${cover.image_id}.jpg` : null,
    game_type: answer.game_type ?? null,
    genres: genres.flatMap((genre) => (genre ? [labelOf(genre)] : [])),
    platforms: platforms.flatMap((platform) =>
      platform ? [{ ...labelOf(platform), abbreviation: text(platform.abbreviation) }] : [],
    ),
  };
}

function labelOf({ id, name, slug }: { id: number; name: string; slug: string }) {
  return { id, name: text(name) ?? `IGDB ${id}`, slug: text(slug) ?? `igdb-${id}` };
}

import { z } from "zod";
import type { WebClient } from "../web/client.ts";
import { createIgdbToken, IgdbCredentialsError } from "../web/igdb-token.ts";
import { SettingRejectedError } from "./errors.ts";
import { distinctGames, gameFields, gameOrNothing } from "./igdb-games.ts";
import { asQueryRefused, isolateRefused } from "./isolate.ts";
import { type IgdbGame, igdbGame } from "./rows.ts";
import type { LibraryStore } from "./store.ts";

/**
 * Client of IGDB v4: games by their Steam appids, hundreds per query, and by exact names, with genres and platforms.
 * Answers, hits and misses, are cached in the database for an hour, so that other imports and the next Lambda
 * invocation share them.
 *
 * Both methods throw {@link SettingRejectedError} when the credentials are missing or refused, and WebError when IGDB
 * gives no answer. Names and ids that IGDB refuses to be asked for do not fail the others: see isolate.ts.
 */
export interface Igdb {
  /** IGDB's games of the given Steam apps: all that it lists under an appid. Unknown apps are left out. */
  bySteamAppids(appids: readonly number[]): Promise<Answers<number>>;
  /** The games of each of the given names (case-sensitive). Unknown names are left out. */
  byNames(names: readonly string[]): Promise<Answers<string>>;
}

export interface Answers<Key> {
  /** In order of their ids, each once. */
  games: Map<Key, IgdbGame[]>;
  /** Keys whose query IGDB refuses. Not cached, so that the next import asks again. */
  refused: Set<Key>;
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
/** No game has a longer name, and a key of the cache's index has at most 2,704 bytes. */
const maxNameLength = 200;
/** `external_game_source` of Steam. The deprecated field `category` matches nothing any more. */
const steamSource = 1;

const externalGameRow = z.object({ uid: z.string(), game: gameOrNothing });

/** One way to ask for games: by the ids of a store, or by names. */
interface Lookup {
  keysPerQuery: number;
  cacheKey(key: string): string;
  /** The games of each key. */
  ask(keys: readonly string[], maxRetries?: number): Promise<Map<string, IgdbGame[]>>;
  /** A key that IGDB is known to answer for: the probe of an outage. */
  harmlessKey: string;
}

const cachedGames = z.array(igdbGame).nullable();

export function createIgdb(deps: IgdbDeps): Igdb {
  const { store } = deps;
  const query = createQuery(deps);

  const byUid: Lookup = {
    keysPerQuery: appidsPerQuery,
    cacheKey: (uid) => uid,
    harmlessKey: "220",
    async ask(uids, maxRetries) {
      const fields = ["uid", ...gameFields.map((field) => `game.${field}`)];
      const where = `external_game_source = ${steamSource} & uid = ${listOf(uids)}`;
      const rows = await query({ endpoint: "external_games", fields, where, row: externalGameRow, maxRetries });
      const games = Map.groupBy(rows, ({ uid }) => uid);
      // A uid may have several rows: some without a game, some with the same one.
      return new Map(uids.map((uid) => [uid, distinctGames((games.get(uid) ?? []).map(({ game }) => game))]));
    },
  };

  const byName: Lookup = {
    keysPerQuery: namesPerQuery,
    cacheKey: (name) => `name:${name}`,
    harmlessKey: "Half-Life 2",
    async ask(names, maxRetries) {
      const where = `name = ${listOf(names)}`;
      const rows = await query({ endpoint: "games", fields: gameFields, where, row: gameOrNothing, maxRetries });
      const games = Map.groupBy(rows, (row) => row?.name);
      return new Map(names.map((name) => [name, distinctGames(games.get(name) ?? [])]));
    },
  };

  async function cachedBy({ cacheKey }: Lookup, keys: readonly string[]): Promise<Map<string, IgdbGame[]>> {
    const answers = await store.getCached(keys.map(cacheKey));
    const cached = new Map<string, IgdbGame[]>();
    for (const key of keys) {
      // A cache miss when the shape is not today's: another version of this program may have written it.
      const parsed = cachedGames.safeParse(answers.get(cacheKey(key)));
      if (parsed.success) cached.set(key, parsed.data ?? []);
    }
    return cached;
  }

  async function lookUp(by: Lookup, keys: readonly string[]): Promise<Answers<string>> {
    const answers = await cachedBy(by, keys);
    const missing = keys.filter((key) => !answers.has(key));
    const refused = new Set<string>();
    for (let start = 0; start < missing.length; start += by.keysPerQuery) {
      const fetched = new Map<string, IgdbGame[]>();
      const culprits = await isolateRefused(missing.slice(start, start + by.keysPerQuery), {
        async ask(part, maxRetries) {
          for (const [key, games] of await by.ask(part, maxRetries)) fetched.set(key, games);
        },
        probe: async () => void (await by.ask([by.harmlessKey], 0)),
      });
      for (const key of culprits) refused.add(key);
      const cacheable = [...fetched].map(
        ([key, games]) => [by.cacheKey(key), games.length > 0 ? games : null] as const,
      );
      await store.cache(new Map(cacheable));
      for (const [key, games] of fetched) answers.set(key, games);
    }
    const found = keys.map((key) => [key, answers.get(key) ?? []] as const).filter(([, games]) => games.length > 0);
    return { games: new Map(found), refused };
  }

  return {
    async bySteamAppids(appids) {
      const { games, refused } = await lookUp(byUid, appids.map(String));
      const byAppid = [...games].map(([uid, found]) => [Number(uid), found] as const);
      return { games: new Map(byAppid), refused: new Set([...refused].map(Number)) };
    },
    byNames: (names) =>
      lookUp(
        byName,
        names.filter((name) => name.length <= maxNameLength),
      ),
  };
}

interface QueryOptions<T> {
  endpoint: string;
  fields: readonly string[];
  where: string;
  row: z.ZodType<T>;
  maxRetries: number | undefined;
}

/** All rows of a query in Apicalypse, IGDB's query language, page by page. */
type Query = <T>(options: QueryOptions<T>) => Promise<T[]>;

function createQuery({ web, store, clientId, clientSecret, signal }: IgdbDeps): Query {
  const token = createIgdbToken({ web, cache: store.tokens, clientId, clientSecret, signal });

  async function post<T>(endpoint: string, body: string, shape: z.ZodType<T>, maxRetries?: number): Promise<T> {
    try {
      return await token.authorize((authorization) => {
        const headers = { ...authorization, "content-type": "text/plain" };
        const request = { url: `${api}/${endpoint}`, method: "POST", headers, body, signal } as const;
        const options = maxRetries === undefined ? request : { ...request, maxRetries };
        return web.json("igdb", options, shape).catch((error: unknown) => {
          throw asQueryRefused(error);
        });
      });
    } catch (error) {
      throw error instanceof IgdbCredentialsError ? new SettingRejectedError(error.message) : error;
    }
  }

  return async ({ endpoint, fields, where, row, maxRetries }) => {
    const rows: z.output<typeof row>[] = [];
    for (let offset = 0; ; offset += pageSize) {
      const body = `fields ${fields.join(",")}; where ${where}; sort id asc; limit ${pageSize}; offset ${offset};`;
      const page = await post(endpoint, body, z.array(row), maxRetries);
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

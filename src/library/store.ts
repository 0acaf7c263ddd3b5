import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Database } from "../db/database.ts";
import { createReserve, type Reserve } from "../db/quota.ts";
import type { DatabaseRetry } from "../db/retry.ts";

/**
 * Typed calls of the library import's SQL functions in `supabase/migrations`; what each does is written there. All may be repeated after a
 * lost reply.
 */
export interface LibraryStore {
  /** What the catalog knows of some apps; those it does not know are left out. */
  knownApps(appids: readonly number[]): Promise<KnownApp[]>;
  /** IGDB's answers of the last hour by Steam's appid as text; null is a miss. */
  recallGames(uids: readonly string[]): Promise<Map<string, unknown>>;
  keepGames(answers: ReadonlyMap<string, unknown>): Promise<void>;
  /** A token with at least a minute left; null when there is none. */
  token(name: string): Promise<string | null>;
  keepToken(name: string, token: string, seconds: number): Promise<void>;
  apply(userId: string, games: readonly ImportedRow[]): Promise<ImportCounts>;
  reserve: Reserve;
}

const knownApps = z.array(
  z.object({
    appid: z.number(),
    type: z.string(),
    name: z.string().nullable(),
    release_year: z.number().nullable(),
  }),
);
export type KnownApp = z.infer<typeof knownApps>[number];

/** A game as `library_apply` takes it. Playtimes are minutes, times ISO 8601. */
export interface ImportedRow {
  appid: number;
  name: string;
  playtime: number;
  playtime_windows: number;
  playtime_mac: number;
  playtime_linux: number;
  last_played_at: string | null;
  img_icon_url: string | null;
  status: "MATCHED" | "UNMATCHED" | "IGNORED";
  igdb: object | null;
}

const importCounts = z.object({
  imported_games_created: z.number(),
  imported_games_updated: z.number(),
  games_created: z.number(),
  games_updated: z.number(),
  library_items_created: z.number(),
});
export type ImportCounts = z.infer<typeof importCounts>;

export function createLibraryStore(db: Database, retry: Pick<DatabaseRetry, "call">): LibraryStore {
  async function rpc<T>(reply: z.ZodType<T>, name: string, request: Record<string, unknown>): Promise<T> {
    return reply.parse(await retry.call(() => db.rpc(name, { request })));
  }
  const nothing = z.object({});
  const answers = z.array(z.object({ uid: z.string(), game: z.unknown() }));

  return {
    knownApps: (appids) => rpc(knownApps, "library_known_apps", { appids }),
    recallGames: async (uids) => {
      const known = await rpc(answers, "library_igdb_recall", { uids });
      return new Map(known.map(({ uid, game }) => [uid, game]));
    },
    keepGames: async (found) => {
      const kept = [...found].map(([uid, game]) => ({ uid, game }));
      await rpc(nothing, "library_igdb_keep", { answers: kept });
    },
    token: async (name) => (await rpc(z.object({ token: z.string().nullable() }), "web_token", { name })).token,
    keepToken: async (name, token, seconds) => {
      await rpc(nothing, "web_token_keep", { name, token, seconds });
    },
    apply: (userId, games) => rpc(importCounts, "library_apply", { request_id: randomUUID(), user_id: userId, games }),
    reserve: createReserve(db, retry),
  };
}

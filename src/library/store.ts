import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Database } from "../db/database.ts";
import { createReserve, type Reserve } from "../db/quota.ts";
import type { DatabaseRetry } from "../db/retry.ts";
import type { TokenCache } from "../web/igdb-token.ts";

/**
 * Typed calls of the library import's SQL functions, which are documented in `supabase/`. All are idempotent, so that a
 * call is retried after a lost reply.
 */
export interface LibraryStore {
  /**
   * Type, name and year of release of the given apps: from the catalog, else from what PICS told of apps that are not
   * stored, else from the store's lists. Apps whose type none of them has are left out.
   */
  knownApps(appids: readonly number[]): Promise<KnownApp[]>;
  /** Cached answers of IGDB, at most an hour old, by Steam appid as text or `name:` and a name; null is a cached miss. */
  getCached(uids: readonly string[]): Promise<Map<string, unknown>>;
  /** Caches answers of IGDB for an hour. */
  cache(answers: ReadonlyMap<string, unknown>): Promise<void>;
  tokens: TokenCache;
  /** Whether the library's tables can be written. */
  tables(): Promise<LibraryTables>;
  /** Creates those of the library's tables that do not exist. Safe when several processes do it at once. */
  createTables(): Promise<void>;
  /** Upserts one batch of a user's library in one transaction. */
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

/** A game as `library_apply` takes it. Playtimes are minutes, null when unknown; times ISO 8601. */
export interface ImportedRow {
  appid: number;
  name: string;
  playtime: number | null;
  playtime_windows: number | null;
  playtime_mac: number | null;
  playtime_linux: number | null;
  last_played_at: string | null;
  img_icon_url: string | null;
  status: "MATCHED" | "UNMATCHED" | "IGNORED";
  /** UNMATCHED because IGDB gave no answer about this game: an earlier match stays. */
  is_unanswered?: boolean;
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

const libraryTables = z.object({
  /** Names of the tables that do not exist. */
  missing: z.array(z.string()),
  /** Sentences about tables that exist and that this version cannot write. */
  faults: z.array(z.string()),
});
export type LibraryTables = z.infer<typeof libraryTables>;

const cachedAnswers = z.array(z.object({ uid: z.string(), game: z.unknown() }));
const cachedToken = z.object({ token: z.string().nullable() });
const emptyReply = z.object({});

export function createLibraryStore(db: Database, retry: Pick<DatabaseRetry, "call">): LibraryStore {
  async function rpc<T>(reply: z.ZodType<T>, name: string, request: Record<string, unknown>): Promise<T> {
    return reply.parse(await retry.call(() => db.rpc(name, { request })));
  }

  return {
    knownApps: (appids) => rpc(knownApps, "library_known_apps", { appids }),
    async getCached(uids) {
      const answers = await rpc(cachedAnswers, "library_igdb_recall", { uids });
      return new Map(answers.map(({ uid, game }) => [uid, game]));
    },
    async cache(answers) {
      await rpc(emptyReply, "library_igdb_keep", { answers: [...answers].map(([uid, game]) => ({ uid, game })) });
    },
    tokens: {
      get: async (name) => (await rpc(cachedToken, "web_token", { name })).token,
      async put(name, token, seconds) {
        await rpc(emptyReply, "web_token_keep", { name, token, seconds });
      },
    },
    tables: () => rpc(libraryTables, "library_tables", {}),
    async createTables() {
      await rpc(emptyReply, "library_create_tables", {});
    },
    apply: (userId, games) => rpc(importCounts, "library_apply", { request_id: randomUUID(), user_id: userId, games }),
    reserve: createReserve(db, retry),
  };
}

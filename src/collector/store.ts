import { z } from "zod";
import type { Database } from "../db/database.ts";
import { LeaseLostError } from "../db/leader-lease.ts";
import { createReserve, type Reserve } from "../db/quota.ts";
import type { DatabaseRetry } from "../db/retry.ts";

/**
 * Typed calls of the collector's SQL functions in `supabase/migrations`; what each does is written there. All may be repeated
 * after a lost reply.
 *
 * One worker collects at a time. A call of a worker that no longer holds the lease throws {@link LeaseLostError} and changes nothing.
 */
export interface CollectorStore {
  beginList(request: { kinds: readonly string[]; fresh: boolean }): Promise<ListRun>;
  saveList(request: ListPart): Promise<void>;
  acceptList(request: { run: number; maxShrink: number }): Promise<ListVerdict>;
  /** The next `max` apps of an accepted run. Counts are of the whole run so far. */
  applyList(request: { run: number; max: number }): Promise<ListCounts>;
  /** Games of the catalog become games whose details are due. Null at the end, else where to go on. */
  enqueue(after: number, max: number): Promise<number | null>;
  beginPass(request: { fullRefresh: boolean }): Promise<SpyPass>;
  savePage(request: PagePart): Promise<void>;
  due(request: DueRequest): Promise<DueGames>;
  saveDetails(games: readonly DetailsResult[]): Promise<void>;
  counts(): Promise<CollectorCounts>;
  reserve: Reserve;
}

const listRun = z.object({
  run: z.number(),
  phase: z.enum(["reading", "applying"]),
  cursor: z.record(z.string(), z.object({ after: z.number(), complete: z.boolean() })),
  age_seconds: z.number(),
});
export type ListRun = z.infer<typeof listRun>;

export interface ListPart {
  run: number;
  kind: string;
  apps: readonly { appid: number; name: string }[];
  /** How far the list is read once these are staged. */
  after: number;
  complete: boolean;
}

const listVerdict = z.object({
  accepted: z.boolean(),
  lists: z.array(
    z.object({
      kind: z.string(),
      before: z.number(),
      now: z.number(),
      vanished: z.number(),
      fault: z.enum(["incomplete", "shrunk"]).nullable(),
    }),
  ),
});
export type ListVerdict = z.infer<typeof listVerdict>;

const listCounts = z.object({
  done: z.boolean(),
  lists: listVerdict.shape.lists,
  /** Listed apps seen to. */
  applied: z.number(),
  inserted: z.number(),
  relisted: z.number(),
  delisted: z.number(),
});
export type ListCounts = z.infer<typeof listCounts>;

const spyPass = z.object({
  /** The next page; null when no pass is due. */
  page: z.number().nullable(),
  /** Pages that failed before it. */
  missed: z.array(z.number()),
  expected_pages: z.number().nullable(),
  now: z.string(),
});
export type SpyPass = z.infer<typeof spyPass>;

/** What SteamSpy tells of a game in its pages and in its details alike. */
export interface GameNumbers {
  appid: number;
  developer: string | null;
  publisher: string | null;
  /** `20,000 .. 50,000` */
  owners_estimate: string | null;
  positive_reviews: number | null;
  negative_reviews: number | null;
  score_rank: number | null;
  /** Minutes. */
  average_playtime_forever: number | null;
  /** Minutes. */
  average_playtime_2weeks: number | null;
  /** US cents. */
  price: number | null;
}

export interface GameDetails extends GameNumbers {
  genre: string | null;
  languages: string | null;
  /** Votes by tag. */
  tags_json: Record<string, number>;
}

export interface PagePart {
  games: readonly GameNumbers[];
  /** The next page of the pass, and those to ask again. */
  page: number;
  missed: readonly number[];
  complete: boolean;
}

export interface DueRequest {
  max: number;
  /** From {@link CollectorStore.beginPass}: what was asked since is not due. */
  runStartedAt: string;
  maxAttempts: number;
  staleFirst: boolean;
}
const dueGames = z.object({
  games: z.array(z.object({ appid: z.number(), attempts: z.number() })),
  due: z.number(),
});
export type DueGames = z.infer<typeof dueGames>;

export type DetailsResult =
  | ({ status: "success" } & GameDetails)
  | { status: "not_found"; appid: number }
  /** `attempts` by now, this one included. */
  | { status: "failed"; appid: number; attempts: number; error: string };

const collectorCounts = z.object({
  games: z.object({ pending: z.number(), success: z.number(), failed: z.number(), not_found: z.number() }),
  list_completed_at: z.string().nullable(),
  pass_completed_at: z.string().nullable(),
});
export type CollectorCounts = z.infer<typeof collectorCounts>;

/** The store of one worker over one database. */
export function createCollectorStore(
  db: Database,
  retry: Pick<DatabaseRetry, "call">,
  workerId: string,
): CollectorStore {
  async function rpc<T>(reply: z.ZodType<T>, name: string, request: Record<string, unknown>): Promise<T> {
    return reply.parse(await retry.call(() => db.rpc(name, { request })));
  }
  /** A function that answers null to a worker without the lease. */
  async function held<T>(reply: z.ZodType<T>, name: string, request: Record<string, unknown>): Promise<T> {
    const answer = await rpc(reply.nullable(), name, { worker_id: workerId, ...request });
    if (answer === null) throw new LeaseLostError("another worker collects by now; nothing was changed");
    return answer;
  }
  const nothing = z.object({});

  return {
    beginList: ({ kinds, fresh }) => held(listRun, "collector_begin_list", { kinds, fresh }),
    saveList: async ({ run, kind, apps, after, complete }) => {
      const pairs = apps.map((app) => [app.appid, app.name]);
      await held(nothing, "collector_save_list", { run, kind, apps: pairs, after, complete });
    },
    acceptList: ({ run, maxShrink }) => held(listVerdict, "collector_accept_list", { run, max_shrink: maxShrink }),
    applyList: (request) => held(listCounts, "collector_apply_list", request),
    enqueue: async (after, max) => {
      const shape = z.object({ after: z.number().nullable() });
      return (await held(shape, "collector_enqueue", { after, max })).after;
    },
    beginPass: ({ fullRefresh }) => held(spyPass, "collector_begin_pass", { full_refresh: fullRefresh }),
    savePage: async ({ games, page, missed, complete }) => {
      await held(nothing, "collector_save_page", { games, page, missed, complete });
    },
    due: ({ max, runStartedAt, maxAttempts, staleFirst }) =>
      held(dueGames, "collector_due", {
        max,
        run_started_at: runStartedAt,
        max_attempts: maxAttempts,
        stale_first: staleFirst,
      }),
    saveDetails: async (games) => {
      await held(nothing, "collector_save_details", { games });
    },
    counts: async () => collectorCounts.parse(await retry.call(() => db.rpc("collector_counts"))),
    reserve: createReserve(db, retry),
  };
}

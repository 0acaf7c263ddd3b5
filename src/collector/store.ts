import { z } from "zod";
import type { Database } from "../db/database.ts";
import { LeaseLostError } from "../db/leader-lease.ts";
import { createReserve, type Reserve } from "../db/quota.ts";
import type { DatabaseRetry } from "../db/retry.ts";
import type { ListEnd, ListedApp } from "../web/app-list.ts";

/**
 * Typed calls of the collector's SQL functions, which are documented in SQL (`supabase`). All are idempotent: they may be retried
 * after a lost reply.
 *
 * One worker collects at a time. A call by a worker without the leader lease throws {@link LeaseLostError} and changes nothing.
 */
export interface CollectorStore {
  /** Starts a list run, or resumes an unfinished one unless `fresh`. */
  beginList(request: { kinds: readonly string[]; fresh: boolean }): Promise<ListRun>;
  /** Stages a batch of a list and moves its cursor. */
  saveList(request: ListPart): Promise<void>;
  /** Decides whether the staged lists are plausible. */
  acceptList(request: { run: number; maxShrink: number }): Promise<ListVerdict>;
  /** Applies the next `max` apps of an accepted run. The counts cover the whole run so far. */
  applyList(request: { run: number; max: number; history: boolean }): Promise<ListCounts>;
  /** Makes the details of the catalog's games due, by keyset pagination. Returns the next cursor; null at the end. */
  enqueue(after: number, max: number): Promise<number | null>;
  /** Starts a crawl of SteamSpy's pages if one is due, or resumes an unfinished one. SQL calls a crawl a pass. */
  beginCrawl(request: { fullRefresh: boolean }): Promise<CrawlState>;
  /** Saves games of a page and moves the cursor of the crawl. */
  savePage(request: PagePart): Promise<void>;
  /** The games whose details are most due. */
  due(request: DueRequest): Promise<DueGames>;
  /** Saves a batch of details, with the fetch status of each game. */
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
  apps: readonly ListedApp[];
  /** Cursor of the list after this batch. */
  after: number;
  complete: boolean;
  /** How the list ended, if it is complete. Default: as Steam says. */
  end?: ListEnd | null;
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
      /** Absent where the list ended as Steam says. */
      end: z.enum(["broken", "absent"]).optional(),
      /** The last app read, if the list is broken. */
      after: z.number().optional(),
    }),
  ),
});
export type ListVerdict = z.infer<typeof listVerdict>;

const listCounts = z.object({
  done: z.boolean(),
  lists: listVerdict.shape.lists,
  /** Listed apps processed. */
  applied: z.number(),
  inserted: z.number(),
  relisted: z.number(),
  delisted: z.number(),
});
export type ListCounts = z.infer<typeof listCounts>;

const crawlState = z.object({
  /** Cursor: the next page; null when no crawl is due. */
  page: z.number().nullable(),
  /** Pages before the cursor that failed. */
  missed: z.array(z.number()),
  expected_pages: z.number().nullable(),
  now: z.string(),
});
export type CrawlState = z.infer<typeof crawlState>;

/** Fields of a game that both SteamSpy's pages and its details contain. */
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

/** A game of a page of all games. */
export interface PageGame extends GameNumbers {
  /** Whether it has a name or a developer. Of a game without both, SteamSpy knows nothing. */
  named: boolean;
}

export interface PagePart {
  games: readonly PageGame[];
  /** Cursor of the crawl, and the pages to retry. */
  page: number;
  missed: readonly number[];
  complete: boolean;
}

export interface DueRequest {
  max: number;
  /** From {@link CollectorStore.beginCrawl}: games fetched since then are not due. */
  runStartedAt: string;
  maxAttempts: number;
  staleFirst: boolean;
}
const dueGames = z.object({
  games: z.array(z.object({ appid: z.number(), attempts: z.number(), listed: z.boolean() })),
  due: z.number(),
});
export type DueGames = z.infer<typeof dueGames>;
/** A game to fetch: how often that failed, and whether SteamSpy's pages of all games have it. */
export type DueGame = DueGames["games"][number];

export type DetailsResult =
  | ({ status: "success" } & GameDetails)
  | { status: "not_found"; appid: number }
  /** `attempts` includes this one. */
  | { status: "failed"; appid: number; attempts: number; error: string };

const collectorCounts = z.object({
  games: z.object({ pending: z.number(), success: z.number(), failed: z.number(), not_found: z.number() }),
  owners_doubtful: z.number(),
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
  /** Calls a function that returns null to a worker without the lease. */
  async function asLeader<T>(reply: z.ZodType<T>, name: string, request: Record<string, unknown>): Promise<T> {
    const answer = await rpc(reply.nullable(), name, { worker_id: workerId, ...request });
    if (answer === null) throw new LeaseLostError("another worker has taken over the lease; nothing was changed");
    return answer;
  }
  const nothing = z.object({});

  return {
    beginList: ({ kinds, fresh }) => asLeader(listRun, "collector_begin_list", { kinds, fresh }),
    saveList: async ({ apps, ...part }) => {
      const rows = apps.map((app) => [app.appid, app.name, app.last_modified, app.price_change_number]);
      await asLeader(nothing, "collector_save_list", { ...part, apps: rows });
    },
    acceptList: ({ run, maxShrink }) => asLeader(listVerdict, "collector_accept_list", { run, max_shrink: maxShrink }),
    applyList: (request) => asLeader(listCounts, "collector_apply_list", request),
    enqueue: async (after, max) => {
      const shape = z.object({ after: z.number().nullable() });
      return (await asLeader(shape, "collector_enqueue", { after, max })).after;
    },
    beginCrawl: ({ fullRefresh }) => asLeader(crawlState, "collector_begin_pass", { full_refresh: fullRefresh }),
    savePage: async ({ games, page, missed, complete }) => {
      await asLeader(nothing, "collector_save_page", { games, page, missed, complete });
    },
    due: ({ max, runStartedAt, maxAttempts, staleFirst }) =>
      asLeader(dueGames, "collector_due", {
        max,
        run_started_at: runStartedAt,
        max_attempts: maxAttempts,
        stale_first: staleFirst,
      }),
    saveDetails: async (games) => {
      await asLeader(nothing, "collector_save_details", { games });
    },
    counts: async () => collectorCounts.parse(await retry.call(() => db.rpc("collector_counts"))),
    reserve: createReserve(db, retry),
  };
}

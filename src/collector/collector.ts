import { type LeaderLease, whileLeading } from "../db/leader-lease.ts";
import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import type { WebClient } from "../web/client.ts";
import { runAppList } from "./app-lists.ts";
import { type CollectorProgress, createTracker } from "./progress.ts";
import { type DetailsSummary, runDetails } from "./steamspy-details.ts";
import { type PassSummary, runPass } from "./steamspy-pages.ts";
import type { CollectorStore, ListCounts } from "./store.ts";

/**
 * One run of the collector: the app list, then SteamSpy's pages of all games, then the details of single games. Each part keeps its own
 * place in the database, so a run goes on where the last one stopped, however that ended.
 */
export interface CollectorOptions {
  store: CollectorStore;
  lease: LeaderLease;
  web: WebClient;
  logger: Logger;
  /** Null: no app list can be asked for, and the catalog that PICS built says which games there are. */
  apiKey: string | null;
  /** Everything again. Nothing is dropped first. */
  fullRefresh: boolean;
  /** SteamSpy only, what was asked longest ago first. */
  updateMetadata: boolean;
  batchSize: number;
  maxDetails: number;
  maxShrink: number;
  workers: number;
  /** Milliseconds between two requests that the limits allow, for the time left. */
  paceMs: { page: number; details: number };
}

export interface Collector {
  /** Runs to the end. A part that fails is told at once and thrown at the end, unless it stops the others, too. */
  run(): Promise<CollectorSummary>;
  /** Ends the run after saving what has been answered. */
  stop(): Promise<void>;
  status(): CollectorProgress;
  /** ISO 8601; null before the first. */
  lastProgressAt(): string | null;
}

export interface CollectorSummary {
  /** Null where no list was read. */
  list: ListCounts | null;
  /** Null where none was due. */
  pass: PassSummary | null;
  details: DetailsSummary;
  games: CollectorProgress["games"];
  /** Requests, by endpoint. */
  requests: Record<string, number>;
  duration_seconds: number;
}

/** Runs in which the details of a game may fail before it is left alone. */
const maxAttempts = 5;
/** Rows looked at in one call. */
const enqueuePage = 5_000;

export function createCollector(options: CollectorOptions): Collector {
  const { store, web, logger, apiKey, fullRefresh, updateMetadata, batchSize, maxShrink } = options;
  const stopping = new AbortController();
  const tracker = createTracker();
  let details: DetailsSummary = { success: 0, not_found: 0, failed: 0 };
  let games: CollectorProgress["games"] = null;
  let lastError: string | null = null;
  let running: Promise<unknown> = Promise.resolve();

  async function collect(signal: AbortSignal): Promise<Pick<CollectorSummary, "list" | "pass">> {
    const shared = { store, web, logger, batchSize, maxShrink, tracker, signal };
    const faults: unknown[] = [];
    /** A part whose fault does not keep the next one from its work. */
    async function part<T>(work: () => Promise<T>): Promise<T | null> {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        lastError = error instanceof Error ? error.message : String(error);
        if (!mayGoOn(error)) throw error;
        logger.error({ err: error }, lastError);
        faults.push(error);
        return null;
      }
    }

    const list = updateMetadata ? null : await part(() => appList(shared));
    await enqueue(signal);

    const begin = await store.beginPass({ fullRefresh });
    const { page } = begin;
    await countGames();
    let pass: PassSummary | null = null;
    if (page !== null) {
      tracker.begin("all_games", begin.expected_pages, options.paceMs.page);
      tracker.reach(page, begin.expected_pages);
      pass = await part(() => runPass(shared, { ...begin, page }));
    } else {
      logger.info("SteamSpy's list of all games is of today; details follow");
    }

    tracker.begin("details", null, options.paceMs.details);
    const settings = {
      workers: options.workers,
      maxDetails: options.maxDetails,
      maxAttempts,
      staleFirst: updateMetadata,
    };
    const counted: CollectorStore = {
      ...store,
      async saveDetails(results) {
        await store.saveDetails(results);
        await countGames();
      },
    };
    await countGames();
    await part(() => runDetails({ ...shared, ...settings, store: counted, runStartedAt: begin.now }, details));
    if (faults.length > 0) throw faults[0];
    return { list, pass };
  }

  async function appList(
    shared: Omit<Parameters<typeof runAppList>[0], "apiKey" | "fresh">,
  ): Promise<ListCounts | null> {
    if (apiKey === null) {
      logger.info("no STEAM_API_KEY: the catalog that PICS built says which games there are");
      return null;
    }
    tracker.begin("reading_list", null);
    try {
      return await runAppList({ ...shared, apiKey, fresh: fullRefresh });
    } catch (error) {
      if (!(error instanceof WebError) || error.fault !== "denied") throw error;
      throw new WebError("denied", `Steam refuses the key in STEAM_API_KEY: ${error.message}`, error.status);
    }
  }

  async function countGames(): Promise<void> {
    games = (await store.counts()).games;
  }

  async function enqueue(signal: AbortSignal): Promise<void> {
    for (let after: number | null = 0; after !== null; signal.throwIfAborted()) {
      after = await store.enqueue(after, enqueuePage);
    }
  }

  async function run(): Promise<CollectorSummary> {
    const startedAt = performance.now();
    details = { success: 0, not_found: 0, failed: 0 };
    lastError = null;
    tracker.begin("waiting", null);
    const outcome = await whileLeading(options.lease, { logger, signal: stopping.signal }, collect);
    await countGames();
    tracker.begin("done", null);
    const requests = Object.fromEntries(web.status().map(({ endpoint, requests }) => [endpoint, requests]));
    return { ...outcome, details, games, requests, duration_seconds: (performance.now() - startedAt) / 1_000 };
  }

  return {
    run() {
      const current = run();
      running = current.catch(() => {});
      return current;
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await running;
    },
    status: () => ({
      ...tracker.status(),
      failed: details.failed,
      games,
      endpoints: web.status(),
      last_error: lastError,
      next_run_at: null,
    }),
    lastProgressAt: tracker.lastProgressAt,
  };
}

/** A bad key has to be mended first; whoever else cannot be asked leaves the others to be asked. */
function mayGoOn(error: unknown): boolean {
  return !(error instanceof WebError && error.fault === "denied");
}

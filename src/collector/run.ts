import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import type { WebClient } from "../web/client.ts";
import { runAppList } from "./app-lists.ts";
import type { CollectorProgress, Tracker } from "./progress.ts";
import { type DetailsSummary, runDetails } from "./steamspy-details.ts";
import { type CrawlSummary, crawlPages } from "./steamspy-pages.ts";
import type { CollectorStore, CrawlState, ListCounts } from "./store.ts";

/**
 * The phases of a collector run, as `/status` names them:
 *
 *     starting       before the first run
 *     waiting        acquires the leader lease
 *     reading_list   stages the app lists of all kinds (skipped without a key, or with `updateMetadata`)
 *     applying_list  inserts, relists and delists apps, in batches
 *     all_games      crawls SteamSpy's pages of all games (skipped until the next crawl is due)
 *     details        fetches the details of the games that are due, up to `maxDetails`
 *     done           or `idle` until the next run
 *
 * After the lists, the games of the catalog are enqueued for their details. Each phase keeps its cursor in the database, so a run resumes
 * where the last one stopped, however that ended.
 */
export interface RunOptions {
  store: CollectorStore;
  web: WebClient;
  logger: Logger;
  /** Null: there is no app list, and the games come from the catalog that PICS built. */
  apiKey: string | null;
  /** Fetches everything again. Nothing is deleted first. */
  fullRefresh: boolean;
  /** SteamSpy only, details with the oldest fetch first. */
  updateMetadata: boolean;
  batchSize: number;
  maxDetails: number;
  maxShrink: number;
  /** Record each app that a list takes out or in. */
  history: boolean;
  workers: number;
  /** Milliseconds between two requests under the rate limits; for the estimate of the time left. */
  paceMs: { page: number; details: number };
}

/** What a run has done so far. `status()` reads it while the run goes on. */
export interface RunState {
  details: DetailsSummary;
  games: CollectorProgress["games"];
  /** Games in the database whose owners their reviews contradict. */
  ownersDoubtful: number | null;
  lastError: string | null;
}

export interface RunOutcome {
  /** Null if no list was read. */
  list: ListCounts | null;
  /** Null if no crawl was due. */
  pass: CrawlSummary | null;
}

interface Run extends RunOptions {
  state: RunState;
  tracker: Tracker;
  signal: AbortSignal;
  /** Errors of phases that did not end the run. */
  errors: unknown[];
}

/** Runs in a row in which the details of a game may fail before the game waits for 30 days, as all others do. */
const maxAttempts = 5;
/** Rows examined per call. */
const enqueueBatch = 5_000;

/**
 * Runs all phases. A phase that fails is logged, and its error is thrown at the end: the app list and SteamSpy do not depend on each
 * other. Only a rejected key ends the run at once, because an operator has to correct it first.
 */
export async function runPhases(
  options: RunOptions,
  state: RunState,
  tracker: Tracker,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const { store, updateMetadata, fullRefresh } = options;
  const run: Run = { ...options, state, tracker, signal, errors: [] };
  const list = updateMetadata ? null : await tolerate(run, () => appListPhase(run));
  await enqueueGames(run);
  const crawl = await store.beginCrawl({ fullRefresh });
  await countGames(run);
  const pass = await crawlPhase(run, crawl);
  await detailsPhase(run, crawl.now);
  if (run.errors.length > 0) throw run.errors[0];
  return { list, pass };
}

/** Updates the counts of games by the status of their details. */
export async function countGames({ store, state }: { store: CollectorStore; state: RunState }): Promise<void> {
  const { games, owners_doubtful } = await store.counts();
  state.games = games;
  state.ownersDoubtful = owners_doubtful;
}

/** Runs a phase. Keeps its error for the end of the run, unless the run has been aborted or the key is rejected. */
async function tolerate<T>({ signal, logger, state, errors }: Run, phase: () => Promise<T>): Promise<T | null> {
  try {
    return await phase();
  } catch (error) {
    signal.throwIfAborted();
    state.lastError = error instanceof Error ? error.message : String(error);
    if (error instanceof WebError && error.fault === "denied") throw error;
    logger.error({ err: error }, state.lastError);
    errors.push(error);
    return null;
  }
}

async function appListPhase(run: Run): Promise<ListCounts | null> {
  const { apiKey, logger, tracker, fullRefresh } = run;
  if (apiKey === null) {
    logger.info("no STEAM_API_KEY: no app list is read, the games come from the catalog that PICS built");
    return null;
  }
  tracker.begin("reading_list", null);
  try {
    return await runAppList({ ...run, apiKey, fresh: fullRefresh });
  } catch (error) {
    if (!(error instanceof WebError) || error.fault !== "denied") throw error;
    throw new WebError("denied", `Steam refuses the key in STEAM_API_KEY: ${error.message}`, error.status);
  }
}

async function enqueueGames({ store, signal }: Run): Promise<void> {
  for (let after: number | null = 0; after !== null; signal.throwIfAborted()) {
    after = await store.enqueue(after, enqueueBatch);
  }
}

async function crawlPhase(run: Run, crawl: CrawlState): Promise<CrawlSummary | null> {
  const { logger, tracker, paceMs } = run;
  const { page, expected_pages } = crawl;
  if (page === null) {
    logger.info("SteamSpy's list of all games is up to date; continuing with the details");
    return null;
  }
  tracker.begin("all_games", expected_pages, paceMs.page);
  tracker.advanceTo(page, expected_pages);
  return tolerate(run, () => crawlPages(run, { ...crawl, page }));
}

async function detailsPhase(run: Run, runStartedAt: string): Promise<void> {
  const { store, state, tracker, paceMs, updateMetadata } = run;
  const counting: CollectorStore = {
    ...store,
    async saveDetails(results) {
      await store.saveDetails(results);
      await countGames(run);
    },
  };
  tracker.begin("details", null, paceMs.details);
  await countGames(run);
  const settings = { maxAttempts, staleFirst: updateMetadata, runStartedAt };
  await tolerate(run, () => runDetails({ ...run, ...settings, store: counting }, state.details));
}

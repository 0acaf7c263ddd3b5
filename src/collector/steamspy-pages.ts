import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import type { WebClient } from "../web/client.ts";
import { batches } from "./batches.ts";
import { CollectorError } from "./errors.ts";
import type { Tracker } from "./progress.ts";
import { type GamesPage, gamesPage, gamesPerPage } from "./steamspy.ts";
import type { CollectorStore, CrawlState } from "./store.ts";

/**
 * Crawl of SteamSpy's pages of all games, in three phases:
 *
 *     1. crawl the pages in order, from the cursor in the database to the end; a page that fails is marked as missed
 *     2. check that the end is plausible, compared with the last complete crawl
 *     3. fetch the missed pages again, last first
 *
 * The cursor moves in the transaction that saves a page, so a crawl survives a kill at any point.
 */
export interface CrawlOptions {
  store: CollectorStore;
  web: WebClient;
  logger: Logger;
  /** Games per transaction. */
  batchSize: number;
  /** Largest share by which a crawl may be shorter than the last complete one. */
  maxShrink: number;
  tracker: Tracker;
  signal: AbortSignal;
}

export interface CrawlSummary {
  /** Pages fetched and saved in this run. */
  pages: number;
  games: number;
  /** Pages that failed, and failed again at the end. */
  missed: number[];
}

interface Crawl extends CrawlOptions {
  /** Pages of the last complete crawl; null before the first. */
  expected: number | null;
  /** Cursor: the next page. After the first phase the number of pages. */
  page: number;
  missed: Set<number>;
  pages: number;
  games: number;
}

/**
 * Resumes a crawl at its cursor. Two failed pages in a row end the run; the next run resumes there.
 *
 * @throws {CollectorError} when the pages end far too early. What was read is kept, the crawl stays unfinished.
 * @throws {WebError} when SteamSpy is unreachable, or blocks this address.
 */
export async function crawlPages(options: CrawlOptions, begin: CrawlState & { page: number }): Promise<CrawlSummary> {
  const { page, expected_pages: expected } = begin;
  const crawl: Crawl = { ...options, expected, page, missed: new Set(begin.missed), pages: 0, games: 0 };
  await crawlInOrder(crawl);
  requirePlausibleEnd(crawl);
  await retryMissed(crawl);
  const missed = await completeCrawl(crawl);
  return { pages: crawl.pages, games: crawl.games, missed };
}

/**
 * Phase 1. SteamSpy ends with a short page or an empty one. If that is far earlier than last time, or there is no last time, the next
 * page is fetched before an empty page counts as the end.
 */
async function crawlInOrder(crawl: Crawl): Promise<void> {
  const { store, logger, signal, expected, missed } = crawl;
  /** An empty page that may be the end. */
  let emptyPage: number | null = null;
  for (; ; crawl.page += 1) {
    signal.throwIfAborted();
    const { page } = crawl;
    const answer = await fetchPage(crawl, page, missed.has(page - 1));
    if (answer === null) {
      missed.add(page);
      await store.savePage({ games: [], page: emptyPage ?? page + 1, missed: [...missed], complete: false });
    } else if (answer.entries === 0) {
      if (isLongEnough(crawl, page) || emptyPage !== null) break;
      emptyPage = page;
    } else {
      if (emptyPage !== null) {
        logger.warn(
          { page: emptyPage },
          "SteamSpy answered with an empty page in the middle; it is retried at the end",
        );
        missed.add(emptyPage);
        emptyPage = null;
      }
      await savePage(crawl, page, answer);
      if (answer.entries < gamesPerPage && (expected === null || isLongEnough(crawl, page + 1))) {
        crawl.page += 1;
        break;
      }
    }
  }
  crawl.page = emptyPage ?? crawl.page;
}

/** Phase 2. */
function requirePlausibleEnd(crawl: Crawl): void {
  const { page, expected } = crawl;
  if (page > 0 && (expected === null || isLongEnough(crawl, page))) return;
  const lastTime = expected === null ? "" : `, the last one had ${expected}`;
  throw new CollectorError(
    `SteamSpy's list of all games ended after ${page} pages${lastTime}. What was read is kept; ` +
      "the next run resumes there. A run with a higher MAX_SHRINK accepts a shorter list.",
  );
}

/** Phase 3. Last first, because a missed page that is now empty at the end was beyond the end. */
async function retryMissed(crawl: Crawl): Promise<void> {
  const { missed } = crawl;
  for (const page of [...missed].sort((a, b) => b - a)) {
    const answer = page < crawl.page ? await fetchPage(crawl, page, false) : { games: [], entries: 0 };
    if (answer === null) continue;
    if (answer.entries > 0) {
      await savePage(crawl, page, answer);
    } else if (page >= crawl.page - 1) {
      missed.delete(page);
      crawl.page = Math.min(crawl.page, page);
    }
  }
}

/** Saves that the crawl is complete. Returns the pages that are still missing. */
async function completeCrawl(crawl: Crawl): Promise<number[]> {
  const { store, logger, missed } = crawl;
  const pages = [...missed].sort((a, b) => a - b);
  // A missed page at the end may be beyond it.
  while (missed.has(crawl.page - 1)) crawl.page -= 1;
  await store.savePage({ games: [], page: crawl.page, missed: pages, complete: true });
  if (pages.length > 0) logger.warn({ pages }, "some pages of SteamSpy failed twice; the next crawl fetches them");
  return pages;
}

/** Whether `pages` are enough, compared with the last complete crawl. False before the first. */
function isLongEnough({ expected, maxShrink }: Crawl, pages: number): boolean {
  return expected !== null && pages >= expected * (1 - maxShrink);
}

/** Saves the games of a page in batches. Only the last batch moves the cursor and removes the page from the missed ones. */
async function savePage(crawl: Crawl, page: number, { games }: GamesPage): Promise<void> {
  const { store, batchSize, missed, tracker } = crawl;
  for (const [part, isLast] of batches(games, batchSize)) {
    if (isLast) missed.delete(page);
    const cursor = isLast ? Math.max(crawl.page, page + 1) : crawl.page;
    await store.savePage({ games: part, page: cursor, missed: [...missed], complete: false });
  }
  crawl.pages += 1;
  crawl.games += games.length;
  tracker.add(1);
}

/** Fetches a page. Null when it failed and is retried later; the second failure in a row is thrown. */
async function fetchPage({ web, logger, signal }: Crawl, page: number, isSecond: boolean): Promise<GamesPage | null> {
  try {
    return await gamesPage(web, page, signal);
  } catch (error) {
    if (!(error instanceof WebError) || error.fault === "blocked" || error.fault === "denied") throw error;
    if (isSecond && error.fault === "invalid") {
      throw new WebError(
        "unreachable",
        `SteamSpy is out of order: two pages in a row failed; the last: ${error.message}`,
        200,
      );
    }
    if (isSecond) throw error;
    logger.warn({ err: error, page }, "a page of SteamSpy failed; it is retried at the end");
    return null;
  }
}

import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import type { WebClient } from "../web/client.ts";
import { batches } from "./batches.ts";
import { CollectorError } from "./errors.ts";
import type { Tracker } from "./progress.ts";
import { type GamesPage, gamesPage, gamesPerPage } from "./steamspy.ts";
import type { CollectorStore, SpyPass } from "./store.ts";

export interface PassOptions {
  store: CollectorStore;
  web: WebClient;
  logger: Logger;
  /** Games a transaction. */
  batchSize: number;
  /** A pass that ends by a larger share sooner than the last complete one has not been told the end. */
  maxShrink: number;
  tracker: Tracker;
  signal: AbortSignal;
}

export interface PassSummary {
  /** Asked for and saved by this run. */
  pages: number;
  games: number;
  /** Pages that could not be had, not even when they were asked for again at the end. */
  missed: number[];
}

const nothing: GamesPage = { games: [], entries: 0 };

/**
 * Goes on with a pass over SteamSpy's pages of all games from the page that it had come to. A page that fails is left for the end; two
 * in a row end the pass for now, and the next run goes on there.
 *
 * SteamSpy ends with a short page or an empty one. Where that is far sooner than last time, or the first thing heard of an end, the
 * next page is asked for before it is believed.
 *
 * @throws {CollectorError} when the pages end far too soon. What they told is kept, the pass stays unfinished.
 * @throws {WebError} when SteamSpy cannot be asked.
 */
export async function runPass(options: PassOptions, begin: SpyPass & { page: number }): Promise<PassSummary> {
  const { store, logger, tracker, signal, maxShrink } = options;
  const expected = begin.expected_pages;
  const isEnoughPages = (count: number) => expected !== null && count >= expected * (1 - maxShrink);
  const missed = new Set(begin.missed);
  const summary: PassSummary = { pages: 0, games: 0, missed: [] };
  let page = begin.page;
  /** The page that came empty, and may be the end. */
  let end: number | null = null;

  /** The place is taken with the last part: the page that the pass is at is done, one that was missed is missed no more. */
  async function save(number: number, { games }: GamesPage): Promise<void> {
    for (const [part, isLast] of batches(games, options.batchSize)) {
      if (isLast) missed.delete(number);
      const next = isLast ? Math.max(page, number + 1) : page;
      await store.savePage({ games: part, page: next, missed: [...missed], complete: false });
    }
    summary.pages += 1;
    summary.games += games.length;
    tracker.add(1);
  }

  for (; ; page++) {
    signal.throwIfAborted();
    const answer = await askPage(options, page, missed.has(page - 1));
    if (answer === null) {
      missed.add(page);
      await store.savePage({ games: [], page: end ?? page + 1, missed: [...missed], complete: false });
    } else if (answer.entries === 0) {
      if (isEnoughPages(page) || end !== null) break;
      end = page;
    } else {
      if (end !== null) {
        logger.warn({ page: end }, "SteamSpy left out a page in the middle; it is asked for again at the end");
        missed.add(end);
        end = null;
      }
      await save(page, answer);
      if (answer.entries < gamesPerPage && (expected === null || isEnoughPages(page + 1))) {
        page += 1;
        break;
      }
    }
  }

  page = end ?? page;
  if (page === 0 || (expected !== null && !isEnoughPages(page))) {
    const lastTime = expected === null ? "" : `, the last one had ${expected}`;
    throw new CollectorError(
      `SteamSpy's list of all games ended after ${page} pages${lastTime}. What it told is kept; ` +
        "the next run goes on there. A run with a higher MAX_SHRINK accepts a shorter list.",
    );
  }
  // The last first: one that comes empty there was the end.
  for (const number of [...missed].sort((a, b) => b - a)) {
    const answer = number < page ? await askPage(options, number, false) : nothing;
    if (answer === null) continue;
    if (answer.entries > 0) await save(number, answer);
    else if (number >= page - 1) {
      missed.delete(number);
      page = Math.min(page, number);
    }
  }
  summary.missed = [...missed].sort((a, b) => a - b);
  // One at the end that could not be had may be beyond it.
  while (missed.has(page - 1)) page -= 1;
  await store.savePage({ games: [], page, missed: summary.missed, complete: true });
  if (missed.size > 0)
    logger.warn({ pages: summary.missed }, "pages of SteamSpy that could not be had; the next pass asks for them");
  return summary;
}

/** Null when the page failed and may be asked for again later. A second failure in a row is thrown. */
async function askPage(
  { web, logger, signal }: PassOptions,
  page: number,
  isSecond: boolean,
): Promise<GamesPage | null> {
  try {
    return await gamesPage(web, page, signal);
  } catch (error) {
    if (!(error instanceof WebError) || isSecond || error.fault === "blocked" || error.fault === "denied") throw error;
    logger.warn({ err: error, page }, "a page of SteamSpy failed; it is asked for again at the end");
    return null;
  }
}

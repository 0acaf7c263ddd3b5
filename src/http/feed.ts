import { EventEmitter, once } from "node:events";
import type { ChangeView } from "../catalog/views.ts";
import type { CatalogReader } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";
import { createRecentChanges } from "./recent-changes.ts";

/**
 * Change feed, shared by all streams: one poller reads new changes from the database every half second, and only while there is a
 * subscriber. A subscriber that is further behind than the changes kept in memory catches up from the database by itself.
 */
export interface Feed {
  /**
   * Yields pages of changes after `after`, or from now on when it is null, the oldest first and never empty, until `signal` aborts.
   * While the database is unreachable it waits; no change is skipped. Ends where the changes that come next are deleted for their age.
   */
  follow(after: number | null, signal: AbortSignal): AsyncGenerator<ChangeView[]>;
}

export interface FeedOptions {
  /** Null until the database is open. */
  reader: () => Pick<CatalogReader, "changes"> | null;
  logger: Logger;
  pollIntervalMs?: number;
  /** Changes kept in memory for subscribers that are a little behind. */
  kept?: number;
}

const pageSize = 500;

export function createFeed({ reader, logger, pollIntervalMs = 500, kept = 2_000 }: FeedOptions): Feed {
  const recent = createRecentChanges(kept);
  const readPage = createPageReader(reader, logger);
  // One listener per stream that waits.
  const arrivals = new EventEmitter().setMaxListeners(0);
  let subscribers = 0;
  let isPolling = false;

  /** Runs while there are subscribers. */
  async function poll(): Promise<void> {
    if (isPolling) return;
    isPolling = true;
    while (subscribers > 0) {
      if (!(await pollOnce())) await sleep(pollIntervalMs);
    }
    // The next subscriber starts at what is the newest change then.
    recent.clear();
    isPolling = false;
  }

  /** @returns whether more changes are waiting. */
  async function pollOnce(): Promise<boolean> {
    const lastId = recent.lastId();
    const page = await readPage(lastId === null ? { max: 1 } : { after: lastId, max: pageSize });
    if (page === null) return false;
    if (lastId === null) recent.open(page.last_id);
    else if (page.deleted_up_to !== undefined) recent.clear();
    else recent.append(page.changes, page.last_id);
    if (lastId === null || page.changes.length > 0) arrivals.emit("changes");
    return lastId !== null && page.has_more;
  }

  async function* follow(after: number | null, signal: AbortSignal): AsyncGenerator<ChangeView[]> {
    subscribers += 1;
    void poll();
    try {
      for (let position = after; !signal.aborted; ) {
        position ??= recent.lastId();
        const news = position === null ? [] : recent.after(position);
        if (position !== null && news === null) {
          const page = await readPage({ after: position, max: pageSize });
          if (page?.deleted_up_to !== undefined) return;
          if (page !== null) position = page.last_id;
          if (page !== null && page.changes.length > 0) yield page.changes;
          // The database is unreachable, or was for the poller's last attempt.
          else if (page === null || recent.lastId() === null) await sleep(pollIntervalMs, signal).catch(() => {});
        } else if (news !== null && news.length > 0) {
          const page = news.slice(0, pageSize);
          position = page.at(-1)?.id ?? position;
          yield page;
        } else {
          // Rejects when the signal aborts.
          await once(arrivals, "changes", { signal }).catch(() => {});
        }
      }
    } finally {
      subscribers -= 1;
    }
  }

  return { follow };
}

/** Reads a page of changes; null while the database is closed or unreachable, which is logged once per outage. */
function createPageReader(reader: FeedOptions["reader"], logger: Logger) {
  let isAway = false;
  return async (query: { after?: number; max: number }) => {
    const open = reader();
    if (open === null) return null;
    try {
      const page = await open.changes(query);
      isAway = false;
      return page;
    } catch (error) {
      if (!isAway) logger.warn({ err: error }, "change feed: the database cannot be read; retrying");
      isAway = true;
      return null;
    }
  };
}

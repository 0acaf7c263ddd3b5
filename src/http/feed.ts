import { EventEmitter, once } from "node:events";
import type { ChangeView } from "../catalog/views.ts";
import type { CatalogReader, ClientRequest } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";
import { createRecentChanges } from "./recent-changes.ts";

/**
 * Change feed, shared by all streams: one poller reads new changes from the database every half second, and only while there is a
 * subscriber. Subscribers that are further behind than the changes kept in memory catch up from the database, in turns, and share the pages
 * that they have in common. A slow subscriber holds one page.
 */
export interface Feed {
  /**
   * Yields pages of changes after `after`, or from now on when it is null, the oldest first and never empty, until `signal` aborts.
   * While the database is unreachable it waits; no change is skipped. Ends where the changes that come next are deleted for their age.
   *
   * @param client whose reads they are while it catches up from the database; without it, the service's own.
   */
  follow(after: number | null, signal: AbortSignal, client?: string): AsyncGenerator<ChangeView[]>;
}

type ChangesReader = Pick<CatalogReader, "changes">;

export interface FeedOptions {
  /** Null until the database is open. */
  reader: () => (ChangesReader & { for(request: ClientRequest): ChangesReader }) | null;
  logger: Logger;
  pollIntervalMs?: number;
  /** Changes kept in memory for subscribers that are a little behind. */
  kept?: number;
}

/** Of the poller, whose changes all subscribers share. */
const pollSize = 500;
/** Of one subscriber: what it holds while its client does not read. */
const pageSize = 25;
/** Pages kept for subscribers that follow the same history a little later. */
const sharedPages = 20;

export function createFeed({ reader, logger, pollIntervalMs = 500, kept = 2_000 }: FeedOptions): Feed {
  const recent = createRecentChanges(kept);
  const readPage = createPageReader(reader, logger);
  // One listener per stream that waits.
  const arrivals = new EventEmitter().setMaxListeners(0);
  const readShared = sharePages(readPage);
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
    const page = await readPage(lastId === null ? { max: 1 } : { after: lastId, max: pollSize });
    if (page === null) return false;
    if (lastId === null) recent.open(page.last_id);
    else if (page.deleted_up_to !== undefined) recent.clear();
    else recent.append(page.changes, page.last_id);
    if (lastId === null || page.changes.length > 0) arrivals.emit("changes");
    return lastId !== null && page.has_more;
  }

  async function* follow(after: number | null, signal: AbortSignal, client?: string): AsyncGenerator<ChangeView[]> {
    const catchUp = client === undefined ? undefined : { client, signal };
    subscribers += 1;
    void poll();
    try {
      for (let position = after; !signal.aborted; ) {
        position ??= recent.lastId();
        const news = position === null ? [] : recent.after(position);
        if (position !== null && news === null) {
          const page = await readShared(position, catchUp);
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

type PageReader = ReturnType<typeof createPageReader>;

/** Runs one query for all subscribers at the same position, as a read of the first one, and keeps the last full pages: those never change. */
function sharePages(readPage: PageReader): (after: number, client?: ClientRequest) => ReturnType<PageReader> {
  const pages = new Map<number, ReturnType<PageReader>>();
  return (after, client) => {
    const known = pages.get(after);
    if (known) return known;
    const page = readPage({ after, max: pageSize }, client);
    pages.set(after, page);
    void page.then((read) => {
      if ((read?.changes.length ?? 0) < pageSize) pages.delete(after);
      for (const oldest of pages.keys()) {
        if (pages.size <= sharedPages) break;
        pages.delete(oldest);
      }
    });
    return page;
  };
}

/**
 * Reads a page of changes; null while the database is closed, busy or unreachable. That is logged once per outage, and not of a client's own
 * reads, which may fail for its share of the database alone.
 */
function createPageReader(reader: FeedOptions["reader"], logger: Logger) {
  let isAway = false;
  return async (query: { after?: number; max: number }, client?: ClientRequest) => {
    const open = reader();
    if (open === null) return null;
    try {
      if (client) return await open.for(client).changes(query);
      const page = await open.changes(query);
      isAway = false;
      return page;
    } catch (error) {
      if (client) return null;
      if (!isAway) logger.warn({ err: error }, "change feed: the database cannot be read; retrying");
      isAway = true;
      return null;
    }
  };
}

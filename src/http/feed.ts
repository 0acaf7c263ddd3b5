import { EventEmitter, once } from "node:events";
import type { FeedPage } from "../db/catalog-queries.ts";
import type { ClientRequest } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";
import { createRecentItems, type FeedItem } from "./recent-items.ts";

/**
 * Feed of changes or of events, shared by all its streams: one poller reads new ones from the database at its notification, or
 * every half second, and only while there is a subscriber. Subscribers that are further behind than what is kept in memory catch up from the database, in turns, and share the pages
 * that they have in common. A slow subscriber holds one page.
 */
export interface Feed<Item> {
  /**
   * Yields pages of items after `after`, or from now on when it is null, the oldest first and never empty, until `signal` aborts.
   * While the database is unreachable it waits; none is skipped. Ends where those that come next are deleted for their age.
   *
   * @param client whose reads they are while it catches up from the database; without it, the service's own.
   */
  follow(after: number | null, signal: AbortSignal, client?: string): AsyncGenerator<Item[]>;
}

export interface FeedOptions<Item> {
  /** As a read of the client, where there is one. Null until the database is open. */
  read: (query: FeedQuery, client?: ClientRequest) => Promise<FeedPage<Item>> | null;
  logger: Logger;
  /** Waits for news, at most about `ms` milliseconds. */
  news?: (ms: number) => Promise<void>;
  pollIntervalMs?: number;
  /** Items kept in memory for subscribers that are a little behind. */
  kept?: number;
}

/** Of the poller, whose items all subscribers share. */
const pollSize = 500;
/** Of one subscriber: what it holds while its client does not read. */
const pageSize = 25;
/** Pages kept for subscribers that follow the same history a little later. */
const sharedPages = 20;

export function createFeed<Item extends FeedItem>({
  read,
  logger,
  news = sleep,
  pollIntervalMs = 500,
  kept = 2_000,
}: FeedOptions<Item>): Feed<Item> {
  const recent = createRecentItems<Item>(kept);
  const readPage = createPageReader(read, logger);
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
      if (!(await pollOnce())) await news(pollIntervalMs);
    }
    // The next subscriber starts at what is the newest item then.
    recent.clear();
    isPolling = false;
  }

  /** @returns whether more are waiting. */
  async function pollOnce(): Promise<boolean> {
    const lastId = recent.lastId();
    const page = await readPage(lastId === null ? { max: 1 } : { after: lastId, max: pollSize });
    if (page === null) return false;
    if (lastId === null) recent.open(page.last_id);
    else if (page.deleted_up_to !== undefined) recent.clear();
    else recent.append(page.items, page.last_id);
    if (lastId === null || page.items.length > 0) arrivals.emit("items");
    return lastId !== null && page.next !== null;
  }

  async function* follow(after: number | null, signal: AbortSignal, client?: string): AsyncGenerator<Item[]> {
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
          if (page !== null && page.items.length > 0) yield page.items;
          // The database is unreachable, or was for the poller's last attempt.
          else if (page === null || recent.lastId() === null) await sleep(pollIntervalMs, signal).catch(() => {});
        } else if (news !== null && news.length > 0) {
          const page = news.slice(0, pageSize);
          position = page.at(-1)?.id ?? position;
          yield page;
        } else {
          // Rejects when the signal aborts.
          await once(arrivals, "items", { signal }).catch(() => {});
        }
      }
    } finally {
      subscribers -= 1;
    }
  }

  return { follow };
}

interface FeedQuery {
  after?: number;
  max: number;
}

type PageReader<Item> = (query: FeedQuery, client?: ClientRequest) => Promise<FeedPage<Item> | null>;

/** Runs one query for all subscribers at the same position, as a read of the first one, and keeps the last full pages: those never change. */
function sharePages<Item>(
  readPage: PageReader<Item>,
): (after: number, client?: ClientRequest) => Promise<FeedPage<Item> | null> {
  const pages = new Map<number, Promise<FeedPage<Item> | null>>();
  return (after, client) => {
    const known = pages.get(after);
    if (known) return known;
    const page = readPage({ after, max: pageSize }, client);
    pages.set(after, page);
    void page.then((read) => {
      if ((read?.items.length ?? 0) < pageSize) pages.delete(after);
      for (const oldest of pages.keys()) {
        if (pages.size <= sharedPages) break;
        pages.delete(oldest);
      }
    });
    return page;
  };
}

/**
 * Reads a page; null while the database is closed, busy or unreachable. That is logged once per outage, and not of a client's own
 * reads, which may fail for its share of the database alone.
 */
function createPageReader<Item>(read: FeedOptions<Item>["read"], logger: Logger): PageReader<Item> {
  let isAway = false;
  return async (query, client) => {
    try {
      const page = await read(query, client);
      if (!client && page !== null) isAway = false;
      return page;
    } catch (error) {
      if (client) return null;
      if (!isAway) logger.warn({ err: error }, "change feed: the database cannot be read; retrying");
      isAway = true;
      return null;
    }
  };
}

import type { ChangeView } from "../catalog/views.ts";
import type { CatalogReader } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";

/**
 * Changes as they land, for any number of streams: one question to the database every half second, and only while somebody
 * listens. A stream that is further behind than what is kept here reads its way up from the database by itself.
 */
export interface Feed {
  /**
   * Changes after `after`, or from now on when it is null, the oldest first and never empty, until `signal` aborts. A database
   * that is away is waited for; nothing is left out.
   */
  follow(after: number | null, signal: AbortSignal): AsyncGenerator<ChangeView[]>;
}

export interface FeedOptions {
  /** Null until the database is open. */
  reader: () => Pick<CatalogReader, "changes"> | null;
  logger: Logger;
  everyMs?: number;
  /** Changes kept for streams that are a little behind. */
  kept?: number;
}

const pageSize = 500;

export function createFeed({ reader, logger, everyMs = 500, kept = 2_000 }: FeedOptions): Feed {
  /** Changes up to `lastId`, all that came after `from`. */
  let recent: ChangeView[] = [];
  let from = 0;
  let lastId: number | null = null;
  let listeners = 0;
  let polling = false;
  let arrived = Promise.withResolvers<void>();
  let isAway = false;

  async function page(query: { after?: number; max: number }) {
    const open = reader();
    if (open === null) return null;
    try {
      const found = await open.changes(query);
      isAway = false;
      return found;
    } catch (error) {
      if (!isAway) logger.warn({ err: error }, "the feed of changes waits for the database");
      isAway = true;
      return null;
    }
  }

  async function poll(): Promise<void> {
    if (polling) return;
    polling = true;
    while (listeners > 0) {
      const found = await page(lastId === null ? { max: 1 } : { after: lastId, max: pageSize });
      if (found) {
        const isFirst = lastId === null;
        if (isFirst) from = found.last_id;
        else keep(found.changes);
        lastId = found.last_id;
        if (isFirst || found.changes.length > 0) {
          arrived.resolve();
          arrived = Promise.withResolvers();
        }
        if (!isFirst && found.has_more) continue;
      }
      await sleep(everyMs);
    }
    // Whoever comes next begins with what is then the newest.
    recent = [];
    lastId = null;
    polling = false;
  }

  function keep(changes: readonly ChangeView[]): void {
    recent.push(...changes);
    const surplus = recent.length - kept;
    if (surplus <= 0) return;
    from = recent[surplus - 1]?.id ?? from;
    recent = recent.slice(surplus);
  }

  async function* follow(after: number | null, signal: AbortSignal): AsyncGenerator<ChangeView[]> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    listeners += 1;
    void poll();
    try {
      for (let position = after; !signal.aborted; ) {
        // Taken before looking: what arrives meanwhile is not slept through.
        const next = arrived.promise;
        if (position === null) position = lastId;
        if (position !== null && lastId !== null && position >= from) {
          const news: ChangeView[] = newerThan(recent, position).slice(0, pageSize);
          position = news.at(-1)?.id ?? position;
          if (news.length > 0) {
            yield news;
            continue;
          }
        } else if (position !== null) {
          const found = await page({ after: position, max: pageSize });
          if (found) {
            position = found.last_id;
            if (found.changes.length > 0) yield found.changes;
            continue;
          }
          await Promise.race([sleep(everyMs, signal).catch(() => {}), aborted]);
          continue;
        }
        await Promise.race([next, aborted]);
      }
    } finally {
      listeners -= 1;
    }
  }

  return { follow };
}

/** The end of a list that is sorted by id. */
function newerThan(changes: readonly ChangeView[], id: number): ChangeView[] {
  const start = changes.findIndex((change) => change.id > id);
  return start < 0 ? [] : changes.slice(start);
}

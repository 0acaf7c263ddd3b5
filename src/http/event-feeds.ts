import type { EventView } from "../catalog/event-views.ts";
import type { EventQuery } from "../db/catalog-queries.ts";
import type { CatalogReader, ClientRequest } from "../db/catalog-reader.ts";
import type { Logger } from "../process/logger.ts";
import { createFeed, type Feed } from "./feed.ts";

type Filters = Omit<EventQuery, "max" | "after" | "before">;

/** One feed for all streams with the same filters, so that their number costs the database nothing. */
export interface EventFeeds {
  /** As {@link Feed.follow}; nothing comes while a value of the filters does not exist. */
  follow(filters: Filters, after: number | null, signal: AbortSignal, client?: string): AsyncGenerator<EventView[]>;
}

type EventReader = Pick<CatalogReader, "events">;

export interface EventFeedsDeps {
  /** Null until the database is open. */
  reader: () => (EventReader & { for(request: ClientRequest): EventReader }) | null;
  /** Waits for news, at most about `ms` milliseconds. */
  news: (ms: number) => Promise<void>;
  logger: Logger;
}

/** Events kept in memory for subscribers that are a little behind, for each set of filters. */
const kept = 500;

export function createEventFeeds({ reader, news, logger }: EventFeedsDeps): EventFeeds {
  const feeds = new Map<string, { feed: Feed<EventView>; followers: number }>();

  function open(filters: Filters): Feed<EventView> {
    return createFeed<EventView>({
      logger,
      news,
      kept,
      read(query, client) {
        const catalog = reader();
        if (catalog === null) return null;
        const events = (client ? catalog.for(client) : catalog).events({ ...filters, ...query });
        // A tag or company may vanish while it is followed: then nothing fits.
        return events.then((page) => ("unknown" in page ? { items: [], last_id: query.after ?? 0, next: null } : page));
      },
    });
  }

  return {
    async *follow(filters, after, signal, client) {
      const key = JSON.stringify(filters);
      const shared = feeds.get(key) ?? { feed: open(filters), followers: 0 };
      feeds.set(key, shared);
      shared.followers += 1;
      try {
        yield* shared.feed.follow(after, signal, client);
      } finally {
        shared.followers -= 1;
        if (shared.followers === 0) feeds.delete(key);
      }
    },
  };
}

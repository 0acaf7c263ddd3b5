/** What has a place in a feed: changes, or events. */
export interface FeedItem {
  id: number;
}

/** A window over the newest items, in memory: all that came after its start, at most `limit` of them, the oldest first. */
export interface RecentItems<Item extends FeedItem> {
  /** Id up to which the window is complete; null before {@link open} and after {@link clear}. */
  lastId(): number | null;
  /** Starts an empty window after this id. */
  open(lastId: number): void;
  /** Adds the items up to `lastId`; the oldest leave when there are more than `limit`. */
  append(items: readonly Item[], lastId: number): void;
  /** The items after this id; null when the window does not reach back that far. */
  after(id: number): Item[] | null;
  clear(): void;
}

export function createRecentItems<Item extends FeedItem>(limit: number): RecentItems<Item> {
  let items: Item[] = [];
  /** The window holds every item with `start < id <= lastId`. */
  let start = 0;
  let lastId: number | null = null;

  return {
    lastId: () => lastId,
    open(id) {
      start = id;
      lastId = id;
    },
    append(more, id) {
      lastId = id;
      items.push(...more);
      const surplus = items.length - limit;
      if (surplus <= 0) return;
      start = items[surplus - 1]?.id ?? start;
      items = items.slice(surplus);
    },
    after(id) {
      if (lastId === null || id < start) return null;
      const first = items.findIndex((item) => item.id > id);
      return first < 0 ? [] : items.slice(first);
    },
    clear() {
      items = [];
      lastId = null;
    },
  };
}

import type { ChangeView } from "../catalog/views.ts";

/** A window over the newest changes, in memory: all that came after its start, at most `limit` of them, the oldest first. */
export interface RecentChanges {
  /** Id up to which the window is complete; null before {@link open} and after {@link clear}. */
  lastId(): number | null;
  /** Starts an empty window after this id. */
  open(lastId: number): void;
  /** Adds the changes up to `lastId`; the oldest leave when there are more than `limit`. */
  append(changes: readonly ChangeView[], lastId: number): void;
  /** The changes after this id; null when the window does not reach back that far. */
  after(id: number): ChangeView[] | null;
  clear(): void;
}

export function createRecentChanges(limit: number): RecentChanges {
  let changes: ChangeView[] = [];
  /** The window holds every change with `start < id <= lastId`. */
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
      changes.push(...more);
      const surplus = changes.length - limit;
      if (surplus <= 0) return;
      start = changes[surplus - 1]?.id ?? start;
      changes = changes.slice(surplus);
    },
    after(id) {
      if (lastId === null || id < start) return null;
      const first = changes.findIndex((change) => change.id > id);
      return first < 0 ? [] : changes.slice(first);
    },
    clear() {
      changes = [];
      lastId = null;
    },
  };
}

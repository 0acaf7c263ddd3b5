import type { EventView } from "../catalog/event-views.ts";
import type { EventPage } from "../db/catalog-queries.ts";
import type { CatalogReader } from "../db/catalog-reader.ts";
import type { DatabaseRetry } from "../db/retry.ts";
import { sleep } from "../process/time.ts";
import type { EventFilters } from "./store.ts";

/**
 * Events for many webhooks. The newest events are read once for all of them and kept in memory; a webhook that is further behind, or whose
 * filters only the database can decide, reads for itself.
 */
export interface EventSource {
  /** Follows the events until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Events after an id that fit, oldest first, at most {@link pageSize}. */
  page(filters: EventFilters, after: number): Promise<EventSlice>;
  /** Waits until there may be events after the id. */
  after(id: number, signal: AbortSignal): Promise<void>;
}

export interface EventSlice {
  events: EventView[];
  /** Up to this id, no other event fits. */
  upTo: number;
  /** Set where events after the id are deleted for their age: all up to this one. */
  deletedUpTo?: number;
}

export interface EventSourceDeps {
  reader: Pick<CatalogReader, "events" | "news">;
  retry: Pick<DatabaseRetry, "call">;
  /** Longest time until new events are seen where the database cannot notify. */
  pollMs?: number;
}

export const pageSize = 100;
const defaultPollMs = 1_000;
/** Events kept in memory for all webhooks. */
const maxKept = 1_000;
const keptPageSize = 500;

export function createEventSource({ reader, retry, pollMs = defaultPollMs }: EventSourceDeps): EventSource {
  const waiting = new Set<() => void>();
  /** The events after `from` up to `upTo`, all of them; null before the first look. */
  let kept: { from: number; upTo: number; events: EventView[] } | null = null;

  async function read(query: EventFilters & { max: number; after?: number }): Promise<EventPage | null> {
    const page = await retry.call(() => reader.events(query));
    return "unknown" in page ? null : page;
  }

  async function lookForNew(): Promise<void> {
    for (let hasMore = true; hasMore; ) {
      const page = await read(kept === null ? { max: 1 } : { max: keptPageSize, after: kept.upTo });
      if (page === null) return;
      // Newest first without `after`: the first look only learns where the events end.
      const { items, last_id: upTo, next, deleted_up_to } = page;
      hasMore = kept !== null && next !== null;
      if (kept === null || deleted_up_to !== undefined) kept = { from: upTo, upTo, events: [] };
      else kept = { ...kept, upTo, events: [...kept.events, ...items] };
      const dropped = kept.events.splice(0, Math.max(0, kept.events.length - maxKept));
      kept.from = dropped.at(-1)?.id ?? kept.from;
      for (const wake of waiting) wake();
    }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        await lookForNew();
        await reader.news(pollMs, signal).catch(() => {});
        // Changes come in bursts; a look takes some milliseconds of the database.
        await sleep(Math.min(minPauseMs, pollMs), signal).catch(() => {});
      }
    },
    async page(filters, after) {
      if (kept !== null && after >= kept.from) {
        const { upTo, events } = kept;
        const fitting = events.filter((event) => event.id > after && mayFit(filters, event));
        if (fitting.length === 0) return { events: [], upTo: Math.max(upTo, after) };
        if (!needsDatabase(filters)) {
          const shown = fitting.slice(0, pageSize);
          return { events: shown, upTo: fitting.length > pageSize ? (shown.at(-1)?.id ?? upTo) : upTo };
        }
      }
      // Of a tag or company that has vanished nothing fits, up to where events end.
      const page = (await read({ ...filters, max: pageSize, after })) ?? (await read({ appids: [], max: 1, after }));
      if (page === null) return { events: [], upTo: after };
      const { items: events, last_id: upTo, deleted_up_to: deletedUpTo } = page;
      return { events, upTo, ...(deletedUpTo !== undefined && { deletedUpTo }) };
    },
    async after(id, signal) {
      if (kept !== null && kept.upTo > id) return;
      await new Promise<void>((resolve, reject) => {
        const end = () => {
          waiting.delete(wake);
          signal.removeEventListener("abort", abort);
        };
        const wake = () => {
          if (kept === null || kept.upTo <= id) return;
          end();
          resolve();
        };
        const abort = () => {
          end();
          reject(signal.reason);
        };
        if (signal.aborted) return reject(signal.reason);
        signal.addEventListener("abort", abort, { once: true });
        waiting.add(wake);
      });
    },
  };
}

const minPauseMs = 200;

/** Whether an event fits by its own fields, as `catalog_events` decides. */
function mayFit({ events, branch, appids, types }: EventFilters, event: EventView): boolean {
  return (
    (events === undefined || events.includes(event.event)) &&
    (branch === undefined || event.subject === branch) &&
    (appids === undefined || appids.includes(event.appid)) &&
    (types === undefined || (event.type !== null && types.includes(event.type)))
  );
}

/** Whether filters are about more of the app than its events tell. */
function needsDatabase({ relations = [], min_reviews }: EventFilters): boolean {
  return relations.length > 0 || min_reviews !== undefined;
}

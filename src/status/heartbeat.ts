import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import {
  type Backlog,
  type CatalogOverview,
  type CatalogState,
  type Heard,
  type LeaseRequest,
  overviewOf,
  type WorkerReport,
} from "../db/sync-calls.ts";
import { sleep } from "../process/time.ts";

/**
 * Heartbeat of a worker: every 10 seconds one call stores the worker's snapshot in the database and reads the backlog and the reports of all
 * workers. `/status` is served from these copies, without a query. The catalog is counted less often, since that reads whole tables.
 */
export interface Heartbeat {
  /** Runs until `stop`. A heartbeat that fails is logged and skipped. */
  run(): Promise<void>;
  stop(): Promise<void>;
  /**
   * A heartbeat now, which also acquires or renews a leader lease. The next regular one follows 10 s later, so that polls and heartbeats
   * share their calls. Rejects with the errors of the database.
   */
  beat(lease: LeaseRequest): Promise<Heard>;
  /** Calls `listener` with the backlog of each heartbeat from now on. */
  onBacklog(listener: (backlog: Backlog) => void): void;
  /** As of the last heartbeat; null before the first. */
  backlog(): Backlog | null;
  catalog(): CatalogOverview | null;
  /** All workers seen in the last minute, this one included. */
  workers(): WorkerReport[];
}

/** Ten seconds and a margin: a poll that is due at the same time, every 10, 20 or 30 s, comes first and is the heartbeat. */
const intervalMs = 10_250;
/** Between two counts of the catalog; and during its first load, which is followed by them. */
const countIntervalMs = 60_000;
const firstLoadCountIntervalMs = 10_000;

export interface HeartbeatOptions {
  store: Pick<CatalogStore, "report" | "forget">;
  /** Counts the whole catalog, at lower priority than the service's own queries. */
  countState: () => Promise<CatalogState>;
  logger: Logger;
  workerId: string;
  mode: string;
  snapshot: () => object;
}

export function createHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { store, countState, logger, workerId, mode, snapshot } = options;
  const stopping = new AbortController();
  const listeners: ((backlog: Backlog) => void)[] = [];
  let heard: Heard | null = null;
  let counted: CatalogState | null = null;
  let countedAt = Number.NEGATIVE_INFINITY;
  let beatAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> | null = null;

  async function beat(lease?: LeaseRequest): Promise<Heard> {
    beatAt = performance.now();
    heard = await store.report({ id: workerId, mode, snapshot: snapshot(), lease });
    for (const listener of listeners) listener(heard.backlog);
    return heard;
  }

  function isCountDue(): boolean {
    const completedAt = heard?.monitor.bulk_completed_at ?? null;
    if (completedAt !== null && completedAt !== counted?.bulk_completed_at) return true;
    return performance.now() - countedAt >= (completedAt === null ? firstLoadCountIntervalMs : countIntervalMs);
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        if (performance.now() - beatAt >= intervalMs) await beat();
        if (isCountDue()) {
          counted = await countState();
          countedAt = performance.now();
        }
      } catch (error) {
        if (!stopping.signal.aborted) logger.warn({ err: error }, "heartbeat failed; retrying in 10 s");
      }
      await sleep(Math.max(0, Math.ceil(beatAt + intervalMs - performance.now())), stopping.signal).catch(() => {});
    }
  }

  return {
    run() {
      running ??= loop();
      return running;
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await running;
      await store.forget(workerId);
    },
    beat,
    onBacklog: (listener) => void listeners.push(listener),
    backlog: () => heard?.backlog ?? null,
    catalog() {
      if (heard === null || counted === null) return null;
      const { last_change_number, bulk_completed_at } = heard.monitor;
      return { ...overviewOf(counted, heard.backlog), last_change_number, bulk_completed_at };
    },
    workers: () => heard?.workers ?? [],
  };
}

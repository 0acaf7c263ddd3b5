import type { Logger } from "pino";
import {
  type Backlog,
  type CatalogOverview,
  type CatalogState,
  type CatalogStore,
  overviewOf,
  type WorkerReport,
} from "../db/catalog-store.ts";
import { sleep } from "../process/time.ts";

/**
 * Heartbeat of a worker: every 10 seconds it stores the worker's snapshot in the database and reads the backlog and the reports of all
 * workers. `/status` is served from these copies, without a query.
 */
export interface Heartbeat {
  /** Runs until `stop`. A heartbeat that fails is logged and skipped. */
  run(): Promise<void>;
  stop(): Promise<void>;
  /** As of the last heartbeat; null before the first. */
  backlog(): Backlog | null;
  catalog(): CatalogOverview | null;
  /** All workers seen in the last minute, this one included. */
  workers(): WorkerReport[];
}

const intervalMs = 10_000;

export function createHeartbeat(options: {
  store: Pick<CatalogStore, "backlog" | "report" | "forget">;
  /** Counts the whole catalog, at lower priority than the service's own queries. */
  countState: () => Promise<CatalogState>;
  logger: Logger;
  workerId: string;
  mode: string;
  snapshot: () => object;
}): Heartbeat {
  const { store, countState, logger, workerId, mode, snapshot } = options;
  const stopping = new AbortController();
  let backlog: Backlog | null = null;
  let catalog: CatalogOverview | null = null;
  let workers: WorkerReport[] = [];
  let running: Promise<void> | null = null;

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        backlog = await store.backlog();
        workers = await store.report({ id: workerId, mode, snapshot: snapshot() });
        catalog = overviewOf(await countState(), backlog);
      } catch (error) {
        if (!stopping.signal.aborted) logger.warn({ err: error }, "heartbeat failed; retrying in 10 s");
      }
      await sleep(intervalMs, stopping.signal).catch(() => {});
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
    backlog: () => backlog,
    catalog: () => catalog,
    workers: () => workers,
  };
}

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
 * Says every few seconds in the database how this worker is, and keeps what it hears there: the backlog and the other workers.
 * `/status` is answered from that, without asking the database.
 */
export interface Heartbeat {
  /** Runs until `stop`. A report that fails is logged and left out. */
  run(): Promise<void>;
  stop(): Promise<void>;
  /** As of the last report; null before the first. */
  backlog(): Backlog | null;
  catalog(): CatalogOverview | null;
  /** All workers seen in the last minute, this one included. */
  workers(): WorkerReport[];
}

const everyMs = 10_000;

export function createHeartbeat(options: {
  store: Pick<CatalogStore, "backlog" | "report" | "forget">;
  /** Counts the whole catalog, and gives way to the service's own work. */
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
        if (!stopping.signal.aborted) logger.warn({ err: error }, "this worker's status could not be written");
      }
      await sleep(everyMs, stopping.signal).catch(() => {});
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

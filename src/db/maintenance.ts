import type { Logger } from "pino";
import { sleep } from "../process/time.ts";
import type { CatalogStore } from "./catalog-store.ts";
import type { Database, SqlDatabase } from "./database.ts";

/** Upkeep of the database beside the work: deletes old changes and keeps its size every hour, and vacuums the embedded database once a day. */
export interface MaintenanceDeps {
  db: Database | SqlDatabase;
  store: Pick<CatalogStore, "trimChanges" | "recordSize">;
  logger: Logger;
  /** Changes older than this are deleted; null to keep all. */
  historyDays: number | null;
  signal: AbortSignal;
  intervalMs?: number;
}

const hourMs = 3_600_000;
const hoursBetweenVacuums = 24;
/** Rows in one transaction: some 20 ms. */
const batchSize = 2_000;

/** Runs until `signal` aborts. A failure is logged; the next attempt follows an interval later. */
export async function runMaintenance(deps: MaintenanceDeps): Promise<void> {
  const { db, store, logger, signal, intervalMs = hourMs } = deps;
  const attempt = (what: string, work: () => Promise<void>) =>
    work().catch((error: unknown) => {
      if (!signal.aborted) logger.warn({ err: error }, `${what} failed; it is tried again later`);
    });
  for (let hour = 0; !signal.aborted; hour++) {
    await attempt("deleting old changes", () => trimHistory(deps));
    await attempt("recording the size of the database", () => store.recordSize());
    if (hour > 0 && hour % hoursBetweenVacuums === 0) {
      await attempt("vacuuming the embedded database", () => vacuum(db));
    }
    await sleep(intervalMs, signal).catch(() => {});
  }
}

/** Batch after batch, until none is old enough. Of several workers one deletes. */
async function trimHistory({ store, logger, historyDays, signal }: MaintenanceDeps): Promise<void> {
  if (historyDays === null) return;
  let deleted = 0;
  for (let hasMore = true; hasMore && !signal.aborted; ) {
    const reply = await store.trimChanges({ days: historyDays, max: batchSize });
    deleted += reply.deleted;
    hasMore = reply.has_more;
  }
  if (deleted > 0) logger.info({ changes: deleted, days: historyDays }, "deleted changes older than HISTORY_DAYS");
}

/**
 * Vacuums and analyzes the embedded database, which has no autovacuum (PGlite runs no background workers): dead rows
 * are reused, and the planner gets fresh statistics. Takes about a second for 300,000 apps. A server does this itself,
 * so there it does nothing.
 */
export async function vacuum(db: Database | SqlDatabase): Promise<void> {
  if (db.driver === "pglite" && "query" in db) await db.query("vacuum (analyze)");
}

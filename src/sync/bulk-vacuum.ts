import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";

/**
 * Vacuums the sync state while a bulk sync runs. Each app's row of sync_status is written three times within seconds (marked, claimed,
 * stored), and autovacuum, which looks once a minute, comes too late to have the space of dead rows reused: without this the table is twice
 * its size after a first load.
 */
export interface BulkVacuum {
  /** These many apps have been settled. */
  settled(apps: number): void;
  /** Resolves when no vacuum runs. */
  idle(): Promise<void>;
}

/** A vacuum of so few rows takes about 10 ms. */
const minApps = 1_000;
/** Each vacuum reads the whole primary key, so larger passes vacuum at larger intervals: dead rows stay below this share. */
const share = 0.05;

export function createBulkVacuum({
  store,
  logger,
}: {
  store: Pick<CatalogStore, "vacuumSyncState">;
  logger: Logger;
}): BulkVacuum {
  let total = 0;
  let dueAt = minApps;
  let running: Promise<void> | null = null;
  return {
    settled(apps) {
      total += apps;
      if (total < dueAt || running !== null) return;
      dueAt = total + Math.max(minApps, total * share);
      running = store
        .vacuumSyncState()
        .catch((error: unknown) =>
          logger.debug({ err: error }, "vacuuming the sync state failed; autovacuum does it later"),
        )
        .finally(() => {
          running = null;
        });
    },
    async idle() {
      await running;
    },
  };
}

import type { Logger } from "pino";
import { sleep } from "../process/time.ts";
import type { Database, SqlDatabase } from "./database.ts";

const intervalMs = 86_400_000;

/**
 * Vacuums and analyzes the embedded database, which has no autovacuum (PGlite runs no background workers): dead rows
 * are reused, and the planner gets fresh statistics. Takes about a second for 300,000 apps. A server does this itself,
 * so there it does nothing.
 */
export async function vacuum(db: Database | SqlDatabase): Promise<void> {
  if (db.driver === "pglite" && "query" in db) await db.query("vacuum (analyze)");
}

/** Vacuums once a day until `signal` aborts. A failure is logged; the next attempt follows a day later. */
export async function vacuumDaily(db: Database | SqlDatabase, logger: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(intervalMs, signal).catch(() => {});
    if (signal.aborted) return;
    await vacuum(db).catch((error: unknown) =>
      logger.warn({ err: error }, "vacuuming the embedded database failed; it is tried again in a day"),
    );
  }
}

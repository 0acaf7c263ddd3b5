import type { Logger } from "pino";
import { sleep } from "../process/time.ts";
import type { Database, SqlDatabase } from "./database.ts";

const everyMs = 86_400_000;

/**
 * Does for the embedded database what a server's autovacuum does: rows that were replaced leave room for new ones, and the planner
 * learns what the tables hold. PGlite runs no background workers. A full pass over 300,000 apps takes about a second.
 */
export async function vacuum(db: Database | SqlDatabase): Promise<void> {
  if (db.driver === "pglite" && "query" in db) await db.query("vacuum (analyze)");
}

/** Does so once a day until `signal` aborts. A day on which it fails is logged and left out. */
export async function vacuumDaily(db: Database | SqlDatabase, logger: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await sleep(everyMs, signal).catch(() => {});
    if (signal.aborted) return;
    await vacuum(db).catch((error: unknown) => logger.warn({ err: error }, "the database could not be vacuumed"));
  }
}

import type { AppView } from "../catalog/views.ts";
import type { CatalogOverview, FailingApp, WorkerReport } from "../db/catalog-store.ts";
import type { Database, SqlDatabase } from "../db/database.ts";

/**
 * Where the command line reads the catalog from: the database, or, since the embedded one has a single owner, the process that owns
 * it, over HTTP. Nothing is written and no migration runs.
 */
export interface CatalogSource {
  /** In words: `Postgres`, `the folder ./data`, `the folder ./data, read by process 7`. */
  readonly name: string;
  /** Null where another process owns it. */
  readonly db: Database | SqlDatabase | null;
  /** Null when no such app is stored. */
  app(appid: number): Promise<AppView | null>;
  status(): Promise<StatusDocument>;
  close(): Promise<void>;
}

/** The catalog, and what every worker of the last minute said of itself. */
export interface StatusDocument {
  /** Null until an owner that was started just now has counted it. */
  catalog: CatalogOverview | null;
  failing_apps: FailingApp[];
  workers: WorkerReport[];
}

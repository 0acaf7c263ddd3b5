import type { BranchView, DepotView } from "../catalog/content-views.ts";
import type { AppView } from "../catalog/views.ts";
import type { Database, SqlDatabase } from "../db/database.ts";
import type { CatalogOverview, FailingApp, WebhookCounts, WorkerReport } from "../db/sync-calls.ts";

/**
 * Read access of the command line to the catalog: the database, or over HTTP the process that owns the embedded one (it allows a single
 * owner). Read-only; no migration runs.
 */
export interface CatalogSource {
  /** For messages: `Postgres (host/db)`, `the folder ./data`, `the folder ./data, read through process 7 on box (…)`. */
  readonly name: string;
  /** Null when the catalog is read through its owner. */
  readonly db: Database | SqlDatabase | null;
  /** Null when the app is not stored. */
  app(appid: number): Promise<StoredApp | null>;
  /** Why an app is not stored, as a sentence, where it is known. */
  whyNotStored(appid: number): Promise<string | null>;
  status(): Promise<StatusDocument>;
  close(): Promise<void>;
}

export interface StoredApp {
  app: AppView;
  branches: BranchView[];
  /** Null where depots are not kept. */
  depots: DepotView[] | null;
}

/** The state of the catalog, and the report of every worker seen in the last minute. */
export interface StatusDocument {
  /** Null until a newly started owner has counted it. */
  catalog: CatalogOverview | null;
  failing_apps: FailingApp[];
  workers: WorkerReport[];
  /** Null where an owner has not counted them, or does not know them. */
  webhooks: WebhookCounts | null;
}

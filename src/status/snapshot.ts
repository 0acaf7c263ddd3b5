import type { CollectorProgress } from "../collector/progress.ts";
import type { CatalogOverview, FailingApp, WorkerReport } from "../db/catalog-store.ts";
import type { DatabaseStatus } from "../db/retry.ts";
import type { LibraryProgress } from "../library/progress.ts";
import type { SteamStatus } from "../steam/port.ts";
import type { BulkProgress } from "../sync/progress.ts";

/**
 * What a worker says of itself: plain values that the HTTP side reads without asking a worker, the database or Steam. Times
 * are ISO 8601 in UTC. `/status` serves it as it is.
 */
export interface ServiceSnapshot {
  /** The running command, in the names of `MODE`. */
  mode: string;
  started_at: string;
  /** null where the command does not speak with Steam's connection managers. */
  steam: SteamStatus | null;
  database: DatabaseStatus;
  /** null where no bulk sync belongs to the command. */
  bulk: BulkProgress | null;
  /** null where no monitor belongs to the command, or before it starts. */
  monitor: MonitorSnapshot | null;
  /** null where no collector belongs to the command, or before it starts. */
  collector: CollectorProgress | null;
  /** null where no library import belongs to the command, or before it starts. */
  library: LibraryProgress | null;
  /** Stored by this process since its start, by bulk sync and monitor together. */
  apps_stored: number;
  /** The most often failed of the apps in backoff, with their last error. */
  failing_apps: FailingApp[];
  loops: LoopSnapshot[];
  /** The catalog as a whole; null before the first look, absent in what a worker says in the database. */
  catalog?: CatalogOverview | null;
  /** Every worker on the same database, as it last said of itself; absent in what a worker says there. */
  workers?: WorkerReport[];
}

export interface MonitorSnapshot {
  last_change_number: number | null;
  /** Apps announced and not yet stored, without those in backoff. */
  pending: number;
  /** Apps in backoff after a failed attempt. */
  failing: number;
  /** This worker is the one that polls. */
  leading: boolean;
  /** A sweep compares everything with Steam. */
  sweeping: boolean;
  last_poll_at: string | null;
  /** Age of the oldest pending app that is not in backoff; null when there is none. */
  lag_seconds: number | null;
  poll_interval_seconds: number;
  bulk_completed_at: string | null;
  /** It only fetches what others announce, and polls nothing itself. */
  drain_only: boolean;
}

/** One thing that the worker does over and over. */
export interface LoopSnapshot {
  name: string;
  /** `waiting` is for Steam or the database; `done` ended as it should; `dead` ended by a fault. */
  state: "starting" | "running" | "waiting" | "done" | "dead";
  last_progress_at: string | null;
  /** The longest time without progress that is still healthy, pauses included. */
  limit_ms: number;
  /** What it cannot make progress without, so that its clock stands still while that is away. Both when not given. */
  needs?: readonly ("steam" | "database")[];
}

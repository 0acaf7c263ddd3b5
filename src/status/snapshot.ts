import type { CollectorProgress } from "../collector/progress.ts";
import type { DatabaseStatus } from "../db/retry.ts";
import type { CatalogOverview, FailingApp, WebhookCounts, WorkerReport } from "../db/sync-calls.ts";
import type { LibraryProgress } from "../library/progress.ts";
import type { Suspension } from "../process/suspensions.ts";
import type { SteamStatus } from "../steam/port.ts";
import type { BulkProgress } from "../sync/progress.ts";

/**
 * State of a worker as plain values, readable without a call to a worker, the database or Steam. `/status` serves it unchanged. Times are
 * ISO 8601 in UTC.
 */
export interface ServiceSnapshot {
  /** The running command, in the names of `MODE`. */
  mode: string;
  started_at: string;
  /** Null before the first logon attempt, and for commands that do not connect to Steam. */
  steam: SteamStatus | null;
  database: DatabaseStatus;
  /** Null for commands without a bulk sync. */
  bulk: BulkProgress | null;
  /** Null for commands without a change monitor, and before it starts. */
  monitor: MonitorSnapshot | null;
  /** Null for commands without a collector, and before it starts. */
  collector: CollectorProgress | null;
  /** Null for commands without a library import, and before it starts. */
  library: LibraryProgress | null;
  /** Webhooks of the database; null before the first heartbeat, absent in the reports of older workers. */
  webhooks?: WebhookCounts | null;
  /** Apps stored by this process since its start, by bulk sync and change monitor together. */
  apps_stored: number;
  /** The apps in backoff with the most attempts, with their last error. */
  failing_apps: FailingApp[];
  loops: LoopSnapshot[];
  /** When the process did not run, latest last; health does not count that time. Absent in the reports of older workers. */
  suspensions?: readonly Suspension[];
  /** Counts of the whole catalog; null before the first heartbeat, absent in the report that a worker stores. */
  catalog?: CatalogOverview | null;
  /** Last reports of all workers on the same database; absent in the report that a worker stores. */
  workers?: WorkerReport[];
}

export interface MonitorSnapshot {
  last_change_number: number | null;
  /** Apps announced and not yet stored, without those in backoff. */
  pending: number;
  /** Apps in backoff after a failed attempt. */
  failing: number;
  /** Apps of which Steam says "unknown", without a second answer so far. */
  unconfirmed: number;
  /** When "unknown" was last not believed, because Steam said it of too many apps. */
  mass_unknown_at: string | null;
  /** This worker is the leader, which polls. */
  leading: boolean;
  /** A sweep is comparing all apps with Steam. */
  sweeping: boolean;
  /** Ids that the last sweep lacked or counted as unknown because Steam left them unanswered. */
  unanswered: number;
  /** Replies since the start that named neither an app nor a package although the change number had risen. */
  empty_changelists: number;
  last_poll_at: string | null;
  /** Age of the oldest pending app that is not in backoff; null when there is none. */
  lag_seconds: number | null;
  poll_interval_seconds: number;
  bulk_completed_at: string | null;
  /** Fetches pending apps only; never polls. */
  drain_only: boolean;
}

/** State of one loop of the worker. */
export interface LoopSnapshot {
  name: string;
  /** `waiting`: for Steam or the database; `done`: ended normally; `dead`: ended by an error. */
  state: "starting" | "running" | "waiting" | "done" | "dead";
  last_progress_at: string | null;
  /** The longest time without progress that is still healthy, pauses included. */
  limit_ms: number;
  /** Dependencies: while one is unreachable, the time without progress does not count. Both by default. */
  needs?: readonly ("steam" | "database")[];
}

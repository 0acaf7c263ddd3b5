import type { EventView } from "../../catalog/event-views.ts";
import type { ActivityDay, ActivityMinute, CatalogSummary } from "../../catalog/list-views.ts";
import type { AppSummary } from "../../catalog/views.ts";
import type { ServiceStatus } from "../deps.ts";

/** Messages of the dashboard's event stream, by name. Of those in `series` each holds what is new; of the others the latest replaces all before. */
export interface DashboardMessages {
  /** What the page needs to know of the service; it never changes while a process runs. */
  service: ServiceFacts;
  /** Every second: its absence means that the service does not answer. `now` is the service's clock. */
  status: ServiceStatus & { now: string };
  /** Apps stored per second. */
  throughput: [unixSeconds: number, rate: number][];
  /** Oldest first. */
  events: EventView[];
  /** The last hour, by minute. */
  activity: ActivityMinute[];
  /** The last 24 hours, by hour. */
  day: ActivityDay;
  catalog: CatalogSummary;
  /** The apps stored last, newest first: while a catalog is loaded, and where no history is kept. */
  stored: AppSummary[];
}

export interface ServiceFacts {
  version: string;
  repository: string | null;
  /** `/v1` and `/docs` are served. */
  api: boolean;
  /** Events are recorded. */
  history: boolean;
}

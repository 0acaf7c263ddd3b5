import { readFileSync } from "node:fs";
import { Counter, Gauge, type Registry } from "prom-client";
import { assessHealth } from "./health.ts";
import type { ServiceSnapshot } from "./snapshot.ts";

/**
 * Metrics read from the worker's snapshot on each scrape. One that does not apply to a worker, such as the lag of a collector, is absent
 * rather than 0.
 */

type Value = number | null | undefined;
type Labelled = [labels: Record<string, string>, value: Value][];

interface Reading {
  /** A name that ends in `_total` is a counter, any other a gauge. */
  name: string;
  help: string;
  labels?: string[];
  read: (snapshot: ServiceSnapshot) => Value | Labelled;
}

const one = (flag: boolean | undefined) => (flag === undefined ? null : flag ? 1 : 0);
const unixSeconds = (time: string | null | undefined) => (time ? Date.parse(time) / 1_000 : null);

const readings: readonly Reading[] = [
  {
    name: "service_info",
    help: "Always 1; labels name the version, mode and database",
    labels: ["version", "mode", "database"],
    read: ({ mode, database }) => [[{ version, mode, database: database.driver }, 1]],
  },
  {
    name: "service_health",
    help: "1 for the current status of /health, else 0",
    labels: ["status"],
    read: (snapshot) => {
      const { status } = assessHealth(snapshot, Date.now());
      return ["starting", "ok", "degraded", "unhealthy"].map((name) => [{ status: name }, one(name === status)]);
    },
  },
  { name: "steam_connected", help: "1 while logged on to Steam", read: ({ steam }) => one(steam?.connected) },
  {
    name: "steam_reconnects_total",
    help: "Attempts to log on to Steam again since the start",
    read: ({ steam }) => steam?.reconnect_attempts,
  },
  {
    name: "database_reachable",
    help: "1 while the database is reachable",
    read: ({ database }) => one(database.reachable),
  },

  {
    name: "pics_change_number",
    help: "Steam change number up to which all changes are marked as pending or stored",
    read: ({ monitor }) => monitor?.last_change_number,
  },
  {
    name: "pics_lag_seconds",
    help: "Age of the oldest pending app that is not in backoff; 0 when there is none",
    read: ({ monitor }) => monitor && (monitor.lag_seconds ?? 0),
  },
  {
    name: "pics_pending_apps",
    help: "Apps with a pending change that are not in backoff",
    read: ({ monitor }) => monitor?.pending,
  },
  {
    name: "pics_skipped_apps",
    help: "Apps that are not stored because APP_TYPES leaves their type out",
    read: ({ catalog }) => catalog?.skipped,
  },
  {
    name: "database_table_bytes",
    help: "Bytes of a table of the service with its indexes",
    labels: ["table"],
    read: ({ catalog }) => (catalog?.size?.tables ?? []).map(({ name, bytes }) => [{ table: name }, bytes]),
  },
  {
    name: "database_growth_bytes_per_day",
    help: "Growth of all tables of the service since about a day ago; absent until it is known",
    read: ({ catalog }) => catalog?.size?.growth_per_day,
  },
  { name: "pics_failing_apps", help: "Apps in backoff after a failure", read: ({ monitor }) => monitor?.failing },
  {
    name: "pics_unconfirmed_apps",
    help: "Apps that Steam says it does not know any more, which is not believed yet",
    read: ({ monitor }) => monitor?.unconfirmed,
  },
  {
    name: "pics_mass_unknown_timestamp_seconds",
    help: 'Time at which "unknown" was last not believed, because Steam said it of too many apps',
    read: ({ monitor }) => unixSeconds(monitor?.mass_unknown_at),
  },
  {
    name: "pics_unanswered_ids",
    help: "Ids that Steam left unanswered in the last sweep",
    read: ({ monitor, bulk }) => monitor?.unanswered ?? bulk?.unanswered,
  },
  {
    name: "pics_unread_keys",
    help: "Keys of Steam's app info that are not read, as counted in the database",
    read: ({ catalog }) => catalog?.unread_keys.count,
  },
  {
    name: "pics_unread_keys_new",
    help: "Of these, first seen within 7 days and not in the first load",
    read: ({ catalog }) => catalog?.unread_keys.new_count,
  },
  {
    name: "pics_empty_changelists_total",
    help: "Polls in which the change number rose a little and no app or package was listed",
    read: ({ monitor }) => monitor?.empty_changelists,
  },
  { name: "pics_leading", help: "1 on the leader, which polls Steam", read: ({ monitor }) => one(monitor?.leading) },
  {
    name: "pics_sweeping",
    help: "1 while a sweep compares all apps with Steam",
    read: ({ monitor }) => one(monitor?.sweeping),
  },
  {
    name: "pics_last_poll_timestamp_seconds",
    help: "Time of the last poll for changes",
    read: ({ monitor }) => unixSeconds(monitor?.last_poll_at),
  },

  {
    name: "pics_bulk_apps",
    help: "Apps of the bulk sync found so far: total, and of these done, skipped, failed, unknown, unconfirmed",
    labels: ["state"],
    read: ({ bulk }) =>
      bulk
        ? (["total", "done", "skipped", "failed", "unknown", "unconfirmed"] as const).map((state) => [
            { state },
            bulk[state],
          ])
        : null,
  },
  {
    name: "pics_bulk_swept_ids",
    help: "Ids compared with Steam in the bulk sync",
    read: ({ bulk }) => bulk?.swept_ids,
  },
  {
    name: "pics_bulk_eta_seconds",
    help: "Estimated time left of the bulk sync",
    read: ({ bulk }) => bulk?.eta_seconds,
  },

  {
    name: "collector_progress",
    help: "Progress of the collector's current phase",
    labels: ["phase", "count"],
    read: ({ collector }) =>
      collector && [
        [{ phase: collector.phase, count: "done" }, collector.done],
        [{ phase: collector.phase, count: "total" }, collector.total],
      ],
  },
  {
    name: "collector_games",
    help: "Games in the database, by the status of their details",
    labels: ["status"],
    read: ({ collector }) => Object.entries(collector?.games ?? {}).map(([status, count]) => [{ status }, count]),
  },
  {
    name: "web_api_requests_total",
    help: "Requests to a web API since the start, retries included",
    labels: ["endpoint"],
    read: ofEndpoints(({ requests }) => requests),
  },
  {
    name: "web_api_retries_total",
    help: "Retries among these requests",
    labels: ["endpoint"],
    read: ofEndpoints(({ retries }) => retries),
  },
  {
    name: "web_api_waiting",
    help: "Requests waiting for the rate limit of a web API",
    labels: ["endpoint"],
    read: ofEndpoints(({ waiting }) => waiting),
  },
  {
    name: "web_api_paused",
    help: "1 while a web API is paused after it limited or blocked requests",
    labels: ["endpoint"],
    read: ofEndpoints(({ paused_until }) => one(paused_until !== null)),
  },
  {
    name: "webhook_count",
    help: "Webhooks in the database, by state; failing ones are live, too",
    labels: ["state"],
    read: ({ webhooks }) =>
      webhooks
        ? [
            [{ state: "live" }, webhooks.total - webhooks.dead - webhooks.disabled],
            [{ state: "failing" }, webhooks.failing],
            [{ state: "dead" }, webhooks.dead],
            [{ state: "disabled" }, webhooks.disabled],
          ]
        : null,
  },
  {
    name: "webhook_lag_seconds",
    help: "Age of the oldest event that some live webhook has not passed; absent without webhooks",
    read: ({ webhooks }) => webhooks?.lag_seconds,
  },
  {
    name: "library_import_games",
    help: "Progress of the library import's current phase",
    labels: ["phase", "count"],
    read: ({ library }) =>
      library && [
        [{ phase: library.phase, count: "done" }, library.done],
        [{ phase: library.phase, count: "total" }, library.total],
      ],
  },
];

type Endpoint = NonNullable<ServiceSnapshot["collector"]>["endpoints"][number];

function ofEndpoints(read: (endpoint: Endpoint) => number | null): Reading["read"] {
  return ({ collector }) => (collector?.endpoints ?? []).map((each) => [{ endpoint: each.endpoint }, read(each)]);
}

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Registers the metrics; `snapshot` is called on each scrape. */
export function registerSnapshotMetrics(registry: Registry, snapshot: () => ServiceSnapshot): void {
  for (const { name, help, labels = [], read } of readings) {
    function collect(this: Counter | Gauge) {
      this.reset();
      const value = read(snapshot());
      const values: Labelled = Array.isArray(value) ? value : [[{}, value]];
      for (const [given, number] of values) {
        if (typeof number === "number") this.inc(given, number);
        // A metric without labels would otherwise be reported as 0.
        else if (labels.length === 0) this.remove();
      }
    }
    const options = { name, help, labelNames: labels, registers: [registry], collect };
    if (name.endsWith("_total")) new Counter(options);
    else new Gauge(options);
  }
}

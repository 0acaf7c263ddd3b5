import { readFileSync } from "node:fs";
import { Counter, Gauge, type Registry } from "prom-client";
import { assessHealth } from "./health.ts";
import type { ServiceSnapshot } from "./snapshot.ts";

/**
 * Metrics that are in the worker's snapshot already, read from it when they are asked for. What does not apply to a worker, such as the
 * lag of one that only collects, is not there at all rather than 0.
 */

type Value = number | null | undefined;
type Labelled = [labels: Record<string, string>, value: Value][];

interface Reading {
  /** What only rises ends in `_total` and is a counter; all else is a gauge. */
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
    help: "Always 1; which version runs, and in which mode",
    labels: ["version", "mode", "database"],
    read: ({ mode, database }) => [[{ version, mode, database: database.driver }, 1]],
  },
  {
    name: "service_health",
    help: "1 for the status that /health tells",
    labels: ["status"],
    read: (snapshot) => {
      const { status } = assessHealth(snapshot, Date.now());
      return ["starting", "ok", "degraded", "unhealthy"].map((name) => [{ status: name }, one(name === status)]);
    },
  },
  { name: "steam_connected", help: "1 while logged on to Steam", read: ({ steam }) => one(steam?.connected) },
  {
    name: "steam_reconnects_total",
    help: "Attempts to log on to Steam since the start, the first one not counted",
    read: ({ steam }) => steam?.reconnect_attempts,
  },
  { name: "database_reachable", help: "1 while the database answers", read: ({ database }) => one(database.reachable) },

  {
    name: "pics_change_number",
    help: "Steam's change number up to which everything is marked or stored",
    read: ({ monitor }) => monitor?.last_change_number,
  },
  {
    name: "pics_lag_seconds",
    help: "Age of the oldest announced app that is neither stored nor in backoff; 0 when there is none",
    read: ({ monitor }) => monitor && (monitor.lag_seconds ?? 0),
  },
  {
    name: "pics_pending_apps",
    help: "Announced apps that are not stored yet",
    read: ({ monitor }) => monitor?.pending,
  },
  { name: "pics_failing_apps", help: "Apps in backoff after a failure", read: ({ monitor }) => monitor?.failing },
  { name: "pics_leading", help: "1 on the worker that polls Steam", read: ({ monitor }) => one(monitor?.leading) },
  {
    name: "pics_sweeping",
    help: "1 while everything is compared with Steam",
    read: ({ monitor }) => one(monitor?.sweeping),
  },
  {
    name: "pics_last_poll_timestamp_seconds",
    help: "When Steam was last asked for changes",
    read: ({ monitor }) => unixSeconds(monitor?.last_poll_at),
  },

  {
    name: "pics_bulk_apps",
    help: "Apps of this pass, as far as they are known: total, and of these done, failed, unknown",
    labels: ["state"],
    read: ({ bulk }) =>
      bulk ? (["total", "done", "failed", "unknown"] as const).map((state) => [{ state }, bulk[state]]) : null,
  },
  {
    name: "pics_bulk_swept_ids",
    help: "Ids of this pass that were compared with Steam",
    read: ({ bulk }) => bulk?.swept_ids,
  },
  {
    name: "pics_bulk_eta_seconds",
    help: "Time that this pass is expected to take yet",
    read: ({ bulk }) => bulk?.eta_seconds,
  },

  {
    name: "collector_progress",
    help: "How far the present phase of the collector is",
    labels: ["phase", "count"],
    read: ({ collector }) =>
      collector && [
        [{ phase: collector.phase, count: "done" }, collector.done],
        [{ phase: collector.phase, count: "total" }, collector.total],
      ],
  },
  {
    name: "collector_games",
    help: "Games by the status of their details, in the whole database",
    labels: ["status"],
    read: ({ collector }) => Object.entries(collector?.games ?? {}).map(([status, count]) => [{ status }, count]),
  },
  {
    name: "web_api_requests_total",
    help: "Requests to a web API since the start, repeats included",
    labels: ["endpoint"],
    read: ofEndpoints(({ requests }) => requests),
  },
  {
    name: "web_api_retries_total",
    help: "Of these, repeats",
    labels: ["endpoint"],
    read: ofEndpoints(({ retries }) => retries),
  },
  {
    name: "web_api_waiting",
    help: "Requests that wait for a limit of the API",
    labels: ["endpoint"],
    read: ofEndpoints(({ waiting }) => waiting),
  },
  {
    name: "web_api_paused",
    help: "1 while a web API is left alone because it asked for that",
    labels: ["endpoint"],
    read: ofEndpoints(({ paused_until }) => one(paused_until !== null)),
  },
  {
    name: "library_import_games",
    help: "How far the present phase of a library import is",
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

export function watchSnapshot(registry: Registry, snapshot: () => ServiceSnapshot): void {
  for (const { name, help, labels = [], read } of readings) {
    function collect(this: Counter | Gauge) {
      this.reset();
      const value = read(snapshot());
      const values: Labelled = Array.isArray(value) ? value : [[{}, value]];
      for (const [given, number] of values) {
        if (typeof number === "number") this.inc(given, number);
        // Without labels it would stand at 0.
        else if (labels.length === 0) this.remove();
      }
    }
    const options = { name, help, labelNames: labels, registers: [registry], collect };
    if (name.endsWith("_total")) new Counter(options);
    else new Gauge(options);
  }
}

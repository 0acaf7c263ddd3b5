import { describe, expect, it } from "vitest";
import type { CollectorProgress } from "../../../src/collector/progress.ts";
import { assessHealth, assessReady } from "../../../src/status/health.ts";
import type { LoopSnapshot, MonitorSnapshot, ServiceSnapshot } from "../../../src/status/snapshot.ts";
import type { SteamStatus } from "../../../src/steam/port.ts";

const now = Date.parse("2026-07-01T12:00:00Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

const loop: LoopSnapshot = { name: "bulk sync", state: "running", last_progress_at: ago(5), limit_ms: 120_000 };

const monitor: MonitorSnapshot = {
  last_change_number: 37_494_854,
  pending: 3,
  failing: 1,
  unconfirmed: 0,
  mass_unknown_at: null,
  leading: true,
  sweeping: false,
  unanswered: 0,
  empty_changelists: 0,
  last_poll_at: ago(10),
  lag_seconds: 12,
  poll_interval_seconds: 30,
  bulk_completed_at: ago(86_400),
  drain_only: false,
};

const steam: SteamStatus = {
  connected: true,
  connected_since: ago(1800),
  reconnect_attempts: 1,
  last_error: null,
  requests: {
    changes: 1,
    metadata: 2,
    product_info: 3,
    access_tokens: 0,
    tag_names: 0,
    category_names: 0,
    http_payload: 0,
  },
};

const snapshot: ServiceSnapshot = {
  mode: "bulk_sync",
  started_at: ago(3600),
  steam,
  database: { driver: "postgres", reachable: true, reachable_since: ago(3600), last_error: null },
  bulk: {
    phase: "syncing",
    swept_ids: 100,
    sweep_end: 100,
    total: 50,
    done: 20,
    failed: 1,
    unknown: 2,
    unconfirmed: 0,
    skipped: 0,
    unanswered: 0,
    share: 0.46,
    rate_per_second: 4.5,
    eta_seconds: 6,
  },
  monitor: null,
  collector: null,
  library: null,
  apps_stored: 0,
  failing_apps: [],
  loops: [loop],
};

const collector: CollectorProgress = {
  phase: "all_games",
  done: 12,
  total: 80,
  failed: 0,
  rate_per_minute: 1,
  eta_seconds: 4080,
  games: { pending: 60_000, success: 20_000, failed: 3, not_found: 40 },
  endpoints: [
    {
      endpoint: "steamspy_all",
      requests: 12,
      waiting: 1,
      retries: 0,
      last_error: null,
      paused_until: null,
      paused_because: null,
    },
  ],
  last_error: null,
  next_run_at: null,
};
const collecting: LoopSnapshot = { ...loop, name: "collector", limit_ms: 900_000, needs: ["database"] };
const collect: Partial<ServiceSnapshot> = { mode: "collect", steam: null, bulk: null, collector, loops: [collecting] };

const steamAway: SteamStatus = { ...steam, connected: false, connected_since: null, last_error: "no CM answers" };
const databaseAway = { ...snapshot.database, reachable: false, reachable_since: null, last_error: "ECONNREFUSED" };
const readOnly = { ...snapshot.database, fault: "every write is refused (25006): the database is read-only" };
const doesNotWork = "the database does not work: every write is refused (25006): the database is read-only";
const stuck: LoopSnapshot = { ...loop, last_progress_at: ago(121) };

describe("assessHealth", () => {
  const cases: [string, Partial<ServiceSnapshot>, string, string[]][] = [
    ["everything works", {}, "ok", []],
    ["a loop is starting", { loops: [{ ...loop, state: "starting" }] }, "starting", ["bulk sync is starting"]],
    ["there is no loop yet", { loops: [] }, "starting", []],
    [
      "everything is done",
      { loops: [{ ...loop, state: "done", last_progress_at: ago(9999) }], steam: steamAway },
      "ok",
      [],
    ],
    ["a loop is dead", { loops: [loop, { ...loop, name: "x", state: "dead" }] }, "unhealthy", ["x is dead"]],
    ["a loop is stuck", { loops: [stuck] }, "unhealthy", ["bulk sync has made no progress for 121 s"]],
    [
      "a loop never made progress",
      { loops: [{ ...loop, last_progress_at: null }] },
      "unhealthy",
      ["bulk sync has made no progress for 1800 s"],
    ],
    ["a loop waits", { loops: [{ ...loop, state: "waiting" }] }, "degraded", ["bulk sync is waiting"]],
    [
      "Steam is unreachable for longer than the limit",
      { loops: [stuck], steam: steamAway },
      "degraded",
      ["Steam is unreachable: no CM answers"],
    ],
    [
      "the database is unreachable for longer than the limit",
      { loops: [stuck], database: databaseAway },
      "degraded",
      ["the database is unreachable: ECONNREFUSED"],
    ],
    [
      "the database refuses writes for longer than the limit",
      { loops: [stuck], database: readOnly },
      "degraded",
      [doesNotWork],
    ],
    ["the database refuses the first write", { loops: [], database: readOnly }, "degraded", [doesNotWork]],
    [
      "the process did not run for an hour",
      {
        loops: [{ ...loop, last_progress_at: ago(3_660) }],
        steam: { ...steam, connected_since: ago(7_200) },
        database: { ...snapshot.database, reachable_since: ago(7_200) },
        suspensions: [{ from: ago(3_601), until: ago(1) }],
      },
      "ok",
      [],
    ],
    [
      "a loop is stuck, beside an hour in which the process did not run",
      {
        loops: [{ ...loop, last_progress_at: ago(3_721) }],
        steam: { ...steam, connected_since: ago(7_200) },
        database: { ...snapshot.database, reachable_since: ago(7_200) },
        suspensions: [{ from: ago(3_600), until: ago(0) }],
      },
      "unhealthy",
      ["bulk sync has made no progress for 121 s"],
    ],
    ["Steam came back a minute ago", { loops: [stuck], steam: { ...steam, connected_since: ago(60) } }, "ok", []],
    [
      "the database came back a minute ago",
      {
        loops: [stuck],
        database: { ...snapshot.database, reachable_since: ago(60) },
      },
      "ok",
      [],
    ],
    [
      "the loop that reconnects is stuck",
      { loops: [{ ...stuck, needs: [] }], steam: steamAway },
      "unhealthy",
      ["bulk sync has made no progress for 121 s"],
    ],
    [
      "Steam has not answered yet",
      { steam: { ...steamAway, last_error: null } },
      "degraded",
      ["Steam is not connected yet"],
    ],
    ["a collector has not started its first run", { ...collect, collector: null, loops: [] }, "starting", []],
    ["a collector runs without Steam", collect, "ok", []],
    ["a collector is done", { ...collect, loops: [{ ...collecting, state: "done" }] }, "ok", []],
    [
      "a collector is stuck",
      { ...collect, loops: [{ ...collecting, last_progress_at: ago(901) }] },
      "unhealthy",
      ["collector has made no progress for 901 s"],
    ],
    [
      "the database of a collector is unreachable for longer than the limit",
      { ...collect, database: databaseAway, loops: [{ ...collecting, last_progress_at: ago(9_999) }] },
      "degraded",
      ["the database is unreachable: ECONNREFUSED"],
    ],
    [
      "a collector is stuck beside a monitor without Steam",
      { ...collect, mode: "sync", steam: steamAway, loops: [stuck, { ...collecting, last_progress_at: ago(901) }] },
      "unhealthy",
      ["collector has made no progress for 901 s"],
    ],
  ];
  it.each(cases)("assesses that %s", (_name, change, status, reasons) => {
    expect(assessHealth({ ...snapshot, ...change }, now)).toEqual({ status, reasons });
  });
});

describe("assessReady", () => {
  const following = { mode: "change_monitor", bulk: null, monitor };
  const cases: [string, Partial<ServiceSnapshot>, string[]][] = [
    ["a bulk sync that runs", {}, []],
    ["a bulk sync that is starting", { loops: [] }, ["the worker is starting"]],
    ["a bulk sync that waits for Steam", { steam: steamAway, loops: [{ ...loop, state: "waiting" }] }, []],
    ["a bulk sync that is stuck", { loops: [stuck] }, ["bulk sync has made no progress for 121 s"]],
    ["a monitor that keeps up", following, []],
    ["a monitor with nothing to do", { ...following, monitor: { ...monitor, lag_seconds: null } }, []],
    [
      "a monitor that lags two polls",
      { ...following, monitor: { ...monitor, lag_seconds: 60 } },
      ["lag is 60 s, the limit is 60 s"],
    ],
    [
      "a monitor that has not polled",
      { ...following, monitor: { ...monitor, last_poll_at: null } },
      ["no poll for changes has succeeded yet"],
    ],
    [
      "a monitor beside the one that polls",
      { ...following, monitor: { ...monitor, leading: false, last_poll_at: null } },
      [],
    ],
    [
      "a monitor before the bulk sync",
      { ...following, monitor: { ...monitor, bulk_completed_at: null } },
      ["the first bulk sync is not complete yet"],
    ],
    ["sync in its bulk phase", { mode: "sync" }, ["the first bulk sync is not complete yet"]],
    ["drain-only", { ...following, monitor: { ...monitor, drain_only: true, bulk_completed_at: null } }, []],
    [
      "drain-only without Steam",
      {
        ...following,
        steam: steamAway,
        monitor: { ...monitor, drain_only: true },
      },
      ["Steam is not connected"],
    ],
    ["a collector before its first run", { ...collect, collector: null, loops: [] }, ["the worker is starting"]],
    ["a collector that runs", collect, []],
    ["a bulk sync whose database is read-only", { database: readOnly }, [doesNotWork]],
    ["a monitor whose database is read-only", { ...following, database: readOnly }, [doesNotWork]],
    ["a collector without its database", { ...collect, database: databaseAway }, []],
  ];
  it.each(cases)("assesses %s", (_name, change, reasons) => {
    expect(assessReady({ ...snapshot, ...change }, now)).toEqual({ ready: reasons.length === 0, reasons });
  });
});

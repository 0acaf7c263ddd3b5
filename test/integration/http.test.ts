import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { CollectorProgress } from "../../src/collector/progress.ts";
import { buildServer } from "../../src/http/server.ts";
import { loadConfig } from "../../src/process/config.ts";
import { createLogger, createOutput } from "../../src/process/logger.ts";
import { assessHealth, assessReady } from "../../src/status/health.ts";
import { createMetrics } from "../../src/status/metrics.ts";
import type { LoopSnapshot, MonitorSnapshot, ServiceSnapshot } from "../../src/status/snapshot.ts";
import type { SteamStatus } from "../../src/steam/port.ts";

const now = Date.parse("2026-07-01T12:00:00Z");
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

const loop: LoopSnapshot = { name: "bulk sync", state: "running", last_progress_at: ago(5), limit_ms: 120_000 };

const monitor: MonitorSnapshot = {
  last_change_number: 37_494_854,
  pending: 3,
  failing: 1,
  leading: true,
  sweeping: false,
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
  requests: { changes: 1, metadata: 2, product_info: 3, access_tokens: 0, tag_names: 0, http_payload: 0 },
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
const stuck: LoopSnapshot = { ...loop, last_progress_at: ago(121) };

describe("assessHealth", () => {
  const cases: [string, Partial<ServiceSnapshot>, string, string[]][] = [
    ["all is well", {}, "ok", []],
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
      "a loop never moved",
      { loops: [{ ...loop, last_progress_at: null }] },
      "unhealthy",
      ["bulk sync has made no progress for 1800 s"],
    ],
    ["a loop waits", { loops: [{ ...loop, state: "waiting" }] }, "degraded", ["bulk sync is waiting"]],
    [
      "Steam is away for long",
      { loops: [stuck], steam: steamAway },
      "degraded",
      ["Steam is not reachable: no CM answers"],
    ],
    [
      "the database is away for long",
      { loops: [stuck], database: databaseAway },
      "degraded",
      ["the database is not reachable: ECONNREFUSED"],
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
    ["a collector has not begun its first run", { ...collect, collector: null, loops: [] }, "starting", []],
    ["a collector runs, which needs no Steam", collect, "ok", []],
    ["a collector is done", { ...collect, loops: [{ ...collecting, state: "done" }] }, "ok", []],
    [
      "a collector is stuck",
      { ...collect, loops: [{ ...collecting, last_progress_at: ago(901) }] },
      "unhealthy",
      ["collector has made no progress for 901 s"],
    ],
    [
      "a collector's database is away for long",
      { ...collect, database: databaseAway, loops: [{ ...collecting, last_progress_at: ago(9_999) }] },
      "degraded",
      ["the database is not reachable: ECONNREFUSED"],
    ],
    [
      "a collector is stuck beside a monitor without Steam",
      { ...collect, mode: "sync", steam: steamAway, loops: [stuck, { ...collecting, last_progress_at: ago(901) }] },
      "unhealthy",
      ["collector has made no progress for 901 s"],
    ],
  ];
  it.each(cases)("%s", (_name, change, status, reasons) => {
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
      ["changes are 60 s late, the limit is 60 s"],
    ],
    [
      "a monitor that has not polled",
      { ...following, monitor: { ...monitor, last_poll_at: null } },
      ["Steam has not been asked for changes yet"],
    ],
    [
      "a monitor beside the one that polls",
      { ...following, monitor: { ...monitor, leading: false, last_poll_at: null } },
      [],
    ],
    [
      "a monitor before the bulk sync",
      { ...following, monitor: { ...monitor, bulk_completed_at: null } },
      ["the catalog has not been loaded completely yet"],
    ],
    ["sync in its bulk phase", { mode: "sync" }, ["the catalog has not been loaded completely yet"]],
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
    ["a collector without its database", { ...collect, database: databaseAway }, []],
  ];
  it.each(cases)("%s", (_name, change, reasons) => {
    expect(assessReady({ ...snapshot, ...change }, now)).toEqual({ ready: reasons.length === 0, reasons });
  });
});

describe("the server", () => {
  let current: ServiceSnapshot;
  beforeEach(() => {
    const fresh = new Date().toISOString();
    current = { ...snapshot, loops: [{ ...loop, last_progress_at: fresh }] };
  });

  async function start(read: () => ServiceSnapshot = () => current) {
    const stream = new PassThrough() as unknown as NodeJS.WriteStream;
    const logger = createLogger({ level: "info", output: createOutput(stream) });
    const server = buildServer({
      snapshot: read,
      reader: () => null,
      metrics: createMetrics(),
      settings: { ...loadConfig({}).http, dashboard: false },
      logger,
    });
    const base = await server.listen({ port: 0, host: "127.0.0.1" });
    onTestFinished(() => server.close());
    stream.read();
    return {
      get: (path: string, init?: RequestInit) => fetch(base + path, init),
      log: () => String(stream.read() ?? ""),
    };
  }

  it("answers /health with 200 while it works and 503 once it does not", async () => {
    const { get, log } = await start();
    const healthy = await get("/health");
    expect(healthy.status).toBe(200);
    expect(await healthy.json()).toEqual({
      status: "ok",
      reasons: [],
      mode: "bulk_sync",
      uptime_seconds: expect.any(Number),
    });
    current = { ...current, steam: steamAway };
    expect((await get("/health")).status).toBe(200);
    current = { ...current, loops: [{ ...loop, state: "dead" }] };
    const dead = await get("/health");
    expect(dead.status).toBe(503);
    expect(await dead.json()).toMatchObject({ status: "unhealthy", reasons: ["bulk sync is dead"] });
    expect(log()).toBe("");
  });

  it("answers /ready with 200 or 503", async () => {
    const { get } = await start();
    expect((await get("/ready")).status).toBe(200);
    current = { ...current, mode: "sync" };
    const waiting = await get("/ready");
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toEqual({ ready: false, reasons: [expect.stringContaining("not been loaded")] });
  });

  it("serves the whole snapshot under /status", async () => {
    const { get } = await start();
    current = { ...current, monitor, collector };
    const reply = await get("/status");
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await reply.json()).toEqual({
      ...current,
      uptime_seconds: expect.any(Number),
      health: { status: "ok", reasons: [] },
    });
  });

  it("answers HEAD, names its endpoints, and is never cached", async () => {
    const { get } = await start();
    const head = await get("/health", { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe("");
    expect(Object.fromEntries(head.headers)).toMatchObject({
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "content-security-policy": expect.stringContaining("default-src 'none'"),
    });
    const { endpoints } = (await (await get("/")).json()) as { endpoints: Record<string, string> };
    for (const path of Object.keys(endpoints)) {
      const isOpen = !path.startsWith("/v1");
      expect([path, (await get(path)).status]).toEqual([path, isOpen ? 200 : 503]);
    }
  });

  it.each([
    ["GET", "/nothing?key=value", 404, "There is no GET /nothing; GET / lists what there is."],
    ["POST", "/health", 404, "There is no POST /health; GET / lists what there is."],
    ["GET", "/%zz", 400, "'/%zz' is not a valid url component"],
  ])("answers %s %s with a problem", async (method, path, status, detail) => {
    const { get } = await start();
    const reply = await get(path, { method });
    expect(reply.status).toBe(status);
    expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json(;|$)/);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(await reply.json()).toEqual({ type: "about:blank", title: expect.any(String), status, detail });
  });

  it("logs a fault of its own and tells nothing of it", async () => {
    const { get, log } = await start(() => {
      throw new Error("a fault inside");
    });
    const reply = await get("/status");
    expect(reply.status).toBe(500);
    expect(await reply.json()).toMatchObject({ status: 500, title: "Internal Server Error" });
    expect(log()).toContain("a fault inside");
  });
});

import { PassThrough } from "node:stream";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { buildServer } from "../../src/http/server.ts";
import { loadConfig } from "../../src/process/config.ts";
import { createLogger, createOutput } from "../../src/process/logger.ts";
import { createMetrics } from "../../src/status/metrics.ts";
import type { LoopSnapshot, ServiceSnapshot } from "../../src/status/snapshot.ts";
import type { SteamStatus } from "../../src/steam/port.ts";

const steam: SteamStatus = {
  connected: true,
  connected_since: null,
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
  started_at: new Date().toISOString(),
  steam,
  database: { driver: "postgres", reachable: true, reachable_since: null, last_error: null },
  bulk: null,
  monitor: null,
  collector: null,
  library: null,
  apps_stored: 0,
  failing_apps: [],
  loops: [],
};

describe("buildServer", () => {
  let loop: LoopSnapshot;
  let current: ServiceSnapshot;
  beforeEach(() => {
    loop = { name: "bulk sync", state: "running", last_progress_at: new Date().toISOString(), limit_ms: 120_000 };
    current = { ...snapshot, loops: [loop] };
  });

  async function start(read: () => ServiceSnapshot = () => current) {
    const stream = new PassThrough() as unknown as NodeJS.WriteStream;
    const logger = createLogger({ level: "info", output: createOutput(stream) });
    const server = buildServer({
      snapshot: read,
      reader: () => null,
      metrics: createMetrics(),
      settings: {
        ...loadConfig({}).http,
        keep: loadConfig({}).keep,
        history: true,
        historyDays: null,
        dashboard: false,
      },
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

  it("answers /health with 200 while healthy or degraded and with 503 once unhealthy, without logging", async () => {
    const { get, log } = await start();
    const healthy = await get("/health");
    expect(healthy.status).toBe(200);
    expect(await healthy.json()).toEqual({
      status: "ok",
      reasons: [],
      mode: "bulk_sync",
      uptime_seconds: expect.any(Number),
    });
    current = { ...current, steam: { ...steam, connected: false } };
    expect((await get("/health")).status).toBe(200);
    current = { ...current, loops: [{ ...loop, state: "dead" }] };
    const dead = await get("/health");
    expect(dead.status).toBe(503);
    expect(await dead.json()).toMatchObject({ status: "unhealthy", reasons: ["bulk sync is dead"] });
    expect(log()).toBe("");
  });

  it("answers /ready with 200 when ready, else 503", async () => {
    const { get } = await start();
    expect((await get("/ready")).status).toBe(200);
    current = { ...current, mode: "sync" };
    const waiting = await get("/ready");
    expect(waiting.status).toBe(503);
    expect(await waiting.json()).toEqual({
      ready: false,
      reasons: [expect.stringContaining("bulk sync is not complete")],
    });
  });

  it("serves the snapshot, uptime and health at /status", async () => {
    const { get } = await start();
    const reply = await get("/status");
    expect(reply.status).toBe(200);
    expect(reply.headers.get("content-type")).toBe("application/json; charset=utf-8");
    expect(await reply.json()).toEqual({
      ...current,
      uptime_seconds: expect.any(Number),
      health: { status: "ok", reasons: [] },
    });
  });

  it("answers HEAD, lists the endpoints at GET / and forbids caching", async () => {
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
      const isOpen = !path.startsWith("/v1/");
      expect([path, (await get(path)).status]).toEqual([path, isOpen ? 200 : 503]);
    }
  });

  it.each([
    ["GET", "/nothing?key=value", 404, "GET /nothing does not exist; GET / lists the endpoints."],
    ["POST", "/health", 404, "POST /health does not exist; GET / lists the endpoints."],
    ["GET", "/%zz", 400, "'/%zz' is not a valid url component"],
  ])("answers %s %s with a problem document of status %i", async (method, path, status, detail) => {
    const { get } = await start();
    const reply = await get(path, { method });
    expect(reply.status).toBe(status);
    expect(reply.headers.get("content-type")).toMatch(/^application\/problem\+json(;|$)/);
    expect(reply.headers.get("cache-control")).toBe("no-store");
    expect(await reply.json()).toEqual({ type: "about:blank", title: expect.any(String), status, detail });
  });

  it("answers an internal error with 500, logs it and does not expose its message", async () => {
    const { get, log } = await start(() => {
      throw new Error("an internal secret");
    });
    const reply = await get("/status");
    expect(reply.status).toBe(500);
    const detail = "Internal error; see the log of the service.";
    expect(await reply.json()).toEqual({ type: "about:blank", title: "Internal Server Error", status: 500, detail });
    expect(log()).toContain("an internal secret");
  });
});

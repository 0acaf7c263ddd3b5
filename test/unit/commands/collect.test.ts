import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CollectorStore, DueRequest } from "../../../src/collector/store.ts";
import { type CollectOptions, createCollectorWorker } from "../../../src/commands/collect.ts";
import type { LeaderLease } from "../../../src/db/leader-lease.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { createLifecycle } from "../../../src/process/lifecycle.ts";
import { createOutput } from "../../../src/process/logger.ts";
import { assessHealth } from "../../../src/status/health.ts";
import type { EndpointStatus, WebClient } from "../../../src/web/client.ts";

/** The collector as a worker runs it, between a database that has no work for it and a web that is never asked. */

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const options: CollectOptions = {
  fullRefresh: false,
  updateMetadata: false,
  batchSize: null,
  maxDetails: null,
  showProgress: false,
};
const games = { pending: 0, success: 20, failed: 0, not_found: 0 };

beforeEach(() => void vi.useFakeTimers({ now: new Date("2025-06-01T12:00:00Z") }));
afterEach(() => void vi.useRealTimers());

function setUp(change: Partial<CollectorStore> = {}, leading: boolean = true) {
  const lines: Record<string, unknown>[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const host = Object.assign(new EventEmitter(), { exit: vi.fn() });
  const lifecycle = createLifecycle({ kind: "service", logger, process: host });
  const output = createOutput(new PassThrough() as unknown as NodeJS.WriteStream);
  const asked: { due: DueRequest; atMs: number }[] = [];
  const startedAt = Date.now();
  const none = () => Promise.reject(new Error("nothing of this kind is due"));
  const store: CollectorStore = {
    enqueue: async () => null,
    beginCrawl: async () => ({ page: null, missed: [], expected_pages: 80, now: "2025-06-01T12:00:00Z" }),
    counts: async () => ({ games, owners_doubtful: 0, list_completed_at: null, pass_completed_at: null }),
    due: async (due) => {
      asked.push({ due, atMs: Date.now() - startedAt });
      return { games: [], due: 0 };
    },
    ...{ beginList: none, saveList: none, acceptList: none, applyList: none },
    ...{ savePage: none, saveDetails: none, reserve: none },
    ...change,
  };
  const lease: LeaderLease = {
    leaseMs: 90_000,
    acquire: async () => ({ leading, freeInMs: leading ? null : 90_000 }),
    release: async () => {},
  };
  const endpoints: EndpointStatus[] = [];
  const web: WebClient = { json: none, status: () => endpoints };
  const health = () =>
    assessHealth(
      {
        mode: "collect",
        library: null,
        apps_stored: 0,
        failing_apps: [],
        started_at: new Date(startedAt).toISOString(),
        steam: null,
        database: {
          driver: "postgres",
          reachable: true,
          reachable_since: new Date(startedAt).toISOString(),
          last_error: null,
        },
        bulk: null,
        monitor: null,
        collector: worker.status(),
        loops: worker.loops(),
      },
      Date.now(),
    );
  const worker = createCollectorWorker({ config: loadConfig({}), output, logger, lifecycle }, { store, web, lease });
  return { worker, endpoints, asked, lines, lifecycle, health };
}

describe("createCollectorWorker.once", () => {
  it("reports starting before the run and done after it", async () => {
    const { worker, asked, lines, health } = setUp();
    expect(worker.status()).toBeNull();
    expect(health()).toEqual({ status: "starting", reasons: [] });
    const running = worker.once(options);
    expect(health()).toEqual({ status: "ok", reasons: [] });
    await running;
    expect(worker.loops()).toMatchObject([{ name: "collector", state: "done" }]);
    expect(worker.status()).toMatchObject({ phase: "done", games, next_run_at: null });
    expect(asked).toMatchObject([{ due: { max: 500, staleFirst: false } }]);
    expect(lines).toContainEqual(expect.objectContaining({ msg: "collector run finished" }));
  });

  it("prefers options to the configuration", async () => {
    const { worker, asked } = setUp();
    await worker.once({ ...options, updateMetadata: true, batchSize: 20, maxDetails: 30 });
    await worker.once({ ...options, maxDetails: 5 });
    await worker.once({ ...options, maxDetails: 0 });
    expect(asked).toMatchObject([
      { due: { max: 20, staleFirst: true } },
      { due: { max: 5, staleFirst: false } },
      { due: { max: 0, staleFirst: false } },
    ]);
  });

  it("is healthy while another worker collects, logs progress every 30 s, and stops with the process", async () => {
    const { worker, lines, lifecycle, health } = setUp({}, false);
    const running = worker.once({ ...options, showProgress: true });
    const ended = expect(running).rejects.toThrow("stopped");
    await vi.advanceTimersByTimeAsync(2 * hourMs);
    expect(worker.status()).toMatchObject({ phase: "waiting" });
    expect(health()).toEqual({ status: "ok", reasons: [] });
    const progress = lines.filter(({ msg }) => msg === "collector in progress");
    expect(progress).toHaveLength(240);
    expect(progress[0]).toMatchObject({ collector: { phase: "waiting" } });
    await lifecycle.exitWith(0);
    await ended;
    const count = lines.length;
    await vi.advanceTimersByTimeAsync(hourMs);
    expect(lines).toHaveLength(count);
  });

  it("is unhealthy after 15 minutes without progress, unless it waits for a rate limit", async () => {
    const { worker, endpoints, lifecycle, health } = setUp({ due: () => new Promise(() => {}) });
    void worker.once(options).catch(() => {});
    await vi.advanceTimersByTimeAsync(15 * minuteMs);
    expect(health().status).toBe("ok");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(health()).toEqual({ status: "unhealthy", reasons: ["collector has made no progress for 901 s"] });
    endpoints.push({
      ...{ endpoint: "steamspy", requests: 3_000, waiting: 1, retries: 0 },
      ...{ last_error: null, paused_until: null, paused_because: null },
    });
    expect(health()).toEqual({ status: "ok", reasons: [] });
    void lifecycle.exitWith(0);
    await vi.advanceTimersByTimeAsync(10_000);
  });
});

describe("createCollectorWorker.every", () => {
  it("runs once per interval and is idle in between, until the process stops", async () => {
    const { worker, asked, lifecycle, health } = setUp();
    const running = worker.every(24 * hourMs, options);
    await vi.advanceTimersByTimeAsync(23 * hourMs);
    expect(asked.map(({ atMs }) => atMs)).toEqual([0]);
    expect(worker.status()).toMatchObject({ phase: "idle", next_run_at: "2025-06-02T12:00:00.000Z" });
    expect(health()).toEqual({ status: "ok", reasons: [] });
    await vi.advanceTimersByTimeAsync(25 * hourMs);
    expect(asked.map(({ atMs }) => atMs)).toEqual([0, 24 * hourMs, 48 * hourMs]);
    await lifecycle.exitWith(0);
    await running;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("starts the next run at once if the last one took longer than the interval", async () => {
    const { worker, asked, lifecycle } = setUp({
      enqueue: () => new Promise((resolve) => setTimeout(resolve, 3 * minuteMs, null)),
    });
    const running = worker.every(2 * minuteMs, options);
    await vi.advanceTimersByTimeAsync(4 * minuteMs);
    expect(worker.status()).toMatchObject({ phase: "waiting", next_run_at: null });
    await vi.advanceTimersByTimeAsync(3 * minuteMs);
    expect(asked.map(({ atMs }) => Math.round(atMs / minuteMs))).toEqual([3, 6]);
    const ending = lifecycle.exitWith(0);
    await vi.advanceTimersByTimeAsync(10_000);
    await ending;
    await vi.advanceTimersByTimeAsync(3 * minuteMs);
    await running;
    expect(asked).toHaveLength(2);
  });

  it.each([
    [24 * hourMs, hourMs],
    [10 * minuteMs, 10 * minuteMs],
  ])("with an interval of %i ms retries a failed run after %i ms, and logs the error", async (intervalMs, waitMs) => {
    let runs = 0;
    const { worker, asked, lines, lifecycle, health } = setUp({
      enqueue: async () => {
        runs += 1;
        if (runs === 1) throw new Error("the schema is older");
        return null;
      },
    });
    const running = worker.every(intervalMs, options);
    await vi.advanceTimersByTimeAsync(waitMs - 1);
    expect(asked).toEqual([]);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 50,
        err: expect.objectContaining({ message: "the schema is older" }),
        retryInSeconds: waitMs / 1_000,
      }),
    );
    expect(health()).toEqual({ status: "ok", reasons: [] });
    await vi.advanceTimersByTimeAsync(1);
    expect(asked.map(({ atMs }) => atMs)).toEqual([waitMs]);
    await lifecycle.exitWith(0);
    await running;
  });
});

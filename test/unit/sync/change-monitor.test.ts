import { getEventListeners } from "node:events";
import v8 from "node:v8";
import vm from "node:vm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CatalogStore } from "../../../src/db/catalog-store.ts";
import type { ApplyRequest, ClaimRequest, PollRequest } from "../../../src/db/sync-calls.ts";
import { createPics } from "../../../src/steam/pics.ts";
import { createChangeMonitor, type MonitorOptions } from "../../../src/sync/change-monitor.ts";
import { silent } from "../../support/templates.ts";
import { createMemorySteam, type MemorySteam } from "./memory-steam.ts";

/**
 * The composed change monitor and the PICS protocol on a fake clock, with Steam in memory. The rules of the database
 * are tested in SQL; the store here is a stub, which hands out each app that a poll announced once.
 */

const pollMs = 30_000;
const minuteMs = 60_000;

let steam: MemorySteam;
let signals: Set<AbortSignal>;
let stops: (() => Promise<void>)[];

beforeEach(() => {
  vi.useFakeTimers();
  steam = createMemorySteam();
  signals = new Set();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  vi.useRealTimers();
});

function createStubStore() {
  const announced = new Map<number, number>();
  const stored = new Map<number, number>();
  const stub = {
    cursor: null as number | null,
    unnamedTags: [] as number[],
    unconfirmedCategories: [] as number[],
    leases: [] as string[],
    announced,
    stored,
  };
  const calls = {
    markSkipped: async () => ({ marked: 0, has_more: false }),
    async poll({ changeNumber, apps }: PollRequest) {
      for (const app of apps) announced.set(app.appid, app.changeNumber);
      stub.cursor = changeNumber;
      return { accepted: true, last_change_number: changeNumber, marked: apps.length };
    },
    async claim({ max }: ClaimRequest) {
      const claimed = [...announced].slice(0, max);
      for (const [appid] of claimed) announced.delete(appid);
      const rest = { attempts: 0, access_token: null, needs_token: false, token_denied: false };
      const apps = claimed.map(([appid, change_number]) => ({ appid, change_number, ...rest }));
      return { apps, waiting: 0, due_in_seconds: null };
    },
    async apply({ apps }: ApplyRequest) {
      for (const { appid, change_number } of apps) stored.set(appid, change_number);
      return {
        stored: apps.length,
        stale: 0,
        unknown: 0,
        unconfirmed: 0,
        withheld: 0,
        failed: 0,
        skipped: 0,
        lease_lost: 0,
        doubted: [],
        mass_unknown: false,
      };
    },
    unnamedTags: async (after: number) => stub.unnamedTags.filter((id) => id > after),
    unconfirmedCategories: async () => stub.unconfirmedCategories,
  };
  const lease = {
    leaseMs: 90_000,
    async acquire() {
      stub.leases.push("acquire");
      const monitor = {
        last_change_number: stub.cursor,
        bulk_completed_at: null,
        reconciled_seconds_ago: null,
        gap: null,
      };
      return { leading: true, freeInMs: null, monitor };
    },
    async release() {
      stub.leases.push("release");
    },
  };
  return { stub, lease, store: calls as unknown as CatalogStore };
}

function start(overrides: Partial<MonitorOptions> = {}) {
  const { session } = steam;
  const database = createStubStore();
  const pics = createPics({
    session: {
      ...session,
      request: (message, body, options) => {
        if (options?.signal) signals.add(options.signal);
        return session.request(message, body, options);
      },
    },
    logger: silent,
    requestDelayMs: 500,
    concurrency: 4,
    timeoutMs: 60_000,
  });
  const monitor = createChangeMonitor({
    pics,
    store: database.store,
    logger: silent,
    workerId: "worker",
    lease: database.lease,
    upsertBatchSize: 500,
    appBackoff: { firstMs: 30_000, maxMs: 3_600_000 },
    unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
    // Deflating a text takes real time.
    keep: { appInfo: false, depots: true },
    history: true,
    pollIntervalMs: pollMs,
    batchSize: 100,
    concurrency: 4,
    leaseMs: 90_000,
    reconcileIntervalMs: 0,
    appIdMax: 20_000,
    emptyJumpMax: 100,
    drainOnly: false,
    ...overrides,
  });
  const running = monitor.run();
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= (async () => {
      const stopping = monitor.stop();
      await vi.advanceTimersByTimeAsync(10_000);
      await stopping;
      await running;
    })();
    return stopped;
  };
  stops.push(stop);
  return { ...monitor, stop, database: database.stub };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const spacings = () => steam.polls.slice(1).map(({ atMs }, index) => atMs - (steam.polls[index]?.atMs ?? 0));
const listeners = () => [...signals].map((signal) => getEventListeners(signal, "abort").length);

describe("change monitor", () => {
  it("leaks no timer, listener or memory during an hour of polls, and releases everything when stopped", async () => {
    const monitor = start();
    await pass(minuteMs);
    const [timers, handlers, heap] = [vi.getTimerCount(), Math.max(...listeners()), heapAfterCollection()];

    for (let poll = 0; poll < 120; poll++) {
      for (let appid = 1; appid <= 20; appid++) steam.change(appid);
      await pass(pollMs);
      if (poll === 0) signals.clear(); // Signals of batches come and go; only those that live on are counted.
    }
    expect(steam.polls).toHaveLength(2 + 120 + 1);
    await pass(5_000);
    expect(monitor.database.cursor).toBe(steam.current);
    expect(monitor.database.stored.get(20)).toBe(steam.current);

    expect(vi.getTimerCount()).toBeLessThanOrEqual(timers);
    expect(Math.max(...listeners())).toBeLessThanOrEqual(handlers);
    expect(heapAfterCollection() - heap).toBeLessThan(4e6);
    await monitor.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners().every((count) => count === 0)).toBe(true);
    expect(monitor.database.leases.at(-1)).toBe("release");
  });

  it.each(["tag_names", "category_names"] as const)("does not delay polls for %s", async (kind) => {
    steam.silent = { kind, afterMs: 60_000 };
    const { database } = start();
    database.unnamedTags = [19];
    database.unconfirmedCategories = [2];
    await pass(5 * minuteMs);
    expect(new Set(spacings().map((ms) => Math.round(ms / 1_000)))).toEqual(new Set([pollMs / 1_000]));
  });

  it("requests the names of categories once an hour at most, although Steam does not name one of them", async () => {
    const { database } = start();
    database.unconfirmedCategories = [9_999];
    await pass(190 * minuteMs);
    expect(steam.kinds.filter((kind) => kind === "changes").length).toBeGreaterThan(300);
    expect(steam.kinds.filter((kind) => kind === "category_names")).toHaveLength(4);
  });

  it("stores a change that was announced a moment ago, although other workers are idle", async () => {
    const { database } = start();
    await pass(minuteMs + 1_000);
    const change = steam.change(10);
    await pass(pollMs);
    expect(database.stored.get(10)).toBe(change);
  });

  it("releases the lease only after a poll under way, which may have acquired it", async () => {
    const monitor = start();
    steam.latencyMs = 5_000;
    await pass(minuteMs + 1_000);
    await monitor.stop();
    expect(monitor.database.leases).toEqual(["acquire", "acquire", "acquire", "release"]);
  });

  it("never polls or acquires the lease when it is drain-only, but stores what others announce", async () => {
    const { database, stop } = start({ drainOnly: true });
    await pass(5 * minuteMs);
    database.announced.set(10, steam.change(10));
    await pass(6_000);
    expect(database.stored.get(10)).toBe(steam.current);
    await stop();
    expect(steam.polls).toEqual([]);
    expect(database.leases).toEqual([]);
  });
});

function heapAfterCollection(): number {
  v8.setFlagsFromString("--expose-gc");
  (vm.runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

import { getEventListeners } from "node:events";
import v8 from "node:v8";
import vm from "node:vm";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPics } from "../../../src/steam/pics.ts";
import { createChangeMonitor, type MonitorOptions } from "../../../src/sync/change-monitor.ts";
import { silent } from "../../support/templates.ts";
import { createMemorySteam, type MemorySteam } from "./memory-steam.ts";
import { createMemoryStore, type MemoryStore } from "./memory-store.ts";

/** The change monitor and the PICS protocol as they are, between a Steam and a store in memory, on a clock that tests move. */

const pollMs = 30_000;
const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const firstWorker = "00000000-0000-4000-8000-000000000001";
const secondWorker = "00000000-0000-4000-8000-000000000002";

let steam: MemorySteam;
let memory: MemoryStore;
let signals: Set<AbortSignal>;
let stops: (() => Promise<void>)[];

beforeEach(() => {
  vi.useFakeTimers();
  steam = createMemorySteam();
  memory = createMemoryStore();
  signals = new Set();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  vi.useRealTimers();
});

function start(overrides: Partial<MonitorOptions> = {}) {
  const { session } = steam;
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
    store: memory.store,
    logger: silent,
    workerId: firstWorker,
    lease: memory.lease(overrides.workerId ?? firstWorker, 90_000),
    upsertBatchSize: 500,
    appBackoff: { firstMs: 30_000, maxMs: hourMs },
    history: true,
    pollIntervalMs: pollMs,
    batchSize: 100,
    concurrency: 4,
    leaseMs: 90_000,
    reconcileIntervalMs: 0,
    appIdMax: 20_000,
    drainOnly: false,
    ...overrides,
  });
  const running = monitor.run();
  running.catch(() => {}); // Whoever stops it hears of it.
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
  return { ...monitor, stop };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const sinces = () => steam.polls.map(({ since }) => since);
const spacings = () => steam.polls.slice(1).map(({ atMs }, index) => atMs - (steam.polls[index]?.atMs ?? 0));
const stored = (appid: number) => memory.apps.get(appid)?.stored ?? null;
const listeners = () => [...signals].map((signal) => getEventListeners(signal, "abort").length);

describe("an hour of polls", () => {
  it("keeps the interval, and leaves nothing behind but what it began with", async () => {
    const monitor = start();
    await pass(minuteMs);
    const [timers, handlers, heap] = [vi.getTimerCount(), Math.max(...listeners()), heapAfterCollection()];

    for (let poll = 0; poll < 120; poll++) {
      for (let appid = 1; appid <= 20; appid++) steam.change(appid);
      await pass(pollMs);
      if (poll === 0) signals.clear(); // Those of batches come and go; only what lives on may be counted.
    }
    expect(steam.polls).toHaveLength(2 + 120 + 1);
    expect(new Set(spacings().map((ms) => Math.round(ms / 1_000)))).toEqual(new Set([pollMs / 1_000]));
    await pass(5_000);
    expect(memory.state.cursor).toBe(steam.current);
    expect(stored(20)).toBe(steam.current);

    expect(vi.getTimerCount()).toBeLessThanOrEqual(timers);
    expect(Math.max(...listeners())).toBeLessThanOrEqual(handlers);
    expect(heapAfterCollection() - heap).toBeLessThan(4e6);
    await monitor.stop();
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners().every((count) => count === 0)).toBe(true);
    expect(memory.leader).toBeNull();
  });

  it("makes up for a poll that took long, and does not pile up behind one that took too long", async () => {
    start();
    steam.latencyMs = 12_000;
    await pass(5 * minuteMs);
    expect(new Set(spacings())).toEqual(new Set([pollMs]));
    steam.latencyMs = 45_000;
    await pass(10 * minuteMs);
    expect(spacings().slice(-8)).satisfy((all: number[]) => all.every((ms) => ms - 45_000 < 100));
  });
});

it("does not let polls wait for the names of tags", async () => {
  memory.unnamedTags = [19];
  steam.silent = { kind: "tag_names", afterMs: 60_000 };
  start();
  await pass(5 * minuteMs);
  expect(new Set(spacings().map((ms) => Math.round(ms / 1_000)))).toEqual(new Set([pollMs / 1_000]));
});

describe("a poll that fails", () => {
  it("asks for the same changes again when Steam does not answer, and the cursor stays", async () => {
    memory.state.cursor = 900;
    start();
    steam.silent = { kind: "changes", afterMs: 20_000 };
    await pass(5 * pollMs - 1);
    expect(sinces()).toEqual(Array(5).fill(900));
    expect(memory.state.cursor).toBe(900);
    steam.silent = null;
    steam.change(10);
    await pass(pollMs);
    expect(memory.state.cursor).toBe(steam.current);
    expect(stored(10)).toBe(steam.current);
  });

  it("shows in the progress when the database keeps it waiting, so that a wedged process can be told", async () => {
    const monitor = start();
    await pass(minuteMs);
    memory.onCall = () => new Promise(() => {});
    const before = Date.now();
    await pass(10 * minuteMs);
    const { poll, drain } = monitor.progress();
    expect(Date.parse(poll ?? "")).toBeLessThanOrEqual(before);
    expect(Date.parse(drain ?? "")).toBeLessThanOrEqual(before + pollMs);
    stops.length = 0;
  });
});

describe("an app that fails", () => {
  it("waits longer each time, an hour at most, and holds up nobody", async () => {
    steam.broken.add(13);
    start();
    await pass(minuteMs);
    steam.change(13);
    for (let poll = 0; poll < 12 * 120; poll++) {
      steam.change(100 + (poll % 7));
      await pass(pollMs);
    }
    const times = steam.fetches.filter(({ appid }) => appid === 13).map(({ atMs }) => atMs);
    const waits = times.slice(1).map((atMs, index) => Math.round((atMs - (times[index] ?? 0)) / 1_000));
    expect(waits.length).toBeGreaterThan(12);
    for (const [index, wait] of waits.entries()) {
      const least = Math.min(3_600, 30 * 2 ** index);
      // It is looked for when a claim finds nothing else, and the drain naps for 5 s at most.
      expect(wait).toBeGreaterThanOrEqual(least);
      expect(wait).toBeLessThanOrEqual(least + 10);
    }
    expect(memory.apps.get(13)).toMatchObject({ stored: null, error: expect.stringContaining("line") });
    await pass(5_000);
    expect(stored(100 + ((12 * 120 - 1) % 7))).toBe(steam.current);

    steam.broken.clear();
    steam.change(13);
    await pass(pollMs + 5_000);
    expect(memory.apps.get(13)).toMatchObject({ stored: steam.current, attempts: 0, error: null });
  });
});

describe("the lead", () => {
  /** Another worker leads as long as it says so, and follows Steam meanwhile. */
  function anotherLeads() {
    memory.leader = { id: secondWorker, untilMs: Date.now() + 90_000 };
    steam.change(50);
    memory.state.cursor = steam.current;
  }

  it("that is lost takes along what this worker knew of the cursor", async () => {
    const monitor = start();
    await pass(minuteMs);
    expect(monitor.status().leading).toBe(true);
    anotherLeads();
    await pass(minuteMs);
    expect(monitor.status().leading).toBe(false);
    const polls = steam.polls.length;
    await pass(20_000);
    expect(steam.polls).toHaveLength(polls);
    await pass(minuteMs);
    expect(monitor.status().leading).toBe(true);
    expect(steam.polls[polls]?.since).toBe(memory.state.cursor);
  });

  it("that comes back to one that slept through another's goes on from the cursor", async () => {
    start();
    await pass(minuteMs + 5_000);
    const before = steam.current;
    // As a process that is stopped and continued: all this happens between two of its polls.
    anotherLeads();
    memory.leader = null;
    await pass(pollMs);
    expect(sinces().at(-1)).toBeGreaterThan(before);
    steam.change(51);
    await pass(2 * pollMs);
    expect(memory.state.cursor).toBe(steam.current);
    expect(stored(51)).toBe(steam.current);
  });

  it("is given up only after the last poll, and a drain-only worker never takes it", async () => {
    const drainOnly = start({ workerId: secondWorker, drainOnly: true });
    await pass(5 * minuteMs);
    expect(memory.leader).toBeNull();
    expect(steam.polls).toEqual([]);
    memory.apps.set(10, { stored: null, pending: steam.change(10), attempts: 0, dueMs: 0, error: null, lease: null });
    await pass(6_000);
    expect(stored(10)).toBe(steam.current);
    await drainOnly.stop();
  });
});

describe("a gap", () => {
  /** Steam forgets all changes so far. */
  function forget() {
    steam.current += steam.window + 1;
  }

  it("is swept while polls go on, and the cursor moves past it at the end", async () => {
    const monitor = start();
    await pass(5_000);
    for (const appid of [10, 7_000, 19_000]) steam.change(appid);
    await pass(minuteMs);
    const before = memory.state.cursor;
    steam.sweepLatencyMs = 50_000;
    steam.change(19_000);
    forget();
    await pass(pollMs);
    expect(monitor.status()).toMatchObject({ sweeping: true, last_change_number: before });
    expect(memory.gap).toEqual({ from: before, to: steam.current });
    const announced = steam.change(7_000);
    await pass(pollMs);
    // Announced and stored by a poll, before the end of the sweep lets the cursor move.
    expect(stored(7_000)).toBe(announced);
    expect(memory.state.cursor).toBe(before);
    await pass(4 * pollMs);
    expect(memory.gap).toBeNull();
    expect(memory.state.cursor).toBe(steam.current);
    expect(monitor.status().sweeping).toBe(false);
    for (const appid of [7_000, 19_000]) expect(stored(appid)).toBe(steam.apps.get(appid));
    expect(steam.sweeps).toBe(1 + 4);
  });

  it("that grows during a sweep is swept again: what was compared before may have changed since", async () => {
    start({ concurrency: 1 });
    await pass(5_000);
    steam.change(10);
    await pass(minuteMs);
    forget();
    steam.sweepLatencyMs = 25_000;
    await pass(pollMs + 30_000);
    // The stored apps have been compared by now; this one changes again, and Steam cannot list it.
    expect(steam.sweeps).toBe(2);
    steam.change(10);
    forget();
    await pass(10 * minuteMs);
    expect(stored(10)).toBe(steam.apps.get(10));
    expect(memory.gap).toBeNull();
    expect(memory.state.cursor).toBe(steam.current);
    expect(steam.sweeps).toBe(2 * (1 + 4));
  });
});

function heapAfterCollection(): number {
  v8.setFlagsFromString("--expose-gc");
  (vm.runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { LoopSnapshot, ServiceSnapshot } from "../../../src/status/snapshot.ts";
import { startWatchdog, type WatchdogOptions } from "../../../src/status/watchdog.ts";
import type { SteamStatus } from "../../../src/steam/port.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp(options: Partial<WatchdogOptions> = {}) {
  const now = new Date().toISOString();
  const steam: SteamStatus = {
    connected: true,
    connected_since: now,
    reconnect_attempts: 0,
    last_error: null,
    requests: {
      changes: 0,
      metadata: 0,
      product_info: 0,
      access_tokens: 0,
      tag_names: 0,
      category_names: 0,
      http_payload: 0,
    },
  };
  const snapshot: ServiceSnapshot = {
    mode: "bulk_sync",
    started_at: now,
    steam,
    database: { driver: "postgres", reachable: true, reachable_since: now, last_error: null },
    bulk: null,
    monitor: null,
    collector: null,
    library: null,
    apps_stored: 0,
    failing_apps: [],
    loops: [{ name: "bulk_sync", state: "running", last_progress_at: now, limit_ms: 10_000 }],
  };
  const exits: [number, string][] = [];
  const stop = startWatchdog({
    snapshot: () => snapshot,
    watchdogMs: 60_000,
    giveUpAfterMs: 30_000,
    onExit: (code, reason) => exits.push([code, reason]),
    ...options,
  });
  return { snapshot, steam, exits, stop };
}

it("exits with 70 once the worker has been unhealthy for watchdogMs", async () => {
  const { exits } = setUp();
  await vi.advanceTimersByTimeAsync(69_000);
  expect(exits).toEqual([]);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(exits).toEqual([[70, expect.stringContaining("no progress")]]);
});

it.each(["steam", "database"] as const)(
  "exits with 75 once the %s has been unreachable for giveUpAfterMs without interruption",
  async (missing) => {
    const { snapshot, steam, exits } = setUp();
    if (missing === "steam") steam.connected = false;
    else snapshot.database.reachable = false;
    await vi.advanceTimersByTimeAsync(29_000);
    steam.connected = snapshot.database.reachable = true;
    await vi.advanceTimersByTimeAsync(2_000);
    if (missing === "steam") steam.connected = false;
    else snapshot.database.reachable = false;
    await vi.advanceTimersByTimeAsync(29_000);
    expect(exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(exits).toEqual([[75, expect.stringContaining(missing === "steam" ? "Steam" : "database")]]);
  },
);

it("does not give up on Steam for a collector, which needs only the database", async () => {
  const { snapshot, exits } = setUp();
  const collector = { name: "collector", state: "running", limit_ms: 10_000, needs: ["database"] } as const;
  const moving = (): LoopSnapshot => ({ ...collector, last_progress_at: new Date().toISOString() });
  Object.defineProperty(snapshot, "loops", { get: () => [moving()] });
  Object.assign(snapshot, { mode: "collect", steam: null });
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(exits).toEqual([]);
  snapshot.database.reachable = false;
  await vi.advanceTimersByTimeAsync(31_000);
  expect(exits).toEqual([[75, expect.stringContaining("the database")]]);
});

it("never gives up for a service, and does nothing after stop", async () => {
  const { snapshot, exits, stop } = setUp({ giveUpAfterMs: null });
  snapshot.database.reachable = false;
  await vi.advanceTimersByTimeAsync(3_600_000);
  stop();
  snapshot.database.reachable = true;
  await vi.advanceTimersByTimeAsync(3_600_000);
  expect(exits).toEqual([]);
});

it("exits with 75 and the reason once the database has refused writes for giveUpAfterMs, although it is reachable", async () => {
  const { snapshot, exits } = setUp();
  snapshot.database.fault = "it is read-only";
  await vi.advanceTimersByTimeAsync(29_000);
  expect(exits).toEqual([]);
  await vi.advanceTimersByTimeAsync(4_000);
  expect(exits).toEqual([[75, expect.stringMatching(/the database did not work for 30 s: it is read-only/)]]);
});

it("neither counts a machine's sleep as unhealthy nor as an outage", async () => {
  const { snapshot, steam, exits } = setUp();
  snapshot.loops = [];
  steam.connected = snapshot.database.reachable = false;
  await vi.advanceTimersByTimeAsync(20_000);
  const from = new Date().toISOString();
  vi.setSystemTime(Date.now() + 3_600_000);
  snapshot.suspensions = [{ from, until: new Date().toISOString() }];
  await vi.advanceTimersByTimeAsync(9_000);
  expect(exits).toEqual([]);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(exits).toEqual([[75, expect.stringContaining("could not be reached")]]);
});

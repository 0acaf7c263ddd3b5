import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { MonitorLease } from "../../../src/db/leader-lease.ts";
import { SteamError } from "../../../src/process/errors.ts";
import { sleep } from "../../../src/process/time.ts";
import type { ChangesSince } from "../../../src/steam/port.ts";
import type { GapSweep, SweepState } from "../../../src/sync/gap-sweep.ts";
import { changeWindow, createPoller, type PollerDeps } from "../../../src/sync/poll.ts";
import { silent } from "../../support/templates.ts";

/** The poll loop on a fake clock. The database, Steam and the sweep are stubs: each answers what the test has set. */

const pollMs = 30_000;
const minuteMs = 60_000;
const emptyJumpMax = 100;

beforeEach(() => void vi.useFakeTimers());
let stop: () => Promise<void>;
afterEach(async () => {
  await stop();
  vi.useRealTimers();
});

function setUp(overrides: Partial<PollerDeps> = {}) {
  const stopping = new AbortController();
  const database = {
    leading: true,
    /** Of another worker, which leads. */
    leaderTurnAtMs: null as number | null,
    stored: 0,
    cursor: 900 as number | null,
    gap: false,
    accepted: true,
    reconciledSecondsAgo: 0,
  };
  const steam = { current: 1_000, latencyMs: 50, fails: false, answer: {} as Partial<ChangesSince> };
  const sweep = { state: "idle" as SweepState, isRested: true, result: null as { seconds: number } | null };
  const polls: { atMs: number; since: number }[] = [];
  const turns: number[] = [];
  const calls: string[] = [];
  const lastReply = () => ({ accepted: database.accepted, last_change_number: database.cursor });

  const lease: MonitorLease = {
    leaseMs: 90_000,
    async acquire() {
      turns.push(Date.now());
      return {
        leading: database.leading,
        freeInMs: database.leaderTurnAtMs === null ? null : lease.leaseMs - (Date.now() - database.leaderTurnAtMs),
        monitor: {
          last_change_number: database.cursor,
          bulk_completed_at: "2026-01-01T00:00:00Z",
          reconciled_seconds_ago: database.reconciledSecondsAgo,
          gap: database.gap ? { from_change: 1, to_change: 2 } : null,
        },
      };
    },
    release: async () => {},
  };
  const store: PollerDeps["store"] = {
    async poll({ changeNumber }) {
      database.stored += 1;
      if (database.accepted && !database.gap) database.cursor = changeNumber;
      return { ...lastReply(), marked: 0 };
    },
    async openGap({ from, to }) {
      database.gap = true;
      calls.push(`openGap ${from}…${to}`);
    },
    async finishSweep({ changeNumber }) {
      calls.push(`finishSweep ${changeNumber}`);
      Object.assign(database, { gap: false, cursor: changeNumber });
      return lastReply();
    },
  };
  const pics: PollerDeps["pics"] = {
    ready: async () => {},
    async changesSince(since, signal) {
      polls.push({ atMs: Date.now(), since });
      await sleep(steam.latencyMs, signal);
      if (steam.fails) throw new SteamError("timeout", "no complete reply");
      const flags = { forceFullUpdate: false, forceFullAppUpdate: false };
      const named = { apps: [], appsNamed: 0, packages: 1 };
      return { currentChangeNumber: steam.current, sinceChangeNumber: since, ...flags, ...named, ...steam.answer };
    },
  };
  const gapSweep: GapSweep = {
    state: () => sweep.state,
    isReady: () => sweep.state === "idle" && sweep.isRested,
    start() {
      sweep.state = "running";
      calls.push("start");
    },
    invalidate: () => void calls.push("invalidate"),
    cancel: () => void calls.push("cancel"),
    collect() {
      sweep.state = "idle";
      return sweep.result;
    },
    unanswered: () => 0,
    settled: async () => {},
  };
  const poller = createPoller({
    pics,
    store,
    logger: silent,
    lease,
    workerId: "worker",
    sweep: gapSweep,
    pollIntervalMs: pollMs,
    reconcileIntervalMs: 0,
    emptyJumpMax,
    signal: stopping.signal,
    onMarked: () => {},
    onPolled: () => {},
    ...overrides,
  });
  const running = poller.run();
  stop = async () => {
    stopping.abort(new Error("stopped"));
    await running;
  };
  const sinces = () => polls.map(({ since }) => since);
  const spacings = () => polls.slice(1).map(({ atMs }, index) => atMs - (polls[index]?.atMs ?? 0));
  return { poller, running, turns, database, steam, sweep, calls, lease, store, sinces, spacings };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("poll loop", () => {
  it("keeps the interval between the starts of polls, and polls at once after one that took longer", async () => {
    const { steam, spacings } = setUp();
    steam.latencyMs = 12_000;
    await pass(5 * minuteMs);
    expect(new Set(spacings())).toEqual(new Set([pollMs]));
    steam.latencyMs = 45_000; // A timer of 0 ms fires 1 ms later.
    await pass(10 * minuteMs);
    expect(new Set(spacings().slice(-8))).toEqual(new Set([45_001]));
  });

  it("makes a poll durable only when it announces something", async () => {
    const { steam, database, poller, sinces } = setUp();
    await pass(pollMs - 1);
    expect(database.stored).toBe(1);
    await pass(5 * pollMs);
    expect(sinces()).toHaveLength(6);
    expect(database.stored).toBe(1);
    expect(Date.parse(poller.status().last_poll_at ?? "")).toBeGreaterThan(Date.now() - pollMs);
    steam.answer = { apps: [{ appid: 10, changeNumber: 1_000, needsToken: false }], appsNamed: 1 };
    await pass(pollMs);
    steam.answer = {};
    steam.current += 1;
    await pass(pollMs);
    expect(database.stored).toBe(3);
  });

  it("asks for the same changes again when Steam does not answer", async () => {
    const { steam, sinces, poller } = setUp();
    steam.fails = true;
    await pass(5 * pollMs - 1);
    expect(sinces()).toEqual(Array(5).fill(900));
    expect(poller.lastProgressAt()).toBeNull();
    steam.fails = false;
    await pass(2 * pollMs);
    expect(sinces().slice(-2)).toEqual([900, 1_000]);
  });

  it("reports no progress while the database does not answer, so that the watchdog notices", async () => {
    const { poller, lease } = setUp();
    await pass(minuteMs - 1);
    const before = poller.lastProgressAt();
    lease.acquire = () => new Promise(() => {});
    await pass(10 * minuteMs);
    expect(Date.parse(poller.lastProgressAt() ?? "")).toBeLessThanOrEqual(Date.parse(before ?? "") + pollMs);
    stop = async () => {};
  });

  it("rejects for a fault that a retry does not cure", async () => {
    const { store, running } = setUp();
    store.poll = () => Promise.reject(new TypeError("broken"));
    stop = async () => {};
    const rejected = expect(running).rejects.toThrow("broken");
    await pass(minuteMs - 1);
    await rejected;
  });
});

describe("leadership", () => {
  it("steps down when another worker leads, and goes on from the cursor when it leads again", async () => {
    const { database, poller, calls, sinces } = setUp();
    await pass(minuteMs - 1);
    expect(poller.status()).toMatchObject({ leading: true, last_change_number: 1_000 });
    Object.assign(database, { leading: false, cursor: 1_500 });
    const polls = sinces().length;
    await pass(2 * minuteMs);
    expect(poller.status()).toMatchObject({ leading: false, last_change_number: 1_500 });
    expect(calls).toContain("cancel");
    expect(sinces()).toHaveLength(polls);
    database.leading = true;
    await pass(pollMs);
    expect(sinces().at(-1)).toBe(1_500);
  });

  it.each([0, 1_000, 5_000, 20_000, 29_500])(
    "takes its turn 0.3 to 2.3 s after the leader's, from one that came %i ms after it",
    async (sinceLeaderMs) => {
      const { database, turns } = setUp({ random: () => 0.85 });
      database.leading = false;
      const firstLeaderAt = Date.now() - sinceLeaderMs;
      database.leaderTurnAtMs = firstLeaderAt;
      const leader = setInterval(() => {
        database.leaderTurnAtMs = firstLeaderAt + pollMs * Math.floor((Date.now() - firstLeaderAt) / pollMs);
      }, 100);
      await pass(10 * minuteMs);
      clearInterval(leader);
      const late = turns.slice(2).map((at) => (at - firstLeaderAt) % pollMs);
      expect(turns.length).toBeLessThanOrEqual(22);
      expect(Math.min(...late)).toBeGreaterThanOrEqual(1_000);
      expect(Math.max(...late)).toBeLessThanOrEqual(2_100);
    },
  );

  it("steps down when the database refuses the poll", async () => {
    const { database, poller, calls } = setUp();
    database.accepted = false;
    await pass(pollMs - 1);
    expect(poller.status()).toMatchObject({ leading: false, last_poll_at: null });
    expect(calls).toEqual(["cancel"]);
  });

  it("goes on from the cursor after another worker led between two of its polls", async () => {
    const { database, sinces } = setUp();
    await pass(minuteMs - 1);
    database.cursor = 1_500; // The process was stopped and continued: it has noticed nothing.
    await pass(pollMs);
    expect(sinces().at(-1)).toBe(1_500);
  });
});

describe("gap", () => {
  it.each<[string, Partial<ChangesSince>]>([
    ["the force flag", { forceFullUpdate: true }],
    ["the force flag for apps", { forceFullAppUpdate: true }],
    ["another start than the requested one", { sinceChangeNumber: 901 }],
    ["more numbers than Steam lists", { currentChangeNumber: 900 + changeWindow + 1 }],
    ["4,400 numbers without an app or a package", { currentChangeNumber: 5_300, packages: 0 }],
    ["one number more than EMPTY_JUMP_MAX without them", { currentChangeNumber: 901 + emptyJumpMax, packages: 0 }],
  ])("is opened for %s, and swept", async (_, answer) => {
    const { steam, calls } = setUp();
    steam.answer = answer;
    await pass(pollMs - 1);
    expect(calls).toEqual([`openGap 900…${answer.currentChangeNumber ?? 1_000}`, "invalidate", "start"]);
  });

  it.each<[string, Partial<ChangesSince>]>([
    ["EMPTY_JUMP_MAX numbers that name nothing", { packages: 0 }],
    ["packages alone", { currentChangeNumber: 5_300, packages: 40 }],
    ["an app alone, even one without a valid id", { currentChangeNumber: 5_300, packages: 0, appsNamed: 1 }],
  ])("is not opened for %s", async (_, answer) => {
    const { steam, calls } = setUp();
    steam.answer = answer;
    await pass(pollMs - 1);
    expect(calls).toEqual([]);
  });

  it("is not opened for small changelists that name nothing, which are counted", async () => {
    const { steam, poller, calls } = setUp();
    steam.answer = { packages: 0 };
    await pass(pollMs);
    steam.current += 1;
    await pass(pollMs);
    await pass(pollMs); // The change number has not risen: nothing to name.
    expect(poller.status().empty_changelists).toBe(2);
    expect(calls).toEqual([]);
  });

  it("is not opened for the first poll of all", async () => {
    const { steam, database, calls, poller } = setUp();
    database.cursor = null;
    steam.answer = { forceFullUpdate: true, currentChangeNumber: 40_000_000, packages: 0 };
    await pass(pollMs - 1);
    expect(calls).toEqual([]);
    expect(poller.status().empty_changelists).toBe(0);
  });

  it("lets polls run ahead of the cursor, which moves when the sweep is complete", async () => {
    const { database, steam, sweep, calls, sinces } = setUp();
    database.gap = true;
    await pass(pollMs - 1);
    expect(calls).toEqual(["start"]);
    steam.current = 1_100;
    await pass(pollMs);
    steam.current = 1_200;
    expect(sinces()).toEqual([900, 1_000]);
    Object.assign(sweep, { state: "complete", result: { seconds: 60 } });
    await pass(pollMs);
    expect(sinces()).toEqual([900, 1_000, 1_100]);
    expect(calls).toEqual(["start", "finishSweep 1200"]);
    expect(database.cursor).toBe(1_200);
  });

  it("stays open and is swept again after a sweep without a result", async () => {
    const { database, sweep, calls } = setUp();
    database.gap = true;
    await pass(pollMs - 1);
    sweep.state = "failed";
    await pass(2 * pollMs);
    expect(calls).toEqual(["start", "start"]);
  });

  it("is not swept before the delay after failed sweeps is over", async () => {
    const { database, sweep, calls } = setUp();
    Object.assign(database, { gap: true });
    sweep.isRested = false;
    await pass(5 * pollMs - 1);
    expect(calls).toEqual([]);
    sweep.isRested = true;
    await pass(pollMs);
    expect(calls).toEqual(["start"]);
  });

  it("shares one sweep with another gap that is open already", async () => {
    const { database, steam, sweep, calls } = setUp();
    database.gap = true;
    await pass(pollMs - 1);
    steam.answer = { currentChangeNumber: 5_300, packages: 0 };
    await pass(pollMs);
    steam.answer = {};
    Object.assign(sweep, { state: "complete", result: null }); // invalidated
    await pass(pollMs);
    steam.current = 5_301;
    await pass(pollMs);
    Object.assign(sweep, { state: "complete", result: { seconds: 60 } });
    await pass(pollMs);
    expect(calls).toEqual(["start", "openGap 1000…5300", "invalidate", "start", "finishSweep 5301"]);
  });

  it("invalidates a sweep that is running", async () => {
    const { database, steam, calls } = setUp();
    database.gap = true;
    await pass(pollMs - 1);
    steam.answer = { forceFullAppUpdate: true };
    await pass(pollMs);
    expect(calls).toEqual(["start", "openGap 1000…1000", "invalidate"]);
  });

  it("is not needed for a sweep against drift, which is due after the interval", async () => {
    const { database, calls } = setUp({ reconcileIntervalMs: 3_600_000 });
    await pass(5 * minuteMs - 1);
    expect(calls).toEqual([]);
    database.reconciledSecondsAgo = 3_600;
    await pass(pollMs);
    expect(calls).toEqual(["start"]);
  });
});

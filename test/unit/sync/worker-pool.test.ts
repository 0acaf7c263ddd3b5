import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Claim, ClaimedApp } from "../../../src/db/sync-calls.ts";
import type { ProductInfo } from "../../../src/steam/port.ts";
import { createWorkerPool, type WorkerPoolOptions } from "../../../src/sync/worker-pool.ts";
import { silent } from "../../support/templates.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const app: ClaimedApp = {
  appid: 10,
  change_number: 1,
  attempts: 0,
  access_token: null,
  needs_token: false,
  token_denied: false,
};
const nothing: Claim = { apps: [], waiting: 0, due_in_seconds: null };

/** A pool of one worker over a stub: claims are answered from `claims`, then with nothing. */
function setUp(overrides: Partial<WorkerPoolOptions> = {}) {
  const claims: Claim[] = [];
  const claimedAt: number[] = [];
  const released: string[] = [];
  const hooks = { onClaim: () => {}, productInfo: async (): Promise<ProductInfo> => ({ apps: [], unknown: [10] }) };
  const store = {
    async claim() {
      claimedAt.push(performance.now());
      hooks.onClaim();
      return claims.shift() ?? nothing;
    },
    async release(leaseId: string) {
      released.push(leaseId);
    },
    apply: async () => ({
      stored: 0,
      stale: 0,
      unknown: 1,
      unconfirmed: 0,
      withheld: 0,
      failed: 0,
      skipped: 0,
      lease_lost: 0,
      doubted: [],
      mass_unknown: false,
    }),
  };
  const pics = {
    ready: async () => {},
    productInfo: (_: unknown, signal: AbortSignal) =>
      Promise.race([hooks.productInfo(), new Promise<never>((_, reject) => onAbort(signal, reject))]),
  };
  const outcomes: number[] = [];
  const pool = createWorkerPool({
    pics,
    store,
    logger: silent,
    upsertBatchSize: 500,
    appBackoff: { firstMs: 1, maxMs: 1 },
    history: true,
    leaseMs: 90_000,
    batchSize: 100,
    concurrency: 1,
    appids: null,
    maxAttempts: null,
    onOutcome: (_: unknown, { unknown }: { unknown: number }) => void outcomes.push(unknown),
    ...overrides,
  } as unknown as WorkerPoolOptions);
  return { pool, claims, claimedAt, released, outcomes, hooks };
}

const onAbort = (signal: AbortSignal, reject: (reason: unknown) => void) =>
  signal.addEventListener("abort", () => reject(signal.reason), { once: true });

describe("worker pool", () => {
  it("claims again when the next retry is due, and after 5 s at the latest", async () => {
    const { pool, claims, claimedAt } = setUp();
    claims.push({ apps: [], waiting: 1, due_in_seconds: 2 }, { apps: [], waiting: 1, due_in_seconds: 3_600 });
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(7_500);
    const [first = 0, ...later] = claimedAt;
    expect(later.map((at) => at - first)).toEqual([2_000, 7_000]);
    await pool.stop();
    await running;
    expect(vi.getTimerCount()).toBe(0);
  });

  it("one of several idle workers claims every 5 s, and wakes another once it finds work", async () => {
    const { pool, claims, claimedAt } = setUp({ concurrency: 4 });
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(12_000);
    const [first = 0, ...later] = claimedAt;
    expect(later.map((at) => at - first)).toEqual([0, 0, 0, 5_000, 10_000]);
    claims.push({ apps: [app], waiting: 0, due_in_seconds: null });
    await vi.advanceTimersByTimeAsync(3_100);
    // The one that found it, the one that looks in its place, and the first again after its work.
    expect(claimedAt.slice(6).map((at) => at - first)).toEqual([15_000, 15_000, 15_000]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(claimedAt).toHaveLength(9 + 2);
    await pool.stop();
    await running;
    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ["one claims when woken for less than a batch", [app], 1],
    ["all claim when woken for full batches", [app, app], 4],
    ["all claim when woken for retries, which come in small batches", [{ ...app, attempts: 1 }], 4],
  ])("of several idle workers %s", async (_, apps, workers) => {
    const { pool, claims, claimedAt, hooks } = setUp({ concurrency: 4, batchSize: 2, idleMs: 300_000 });
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(1_000);
    claims.push(...Array.from({ length: workers }, () => ({ apps, waiting: 0, due_in_seconds: null })));
    hooks.productInfo = () => new Promise(() => {});
    pool.wake();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(claimedAt).toHaveLength(4 + workers);
    const stopped = pool.stop(0);
    await vi.advanceTimersByTimeAsync(1);
    await Promise.all([stopped, running]);
  });

  it("looks again at the soonest retry, whichever worker learned of it", async () => {
    const { pool, claims, claimedAt } = setUp({ concurrency: 2, idleMs: 300_000 });
    const later = (due_in_seconds: number) => ({ apps: [], waiting: 1, due_in_seconds });
    claims.push(later(100), later(2));
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(claimedAt).toHaveLength(3);
    await pool.stop();
    await running;
  });

  it("looks again 5 s after a full batch, and waits twice as long each time that it finds nothing", async () => {
    const { pool, claims, claimedAt } = setUp({ concurrency: 2, batchSize: 1, idleMs: 30_000 });
    claims.push({ apps: [app], waiting: 0, due_in_seconds: null });
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(96_000);
    const [first = 0] = claimedAt;
    expect([...new Set(claimedAt.map((at) => at - first))]).toEqual([0, 5_000, 15_000, 35_000, 65_000, 95_000]);
    await pool.stop();
    await running;
  });

  it("claims when the database says that work is due, and counts any word of it as progress while it is idle", async () => {
    const { pool, claimedAt } = setUp({ concurrency: 4, idleMs: 300_000 });
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(1_000);
    const before = pool.lastProgressAt() ?? "";
    pool.dueIn(null);
    pool.dueIn(3);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(claimedAt).toHaveLength(4);
    expect(Date.parse(pool.lastProgressAt() ?? "")).toBeGreaterThan(Date.parse(before));
    pool.dueIn(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(claimedAt).toHaveLength(5);
    await pool.stop();
    await running;
  });

  it("idle workers all end after finish, also when the last app waits for a retry elsewhere", async () => {
    const { pool, claims } = setUp({ concurrency: 3 });
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(1_000);
    const waiting = { apps: [], waiting: 1, due_in_seconds: 2 };
    claims.push(waiting, waiting, waiting);
    pool.finish();
    await vi.advanceTimersByTimeAsync(2_500);
    await running;
  });

  it("claims at once on wake, also when it is called during a claim", async () => {
    const { pool, claimedAt, hooks } = setUp();
    hooks.onClaim = () => {
      if (claimedAt.length === 1) pool.wake();
    };
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(0);
    expect(claimedAt).toHaveLength(2);
    pool.wake();
    await vi.advanceTimersByTimeAsync(0);
    expect(claimedAt).toHaveLength(3);
    await pool.stop();
    await running;
  });

  it("ends after finish once nothing is pending, and not while apps wait for a retry", async () => {
    const { pool, claims, claimedAt, outcomes } = setUp();
    claims.push({ apps: [app], waiting: 0, due_in_seconds: null }, { apps: [], waiting: 1, due_in_seconds: 1 });
    pool.finish();
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(1_000);
    await running;
    expect(claimedAt).toHaveLength(3);
    expect(outcomes).toEqual([1]);
  });

  it("lets the batch in flight finish when stopped, and gives it back after the grace period", async () => {
    const { pool, claims, claimedAt, released, hooks } = setUp();
    claims.push({ apps: [app], waiting: 0, due_in_seconds: null });
    hooks.productInfo = () => new Promise(() => {});
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(1_000);
    const stopped = pool.stop(6_000);
    await vi.advanceTimersByTimeAsync(5_900);
    expect(released).toEqual([]);
    await vi.advanceTimersByTimeAsync(200);
    await stopped;
    await running;
    expect(released).toHaveLength(1);
    expect(claimedAt).toHaveLength(1);
  });

  it("gives a batch back when its lease expires, and goes on", async () => {
    const { pool, claims, claimedAt, released, hooks } = setUp({ leaseMs: 1_000 });
    claims.push({ apps: [app], waiting: 0, due_in_seconds: null });
    hooks.productInfo = () => new Promise(() => {});
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(1_100);
    expect(released).toHaveLength(1);
    expect(claimedAt.length).toBeGreaterThan(1);
    await pool.stop();
    await running;
  });

  it("rejects for a fault that a retry does not cure", async () => {
    const { pool, hooks } = setUp();
    hooks.onClaim = () => {
      throw new TypeError("broken");
    };
    await expect(pool.run()).rejects.toThrow("broken");
  });

  it("reports progress with each answer of the database", async () => {
    const { pool, hooks } = setUp();
    expect(pool.lastProgressAt()).toBeNull();
    const running = pool.run();
    await vi.advanceTimersByTimeAsync(5_000);
    const at = pool.lastProgressAt();
    expect(at).not.toBeNull();
    hooks.onClaim = () => {
      throw new TypeError("broken");
    };
    const rejected = expect(running).rejects.toThrow("broken");
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pool.lastProgressAt()).toBe(at);
    await rejected;
  });
});

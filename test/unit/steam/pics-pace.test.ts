import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPics, type PicsOptions } from "../../../src/steam/pics.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const emptyReply = { apps: [], unknown_appids: [10], app_changes: [], package_changes: [], current_change_number: 1 };

/** A session that answers every request after `latencyMs`, and records the start and the body of each. */
function fakeSession(latencyMs: number) {
  const started: { atMs: number; body: object }[] = [];
  const session: PicsOptions["session"] = {
    ready: async () => {},
    request: <Reply>(_message: unknown, body: object) => {
      started.push({ atMs: performance.now(), body });
      return new Promise<Reply[]>((resolve) => setTimeout(() => resolve([emptyReply as Reply]), latencyMs));
    },
    status: () => ({ connected: true, connected_since: null, reconnect_attempts: 0, last_error: null }),
  };
  return { session, started };
}

const options = { logger: pino({ level: "silent" }), concurrency: 4, timeoutMs: 60_000 };

test("sends 100 batches at 0.5 s with 400 ms latency in 50 s", async () => {
  const { session, started } = fakeSession(400);
  const pics = createPics({ ...options, session, requestDelayMs: 500 });
  const before = performance.now();
  const batches = Array.from({ length: 100 }, () => pics.productInfo([{ appid: 10 }]));
  let tookMs = 0;
  const all = Promise.all(batches).then(() => {
    tookMs = performance.now() - before;
  });
  await vi.advanceTimersByTimeAsync(120_000);
  await all;
  expect(started.length).toBe(100);
  expect(tookMs).toBeGreaterThanOrEqual(48_000);
  expect(tookMs).toBeLessThanOrEqual(52_000);
});

test("keeps the delay between starts when replies take longer than it", async () => {
  const { session, started } = fakeSession(2_300);
  const pics = createPics({ ...options, session, requestDelayMs: 500 });
  const batches = Array.from({ length: 40 }, () => pics.productInfo([{ appid: 10 }]));
  await vi.advanceTimersByTimeAsync(60_000);
  await Promise.all(batches);
  const gaps = started.slice(1).map(({ atMs }, i) => atMs - (started[i]?.atMs ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(499);
  // Four in flight, 2.3 s each.
  const totalMs = (started.at(-1)?.atMs ?? 0) - (started[0]?.atMs ?? 0);
  expect(totalMs).toBeLessThanOrEqual((36 / 4) * 2_300 + 2_000);
});

test("is limited only by the concurrency without a delay", async () => {
  const { session, started } = fakeSession(100);
  const pics = createPics({ ...options, session, requestDelayMs: 0 });
  const batches = Array.from({ length: 8 }, () => pics.productInfo([{ appid: 10 }]));
  await vi.advanceTimersByTimeAsync(0);
  expect(started.length).toBe(4);
  await vi.advanceTimersByTimeAsync(200);
  await Promise.all(batches);
  expect(started.length).toBe(8);
});

test("sends changes before payloads, and payloads before a sweep", async () => {
  const { session, started } = fakeSession(10);
  const pics = createPics({ ...options, session, requestDelayMs: 500 });
  const first = pics.metadata([1]);
  await vi.advanceTimersByTimeAsync(1);
  const rest = [pics.metadata([2]), pics.productInfo([{ appid: 3 }]), pics.changesSince(4)];
  await vi.advanceTimersByTimeAsync(5_000);
  await Promise.all([first, ...rest]);
  expect(started.map(({ body }) => body)).toEqual([
    { apps: [{ appid: 1 }], packages: [], meta_data_only: true },
    { since_change_number: 4, send_app_info_changes: true, send_package_info_changes: true },
    { apps: [{ appid: 3 }], packages: [] },
    { apps: [{ appid: 2 }], packages: [], meta_data_only: true },
  ]);
});

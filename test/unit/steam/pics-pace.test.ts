import { pino } from "pino";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createPics, type PicsOptions } from "../../../src/steam/pics.ts";
import { requestKinds, type SteamRequestKind } from "../../../src/steam/port.ts";
import { createRequests } from "../../../src/steam/requests.ts";

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
    status: () => ({
      ...{ connected: true, connected_since: null, reconnect_attempts: 0 },
      ...{ last_error: null, last_error_at: null, away_since: null, next_attempt_at: null },
    }),
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

test("sends changes before payloads, and the requests of a sweep at a pace of their own", async () => {
  const { session, started } = fakeSession(10);
  const pics = createPics({ ...options, session, requestDelayMs: 500, metadataDelayMs: 700 });
  const first = pics.productInfo([{ appid: 1 }]);
  await vi.advanceTimersByTimeAsync(1);
  const rest = [pics.metadata([2]), pics.metadata([5]), pics.productInfo([{ appid: 3 }]), pics.changesSince(4)];
  await vi.advanceTimersByTimeAsync(5_000);
  await Promise.all([first, ...rest]);
  const [start = 0, ...times] = started.map(({ atMs }) => atMs);
  expect(times.map((atMs) => Math.round((atMs - start) / 10) * 10)).toEqual([0, 500, 700, 1_000]);
  expect(started.map(({ body }) => body)).toEqual([
    { apps: [{ appid: 1 }], packages: [] },
    { apps: [{ appid: 2 }], packages: [], meta_data_only: true },
    { since_change_number: 4, send_app_info_changes: true, send_package_info_changes: true },
    { apps: [{ appid: 5 }], packages: [], meta_data_only: true },
    { apps: [{ appid: 3 }], packages: [] },
  ]);
});

const kinds = requestKinds.filter((kind): kind is SteamRequestKind => kind !== "http_payload");

/** Requests of these kinds that wait all the time, each replaced as soon as it is answered, and the kinds in the order of their starts. */
function flood(flooding: readonly SteamRequestKind[], requestDelayMs: number) {
  const { session } = fakeSession(100);
  const order: string[] = [];
  const abort = new AbortController();
  const request: typeof session.request = (message, body, sent) => {
    order.push((body as { kind: string }).kind);
    return session.request(message, body, sent);
  };
  const requests = createRequests({ ...options, session: { ...session, request }, requestDelayMs });
  const send = (kind: SteamRequestKind) => requests.send(kind, { kind }, abort.signal);
  async function keepSending(kind: SteamRequestKind): Promise<void> {
    while (!abort.signal.aborted) await send(kind).catch(() => {});
  }
  for (const kind of flooding) for (let i = 0; i < 6; i++) void keepSending(kind);
  return { order, send, stop: () => abort.abort() };
}

test.each(kinds.flatMap((kind) => [500, 0].map((delayMs) => [kind, delayMs] as const)))(
  "sends %s although every other kind waits all the time, at a delay of %d ms",
  async (kind, requestDelayMs) => {
    const { order, send, stop } = flood(
      kinds.filter((other) => other !== kind),
      requestDelayMs,
    );
    await vi.advanceTimersByTimeAsync(3_000);
    const before = order.length;
    const sent = send(kind);
    await vi.advanceTimersByTimeAsync(30_000);
    expect(order.slice(before)).toContain(kind);
    await sent;
    // Patience, one turn of each kind, and those that are in flight.
    expect(order.indexOf(kind) - before).toBeLessThanOrEqual(4 + kinds.length + options.concurrency);
    // The flood is served on, every kind of it.
    expect(new Set(order.slice(-3 * kinds.length))).toEqual(new Set(kinds.filter((other) => other !== kind)));
    stop();
  },
);

test("gives payloads every second turn although polls are always due, and a sweep costs them none", async () => {
  const { order, stop } = flood(["changes", "product_info", "metadata"], 500);
  await vi.advanceTimersByTimeAsync(50_000);
  stop();
  const count = (kind: string) => order.filter((each) => each === kind).length;
  expect(count("product_info")).toBeCloseTo(50, -1);
  expect(count("changes")).toBeCloseTo(50, -1);
  expect(count("metadata")).toBeCloseTo(100, -1);
});

test("does not send a request that was aborted while it waited", async () => {
  const { order, send, stop } = flood(["changes"], 500);
  await vi.advanceTimersByTimeAsync(1_000);
  stop();
  const after = order.length;
  await expect(send("metadata")).rejects.toThrow();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(order).toHaveLength(after);
});

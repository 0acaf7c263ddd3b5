import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { createQuota, type QuotaOptions, type ReserveQuota } from "../../../src/web/quota.ts";
import { createRateLimiter } from "../../../src/web/rate-limiter.ts";
import {
  createApi,
  createClient,
  createLog,
  createUsage,
  dayMs,
  drive,
  limits,
  startClock,
  turns,
  urls,
} from "./harness.ts";

const never = new AbortController().signal;
const midnight = "2026-03-02T00:00:00.000Z";
const now = () => new Date().toISOString();

function createTestQuota(reserve: ReserveQuota, options: Partial<QuotaOptions> = {}) {
  const rateLimiter = createRateLimiter();
  const { logger } = createLog();
  const limit = { count: 100_000, periodMs: dayMs };
  const quota = createQuota({
    endpoint: "steam_web_api",
    limit,
    reserve,
    recheck: rateLimiter.recheck,
    logger,
    ...options,
  });
  return { quota, acquire: (signal = never) => rateLimiter.acquire([quota], signal) };
}

describe("createQuota", () => {
  // Rate limiter only: 100,000 calls of the whole client take half a minute. The next test uses the client.
  it("delays the 100,001st call until the next UTC day, even after a restart", async () => {
    startClock("2026-03-01T22:00:00Z");
    const { reserve, used, asked } = createUsage();
    const first = createTestQuota(reserve);
    for (let call = 0; call < 100_000; call++) await first.acquire();
    expect(now()).toBe("2026-03-01T22:00:00.000Z");
    expect(asked).toHaveLength(1_000);
    expect(asked[0]).toEqual({
      endpoint: "steam_web_api",
      periodStart: "2026-03-01T00:00:00.000Z",
      limit: 100_000,
      block: 100,
    });

    const restarted = createTestQuota(reserve);
    await drive(restarted.acquire());
    expect(now()).toBe(midnight);
    expect([...used]).toEqual([
      ["steam_web_api 2026-03-01T00:00:00.000Z", 100_000],
      [`steam_web_api ${midnight}`, 100],
    ]);
  });

  it("limits all callers of the client together", async () => {
    startClock();
    const { logger, at } = createLog();
    const { reserve } = createUsage();
    const api = createApi();
    const create = () =>
      createClient({
        fetch: api.fetch,
        reserve,
        logger,
        limits: { ...limits, steamWebApi: { count: 1_001, periodMs: dayMs } },
      });
    const ask = (web: ReturnType<typeof create>) =>
      web.json("steam_web_api", { url: urls.steam_web_api, signal: never }, z.object({}));
    const web = create();
    for (let call = 0; call < 1_001; call++) await ask(web);
    expect(now()).toBe("2026-03-01T12:00:00.000Z");

    const restarted = create();
    const waiting = [ask(web), ask(restarted), ask(restarted)];
    await turns();
    expect(api.sent).toHaveLength(1_001);
    expect(restarted.status()).toMatchObject([
      { requests: 0, waiting: 2, paused_until: midnight, paused_because: "the quota is used up" },
    ]);
    await drive(Promise.all(waiting));
    expect(now()).toBe(midnight);
    expect(at("warn")).toMatchObject([{ until: midnight }, { until: midnight }]);
    expect(web.status()).toMatchObject([{ requests: 1_002, waiting: 0, paused_until: null }]);
  });

  it("supports a period of several days", async () => {
    startClock("2026-03-01T12:00:00Z");
    const { reserve, asked } = createUsage();
    const { acquire } = createTestQuota(reserve, { limit: { count: 2, periodMs: 7 * dayMs } });
    await drive(Promise.all([acquire(), acquire(), acquire()]));
    // Weeks from 1 January 1970, a Thursday.
    expect(now()).toBe("2026-03-05T00:00:00.000Z");
    expect(asked.map(({ periodStart, block }) => [periodStart.slice(0, 10), block])).toEqual([
      ["2026-02-26", 1],
      ["2026-02-26", 1],
      ["2026-02-26", 1],
      ["2026-03-05", 1],
    ]);
  });

  it("is never exceeded by two processes that share it", async () => {
    startClock();
    const { reserve } = createUsage();
    const limit = { count: 5_000, periodMs: dayMs };
    const processes = [createTestQuota(reserve, { limit }), createTestQuota(reserve, { limit })];
    let today = 0;
    const stop = new AbortController();
    await Promise.all(
      processes.map(async ({ acquire }) => {
        for (;;) {
          const acquired = await Promise.race([acquire(stop.signal).then(() => true), turns().then(() => false)]);
          if (!acquired) return;
          today += 1;
        }
      }),
    ).finally(() => stop.abort());
    expect(today).toBe(5_000);
  });

  it("shares one reservation among waiting calls, and an abort ends a wait", async () => {
    startClock();
    const reply = Promise.withResolvers<number>();
    const reserve = vi.fn(() => reply.promise);
    const { acquire } = createTestQuota(reserve);
    const stop = new AbortController();
    const stopped = acquire(stop.signal);
    const waiting = Array.from({ length: 50 }, () => acquire());
    await turns();
    stop.abort();
    await expect(stopped).rejects.toBe(stop.signal.reason);
    reply.resolve(100);
    await Promise.all(waiting);
    expect(reserve).toHaveBeenCalledTimes(1);
  });

  it.each([false, true])(
    "drops a block that was granted for an earlier period (another call waits: %s)",
    async (another) => {
      startClock("2026-03-01T23:59:59Z");
      const late = Promise.withResolvers<number>();
      const { reserve, asked } = createUsage();
      const reserveLate = vi.fn(reserve).mockImplementationOnce(() => late.promise);
      const { acquire } = createTestQuota(reserveLate);
      const waiting = [acquire()];
      await turns();
      vi.advanceTimersByTime(2_000);
      if (another) waiting.push(acquire());
      late.resolve(100);
      await Promise.all(waiting);
      await acquire();
      expect(asked.map(({ periodStart }) => periodStart)).toEqual([midnight]);

      vi.advanceTimersByTime(dayMs);
      await acquire();
      expect(asked.map(({ periodStart }) => periodStart)).toEqual([midnight, "2026-03-03T00:00:00.000Z"]);
    },
  );

  it("fails waiting calls with the error of the reservation, and reserves again for the next call", async () => {
    startClock();
    const { reserve } = createUsage();
    const away = new Error("the database is unreachable");
    const { acquire } = createTestQuota(vi.fn(reserve).mockRejectedValueOnce(away));
    const results = await Promise.allSettled([acquire(), acquire()]);
    expect(results.map((result) => result.status === "rejected" && result.reason)).toEqual([away, away]);
    await acquire();
  });

  it("passes the error of the reservation through the client unchanged, and sends nothing", async () => {
    startClock();
    const away = new Error("the database is unreachable");
    const api = createApi();
    const web = createClient({ fetch: api.fetch, reserve: () => Promise.reject(away) });
    const call = web.json("steam_web_api", { url: urls.steam_web_api, signal: never }, z.object({}));
    await expect(call).rejects.toBe(away);
    expect(api.sent).toEqual([]);
  });
});

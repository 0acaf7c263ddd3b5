/**
 * Rate limits of the web APIs over whole runs, on a fake clock that jumps: 20 pages take 20 minutes of it, a used-up quota half a day.
 * The database and the collector are real.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createCollectorStore } from "../../src/collector/store.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import { createQuota } from "../../src/web/quota.ts";
import { createRateLimiter } from "../../src/web/rate-limiter.ts";
import {
  type CollectorOverrides,
  defaultLimits,
  forgetEverything,
  simulateWeb,
  startCollector,
  withFullPages,
} from "../support/collector.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type FakeClock, startFakeClock } from "../support/fake-clock.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { silent } from "../support/templates.ts";
import { compareMetadata } from "../support/web/compare-metadata.ts";
import { generateSteamSpy } from "../support/web/generate-steamspy.ts";
import { readSteamSpyIndependently } from "../support/web/read-steamspy.ts";
import { busiestWindow, smallestGapMs } from "../support/web/request-log.ts";

const minuteMs = 60_000;
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase("pglite");
});
afterAll(() => database.close());
beforeEach(() => forgetEverything(database.sql));

function startClock(startAt?: string): FakeClock {
  const clock = startFakeClock({ ...(startAt && { startAt }) });
  onTestFinished(clock.restore);
  return clock;
}

/** Runs the collector with the default limits. */
function collect(clock: FakeClock, web: ReturnType<typeof simulateWeb>, overrides: CollectorOverrides = {}) {
  return clock.run(() => {
    const fetch = clock.wrapFetch(web.fetch);
    return startCollector(clock.wrapDatabase(database.db), { fetch, limits: defaultLimits, ...overrides }).done;
  });
}

function expectLimitsKept({ spy }: ReturnType<typeof simulateWeb>) {
  expect(busiestWindow(spy.log.calls, minuteMs)).toBeLessThanOrEqual(60);
  expect(smallestGapMs(spy.log.of("all"))).toBeGreaterThanOrEqual(minuteMs);
}

describe("SteamSpy's limits", () => {
  it("20 pages take 20 minutes, then details follow at one a second", async () => {
    const clock = startClock();
    const { pages, ...rest } = generateSteamSpy({ seed: 8, games: 20 * 25, pageSize: 25, repeatShare: 0 });
    const web = simulateWeb({ pages: withFullPages(pages), ...rest }, { lists: {} });
    const { pass, details } = await collect(clock, web, { maxDetails: 50 });

    expect(web.spy.log.of("all").map(({ page }) => page)).toEqual([...pages.keys()]);
    expect(pass).toEqual({ pages: 20, games: 20 * 25, missed: [] });
    expect(details.success + details.not_found).toBe(50);
    expect(clock.elapsedMs()).toBeGreaterThanOrEqual(19 * minuteMs);
    expect(clock.elapsedMs()).toBeLessThanOrEqual(20 * minuteMs);
    expectLimitsKept(web);
    const asked = web.spy.log.of("appdetails").map(({ appid }) => appid ?? 0);
    const expected = readSteamSpyIndependently({ pages, ...rest }, { details: asked });
    expect(await compareMetadata(database.sql, expected)).toEqual([]);
  });

  it("are fully used, and not exceeded, by ten workers", async () => {
    const clock = startClock();
    const web = simulateWeb(generateSteamSpy({ seed: 6, games: 1_100 }));
    await collect(clock, web, { workers: 10, maxDetails: 300 });

    expect(web.spy.log.counts).toEqual({ all: 2, appdetails: 300 });
    expect(busiestWindow(web.spy.log.calls, minuteMs)).toBe(60);
    expectLimitsKept(web);
    // The second page a minute after the first, then one game a second.
    expect(clock.elapsedMs()).toBe(minuteMs + 300 * 1_000);
  });

  it.skipIf(!isFull)(`also apply to retries (SEED=${seed})${onlyFull}`, async () => {
    const clock = startClock();
    const dump = generateSteamSpy({ seed, games: 1_100 });
    const web = simulateWeb(dump);
    const retryLater = { status: 429, retryAfter: "100" } as const;
    web.spy.faults.random({
      seed,
      rate: 0.25,
      faults: ["drop", "hang", "html200", "truncated", "empty200", { status: 500 }, { status: 429 }, retryLater],
    });
    web.spy.faults.add({ on: { page: 1 }, fault: retryLater });
    await collect(clock, web, { workers: 10, maxDetails: 400 });

    expectLimitsKept(web);
    const calls = web.spy.log.calls;
    expect(calls.filter(({ fault }) => fault !== null).length).toBeGreaterThan(60);
    expect(smallestGapMs(calls)).toBeGreaterThanOrEqual(1_000);
    const held = calls.findIndex(({ page, fault }) => page === 1 && fault === "status_429");
    expect((calls[held + 1]?.at ?? 0) - (calls[held]?.at ?? 0)).toBeGreaterThanOrEqual(100_000);
  });
});

describe("the daily quota of the Steam Web API", () => {
  const midnight = Date.parse("2025-06-02T00:00:00Z");

  /** Counts calls like a process does, without sending them. */
  function countCalls(clock: FakeClock) {
    const { reserve } = createCollectorStore(
      clock.wrapDatabase(database.db),
      createDatabaseRetry("pglite", { logger: silent }),
      randomUUID(),
    );
    const rateLimiter = createRateLimiter();
    const limit = defaultLimits.steamWebApi;
    const quota = createQuota({
      endpoint: "steam_web_api",
      limit,
      reserve,
      recheck: rateLimiter.recheck,
      logger: silent,
    });
    return async (calls: number) => {
      for (let call = 0; call < calls; call++) await rateLimiter.acquire([quota], new AbortController().signal);
    };
  }
  const used = async () =>
    (await database.sql("select period_start, used from web_api_usage order by period_start")).map(
      ({ period_start, used }) => [(period_start as Date).toISOString(), used],
    );

  it("is shared by processes; the 100,001st call waits for the next UTC day, even after a restart", async () => {
    const clock = startClock("2025-06-01T23:00:00Z");
    const [one, other] = [countCalls(clock), countCalls(clock)];
    await clock.run(async () => void (await Promise.all([one(70_000), other(30_000)])));
    expect(clock.elapsedMs()).toBe(0);
    expect(await used()).toEqual([["2025-06-01T00:00:00.000Z", 100_000]]);

    // A collector that starts now waits before its first list, then runs to the end.
    const web = simulateWeb(generateSteamSpy({ seed: 6, games: 10 }));
    const { list, requests } = await collect(clock, web);
    expect(web.list.log.calls.map(({ time }) => time)).toEqual(Array(5).fill(midnight));
    expect(requests.steam_web_api).toBe(5);
    expect(list?.inserted).toBe(50);
    expect(await used()).toEqual([
      ["2025-06-01T00:00:00.000Z", 100_000],
      ["2025-06-02T00:00:00.000Z", 100],
    ]);
  });

  it.skipIf(!isFull)(`is not exceeded when a process stops with a partly used block${onlyFull}`, async () => {
    const clock = startClock("2025-06-01T23:00:00Z");
    const [one, other] = [countCalls(clock), countCalls(clock)];
    let beforeMidnight = 0;
    await clock.run(async () => {
      for (const [ask, count] of [
        [one, 30_030],
        [other, 69_970],
      ] as const) {
        for (let call = 0; call < count; call++) {
          await ask(1);
          if (Date.now() < midnight) beforeMidnight += 1;
        }
      }
    });
    // The rest of the first process's block is lost: 70 calls of the second wait.
    expect(beforeMidnight).toBe(99_930);
    expect(Date.now()).toBe(midnight);
  });
});

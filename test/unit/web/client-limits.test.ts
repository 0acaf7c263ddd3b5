import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { Endpoint, WebClient } from "../../../src/web/client.ts";
import {
  type Answer,
  createApi,
  createClient,
  createLog,
  drive,
  failure,
  limits,
  mostWithin,
  startClock,
  turns,
  urls,
} from "./harness.ts";

const anything = z.unknown();
const never = new AbortController().signal;
const minuteMs = 60_000;

/** SteamSpy's two endpoints differ only by a parameter. */
function ask(web: WebClient, endpoint: Endpoint, signal = never) {
  const request = endpoint === "steamspy_all" ? "all" : "appdetails";
  return web.json(endpoint, { url: urls[endpoint], searchParams: { request }, signal }, anything);
}

const later = (ms: number, answer: Answer) => new Promise<Answer>((resolve) => setTimeout(() => resolve(answer), ms));

describe("SteamSpy", () => {
  it.each([1, 3, 50])("sends at most 60 requests in any 60 seconds with %i callers", async (callers) => {
    startClock();
    const stop = new AbortController();
    const runMs = 4 * minuteMs;
    setTimeout(() => stop.abort(), runMs);
    const faults: Record<number, () => Answer> = {
      0: () => new Response("Bad Gateway", { status: 502 }),
      1: () => new TypeError("fetch failed"),
      2: () => new Response("<html>"),
      3: () => new Response("", { status: 429 }),
    };
    const api = createApi((index) => later(300, faults[index % 20]?.() ?? Response.json({})));
    const web = createClient({ fetch: api.fetch });
    const call = async (endpoint: Endpoint) => {
      while (!stop.signal.aborted) await ask(web, endpoint, stop.signal).catch(() => {});
    };
    await drive(Promise.all([call("steamspy_all"), ...Array.from({ length: callers }, () => call("steamspy"))]));

    const starts = api.sent.map(({ at }) => at);
    expect(mostWithin(starts, minuteMs)).toBeLessThanOrEqual(60);
    expect(mostWithin(starts, 1_000)).toBe(1);
    // A single caller loses time to the answers and to backoff; several use every second.
    expect(starts.length).toBeGreaterThanOrEqual(callers === 1 ? 180 : runMs / 1_000);
    const pages = api.sent.filter(({ request }) => request.url.includes("request=all")).map(({ at }) => at);
    expect(mostWithin(pages, minuteMs)).toBe(1);
    // Pages share the queue with the details and are not starved.
    expect(pages.length).toBeGreaterThanOrEqual(callers === 50 ? 3 : 4);
    expect(web.status().map(({ endpoint }) => endpoint)).toEqual(["steamspy_all", "steamspy"]);
  });

  it("sends 80 page requests in 80 minutes, one a minute", async () => {
    startClock();
    const api = createApi(() => later(2_500, Response.json({})));
    const web = createClient({ fetch: api.fetch });
    const read = async () => {
      for (let page = 0; page < 80; page++) await ask(web, "steamspy_all");
    };
    await drive(read());
    const starts = api.sent.map(({ at }) => at);
    expect(starts).toHaveLength(80);
    expect(mostWithin(starts, minuteMs)).toBe(1);
    expect(performance.now()).toBeGreaterThanOrEqual(79 * minuteMs);
    expect(performance.now()).toBeLessThanOrEqual(80 * minuteMs);
  });
});

it("sends IGDB at most 4 requests a second, at most 8 of them concurrent", async () => {
  startClock();
  const api = createApi(() => later(5_000, Response.json([])));
  const web = createClient({ fetch: api.fetch });
  const calls = Array.from({ length: 40 }, () => ask(web, "igdb"));
  await turns();
  expect(web.status()).toMatchObject([{ requests: 4, waiting: 36 }]);
  await drive(Promise.all(calls));
  const starts = api.sent.map(({ at }) => at);
  expect(mostWithin(starts, 1_000)).toBe(4);
  expect(api.mostOpen()).toBe(8);
  // Eight every five seconds and a second for the second four.
  expect(performance.now()).toBeLessThanOrEqual(5 * 6_000);
  expect(web.status()).toMatchObject([{ requests: 40, waiting: 0, retries: 0 }]);
});

it("sends the store at most 200 requests in five minutes", async () => {
  startClock();
  const api = createApi();
  const web = createClient({ fetch: api.fetch });
  await drive(Promise.all(Array.from({ length: 401 }, () => ask(web, "steam_store_api"))));
  const starts = api.sent.map(({ at }) => at);
  expect(mostWithin(starts, 5 * minuteMs)).toBe(200);
  expect(performance.now()).toBe(10 * minuteMs);
});

it("does not limit Twitch", async () => {
  startClock();
  const api = createApi();
  const web = createClient({ fetch: api.fetch });
  await drive(Promise.all(Array.from({ length: 100 }, () => ask(web, "twitch"))));
  expect(performance.now()).toBe(0);
});

describe("Retry-After", () => {
  it.each([
    ["seconds", () => "120"],
    ["a date", () => new Date(Date.now() + 120_000).toUTCString()],
  ])("given as %s pauses every caller of the server", async (_, header) => {
    startClock();
    const api = createApi((index) =>
      index === 0 ? new Response("", { status: 429, headers: { "retry-after": header() } }) : Response.json({}),
    );
    const web = createClient({ fetch: api.fetch });
    const calls = Array.from({ length: 4 }, (_, index) => ask(web, index === 3 ? "steamspy_all" : "steamspy"));
    await turns();
    expect(web.status()).toMatchObject([
      { endpoint: "steamspy", waiting: 2, retries: 1, paused_until: "2026-03-01T12:02:00.000Z" },
      { endpoint: "steamspy_all", waiting: 1, paused_because: "answered 429 with Retry-After" },
    ]);
    await drive(Promise.all(calls));
    expect(api.sent.map(({ at }) => Math.ceil(at / 1_000))).toEqual([0, 120, 121, 122, 123]);
    expect(web.status()).toMatchObject([{ paused_until: null }, { paused_until: null }]);
  });

  it("stays in force after the call has failed, and does not affect other servers", async () => {
    startClock();
    const api = createApi((index) =>
      index === 0 ? new Response("", { status: 429, headers: { "retry-after": "7" } }) : Response.json({}),
    );
    const web = createClient({ fetch: api.fetch, retryAttempts: 0 });
    expect(await failure(ask(web, "igdb"))).toMatchObject({ fault: "limited", status: 429 });
    await ask(web, "twitch");
    expect(performance.now()).toBe(0);
    await drive(ask(web, "igdb"));
    expect(performance.now()).toBe(7_000);
  });
});

describe("a 403 that blocks the address", () => {
  const forbidden = () => new Response("<html>Forbidden</html>", { status: 403 });

  it.each<[Endpoint, Endpoint[], Endpoint[]]>([
    ["steamspy", ["steamspy", "steamspy_all"], ["steam_store_api", "steam_web_api"]],
    ["steamspy_all", ["steamspy", "steamspy_all"], ["steam_store_api", "igdb"]],
    ["steam_store_api", ["steam_store_api"], ["steamspy", "steam_web_api"]],
  ])("at %s pauses %j for 15 minutes", async (endpoint, paused, others) => {
    startClock();
    const { logger, at } = createLog();
    const api = createApi((index) => (index === 0 ? forbidden() : Response.json({})));
    const web = createClient({ fetch: api.fetch, logger });
    expect(await failure(ask(web, endpoint))).toMatchObject({
      ...{ name: "WebError", fault: "blocked", status: 403 },
      message: expect.stringContaining("this address is blocked; nothing is sent until 2026-03-01T12:15:00.000Z"),
    });
    for (const each of paused) {
      const error = await failure(ask(web, each));
      expect(error).toMatchObject({ fault: "blocked", message: expect.stringContaining("2026-03-01T12:15:00.000Z") });
    }
    expect(api.sent).toHaveLength(1);
    expect(performance.now()).toBe(0);
    expect(at("warn")).toMatchObject([{ endpoint, until: "2026-03-01T12:15:00.000Z" }]);
    expect(web.status()[0]).toMatchObject({
      endpoint,
      requests: 1,
      retries: 0,
      paused_until: "2026-03-01T12:15:00.000Z",
      paused_because: "answered 403, this address is blocked",
    });
    for (const each of others) await drive(ask(web, each));

    vi.advanceTimersByTime(15 * minuteMs - performance.now() - 1);
    expect(await failure(ask(web, endpoint))).toMatchObject({ fault: "blocked" });
    vi.advanceTimersByTime(1);
    await drive(ask(web, endpoint));
    expect(web.status()[0]).toMatchObject({ paused_until: null });
  });

  it("fails waiting calls and calls in retry delay", async () => {
    startClock();
    const api = createApi((index) => (index === 0 ? new Response("", { status: 500 }) : later(200, forbidden())));
    const web = createClient({ fetch: api.fetch });
    const errors = await drive(Promise.allSettled(Array.from({ length: 5 }, () => ask(web, "steamspy"))));
    expect(errors.map((each) => each.status === "rejected" && each.reason.fault)).toEqual(Array(5).fill("blocked"));
    expect(api.sent).toHaveLength(2);
    expect(performance.now()).toBeLessThan(2_000);
  });

  it.each<Endpoint>(["steam_web_api", "igdb", "twitch"])("means a rejected key at %s", async (endpoint) => {
    startClock();
    const api = createApi((index) => (index === 0 ? forbidden() : Response.json({})));
    const web = createClient({ fetch: api.fetch });
    expect(await failure(ask(web, endpoint))).toMatchObject({ fault: "denied", status: 403 });
    expect(web.status()).toMatchObject([{ paused_until: null, paused_because: null }]);
    await drive(ask(web, endpoint));
    expect(api.sent).toHaveLength(2);
  });

  const status = (code: number, headers = {}) => new Response("", { status: code, headers });
  describe.each<Endpoint>(["steam_web_api", "igdb", "twitch"])("at %s", (endpoint) => {
    it("means a blocked address after a 429, within a call and in a later one, until an answer is usable", async () => {
      startClock();
      const answers = [
        status(429),
        status(403),
        ...[status(403, { "retry-after": "7200" }), status(200)],
        ...[status(403), status(429), status(429), status(429), status(429), status(403)],
      ];
      const api = createApi((index) =>
        answers[index]?.ok ? Response.json({}) : (answers[index] ?? Response.json({})),
      );
      const web = createClient({ fetch: api.fetch });
      const fault = async () => (await failure(ask(web, endpoint))) as Error & { fault: string };
      expect(await fault()).toMatchObject({
        fault: "blocked",
        message: expect.stringMatching(/403 after 429.*until 2026/),
      });
      vi.advanceTimersByTime(15 * minuteMs);
      expect(await fault()).toMatchObject({ fault: "blocked", status: 403 });
      // For as long as Retry-After asks.
      vi.advanceTimersByTime(120 * minuteMs - 1);
      expect(await fault()).toMatchObject({ fault: "blocked", message: expect.stringContaining("is paused until") });
      vi.advanceTimersByTime(1);
      await drive(ask(web, endpoint));
      expect(await fault()).toMatchObject({ fault: "denied", status: 403 });
      expect(await fault()).toMatchObject({ fault: "limited", status: 429 });
      expect(await fault()).toMatchObject({ fault: "blocked", status: 403 });
      expect(api.sent).toHaveLength(answers.length);
    });

    it("a 401 means a rejected key, also after a 429", async () => {
      startClock();
      const api = createApi((index) => status(index === 0 ? 429 : 401));
      expect(await failure(ask(createClient({ fetch: api.fetch }), endpoint))).toMatchObject({ fault: "denied" });
    });
  });
});

it("keeps limits of other periods: a daily quota for SteamSpy, a sliding window for the Web API", async () => {
  startClock();
  const api = createApi();
  const web = createClient({
    fetch: api.fetch,
    limits: {
      ...limits,
      steamSpy: { count: 43_200, periodMs: 24 * 60 * minuteMs },
      steamWebApi: { count: 2, periodMs: 1_000 },
    },
  });
  await drive(
    Promise.all(
      ["steamspy", "steamspy", "steam_web_api", "steam_web_api", "steam_web_api"].map((endpoint) =>
        ask(web, endpoint as Endpoint),
      ),
    ),
  );
  const starts = api.sent.map(({ at, request }) => [new URL(request.url).host, at]);
  expect(starts.toSorted()).toEqual([
    ["api.steampowered.com", 0],
    ["api.steampowered.com", 0],
    ["api.steampowered.com", 1_000],
    ["steamspy.com", 0],
    ["steamspy.com", 2_000],
  ]);
});

import { describe, expect, it } from "vitest";
import { z } from "zod";
import { WebError } from "../../../src/process/errors.ts";
import type { WebClient, WebRequest } from "../../../src/web/client.ts";
import { type Answer, createApi, createClient, createLog, drive, failure, startClock, turns, urls } from "./harness.ts";

const url = urls.steam_web_api;
const path = "api.steampowered.com/IStoreService/GetAppList/v1/";
const shape = z.object({ ok: z.boolean() });
const never = new AbortController().signal;
const right = () => Response.json({ ok: true });

const ask = (web: WebClient, request: Partial<WebRequest> = {}) =>
  web.json("steam_web_api", { url, signal: never, ...request }, shape);

function networkError(code: string): TypeError {
  return new TypeError("fetch failed", { cause: Object.assign(new Error(`read ${code}`), { code }) });
}

/** A response whose body stalls after the first bytes. */
function stalled(): Response {
  return new Response(new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('{"ok":')) }));
}

/** A response whose connection breaks in the middle of the body. */
function torn(): Response {
  return new Response(new ReadableStream({ start: (body) => body.error(networkError("UND_ERR_SOCKET")) }));
}

const status =
  (code: number, body = "") =>
  () =>
    new Response(body, { status: code });

const retryable: [string, () => Answer, Partial<WebError>][] = [
  [
    "a dropped connection",
    () => networkError("ECONNRESET"),
    { fault: "unreachable", status: null, message: `steam_web_api: ${path} gives no answer: ECONNRESET (4 attempts)` },
  ],
  [
    "no answer",
    () => "hang",
    {
      fault: "unreachable",
      status: null,
      message: `steam_web_api: ${path} gives no complete answer within 30 s (4 attempts)`,
    },
  ],
  [
    "a body that stalls",
    stalled,
    {
      fault: "unreachable",
      status: null,
      message: `steam_web_api: ${path} gives no complete answer within 30 s (4 attempts)`,
    },
  ],
  [
    "a body that breaks off",
    torn,
    {
      fault: "unreachable",
      status: null,
      message: `steam_web_api: ${path} gives no answer: UND_ERR_SOCKET (4 attempts)`,
    },
  ],
  [
    "500",
    status(500),
    { fault: "unreachable", status: 500, message: `steam_web_api: ${path} answered 500 (4 attempts)` },
  ],
  ["502 with HTML", status(502, "<html>Bad Gateway</html>"), { fault: "unreachable", status: 502 }],
  ["599", status(599), { fault: "unreachable", status: 599 }],
  ["429", status(429), { fault: "limited", status: 429, message: `steam_web_api: ${path} answered 429 (4 attempts)` }],
  [
    "HTML with 200",
    status(200, "<html>Service Unavailable</html>"),
    {
      fault: "invalid",
      status: 200,
      message: `steam_web_api: ${path} answered 200 with a body that is not JSON (4 attempts)`,
    },
  ],
  ["truncated JSON", status(200, '{"ok":tr'), { fault: "invalid", status: 200 }],
  [
    "an empty body",
    status(200),
    { fault: "invalid", status: 200, message: `steam_web_api: ${path} answered 200 with an empty body (4 attempts)` },
  ],
  ["204", () => new Response(null, { status: 204 }), { fault: "invalid", status: 204 }],
];

describe.each(retryable)("retries after %s", (_, answer, fault) => {
  it("fails after three retries", async () => {
    startClock();
    const { logger, at } = createLog();
    const api = createApi(answer);
    const web = createClient({ fetch: api.fetch, logger });
    const error = await failure(ask(web));
    expect(error).toBeInstanceOf(WebError);
    expect(error).toMatchObject(fault);
    expect(error).not.toHaveProperty("cause");
    expect(api.sent).toHaveLength(4);
    expect(at("debug")).toHaveLength(4);
    expect(at("warn")).toMatchObject([1, 2, 3].map((attempt) => ({ endpoint: "steam_web_api", attempt })));
    expect(web.status()).toMatchObject([{ requests: 4, retries: 3, waiting: 0 }]);
    expect((error as WebError).message).toContain(web.status()[0]?.last_error);
  });

  it.each([1, 2, 3])("succeeds after %i failures", async (times) => {
    startClock();
    const api = createApi((index) => (index < times ? answer() : right()));
    const web = createClient({ fetch: api.fetch });
    expect(await drive(ask(web))).toEqual({ ok: true });
    expect(api.sent).toHaveLength(times + 1);
    expect(web.status()).toMatchObject([{ requests: times + 1, retries: times }]);
  });

  it("does not retry when RETRY_ATTEMPTS is 0", async () => {
    startClock();
    const api = createApi(answer);
    const web = createClient({ fetch: api.fetch, retryAttempts: 0 });
    const { message, ...rest } = fault;
    expect(await failure(ask(web))).toMatchObject({ ...rest, message: expect.stringContaining("(1 attempt)") });
    expect(api.sent).toHaveLength(1);
  });
});

describe("maxRetries of a request", () => {
  const retriesAfter = async (answer: () => Response, maxRetries: number) => {
    startClock();
    const api = createApi(answer);
    await failure(ask(createClient({ fetch: api.fetch, retryAttempts: 2 }), { maxRetries }));
    return api.sent.length - 1;
  };

  it("lowers the number of retries, but not after 429, and never raises it", async () => {
    const broken = () => new Response("", { status: 500 });
    expect(await retriesAfter(broken, 0)).toBe(0);
    expect(await retriesAfter(broken, 1)).toBe(1);
    expect(await retriesAfter(broken, 9)).toBe(2);
    expect(await retriesAfter(() => new Response("", { status: 429 }), 0)).toBe(2);
  });
});

describe("faults that are not retryable", () => {
  const cases: [string, () => Response, Partial<WebError>][] = [
    [
      "401",
      status(401, "<html>Unauthorized</html>"),
      { fault: "denied", status: 401, message: `steam_web_api: ${path} answered 401 (1 attempt)` },
    ],
    [
      "404",
      status(404, "no such\n  method "),
      { fault: "refused", status: 404, message: `steam_web_api: ${path} answered 404: no such method (1 attempt)` },
    ],
    [
      "400 with HTML",
      status(400, "<html>Bad Request</html>"),
      { fault: "refused", status: 400, message: `steam_web_api: ${path} answered 400 (1 attempt)` },
    ],
    ["408", status(408), { fault: "refused", status: 408 }],
    [
      "a redirect",
      () => new Response("", { status: 302, headers: { location: "https://elsewhere.test/" } }),
      { fault: "refused", status: 302 },
    ],
    [
      "JSON of another shape",
      () => Response.json({ ok: "yes" }),
      {
        fault: "invalid",
        status: 200,
        message: `steam_web_api: ${path} answered with another shape: ok: Invalid input: expected boolean, received string`,
      },
    ],
  ];

  it.each(cases)("sends one request for %s", async (_, answer, fault) => {
    startClock();
    const api = createApi(answer);
    const web = createClient({ fetch: api.fetch });
    const error = await failure(ask(web));
    expect(error).toBeInstanceOf(WebError);
    expect(error).toMatchObject(fault);
    expect(api.sent).toHaveLength(1);
    expect(performance.now()).toBe(0);
    expect(web.status()[0]?.last_error).toContain(path);
  });

  it("names only the first three validation issues", async () => {
    startClock();
    const web = createClient({ fetch: createApi(() => Response.json([1, 2, 3, 4, 5])).fetch });
    const error = await failure(web.json("igdb", { url: urls.igdb, signal: never }, z.array(z.string())));
    expect((error as WebError).message).toMatch(/ 0: Invalid .*; 1: .*; 2: .*; and 2 more$/);
  });

  it("truncates a long error body", async () => {
    startClock();
    const web = createClient({ fetch: createApi(status(400, "word ".repeat(1_000))).fetch });
    expect(((await failure(ask(web))) as WebError).message.length).toBeLessThan(220);
  });
});

describe("the delay before a retry", () => {
  it("grows exponentially with jitter, up to 30 s", async () => {
    startClock();
    const api = createApi(status(500));
    await failure(ask(createClient({ fetch: api.fetch, retryAttempts: 8 })));
    const gaps = api.sent.slice(1).map(({ at }, index) => (at - (api.sent[index]?.at ?? 0)) / 1_000);
    expect(gaps).toHaveLength(8);
    for (const [index, longest] of [1, 2, 4, 8, 16, 30, 30, 30].entries()) {
      expect(gaps[index]).toBeGreaterThanOrEqual(longest / 2 - 0.001);
      expect(gaps[index]).toBeLessThanOrEqual(longest);
    }
  });

  it.each([
    ["seconds", () => "3600", 3_600_000],
    ["a date", () => new Date(Date.now() + 90_000).toUTCString(), 90_000],
    ["a date in the past", () => "Sun, 01 Feb 2026 00:00:00 GMT", null],
    ["0", () => "0", null],
    ["nonsense", () => "soon", null],
  ])("is not shorter than Retry-After, given as %s", async (_, header, ms) => {
    startClock();
    const api = createApi((index) =>
      index === 0 ? new Response("", { status: 429, headers: { "retry-after": header() } }) : right(),
    );
    await drive(ask(createClient({ fetch: api.fetch })));
    const waited = api.sent[1]?.at ?? 0;
    if (ms !== null) expect(waited).toBe(ms);
    expect(waited).toBeGreaterThanOrEqual(500);
    if (ms === null) expect(waited).toBeLessThanOrEqual(1_000);
  });
});

it("retries a POST with its body, also after a time-out", async () => {
  startClock();
  const answers: Answer[] = ["hang", new Response("", { status: 503 }), right()];
  const api = createApi((index) => answers[index] ?? right());
  const request = { method: "POST" as const, body: "fields uid;", headers: { authorization: "Bearer abc" } };
  await drive(ask(createClient({ fetch: api.fetch }), request));
  const bodies = await Promise.all(
    api.sent.map(async ({ request: sent }) => [sent.method, sent.headers.get("authorization"), await sent.text()]),
  );
  expect(bodies).toEqual(Array(3).fill(["POST", "Bearer abc", "fields uid;"]));
});

it("adds searchParams to the URL and does not follow redirects", async () => {
  startClock();
  const api = createApi(right);
  await drive(ask(createClient({ fetch: api.fetch }), { url: `${url}?a=1`, searchParams: { b: "x y", a: "2" } }));
  expect(api.sent[0]?.request.url).toBe(`${url}?a=2&b=x+y`);
  // A redirect would carry the key elsewhere.
  expect(api.sent[0]?.request.redirect).toBe("manual");
});

describe("an abort rejects the call with signal.reason", () => {
  const reason = { why: "stopped" };

  it("before the call", async () => {
    startClock();
    const api = createApi(right);
    await expect(ask(createClient({ fetch: api.fetch }), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(api.sent).toHaveLength(0);
  });

  it("while waiting for the rate limit", async () => {
    startClock();
    const stop = new AbortController();
    const api = createApi(right);
    const web = createClient({ fetch: api.fetch });
    const page = () => web.json("steamspy_all", { url: urls.steamspy_all, signal: stop.signal }, shape);
    await drive(page());
    const second = page();
    await turns();
    expect(web.status()).toMatchObject([{ waiting: 1 }]);
    stop.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect(api.sent).toHaveLength(1);
    expect(performance.now()).toBe(0);
    expect(web.status()).toMatchObject([{ waiting: 0, retries: 0 }]);
  });

  it("while waiting for a free connection", async () => {
    startClock();
    const stop = new AbortController();
    const api = createApi(() => "hang");
    const web = createClient({ fetch: api.fetch });
    const call = (signal: AbortSignal) => web.json("igdb", { url: urls.igdb, signal }, shape);
    const others = Array.from({ length: 8 }, () => call(AbortSignal.timeout(60_000)));
    for (const other of others) other.catch(() => {});
    const ninth = call(stop.signal);
    await turns();
    stop.abort(reason);
    await expect(ninth).rejects.toBe(reason);
  });

  it("during the delay before a retry", async () => {
    startClock();
    const stop = new AbortController();
    const api = createApi(status(500));
    const web = createClient({ fetch: api.fetch });
    const call = ask(web, { signal: stop.signal });
    await turns();
    expect(web.status()).toMatchObject([{ requests: 1, retries: 1 }]);
    stop.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(performance.now()).toBe(0);
    expect(api.sent).toHaveLength(1);
  });

  it.each([
    ["no answer has arrived", (): Answer => "hang"],
    ["the body stalls", stalled],
  ])("in flight, while %s", async (_, answer) => {
    startClock();
    const stop = new AbortController();
    const api = createApi((_, request) => {
      const response = answer();
      if (!(response instanceof Response) || !response.body) return response;
      // As fetch does with a body on its way.
      return new Response(response.body.pipeThrough(new TransformStream(), { signal: request.signal }));
    });
    const web = createClient({ fetch: api.fetch });
    const call = ask(web, { signal: stop.signal });
    await turns();
    expect(api.sent).toHaveLength(1);
    stop.abort(reason);
    await expect(call).rejects.toBe(reason);
    expect(performance.now()).toBe(0);
    expect(web.status()).toMatchObject([{ requests: 1, retries: 0 }]);
  });
});

import { inspect } from "node:util";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { Endpoint, WebRequest } from "../../../src/web/client.ts";
import { type Answer, createApi, createClient, createLog, failure, startClock, urls } from "./harness.ts";

const key = "0123456789ABCDEF0123456789ABCDEF";
const never = new AbortController().signal;

/** All places where a request may carry a key. */
const requests: [string, Endpoint, Omit<WebRequest, "signal">][] = [
  ["a header", "steam_web_api", { url: urls.steam_web_api, headers: { "x-webapi-key": key } }],
  [
    "a bearer token",
    "igdb",
    { url: urls.igdb, method: "POST", headers: { authorization: `Bearer ${key}` }, body: "fields uid;" },
  ],
  ["a parameter", "steam_web_api", { url: urls.steam_web_api, searchParams: { key } }],
  ["the address", "steam_web_api", { url: `${urls.steam_web_api}?key=${key}` }],
  [
    "a form",
    "twitch",
    {
      url: urls.twitch,
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: `client_id=abc&client_secret=${key}`,
    },
  ],
];

/** Answers that echo the key, as some servers do. */
const answers: [string, () => Answer][] = [
  ["a network error", () => new TypeError(`fetch failed for ${key}`, { cause: new Error(`bad ${key}`) })],
  ["500", () => new Response(`bad ${key}`, { status: 500 })],
  ["401", () => new Response(`bad ${key}`, { status: 401 })],
  ["400", () => new Response(`your key "${key}" is wrong, ${key}!`, { status: 400 })],
  ["429", () => new Response(key, { status: 429 })],
  ["a body that is not JSON", () => new Response(`bad ${key}`)],
  ["another shape", () => Response.json({ ok: key })],
  ["no answer", () => "hang"],
];

describe.each(requests)("a key in %s", (_, endpoint, request) => {
  it.each(answers)("appears in no log line and no error after %s", async (_, answer) => {
    startClock();
    const { logger, lines } = createLog();
    const web = createClient({ fetch: createApi(answer).fetch, logger, retryAttempts: 1 });
    const shape = z.object({ ok: z.boolean() });
    const error = await failure(web.json(endpoint, { ...request, signal: never }, shape));
    logger.error({ err: error }, "failed");
    expect(lines.length).toBeGreaterThan(1);
    const written = [
      ...lines,
      JSON.stringify(web.status()),
      JSON.stringify(error),
      JSON.stringify(pino.stdSerializers.errWithCause(error as Error)),
      inspect(error, { depth: 10, showHidden: true }),
    ].join("\n");
    expect(written).toContain(endpoint);
    expect(written).not.toContain(key);
    expect(written).not.toContain("?");
  });
});

it("does not repeat a key that is no valid header value", async () => {
  startClock();
  const api = createApi();
  const web = createClient({ fetch: api.fetch });
  for (const bad of [{ headers: { "x-webapi-key": `${key}\nx` } }, { url: `https://user:${key}@steamspy.com/` }]) {
    const error = await failure(web.json("steamspy", { url: urls.steamspy, signal: never, ...bad }, z.unknown()));
    expect(error).toMatchObject({ name: "WebError", fault: "refused" });
    expect(inspect(error, { depth: 10 })).not.toContain(key);
  }
  expect(api.sent).toEqual([]);
});

it("hides a key completely when another secret is its prefix", async () => {
  startClock();
  const web = createClient({ fetch: createApi(() => new Response(`bad ${key}`, { status: 400 })).fetch });
  const headers = { "client-id": key.slice(0, 8), authorization: `Bearer ${key}` };
  const error = await failure(web.json("igdb", { url: urls.igdb, headers, signal: never }, z.unknown()));
  expect((error as Error).message).toContain("answered 400: bad [hidden] (1 attempt)");
});

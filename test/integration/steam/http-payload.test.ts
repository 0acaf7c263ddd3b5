import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import type { HttpBody } from "../../support/steam/bombs.ts";
import { createCatalog } from "../../support/steam/catalog.ts";
import { appText, type HarnessOptions, smallCatalog, startHarness } from "./harness.ts";
import { startLoopbackServer } from "./loopback-server.ts";

const megabyte = 1024 * 1024;
/** What is in flight between a server and a client that has stopped to read: the buffers of sockets and proxy. */
const inFlightBytes = 8 * megabyte;

async function fetchApp(appid: number, options: HarnessOptions = {}) {
  const harness = await startHarness({ steam: { httpMinSize: 1, catalog: smallCatalog(4) }, ...options });
  return {
    harness,
    fetch: async () => (await harness.pics.productInfo([{ appid }])).apps[0],
    [Symbol.asyncDispose]: () => harness[Symbol.asyncDispose](),
  };
}

test.each([undefined, "plain", "encoded"] satisfies (HttpBody | undefined)[])(
  "stores the right text, with and without the NUL (%s)",
  async (body) => {
    await using app = await fetchApp(10);
    if (body) app.harness.steam.faults.add({ kind: "http_payload", body, times: 9 });
    const { apps } = await app.harness.pics.productInfo([10, 20, 30, 40].map((appid) => ({ appid })));
    expect(apps.map(({ text, error }) => ({ text, error }))).toEqual(
      [10, 20, 30, 40].map((appid) => ({ text: appText(appid), error: null })),
    );
  },
);

test("stores a text that gzip cannot compress", async () => {
  const random = Array.from({ length: 40_000 }, (_, i) => ((i * 2_654_435_761) % 4_294_967_296).toString(36)).join("");
  const text = `"appinfo" { "appid" "10" "x" "${random}" }`;
  expect(gzipSync(text).length).toBeGreaterThan(text.length / 2);
  const catalog = createCatalog();
  catalog.add({ appid: 10, text });
  await using app = await fetchApp(10, { steam: { httpMinSize: 1, catalog } });
  expect(await app.fetch()).toMatchObject({ text, error: null });
});

test.each([
  ["wrong", "SHA-1"],
  ["cut", "damaged gzip"],
  ["endless", "larger than"],
  ["endless_gzip", "larger than"],
  ["gzip_bomb", "larger than"],
  ["gzip_members", "larger than"],
] satisfies [HttpBody, string][])("rejects a body that is %s, without reading on", async (body, message) => {
  await using app = await fetchApp(10);
  const { steam, pics, escaped } = app.harness;
  steam.faults.add({ kind: "http_payload", body, times: 9 });
  expect(await app.fetch()).toMatchObject({ appid: 10, text: null, error: expect.stringContaining(message) });
  expect(steam.log.counts.http_payload).toBe(1);
  expect(steam.log.httpBytesSent).toBeLessThan(inFlightBytes);
  steam.faults.clear();
  expect((await pics.productInfo([{ appid: 10 }])).apps[0]).toMatchObject({ text: appText(10), error: null });
  expect(escaped).toEqual([]);
});

test.each(["gzip_bomb", "endless_gzip", "endless", "gzip_members"] satisfies HttpBody[])(
  "limits a body by the announced size when that is large, too (%s)",
  async (body) => {
    await using app = await fetchApp(10);
    const { steam } = app.harness;
    steam.faults.add({ kind: "http_payload", body });
    steam.faults.add({ kind: "http_offer", size: 2 * megabyte });
    const before = process.memoryUsage().rss;
    expect(await app.fetch()).toMatchObject({ text: null, error: expect.stringMatching(/(larger|more) than/) });
    expect(steam.log.httpBytesSent).toBeLessThan(2 * megabyte + inFlightBytes);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * megabyte);
  },
);

test("ends a body that comes byte by byte with the time limit", async () => {
  await using app = await fetchApp(10, { pics: { timeoutMs: 400 } });
  const { steam } = app.harness;
  steam.faults.add({ kind: "http_payload", body: "drip", times: 9 });
  steam.faults.add({ kind: "http_offer", size: megabyte, times: 9 });
  const before = performance.now();
  const { apps } = await app.harness.pics.productInfo([10, 20, 30, 40].map((appid) => ({ appid })));
  expect(performance.now() - before).toBeLessThan(3_000);
  for (const { error } of apps) expect(error).toMatch(/no complete answer within|no time left/);
});

test("fetches again after a connection that is lost within the body", async () => {
  await using app = await fetchApp(10);
  app.harness.steam.faults.add({ kind: "http_payload", body: "reset", times: 2 });
  expect(await app.fetch()).toMatchObject({ text: appText(10), error: null });
  expect(app.harness.steam.log.counts.http_payload).toBe(3);
});

test("does not follow a redirect to loopback", async () => {
  await using local = await startLoopbackServer(gzipSync(appText(10)));
  await using app = await fetchApp(10);
  app.harness.steam.faults.add({ kind: "http_payload", status: 302, location: local.url });
  expect(await app.fetch()).toMatchObject({ text: null, error: expect.stringContaining("redirects are not followed") });
  expect(local.requests).toBe(0);
});

test.each([
  ...["127.0.0.1", "[::1]", "::1", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "localhost."],
  ...["evil.example", "evilsteamstatic.com", "steamstatic.com.evil.example", "x.steamstatic.com.", "X.SteamStatic.com"],
  ...[
    "x.steamstatic.com:8080",
    "u@x.steamstatic.com",
    "x.steamstatic.com/y",
    "x.steamstatic.com?y",
    "127.0.0.1#.steamstatic.com",
  ],
  ...[
    "x.steamstatic.com\r\nhost: y",
    "\0.steamstatic.com",
    "%6c.steamstatic.com",
    "ſteamstatic.com",
    "169.254.169.254",
  ],
])("does not fetch from the host %j", async (host) => {
  await using app = await fetchApp(10);
  app.harness.steam.faults.add({ kind: "http_offer", host });
  expect(await app.fetch()).toMatchObject({ text: null, error: expect.stringContaining("STEAM_CONTENT_HOSTS") });
  expect(app.harness.steam.log.counts.http_payload).toBe(0);
});

test("fetches only from the configured domains", async () => {
  await using app = await fetchApp(10, { pics: { http: { hosts: ["steamcontent.com"] } } });
  expect(await app.fetch()).toMatchObject({ text: null, error: expect.stringContaining("STEAM_CONTENT_HOSTS") });
});

test.each([
  [1, "larger than"],
  [16 * megabyte + 1, "the limit is 16777216"],
  [0xffffffff, "the limit is 16777216"],
  [0, "size 0"],
])("rejects the announced size %i", async (size, message) => {
  await using app = await fetchApp(10, { steam: { httpMinSize: 0, catalog: smallCatalog(1) } });
  const { steam } = app.harness;
  steam.faults.add({ kind: "http_offer", size });
  // Below the limit of a gzip body, so that the text itself has to be counted.
  steam.faults.add({ kind: "http_payload", body: "plain" });
  expect(await app.fetch()).toMatchObject({ text: null, error: expect.stringContaining(message) });
  expect(steam.log.counts.http_payload).toBe(size === 1 ? 1 : 0);
});

test("stores a text that is smaller than announced, since its SHA-1 is right", async () => {
  await using app = await fetchApp(10);
  app.harness.steam.faults.add({ kind: "http_offer", size: 5_000 });
  expect(await app.fetch()).toMatchObject({ text: appText(10), error: null });
});

test("limits the announced sizes of one reply together", async () => {
  await using app = await fetchApp(10);
  const { steam, pics } = app.harness;
  steam.faults.add({ kind: "http_offer", size: 13 * megabyte });
  const { apps } = await pics.productInfo([10, 20, 30, 40].map((appid) => ({ appid })));
  expect(apps.map(({ error }) => error)).toEqual([
    ...Array(3).fill(null),
    expect.stringContaining("too much app info over HTTP"),
  ]);
  expect(steam.log.counts.http_payload).toBe(3);
});

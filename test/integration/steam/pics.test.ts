import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import type { AppPayload } from "../../../src/steam/port.ts";
import { createCatalog } from "../../support/steam/catalog.ts";
import { storeCategories } from "../../support/steam/store-categories.ts";
import { storeTags } from "../../support/steam/store-tags.ts";
import { appText, smallCatalog, startHarness } from "./harness.ts";

const ids = (count: number) => Array.from({ length: count }, (_, i) => (i + 1) * 10);
const ask = (appids: number[]) => appids.map((appid) => ({ appid }));
const byId = (apps: AppPayload[]) => new Map(apps.map((app) => [app.appid, app]));

test("lists changes since a number, each app with its latest", async () => {
  await using harness = await startHarness();
  const { pics, steam } = harness;
  const before = steam.catalog.currentChangeNumber;
  expect(await pics.changesSince(0)).toMatchObject({ currentChangeNumber: before, apps: [] });

  steam.catalog.change(10);
  const last = steam.catalog.change(10);
  const removal = steam.catalog.remove(20);
  steam.catalog.add({ appid: 5000, text: appText(5000), access: "denied" });
  expect(await pics.changesSince(before)).toEqual({
    currentChangeNumber: removal + 1,
    sinceChangeNumber: before,
    forceFullUpdate: false,
    forceFullAppUpdate: false,
    apps: [
      { appid: 10, changeNumber: last, needsToken: false },
      { appid: 20, changeNumber: removal, needsToken: false },
      { appid: 5000, changeNumber: removal + 1, needsToken: true },
    ],
    appsNamed: 3,
    packages: 0,
  });
  expect(pics.status()).toMatchObject({ connected: true, requests: { changes: 2, product_info: 0 } });

  const later = steam.catalog.currentChangeNumber;
  steam.catalog.changePackage(1);
  steam.catalog.changePackage(2);
  expect(await pics.changesSince(later)).toMatchObject({ apps: [], appsNamed: 0, packages: 2 });
});

test("passes on the force flag when the number is too old", async () => {
  await using harness = await startHarness({ steam: { catalog: smallCatalog(), changeWindow: 5 } });
  const since = harness.steam.catalog.currentChangeNumber - 20;
  const changes = await harness.pics.changesSince(since);
  expect(changes).toMatchObject({ forceFullAppUpdate: true, apps: [] });
});

test("joins product info from several messages, the text unchanged", async () => {
  await using harness = await startHarness({ steam: { catalog: smallCatalog(), appsPerMessage: 7 } });
  const { pics, steam } = harness;
  const { apps, unknown } = await pics.productInfo(ask([...ids(30), 7, 33]));
  expect(unknown.sort()).toEqual([33, 7]);
  expect(apps.length).toBe(30);
  for (const app of apps) {
    expect(app).toEqual({
      appid: app.appid,
      changeNumber: steam.catalog.apps.get(app.appid)?.changeNumber,
      missingToken: false,
      onlyPublic: false,
      text: appText(app.appid),
      bytes: Buffer.from(appText(app.appid)),
      error: null,
    });
  }
  expect(pics.status().requests.product_info).toBe(1);
});

test.each([
  [
    "the newest",
    [
      [5, "new"],
      [4, "old"],
    ],
  ],
  [
    "the newest, though a part is withheld",
    [
      [4, "old"],
      [5, "new", "missing_token"],
    ],
  ],
  [
    "the one that withholds nothing",
    [
      [5, "new"],
      [5, "public", "only_public"],
      [5, "public", "missing_token"],
    ],
  ],
  [
    "the last of equals",
    [
      [5, "first"],
      [5, "new"],
    ],
  ],
] as const)("takes %s of several answers about one app in a reply", async (_, given) => {
  await using harness = await startHarness();
  const answers = given.map(([changeNumber, text, flag]) => ({ changeNumber, text, flag }));
  harness.steam.faults.add({ kind: "answered_with", appids: [10], answers });
  const { apps } = await harness.pics.productInfo(ask([10]));
  expect(apps).toMatchObject([{ appid: 10, changeNumber: 5, text: "new" }]);
});

test("converts and deduplicates ids, and rejects anything else with its value", async () => {
  await using harness = await startHarness();
  const { pics, steam } = harness;
  const odd = ["10", 10, 20, "20", 30] as unknown as number[];
  const { apps } = await pics.productInfo(ask(odd));
  expect(apps.map(({ appid }) => appid).sort()).toEqual([10, 20, 30]);
  expect(steam.log.of("product_info")[0]?.appids).toEqual([10, 20, 30]);
  for (const bad of [0, -1, 1.5, 2 ** 31, Number.NaN, "ten", null]) {
    await expect(pics.productInfo(ask([10, bad as number]))).rejects.toThrow(TypeError);
    await expect(pics.metadata([bad as number])).rejects.toThrow(JSON.stringify(bad));
  }
  expect(await pics.productInfo([])).toEqual({ apps: [], unknown: [] });
  expect(await pics.metadata([])).toEqual({ apps: [], unknown: [] });
  expect(steam.log.counts.product_info).toBe(1);
});

test("requests change numbers without payloads", async () => {
  await using harness = await startHarness();
  const { pics, steam } = harness;
  steam.faults.add({ kind: "omit", on: "metadata", appids: [20] });
  steam.catalog.add({ appid: 1010, text: appText(1010), access: "denied" });
  const window = Array.from({ length: 5_000 }, (_, i) => i + 1);
  const { apps, unknown } = await pics.metadata(window);
  const expected = [...ids(30).filter((appid) => appid !== 20), 1010];
  expect(apps.map(({ appid }) => appid).sort((a, b) => a - b)).toEqual(expected);
  for (const app of apps) expect(app.changeNumber).toBe(steam.catalog.apps.get(app.appid)?.changeNumber);
  expect(apps.filter(({ needsToken }) => needsToken).map(({ appid }) => appid)).toEqual([1010]);
  expect(unknown.length).toBe(5_000 - 31);
  expect(steam.log.appsServed).toBe(0);
  expect(pics.status().requests).toMatchObject({ metadata: 1, product_info: 0 });
});

test("requests access tokens, granted or denied, and sends them", async () => {
  const catalog = smallCatalog(3);
  catalog.add({ appid: 1000, text: appText(1000), access: "token" });
  catalog.add({ appid: 1010, text: appText(1010), access: "denied" });
  await using harness = await startHarness({ steam: { catalog } });
  const { pics } = harness;
  const open = byId((await pics.productInfo(ask([10, 1000, 1010]))).apps);
  expect(open.get(10)).toMatchObject({ missingToken: false, onlyPublic: false });
  expect(open.get(1000)).toMatchObject({ missingToken: true });
  expect(open.get(1010)).toMatchObject({ missingToken: true });
  expect(open.get(1000)?.text).toContain("public_only");

  const { granted, denied } = await pics.accessTokens([1000, 1010]);
  expect(denied).toEqual([1010]);
  const accessToken = granted.get(1000);
  expect(accessToken).toMatch(/^\d+$/);
  const whole = await pics.productInfo([{ appid: 1000, accessToken: accessToken ?? null }, { appid: 1000 }]);
  expect(whole.apps).toMatchObject([{ appid: 1000, missingToken: false, text: appText(1000) }]);
});

test("requests tag names in groups of 200, and leaves out unknown ids", async () => {
  await using harness = await startHarness();
  const known = [...storeTags.keys()];
  const names = await harness.pics.tagNames([...known, ...known, 2_000_000_001]);
  expect(names).toEqual(new Map(storeTags));
  const requests = harness.steam.log.of("tag_names");
  expect(requests.length).toBe(Math.ceil((known.length + 1) / 200));
  for (const { count } of requests) expect(count).toBeLessThanOrEqual(200);
});

test("requests the names of all categories at once, in English, by a method that steam-user does not list", async () => {
  await using harness = await startHarness();
  const { pics, impatient, steam } = harness;
  expect(await pics.categoryNames()).toEqual(new Map(storeCategories));
  expect(steam.log.counts.category_names).toBe(1);
  steam.faults.add({ kind: "hang", on: "category_names" });
  await expect(impatient.categoryNames()).rejects.toMatchObject({ fault: "timeout" });
  steam.faults.add({ kind: "garbage", how: "body", on: "category_names", times: 3 });
  await expect(pics.categoryNames()).rejects.toBeInstanceOf(SteamError);
  expect((await pics.categoryNames()).get(2)).toBe("Single-player");
  expect((await pics.tagNames([19])).get(19)).toBe("Action");
  const asked = [pics, impatient].map((each) => each.status().requests.category_names);
  expect(asked).toEqual([steam.log.counts.category_names - 1, 1]);
  expect(harness.escaped).toEqual([]);
});

test("fetches texts over HTTP where Steam offers them", async () => {
  const catalog = smallCatalog(12);
  await using harness = await startHarness({ steam: { catalog, httpMinSize: 1 } });
  const { pics, steam } = harness;
  steam.faults.add({ kind: "http_payload", status: 404, appids: [50] });
  const { apps } = await pics.productInfo(ask(ids(12)));
  for (const app of apps.filter(({ appid }) => appid !== 50)) {
    expect(app).toMatchObject({ text: appText(app.appid), error: null });
  }
  expect(byId(apps).get(50)).toMatchObject({ text: null, error: expect.stringContaining("/appinfo/50/sha/") });
  expect(pics.status().requests.http_payload).toBe(12);
});

test("fails one bad app without affecting the others of its batch", async () => {
  await using harness = await startHarness();
  const { pics, steam } = harness;
  steam.faults.add({ kind: "no_buffer", appids: [20] });
  steam.faults.add({ kind: "truncated", appids: [30] });
  steam.faults.add({ kind: "omit", appids: [40] });
  steam.faults.add({ kind: "wrong_older_change_number", appids: [50], by: 3 });
  const { apps, unknown } = await pics.productInfo(ask(ids(6)));
  const app = byId(apps);
  expect(app.get(10)?.text).toBe(appText(10));
  expect(app.get(20)).toMatchObject({ text: null, error: expect.stringContaining("no buffer") });
  // Truncation is for the parser to find; the SHA-1 that no longer fits is only logged.
  expect(app.get(30)).toMatchObject({ error: null });
  expect(appText(30).startsWith(app.get(30)?.text ?? "?")).toBe(true);
  expect(harness.lines).toContainEqual(expect.objectContaining({ appid: 30, msg: expect.stringContaining("SHA-1") }));
  // Not mentioned: neither an app nor unknown.
  expect(app.has(40)).toBe(false);
  expect(unknown).toEqual([]);
  expect(app.get(50)?.changeNumber).toBe((steam.catalog.apps.get(50)?.changeNumber ?? 0) - 3);
  expect(harness.escaped).toEqual([]);
});

test("times out when a reply does not come or does not end", async () => {
  await using harness = await startHarness({ steam: { catalog: smallCatalog(), appsPerMessage: 7 } });
  const { pics, impatient, steam } = harness;
  steam.faults.add({ kind: "hang" });
  await expect(impatient.productInfo(ask(ids(5)))).rejects.toMatchObject({ fault: "timeout" });
  steam.faults.add({ kind: "partial_reply" });
  await expect(impatient.productInfo(ask(ids(30)))).rejects.toMatchObject({ fault: "timeout" });
  expect((await pics.productInfo(ask(ids(30)))).apps.length).toBe(30);
  expect(harness.escaped).toEqual([]);
});

test("retries requests lost with the connection, whatever ended it", async () => {
  await using harness = await startHarness();
  const { pics, steam } = harness;
  const logoffs = [0, 2, 3, 5, 6, 20, 34, 48, 84];
  for (const eresult of logoffs) {
    steam.faults.add({ kind: "logoff", eresult });
    expect((await pics.productInfo(ask(ids(30)))).apps.length).toBe(30);
  }
  expect(pics.status().requests.product_info).toBe(2 * logoffs.length);
  expect(steam.log.counts.product_info).toBe(2 * logoffs.length);
  steam.faults.add({ kind: "drop", times: 3 });
  const together = await Promise.all([10, 20, 30, 40, 50, 60].map((appid) => pics.productInfo([{ appid }])));
  expect(together.map(({ apps }) => apps[0]?.appid)).toEqual([10, 20, 30, 40, 50, 60]);
  expect(harness.escaped).toEqual([]);
});

test.each(["multi", "body", "frame"] as const)("survives garbage from Steam (%s)", async (how) => {
  await using harness = await startHarness();
  const { pics, impatient, steam } = harness;
  steam.faults.add({ kind: "garbage", how });
  const results = await Promise.allSettled([10, 20, 30].map((appid) => impatient.productInfo([{ appid }])));
  for (const result of results) {
    // Random bytes may pass for an unknown message, which no request waits for.
    if (result.status === "rejected") expect(result.reason).toMatchObject({ fault: "timeout" });
  }
  expect((await pics.productInfo(ask(ids(30)))).apps.length).toBe(30);
  expect(harness.escaped).toEqual([]);
});

test("fails a request whose replies are unreadable every time", async () => {
  await using harness = await startHarness();
  harness.steam.faults.add({ kind: "garbage", how: "body", times: 100, appids: [10] });
  await expect(harness.pics.productInfo([{ appid: 10 }])).rejects.toMatchObject({ fault: "protocol" });
  expect(harness.steam.log.counts.product_info).toBe(3);
  expect((await harness.pics.productInfo([{ appid: 20 }])).apps.length).toBe(1);
});

test("aborts the wait for the session, for the queue, and for the reply", async () => {
  await using harness = await startHarness({ pics: { concurrency: 1 } });
  const { pics, steam, session } = harness;
  await session.ready();
  steam.faults.add({ kind: "hang", times: 1 });
  const reason = new Error("enough");
  const controller = new AbortController();
  const { signal } = controller;
  const running = pics.productInfo([{ appid: 10 }], signal);
  await expect.poll(() => steam.log.counts.product_info).toBe(1);
  const queued = pics.metadata([10], signal);
  controller.abort(reason);
  await expect(running).rejects.toBe(reason);
  await expect(queued).rejects.toBe(reason);
  await expect(pics.changesSince(0, signal)).rejects.toBe(reason);
  expect(steam.log.counts.metadata).toBe(0);

  steam.faults.add({ kind: "unreachable", times: 1_000 });
  steam.disconnectAll();
  await expect.poll(() => session.status().connected).toBe(false);
  const away = new AbortController();
  const waiting = pics.productInfo([{ appid: 10 }], away.signal);
  await sleep(20);
  away.abort(reason);
  await expect(waiting).rejects.toBe(reason);
  expect(harness.escaped).toEqual([]);
});

test("keeps the rate limit on the wire, also after a reconnect", async () => {
  const requestDelayMs = 30;
  await using harness = await startHarness({ pics: { requestDelayMs } });
  const { pics, steam } = harness;
  steam.faults.add({ kind: "logoff", eresult: 20, after: 5 });
  const lag = monitorEventLoopDelay({ resolution: 1 });
  lag.enable();
  await Promise.all(ids(20).map((appid) => pics.productInfo([{ appid }])));
  lag.disable();
  const sent = steam.log.of("product_info").map(({ at }) => at);
  expect(sent.length).toBeGreaterThan(20);
  // A request may be seen late, while this process, which both ends live in, is busy; the ones after it then seem to
  // come too soon.
  const toleranceMs = lag.max / 1e6 + requestDelayMs / 2;
  const tooSoon = sent.flatMap((at, j) =>
    sent
      .slice(0, j)
      .map((before, i) => (j - i) * requestDelayMs - (at - before))
      .filter((ms) => ms > toleranceMs),
  );
  expect(tooSoon).toEqual([]);
});

test("sends access tokens above 2^53 unchanged", async () => {
  const catalog = createCatalog();
  for (let appid = 10; appid <= 500; appid += 10) catalog.add({ appid, text: appText(appid), access: "token" });
  await using harness = await startHarness({ steam: { catalog } });
  const { granted } = await harness.pics.accessTokens([...catalog.apps.keys()]);
  expect([...granted.values()].some((token) => BigInt(token) > 2n ** 63n)).toBe(true);
  const wanted = [...granted].map(([appid, accessToken]) => ({ appid, accessToken }));
  const { apps } = await harness.pics.productInfo(wanted);
  expect(apps.length).toBe(50);
  for (const app of apps) expect(app).toMatchObject({ missingToken: false, text: appText(app.appid) });
});

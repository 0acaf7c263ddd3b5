import { setTimeout as delay } from "node:timers/promises";
import SteamUser from "steam-user";
import { describe, expect, it } from "vitest";
import type { Catalog, CatalogApp } from "../support/steam/catalog.ts";
import { getThrough, logOnInTest, startAndLogOn, startInTest } from "../support/steam/in-test.ts";
import { payloadHost } from "../support/steam/pics-replies.ts";
import { createRawClient, logOnRaw, type ProductInfo } from "../support/steam/raw-client.ts";
import { decodeMessage, eMsg, messages } from "../support/steam/wire.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const isAnswered = (reply: Promise<unknown>) => Promise.race([reply.then(() => true), delay(100).then(() => false)]);
const appidsOf = (catalog: Catalog, access = "public") =>
  [...catalog.apps.values()].filter((app) => app.access === access).map(({ appid }) => appid);
const wholeText = (catalog: Catalog, appid: number) => {
  const app = catalog.apps.get(appid);
  return app ? catalog.body(app, "whole").bytes.toString() : "";
};
const sentText = (app: ProductInfo["apps"][number] | undefined) => Buffer.from(app?.buffer ?? []).toString();

describe("faults of the simulated Steam", () => {
  it.each(["hang", "drop"] as const)("%s leaves requests unanswered, the chosen ones only", async (kind) => {
    const { steam, client } = await startAndLogOn();
    steam.faults.add({ kind, on: "product_info", after: 1 });
    await client.productInfo([10]);
    await client.changes(0);
    const failed = kind === "drop" ? client.failed() : null;
    expect(await isAnswered(client.productInfo([10]))).toBe(false);
    if (failed) expect(await failed).toBe(SteamUser.EResult.NoConnection);
    else expect(await client.productInfo([10])).toHaveLength(1);
    expect(steam.faults.struck.get(kind)).toBe(1);
  });

  it("logoff ends the session with any EResult", async () => {
    const { steam, client } = await startAndLogOn();
    steam.faults.add({ kind: "logoff", eresult: 84 });
    void client.changes(0);
    expect(await client.failed()).toBe(SteamUser.EResult.RateLimitExceeded);
  });

  it("logon_refused answers the logon with any EResult", async () => {
    const steam = await startInTest();
    steam.faults.add({ kind: "logon_refused", eresult: 65 });
    await expect(logOnRaw(steam)).rejects.toMatchObject({ eresult: 65 });
    await logOnInTest(steam);
  });

  it("slow and latencyMs delay replies", async () => {
    const { steam, client } = await startAndLogOn({ latencyMs: 60 });
    const timed = async () => {
      const from = performance.now();
      await client.changes(0);
      return performance.now() - from;
    };
    expect(await timed()).toBeGreaterThan(55);
    steam.faults.add({ kind: "slow", ms: 100 });
    expect(await timed()).toBeGreaterThan(150);
  });

  it("no_buffer, truncated, omit and wrong_older_change_number strike single apps, again and again", async () => {
    const { steam, client } = await startAndLogOn();
    const [a, b, c, d, e] = appidsOf(steam.catalog) as [number, number, number, number, number];
    steam.faults.add({ kind: "no_buffer", appids: [a] });
    steam.faults.add({ kind: "truncated", appids: [b] });
    steam.faults.add({ kind: "omit", appids: [c] });
    steam.faults.add({ kind: "wrong_older_change_number", appids: [d], by: 5 });
    for (let round = 0; round < 2; round += 1) {
      const [part] = await client.productInfo([a, b, c, d, e]);
      expect(part?.apps.map(({ appid }) => appid)).toEqual([a, b, d, e]);
      expect(part?.unknown_appids).toEqual([]);
      const [first, second, third, last] = part?.apps ?? [];
      expect(first).toMatchObject({ buffer: null, change_number: steam.catalog.apps.get(a)?.changeNumber });
      expect(wholeText(steam.catalog, b).startsWith(sentText(second).slice(0, -1))).toBe(true);
      expect(second?.buffer?.length).toBeLessThan((second?.size ?? 0) * 0.6);
      expect(third?.change_number).toBe((steam.catalog.apps.get(d)?.changeNumber ?? 0) - 5);
      expect(sentText(last)).toBe(`${wholeText(steam.catalog, e)}\0`);
    }
    steam.faults.clear();
    expect((await client.productInfo([a, b, c, d]))[0]?.apps.every(({ buffer }) => buffer)).toBe(true);
  });

  it("partial_reply never ends", async () => {
    const { steam, client } = await startAndLogOn({ appsPerMessage: 20 });
    const received: ProductInfo[] = [];
    const ask = (appids: number[]) =>
      client.user._send(eMsg.productInfoRequest, { apps: appids.map((appid) => ({ appid })) }, (part) => {
        received.push(part as ProductInfo);
      });
    steam.faults.add({ kind: "partial_reply", times: 2 });
    ask(appidsOf(steam.catalog).slice(0, 50));
    await expect.poll(() => received.length).toBe(2);
    ask([10, 30]);
    await client.productInfo([10]);
    expect(received.map(({ apps }) => apps.length)).toEqual([20, 20, 1]);
    expect(received.every(({ response_pending }) => response_pending)).toBe(true);
  });

  it("garbage cannot be read", async () => {
    const { steam, client } = await startAndLogOn();
    const frames: Buffer[] = [];
    client.user._handleNetMessage = (frame) => frames.push(frame);
    for (const how of ["body", "frame", "multi"] as const) steam.faults.add({ kind: "garbage", how });
    for (let i = 0; i < 3; i += 1) void client.productInfo([10]);
    await expect.poll(() => frames.length).toBe(3);
    const [body, frame, multi] = frames as [Buffer, Buffer, Buffer];
    expect(decodeMessage(body).emsg).toBe(eMsg.productInfoResponse);
    expect(() => messages.productInfoResponse.decode(decodeMessage(body).body)).toThrow();
    expect(() => decodeMessage(frame)).toThrow();
    expect(decodeMessage(multi).emsg).toBe(eMsg.multi);

    const second = await logOnInTest(steam);
    steam.faults.add({ kind: "garbage" });
    void second.productInfo([10]);
    expect(await second.failed()).toBeUndefined();
  });

  it("cm_list and unreachable keep a client from connecting", async () => {
    const steam = await startInTest();
    const debug = async (fault: Parameters<typeof steam.faults.add>[0], expected: RegExp) => {
      const remove = steam.faults.add({ ...fault, times: 1 });
      const { user } = createRawClient(steam);
      const said = new Promise<string>((resolve) => {
        user.on("debug", (message) => expected.test(message) && resolve(message));
        user.on("error", (error) => expected.test(error.message) && resolve(error.message));
      });
      user.logOn({ anonymous: true });
      await said;
      user.logOff();
      remove();
    };
    await debug({ kind: "cm_list" }, /GetCMListForConnect error: HTTP error 500/);
    await debug({ kind: "cm_list", how: "empty" }, /No Steam servers available/);
    await debug({ kind: "cm_list", how: "garbage" }, /GetCMListForConnect error|No Steam servers available/);
    await debug({ kind: "unreachable", host: "api.steampowered.com" }, /GetCMListForConnect error: .*502/);
    await debug({ kind: "unreachable", host: ".steamserver.net" }, /502|Connection closed|disconnected/);
  });

  it("http_payload and app_list fail over HTTP", async () => {
    const steam = await startInTest();
    const app = steam.catalog.apps.get(10) as CatalogApp;
    const { sha } = steam.catalog.sha(app, "whole");
    const url = `http://${payloadHost}/appinfo/10/sha/${hex(sha)}.txt.gz`;
    steam.faults.add({ kind: "http_payload", status: 500, appids: [10] });
    expect([(await getThrough(steam.env, url)).status, (await getThrough(steam.env, url)).status]).toEqual([500, 200]);
    const list = "https://api.steampowered.com/IStoreService/GetAppList/v1/?key=any";
    steam.faults.add({ kind: "app_list", how: "no_apps" });
    steam.faults.add({ kind: "app_list", status: 429 });
    expect((await getThrough(steam.env, list)).json()).toEqual({ response: {} });
    expect((await getThrough(steam.env, list)).status).toBe(429);
    expect((await getThrough(steam.env, list)).status).toBe(200);
  });

  it("strike at random, the same way for the same seed", async () => {
    const struckWith = async (seed: number) => {
      const { steam } = await startAndLogOn();
      steam.faults.random({ seed, rate: 0.3, kinds: ["hang", "truncated", "slow", "http_payload"] });
      return Array.from({ length: 40 }, () => {
        const { reply, apps, delayMs } = steam.faults.strike("product_info", [10, 20, 30]);
        return [reply?.kind, [...apps.keys()], delayMs];
      });
    };
    const [one, again, other] = [await struckWith(1), await struckWith(1), await struckWith(2)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
    expect(one.filter(([kind, apps, ms]) => kind || (apps as number[]).length || ms).length).toBeGreaterThan(5);
    expect(one.some(([kind]) => kind === "http_payload")).toBe(false);
  });
});

import { setTimeout as delay } from "node:timers/promises";
import SteamUser from "steam-user";
import { describe, expect, it } from "vitest";
import type { Catalog } from "../support/steam/catalog.ts";
import { logOnInTest, startAndLogOn } from "../support/steam/in-test.ts";
import type { ProductInfo } from "../support/steam/raw-client.ts";
import { decodeMessage, eMsg, messages } from "../support/steam/wire.ts";

const isAnswered = (reply: Promise<unknown>) => Promise.race([reply.then(() => true), delay(100).then(() => false)]);
const appidsOf = (catalog: Catalog, access = "public") =>
  [...catalog.apps.values()].filter((app) => app.access === access).map(({ appid }) => appid);
const wholeText = (catalog: Catalog, appid: number) => {
  const app = catalog.apps.get(appid);
  return app ? catalog.body(app, "whole").bytes.toString() : "";
};
const sentText = (app: ProductInfo["apps"][number] | undefined) => Buffer.from(app?.buffer ?? []).toString();

describe("simulated Steam: faults", () => {
  it.each(["hang", "drop"] as const)("%s leaves only the chosen requests unanswered", async (kind) => {
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

  it("no_buffer, truncated, omit and wrong_older_change_number apply to single apps, every time", async () => {
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

  it("garbage cannot be decoded", async () => {
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

  it("apply at random, reproducibly for a seed", async () => {
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

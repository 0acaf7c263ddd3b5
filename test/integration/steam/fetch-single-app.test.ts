import { describe, expect, it } from "vitest";
import { SteamError } from "../../../src/process/errors.ts";
import { fetchSingleApp } from "../../../src/sync/fetch-single-app.ts";
import { createCatalog } from "../../support/steam/catalog.ts";
import { toKeyValues } from "../../support/steam/key-values-writer.ts";
import { startHarness } from "./harness.ts";

const { signal } = new AbortController();

const text = (appid: number) =>
  toKeyValues({
    appinfo: {
      appid,
      common: { name: `App ${appid}`, store_tags: { "0": "19", "1": "4294000" } },
      extended: { isfreeapp: "1" },
    },
  });

function catalog() {
  const apps = createCatalog(500);
  for (const [appid, access] of [
    [10, "public"],
    [20, "token"],
    [40, "denied"],
  ] as const)
    apps.add({ appid, access, text: text(appid), changeNumber: 400 + appid });
  return apps;
}

describe("fetchSingleApp", () => {
  it("fetches one app, with an access token where one is needed and granted", async () => {
    await using harness = await startHarness({ steam: { catalog: catalog() } });
    const ask = (appid: number) => fetchSingleApp(harness.pics, appid, signal);
    const whole = (appid: number) => ({
      changeNumber: 400 + appid,
      publicOnly: false,
      record: expect.objectContaining({ appid, name: `App ${appid}`, is_free: true, tags: [19, 4_294_000] }),
      tagNames: new Map([[19, "Action"]]),
    });
    expect(await ask(10)).toEqual(whole(10));
    expect(harness.steam.log.counts).toMatchObject({ product_info: 1, access_tokens: 0 });
    expect(await ask(20)).toEqual(whole(20));
    expect(harness.steam.log.counts).toMatchObject({ product_info: 3, access_tokens: 1 });
    const withheld = await ask(40);
    expect(withheld).toMatchObject({ publicOnly: true, record: { appid: 40, name: "App 40" } });
    expect(withheld?.record).not.toHaveProperty("is_free");
    expect(await ask(30)).toBeNull();
  });

  it("succeeds without tag names, and fails without a text", async () => {
    await using harness = await startHarness({ steam: { catalog: catalog() }, pics: { timeoutMs: 1_500 } });
    harness.steam.faults.add({ kind: "hang", on: "tag_names", times: 1 });
    expect(await fetchSingleApp(harness.pics, 10, signal)).toMatchObject({
      record: { tags: [19, 4_294_000] },
      tagNames: new Map(),
    });
    harness.steam.faults.add({ kind: "no_buffer" });
    await expect(fetchSingleApp(harness.pics, 10, signal)).rejects.toThrow(SteamError);
  });
});

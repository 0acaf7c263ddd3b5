import { createHash } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { gunzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Catalog, createCatalog } from "../support/steam/catalog.ts";
import { forkSimulatedSteam } from "../support/steam/child.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { getThrough, startAndLogOn, startInTest } from "../support/steam/in-test.ts";
import { toKeyValues } from "../support/steam/key-values-writer.ts";
import { accessTokenOf } from "../support/steam/pics-replies.ts";
import type { ProductInfo } from "../support/steam/raw-client.ts";
import { eMsg } from "../support/steam/wire.ts";

const sha1 = (bytes: Uint8Array) => createHash("sha1").update(bytes).digest("hex");
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const textOf = (appid: number, name: string) => toKeyValues({ appinfo: { appid, common: { name, type: "Game" } } });
const appidsOf = (catalog: Catalog, access = "public") =>
  [...catalog.apps.values()].filter((app) => app.access === access).map(({ appid }) => appid);
const wholeText = (catalog: Catalog, appid: number) => {
  const app = catalog.apps.get(appid);
  return app ? catalog.body(app, "whole").bytes.toString() : "";
};
const sentText = (app: ProductInfo["apps"][number] | undefined) => Buffer.from(app?.buffer ?? []).toString();

describe("simulated Steam: product info", () => {
  it("is sent in several messages, zipped, with the texts of the catalog", async () => {
    const { steam, client } = await startAndLogOn({ appsPerMessage: 20 });
    const frames: number[] = [];
    client.user.on("debug-traffic-incoming" as never, (_frame: Buffer, emsg: number) => frames.push(emsg));
    const appids = appidsOf(steam.catalog).slice(0, 50);
    const parts = await client.productInfo([...appids, 7, 8]);

    expect(parts.map(({ apps }) => apps.length)).toEqual([20, 20, 10]);
    expect(parts.map(({ response_pending }) => response_pending)).toEqual([true, true, false]);
    expect(parts.map(({ unknown_appids }) => unknown_appids)).toEqual([[], [], [7, 8]]);
    expect(frames.filter((emsg) => emsg === eMsg.multi)).toHaveLength(3);
    for (const app of parts.flatMap(({ apps }) => apps)) {
      expect(sentText(app)).toBe(`${wholeText(steam.catalog, app.appid)}\0`);
      expect(hex(app.sha)).toBe(sha1(Buffer.from(app.buffer ?? []).subarray(0, -1)));
      expect(app).toMatchObject({ size: app.buffer?.length, missing_token: false, only_public: false });
      expect(app.change_number).toBe(steam.catalog.apps.get(app.appid)?.changeNumber);
    }
    expect(steam.log.of("product_info")).toMatchObject([{ count: 52, appids: [...appids, 7, 8] }]);
    expect(steam.log.fetchCounts().get(appids[0] as number)).toBe(1);
    expect(steam.log.appsServed).toBe(50);
  });

  it("is metadata only when requested so", async () => {
    const { steam, client } = await startAndLogOn();
    const [part, ...more] = await client.metadata([...steam.catalog.apps.keys(), 7]);
    expect(more).toEqual([]);
    expect(part).toMatchObject({ meta_data_only: true, unknown_appids: [7], http_min_size: 1024 });
    expect(part?.apps.map(({ appid, change_number }) => [appid, change_number])).toEqual(
      [...steam.catalog.apps.values()].map(({ appid, changeNumber }) => [appid, changeNumber]),
    );
    for (const app of part?.apps ?? []) expect(app.buffer).toBeNull();
  });

  it("withholds sections without the access token", async () => {
    const catalog = generateCatalog({ seed: 5, count: 60, tokenShare: 0.3, deniedShare: 0.3 });
    const { client } = await startAndLogOn({ catalog });
    const [withToken, denied] = [appidsOf(catalog, "token"), appidsOf(catalog, "denied")];
    const tokens = await client.user.getProductAccessToken([...withToken, ...denied, 10], []);
    expect(Object.keys(tokens.appTokens).map(Number)).toEqual([10, ...withToken]);
    expect(tokens.appTokens[String(withToken[0])]).toBe(accessTokenOf(withToken[0] as number));
    expect(tokens.appDeniedTokens).toEqual(denied);

    const before = (await client.productInfo([...withToken, ...denied])).flatMap(({ apps }) => apps);
    expect(before).toHaveLength(withToken.length + denied.length);
    for (const app of before) {
      expect(app).toMatchObject({ missing_token: true, only_public: true });
      expect(sentText(app)).toContain(`\n\t"appid"\t\t"${app.appid}"\n\t"public_only"\t\t"1"\n`);
      expect(sentText(app)).not.toContain('"extended"');
    }
    const asked = withToken.map((appid) => ({ appid, access_token: accessTokenOf(appid) }));
    const after = (await client.productInfo(asked)).flatMap(({ apps }) => apps);
    for (const app of after) {
      expect(app).toMatchObject({ missing_token: false, only_public: false });
      expect(sentText(app)).toBe(`${wholeText(catalog, app.appid)}\0`);
    }
  });

  it("offers large texts over HTTP, directly and through a tunnel to port 80", async () => {
    const { steam, client } = await startAndLogOn({ httpMinSize: 2_000 });
    const [part] = await client.productInfo(appidsOf(steam.catalog));
    const offered = part?.apps.filter(({ buffer }) => !buffer) ?? [];
    expect(part?.http_min_size).toBe(2_000);
    expect(offered.map(({ appid }) => appid)).toEqual(
      part?.apps.filter(({ size }) => size >= 2_000).map(({ appid }) => appid),
    );
    for (const { appid, sha } of offered.slice(0, 6)) {
      const { status, body } = await getThrough(
        steam.env,
        `http://${part?.http_host}/appinfo/${appid}/sha/${hex(sha)}.txt.gz`,
      );
      expect(status).toBe(200);
      expect(gunzipSync(body).toString().replace(/\0$/, "")).toBe(wholeText(steam.catalog, appid));
    }
    const tunnel = http.request(steam.proxyUrl, { method: "CONNECT", path: `${part?.http_host}:80` }).end();
    const [, socket] = await once(tunnel, "connect");
    const path = `/appinfo/${offered[0]?.appid}/sha/${"0".repeat(40)}.txt.gz`;
    const inside = http.get({ createConnection: () => socket, host: part?.http_host, path });
    expect(((await once(inside, "response")) as [http.IncomingMessage])[0].statusCode).toBe(404);
    socket.destroy();
  });
});

describe("simulated Steam: changes since", () => {
  const catalogOf = (...appids: number[]) => {
    const catalog = createCatalog(1_000);
    for (const appid of appids) {
      const access = appid === 30 ? "denied" : "public";
      catalog.add({ appid, text: textOf(appid, `App ${appid}`), changeNumber: 900, access });
    }
    return catalog;
  };

  it("lists each app once with its latest number, removed ones too", async () => {
    const { steam, client } = await startAndLogOn({ catalog: catalogOf(10, 20, 30, 40) });
    expect(await client.changes(0)).toMatchObject({ current_change_number: 1_000, app_changes: [] });
    steam.catalog.change(20, textOf(20, "Renamed"));
    steam.catalog.changePackage(5);
    steam.catalog.change(30);
    steam.catalog.remove(40);
    steam.catalog.change(20);
    expect(await client.changes(1_000)).toMatchObject({
      current_change_number: 1_005,
      since_change_number: 1_000,
      force_full_update: null,
      app_changes: [
        { appid: 20, change_number: 1_005, needs_token: null },
        { appid: 30, change_number: 1_003, needs_token: true },
        { appid: 40, change_number: 1_004, needs_token: null },
      ],
      package_changes: [{ packageid: 5, change_number: 1_002 }],
    });
    expect((await client.changes(1_004)).app_changes).toHaveLength(1);
    const [part] = await client.productInfo([20, 40]);
    expect(sentText(part?.apps[0])).toBe(`${textOf(20, "Renamed")}\0`);
    expect(part?.unknown_appids).toEqual([40]);
  });

  it("sets the force flag for apps beyond the window", async () => {
    const { client, steam } = await startAndLogOn({ catalog: catalogOf(10), changeWindow: 50 });
    steam.catalog.change(10);
    expect(await client.changes(951)).toMatchObject({ force_full_app_update: null, app_changes: [{ appid: 10 }] });
    expect(await client.changes(950)).toMatchObject({
      current_change_number: 1_001,
      since_change_number: 950,
      force_full_update: false,
      force_full_app_update: true,
      app_changes: [],
    });
  });
});

describe("simulated Steam: web APIs", () => {
  const list = "https://api.steampowered.com/IStoreService/GetAppList/v1/";

  it("list apps by kind and page, with a key", async () => {
    const { catalog, env } = await startInTest({ apiKey: "secret" });
    const named = (kind: string) => [...catalog.apps.values()].filter(({ listKind }) => listKind === kind);
    const ids = async (url: string, headers = {}) => {
      const { response } = (await getThrough(env, url, headers)).json() as { response: { apps: { appid: number }[] } };
      return { ids: response.apps.map(({ appid }) => appid), response };
    };
    expect((await getThrough(env, list)).status).toBe(401);
    const games = await ids(`${list}?key=secret`);
    expect(games.ids).toEqual(named("games").map(({ appid }) => appid));
    expect(games.response).not.toHaveProperty("have_more_results");
    const dlc = await ids(`${list}?include_games=false&include_dlc=true`, { "x-webapi-key": "secret" });
    expect(dlc.ids).toEqual(named("dlc").map(({ appid }) => appid));
    const first = await ids(`${list}?key=secret&max_results=5`);
    expect(first.response).toMatchObject({ have_more_results: true, last_appid: first.ids[4] });
    const rest = await ids(`${list}?key=secret&last_appid=${first.ids[4]}`);
    expect([...first.ids, ...rest.ids]).toEqual(games.ids);
  });

  it("return names of store tags, by message and by page", async () => {
    const { steam, client } = await startAndLogOn();
    const { tags } = await client.user.getStoreTagNames("english", [19, 492, 4_294_000]);
    expect(tags).toMatchObject({ 19: { name: "Action" }, 492: { englishName: "Indie" } });
    expect(tags).not.toHaveProperty("4294000");
    const page = (await getThrough(steam.env, "https://api.steampowered.com/IStoreService/GetTagList/v1/")).json();
    expect(page).toMatchObject({ response: { tags: expect.arrayContaining([{ tagid: 19, name: "Action" }]) } });
  });
});

describe("forkSimulatedSteam", () => {
  it("is controlled and read from the parent process", async () => {
    const steam = await forkSimulatedSteam({ generate: { seed: 3, count: 40 }, pregenerate: true });
    onTestFinished(() => steam.close());
    const catalog = generateCatalog({ seed: 3, count: 40 });
    expect(await steam.call("appids")).toEqual([...catalog.apps.keys()]);
    const { body } = await getThrough(steam.env, "https://api.steampowered.com/IStoreService/GetTagList/v1/").catch(
      (error: Error) => ({ body: error.message }),
    );
    // The certificate authority is unknown to this process until it is added, as NODE_EXTRA_CA_CERTS would do.
    expect(body).toMatch(/certificate/);
    const changed = await steam.call("changeRandom", 3);
    expect(changed.size).toBe(3);
    const numbers = await steam.call("changeNumbers");
    for (const [appid, number] of changed) expect(numbers.get(appid)).toBe(number);
    await steam.call("addFault", { kind: "hang" });
    expect(await steam.call("stats")).toMatchObject({ size: 40, currentChangeNumber: 36_000_003, sessions: 0 });
    await expect(steam.call("change", 7)).rejects.toThrow("no app 7");
    expect(await steam.call("requests", "tag_list")).toEqual([]);
  });
});

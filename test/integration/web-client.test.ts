/** The web client and the app list over real sockets: proxy from the environment, TLS, a simulated Steam. */
import http from "node:http";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { WebError } from "../../src/process/errors.ts";
import { appListPage, type ListedApp, type ListKind, listKinds, storeAppids } from "../../src/web/app-list.ts";
import type { WebClient } from "../../src/web/client.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { openWebClient } from "../support/sync.ts";

const key = "0123456789ABCDEF0123456789ABCDEF";
const never = new AbortController().signal;
const url = "https://api.steampowered.com/IStoreService/GetAppList/v1/";

describe("createWebClient against a simulated Steam", () => {
  let steam: SimulatedSteam;
  let web: WebClient;
  let undo: (() => void)[];

  beforeAll(async () => {
    steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 5, count: 1_500 }), apiKey: key });
    undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
  });
  afterAll(async () => {
    for (const each of undo) each();
    await steam.close();
  });
  beforeEach(() => {
    web = openWebClient();
  });
  afterEach(() => steam.faults.clear());

  const listed = (kind: ListKind) =>
    [...steam.catalog.apps.values()]
      .filter((app) => app.listKind === kind)
      .map(({ appid, name }) => ({ appid, name }))
      .sort((a, b) => a.appid - b.appid);

  const named = (apps: readonly ListedApp[]) => apps.map(({ appid, name }) => ({ appid, name }));

  const errorOf = (work: Promise<unknown>) =>
    work.then(
      () => expect.fail("expected a failure"),
      (error: unknown) => error,
    );

  it("lists each kind of app separately", async () => {
    for (const kind of listKinds) {
      const { apps, ...rest } = await appListPage(web, key, kind, 0, never);
      expect(rest).toEqual({ kind, next: null, end: "complete" });
      expect(named(apps)).toEqual(listed(kind));
    }
    expect(listKinds.filter((kind) => listed(kind).length > 0)).toContain("dlc");
    const appids: number[] = [];
    for await (const page of storeAppids(web, key, never)) appids.push(...page);
    expect(appids).toEqual(listKinds.flatMap((kind) => listed(kind).map(({ appid }) => appid)));
  });

  it("continues at the cursor of a page", async () => {
    const games = listed("games");
    const request = { url, searchParams: { max_results: "100" }, headers: { "x-webapi-key": key }, signal: never };
    const shape = z.object({ response: z.object({ last_appid: z.int(), have_more_results: z.literal(true) }) });
    const { last_appid } = (await web.json("steam_web_api", request, shape)).response;
    expect(last_appid).toBe(games[99]?.appid);
    const { apps } = await appListPage(web, key, "games", last_appid, never);
    expect(named(apps)).toEqual(games.slice(100));
    expect(apps.every((app) => app.last_modified !== null && app.price_change_number !== null)).toBe(true);
  });

  it("reports a rejected key after one request", async () => {
    const error = await errorOf(appListPage(web, "wrong-key", "games", 0, never));
    expect(error).toMatchObject({ name: "WebError", fault: "denied", status: 401 });
    expect((error as WebError).message).not.toContain("wrong-key");
    expect(web.status()).toMatchObject([{ endpoint: "steam_web_api", requests: 1, retries: 0 }]);
  });

  it("reports an answer without a list as an absent one", async () => {
    steam.faults.add({ kind: "app_list", how: "no_apps" });
    expect(await appListPage(web, key, "games", 0, never)).toMatchObject({ apps: [], next: null, end: "absent" });
    expect(web.status()).toMatchObject([{ requests: 1 }]);
  });

  it("retries after garbage, 500, a dropped connection and a time-out", async () => {
    web = openWebClient({ timeoutMs: 1_500, retryAttempts: 1 });
    const faults = [
      { kind: "garbage", on: "app_list" },
      { kind: "app_list", status: 500 },
      { kind: "drop", on: "app_list" },
      { kind: "hang", on: "app_list" },
    ] as const;
    for (const [index, fault] of faults.entries()) {
      steam.faults.add(fault);
      expect(named((await appListPage(web, key, "dlc", 0, never)).apps)).toEqual(listed("dlc"));
      expect(web.status()).toMatchObject([{ requests: 2 * (index + 1), retries: index + 1 }]);
    }
  });

  it("ends at once when aborted", async () => {
    steam.faults.add({ kind: "hang", on: "app_list" });
    const stop = new AbortController();
    const call = errorOf(appListPage(web, key, "games", 0, stop.signal));
    await expect.poll(() => web.status()[0]?.requests).toBe(1);
    stop.abort("stopped");
    expect(await call).toBe("stopped");
  });

  it("reports an unreachable server", async () => {
    web = openWebClient({ retryAttempts: 0 });
    steam.faults.add({ kind: "unreachable", host: "steamspy.com" });
    const error = await errorOf(
      web.json("steamspy", { url: "https://steamspy.com/api.php", signal: never }, z.unknown()),
    );
    expect(error).toMatchObject({ fault: "unreachable", status: null });
    expect((error as WebError).message).toMatch(/^steamspy: steamspy.com\/api.php gives no answer: \w+ \(1 attempt\)$/);
  });
});

import { beforeEach, describe, expect, it } from "vitest";
import { appListPage, listKinds, storeAppids } from "../../../src/web/app-list.ts";
import { createApi, createClient, failure, startClock, urls } from "./harness.ts";

const key = "0123456789ABCDEF0123456789ABCDEF";
const never = new AbortController().signal;

beforeEach(() => startClock());

async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const page of pages) list.push(page);
  return list;
}

function listOf(response: unknown) {
  const api = createApi(() => Response.json({ response }));
  return { api, web: createClient({ fetch: api.fetch }) };
}

describe("appListPage", () => {
  it.each(listKinds)("requests only the kind %s", async (kind) => {
    const app = {
      appid: 20,
      name: "Team Fortress Classic",
      last_modified: 1_579_634_708,
      price_change_number: 30_374_644,
    };
    const { api, web } = listOf({ apps: [app] });
    expect(await appListPage(web, key, kind, 10, never)).toEqual({
      kind,
      apps: [app],
      next: null,
      end: "complete",
    });
    const request = api.sent[0]?.request as Request;
    const { origin, pathname, searchParams } = new URL(request.url);
    expect(`${origin}${pathname}`).toBe(urls.steam_web_api);
    expect(Object.fromEntries(searchParams)).toEqual({
      max_results: "50000",
      last_appid: "10",
      ...Object.fromEntries(listKinds.map((each) => [`include_${each}`, String(each === kind)])),
    });
    expect(request.headers.get("x-webapi-key")).toBe(key);
  });

  it("returns the cursor of the next page", async () => {
    const apps = [{ appid: 20, name: "a" }];
    const page = async (more: object) =>
      (await appListPage(listOf({ apps, ...more }).web, key, "games", 10, never)).next;
    expect(await page({ have_more_results: true, last_appid: 25 })).toBe(25);
    expect(await page({ have_more_results: true })).toBe(20);
    expect(await page({ have_more_results: false, last_appid: 25 })).toBe(null);
    // The cursor stands still, or goes back: the highest appid moves on.
    expect(await page({ have_more_results: true, last_appid: 10 })).toBe(20);
    expect(await page({ have_more_results: true, last_appid: 0 })).toBe(20);
  });

  it("accepts an empty page and odd names", async () => {
    expect(await appListPage(listOf({ apps: [] }).web, key, "hardware", 0, never)).toMatchObject({
      apps: [],
      next: null,
      end: "complete",
    });
    const apps = [{ appid: 1 }, { appid: 2, name: null }, { appid: 3, name: 3 }, { appid: 2 ** 31 - 1, name: " x " }];
    const names = (await appListPage(listOf({ apps }).web, key, "games", 0, never)).apps.map(({ name }) => name);
    expect(names).toEqual(["", "", "", " x "]);
  });

  it.each<[unknown, unknown, number | null, number | null]>([
    [1, 0, 1, 0],
    [0, -1, null, null],
    [1.5, "7", null, null],
    [undefined, null, null, null],
    [253_402_300_800, 2 ** 31, null, null],
  ])(
    "reads last_modified %j and price_change_number %j as %j, %j",
    async (modified, price, modifiedRead, priceRead) => {
      const app = { appid: 20, name: "", last_modified: modified, price_change_number: price };
      const { apps } = await appListPage(listOf({ apps: [app] }).web, key, "games", 10, never);
      expect(apps).toEqual([{ appid: 20, name: "", last_modified: modifiedRead, price_change_number: priceRead }]);
    },
  );

  it("sorts a page, and leaves out apps up to the cursor", async () => {
    const apps = [40, 10, 30, 5].map((appid) => ({ appid }));
    const page = await appListPage(
      listOf({ apps, have_more_results: true, last_appid: 30 }).web,
      key,
      "games",
      10,
      never,
    );
    expect([page.apps.map(({ appid }) => appid), page.next, page.end]).toEqual([[30, 40], 30, null]);
  });

  const repeated = [{ appid: 5 }, { appid: 10 }];
  it.each([
    ["no list", undefined, "absent"],
    ["an empty object", {}, "absent"],
    ["an empty list", { apps: [] }, "complete"],
    ["more and nothing", { have_more_results: true }, "broken"],
    ["more and no apps", { apps: [], have_more_results: true, last_appid: 30 }, "broken"],
  ])("ends the list at a first page with %s", async (_, response, end) => {
    const page = await appListPage(listOf(response).web, key, "games", 0, never);
    expect(page).toEqual({ kind: "games", apps: [], next: null, end });
  });
  it.each([
    ["no list", undefined],
    ["no apps", {}],
    ["no apps and more", { apps: [], have_more_results: true, last_appid: 30 }],
    ["the page before once more", { apps: repeated, have_more_results: true, last_appid: 10 }],
  ])("calls a list broken when an announced page has %s", async (_, response) => {
    const page = await appListPage(listOf(response).web, key, "games", 10, never);
    expect(page).toEqual({ kind: "games", apps: [], next: null, end: "broken" });
  });

  const entries = (...apps: unknown[]) => ({ apps });
  it.each([
    ["apps that are null", { apps: null }],
    ["an entry that is null", entries({ appid: 20, name: "a" }, null)],
    ["an entry that is a number", entries(20)],
    ["no appid", entries({ name: "a" })],
    ["an appid in text", entries({ appid: "20", name: "a" })],
    ["a broken appid", entries({ appid: 20.5, name: "a" })],
    ["appid 0", entries({ appid: 0, name: "a" })],
    ["an appid beyond int4", entries({ appid: 2 ** 31, name: "a" })],
  ])("rejects a page with %s after one request", async (_, response) => {
    const { api, web } = listOf(response);
    const error = await failure(appListPage(web, key, "games", 10, never));
    expect(error).toMatchObject({ name: "WebError", fault: "invalid" });
    expect(api.sent).toHaveLength(1);
  });
});

describe("storeAppids", () => {
  it("yields the appids kind by kind and page by page", async () => {
    const lists: Record<string, number[]> = { games: [10, 20, 30], dlc: [15], software: [], videos: [5], hardware: [] };
    const api = createApi((_, { url }) => {
      const { searchParams } = new URL(url);
      const kinds = listKinds.filter((kind) => searchParams.get(`include_${kind}`) === "true");
      const after = Number(searchParams.get("last_appid"));
      const rest = kinds.flatMap((kind) => lists[kind] ?? []).filter((appid) => appid > after);
      const apps = rest.slice(0, 2).map((appid) => ({ appid, name: "" }));
      return Response.json({ response: { apps, ...(rest.length > 2 && { have_more_results: true }) } });
    });
    const pages = await all(storeAppids(createClient({ fetch: api.fetch }), key, never));
    expect(pages).toEqual([[10, 20], [30], [15], [5]]);
    expect(api.sent).toHaveLength(6);
  });

  it("ends with the error of the page that failed", async () => {
    const api = createApi((index) =>
      index < 2 ? Response.json({ response: { apps: [] } }) : Response.json({ response: { apps: [null] } }),
    );
    const pages = storeAppids(createClient({ fetch: api.fetch }), key, never);
    expect(await failure(all(pages))).toMatchObject({ fault: "invalid" });
    expect(api.sent).toHaveLength(3);
  });
});

import { describe, expect, it } from "vitest";
import { createSimulatedAppList } from "../../support/web/app-list.ts";
import { createWebFaults, type WebFault } from "../../support/web/faults.ts";
import { generateSteamSpy } from "../../support/web/generate-steamspy.ts";
import { loadRealAppLists, loadRealSteamSpy } from "../../support/web/real-dumps.ts";
import { busiestWindow, smallestGapMs } from "../../support/web/request-log.ts";
import { createSimulatedSteamSpy, detailsAnswer, leastOwners, type SteamSpyApp } from "../../support/web/steamspy.ts";
import { asFetch } from "../../support/web/web-api.ts";

const real = loadRealSteamSpy();
const realLists = loadRealAppLists();
const spyUrl = (query: string) => `https://steamspy.com/api.php?${query}`;
const listUrl = (query: string) => `https://api.steampowered.com/IStoreService/GetAppList/v1/?${query}`;
const generated = generateSteamSpy({ seed: 1, games: 2_500 });

async function ask(fetch: typeof globalThis.fetch, url: string, init?: RequestInit) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const parsed = async (fetch: typeof globalThis.fetch, url: string) => JSON.parse((await ask(fetch, url)).text);

describe("generateSteamSpy", () => {
  const rows = generated.pages.flatMap((page) => Object.values(page));
  const details = [...generated.details.keys()].map((appid) => detailsAnswer(generated, appid));

  it("makes full pages, most owned first, with repeated apps", () => {
    expect(generated.pages.map((page) => Object.keys(page).length)).toEqual([1_000, 1_000, rows.length - 2_000]);
    expect(rows.length - 2_000).toBeGreaterThan(500);
    const distinct = new Map(rows.map((app) => [app.appid, app]));
    expect(distinct.size).toBe(2_500);
    expect(rows.length - distinct.size).toBeGreaterThan(40);
    expect(rows.length - distinct.size).toBeLessThan(160);
    for (const app of rows) expect(distinct.get(app.appid)).toEqual(app);
    expect(new Set(rows.map(({ owners }) => owners)).size).toBe(14);
    const [first = {}, , last = {}] = generated.pages;
    const owned = (page: Record<string, SteamSpyApp>) => Object.values(page).map(({ owners }) => leastOwners(owners));
    expect(Math.max(...owned(first))).toBe(200_000_000);
    // A repeat comes out of its order; all others of the last page are in the smallest bucket.
    expect(owned(last).filter((owners) => owners > 0).length).toBeLessThan(owned(last).length / 10);
  });

  it("is deterministic by seed", () => {
    const text = (seed: number) => {
      const dump = generateSteamSpy({ seed, games: 400, pageSize: 100 });
      return JSON.stringify([
        dump.pages,
        [...dump.details.keys()].map((appid) => dump.details.get(appid)),
        ...dump.unknown,
      ]);
    };
    expect(text(5)).toBe(text(5));
    expect(text(5)).not.toBe(text(6));
  });

  it.skipIf(real === null)("has the fields and types of real dumps, and odd ones (skipped without ../shared)", () => {
    const realRows = real?.pages.flatMap((page) => Object.values(page)) ?? [];
    const realDetails = [...(real?.details.keys() ?? [])].map((appid) => real?.details.get(appid) ?? {});
    for (const [made, found] of [
      [rows, realRows],
      [details, realDetails],
    ] as const) {
      expect([...new Set(made.map((app) => Object.keys(app).join()))]).toEqual([Object.keys(found[0] ?? {}).join()]);
      for (const [field, types] of Object.entries(typesOf(found)))
        expect(typesOf(made)[field], field).toEqual(expect.arrayContaining(types));
    }
    // Documented, and not in the real pages at hand: an integer as score_rank; null where details know nothing.
    const extra = (made: object[], found: object[]) =>
      Object.entries(typesOf(made)).flatMap(([field, types]) => {
        const known = typesOf(found)[field] ?? [];
        return types.filter((type) => !known.includes(type)).map((type) => `${field}: ${type}`);
      });
    expect(extra(rows, realRows)).toEqual(["score_rank: number"]);
    expect(extra(details, [...realRows, ...realDetails])).toEqual([
      "score_rank: number",
      "languages: null",
      "genre: null",
    ]);
  });

  function typesOf(apps: readonly object[]): Record<string, string[]> {
    const types: Record<string, Set<string>> = {};
    for (const app of apps) {
      for (const [field, value] of Object.entries(app)) {
        types[field] ??= new Set();
        types[field].add(value === null ? "null" : Array.isArray(value) ? "list" : typeof value);
      }
    }
    return Object.fromEntries(Object.entries(types).map(([field, found]) => [field, [...found].sort()]));
  }
});

describe("createSimulatedSteamSpy", () => {
  it("serves pages up to an empty one, and details", async () => {
    const spy = createSimulatedSteamSpy(generated);
    const fetch = asFetch(spy);
    for (const page of [0, 1, 2])
      expect(await parsed(fetch, spyUrl(`request=all&page=${page}`))).toEqual(generated.pages[page]);
    expect((await ask(fetch, spyUrl("request=all&page=3"))).text).toBe("{}");
    const appid = [...generated.details.keys()][3] as number;
    expect(await parsed(fetch, spyUrl(`request=appdetails&appid=${appid}`))).toEqual(generated.details.get(appid));
    expect(spy.log.counts).toEqual({ all: 4, appdetails: 1 });
    expect(spy.log.of("all").map(({ page }) => page)).toEqual([0, 1, 2, 3]);
    expect(spy.log.of("appdetails")).toEqual([
      { kind: "appdetails", appid, at: expect.any(Number), time: expect.any(Number), fault: null },
    ]);
  });

  it("answers unknown apps in four ways", async () => {
    const unknown = new Map([
      [10, "null_name"],
      [20, "blank_name"],
      [30, "hidden"],
      [40, "empty"],
    ] as const);
    const fetch = asFetch(createSimulatedSteamSpy({ unknown }));
    const answer = (appid: number) => parsed(fetch, spyUrl(`request=appdetails&appid=${appid}`));
    expect(await answer(10)).toMatchObject({ appid: 10, name: null, developer: "", tags: [] });
    expect(await answer(20)).toMatchObject({ appid: 20, name: "", developer: null });
    expect(await answer(30)).toMatchObject({ appid: 999_999, name: "Hidden" });
    expect([await answer(40), await answer(50)]).toEqual([{}, {}]);
  });

  it.skipIf(real === null)("serves real dumps as they are (skipped without ../shared)", async () => {
    const fetch = asFetch(createSimulatedSteamSpy(real ?? {}));
    expect(await parsed(fetch, spyUrl("request=all&page=2"))).toEqual(real?.pages[2]);
    expect(await parsed(fetch, spyUrl("request=appdetails&appid=570"))).toEqual(real?.details.get(570));
    expect([real?.pages.map((page) => Object.keys(page).length), real?.details.size]).toEqual([
      [1_000, 1_000, 811],
      300,
    ]);
  });
});

describe("createSimulatedAppList", () => {
  const named = (...appids: number[]) => appids.map((appid) => ({ appid, name: `App ${appid}` }));
  const lists = { games: named(50, 10, 30), dlc: named(20, 60), software: named(40) };

  async function walk(list: ReturnType<typeof createSimulatedAppList>, query: string) {
    const pages: number[][] = [];
    for (let after = 0; ; ) {
      const { response } = await parsed(asFetch(list), listUrl(`key=k&last_appid=${after}&${query}`));
      pages.push(response.apps.map(({ appid }: { appid: number }) => appid));
      if (!response.have_more_results) {
        expect(response).toEqual({ apps: response.apps });
        return pages;
      }
      after = response.last_appid;
      expect(after).toBe(pages.at(-1)?.at(-1));
    }
  }

  it("serves the requested kinds, page by page", async () => {
    const list = createSimulatedAppList({ lists, pageSize: 2 });
    expect(await walk(list, "")).toEqual([[10, 30], [50]]);
    expect(await walk(list, "include_dlc=true&include_software=1")).toEqual([
      [10, 20],
      [30, 40],
      [50, 60],
    ]);
    expect(await walk(list, "include_games=false&include_dlc=1&max_results=1")).toEqual([[20], [60]]);
    expect(list.log.of("app_list").map(({ lastAppid }) => lastAppid)).toEqual([0, 30, 0, 20, 40, 0, 20]);
    list.lists = { games: named(7) };
    expect(await walk(list, "")).toEqual([[7]]);
  });

  it.skipIf(realLists === null)("serves real lists (skipped without ../shared)", async () => {
    const software = realLists?.days.at(-1)?.apps ?? [];
    const pages = await walk(
      createSimulatedAppList({ lists: { software }, pageSize: 500 }),
      "include_software=1&include_games=0",
    );
    expect(pages.flat()).toEqual(software.map(({ appid }) => appid));
    expect(pages.length).toBeGreaterThan(3);
    expect([realLists?.days.length, realLists?.brokenDay]).toEqual([4, [null]]);
  });
});

describe("createWebFaults", () => {
  const page = spyUrl("request=all&page=0");
  const onePage = { pages: [{ 10: generated.pages[0]?.[Object.keys(generated.pages[0])[0] ?? ""] as SteamSpyApp }] };

  async function struckBy(fault: WebFault) {
    const spy = createSimulatedSteamSpy(onePage);
    spy.faults.add({ fault });
    return ask(asFetch(spy), page);
  }

  it("breaks connections", async () => {
    await expect(struckBy("drop")).rejects.toMatchObject({ message: "fetch failed", cause: { code: "ECONNRESET" } });
    await expect(ask(asFetch(), page)).rejects.toMatchObject({ message: "fetch failed", cause: { code: "ENOTFOUND" } });
    const spy = createSimulatedSteamSpy(onePage);
    spy.faults.add({ fault: "hang" });
    const abort = new AbortController();
    const hung = ask(asFetch(spy), page, { signal: abort.signal });
    setImmediate(() => abort.abort(new Error("enough")));
    await expect(hung).rejects.toThrow("enough");
    await expect(ask(asFetch(spy), page, { signal: abort.signal })).rejects.toThrow("enough");
    expect((await ask(asFetch(spy), page)).status).toBe(200);
  });

  it("strikes matching requests, after a number of them and a limited number of times", () => {
    const faults = createWebFaults();
    const all = (page: number) => faults.strike({ kind: "all", page });
    faults.add({ on: { kind: "all", page: 1 }, fault: "drop" });
    const remove = faults.add({ on: ({ page }) => page === 2, after: 1, times: 2, fault: { status: 500 } });
    expect([all(0), all(1), all(1)]).toEqual([null, "drop", null]);
    expect([all(2), all(2), all(2), all(2)]).toEqual([null, { status: 500 }, { status: 500 }, null]);
    expect(faults.struck).toEqual({ drop: 1, status_500: 2 });
    faults.add({ fault: "no_apps" });
    expect([all(0), faults.strike({ kind: "app_list", lastAppid: 0 })]).toEqual([null, "no_apps"]);
    remove();
    faults.add({ fault: "hang", times: 5 });
    faults.clear();
    expect(all(0)).toBe(null);
  });

  it("strikes random requests, the same for a seed in any order", () => {
    const calls = Array.from({ length: 400 }, (_, i) => ({ kind: "appdetails", appid: 10 * (1 + (i % 200)) }));
    const strikes = (seed: number, order: typeof calls) => {
      const faults = createWebFaults();
      faults.random({ seed, rate: 0.2, faults: ["drop", { status: 503 }, "page_empty"] });
      return order.map((call) => `${call.appid} ${JSON.stringify(faults.strike(call))}`).sort();
    };
    expect(strikes(1, calls)).toEqual(strikes(1, calls.toReversed()));
    expect(strikes(1, calls)).not.toEqual(strikes(2, calls));
    const struck = strikes(1, calls).filter((line) => !line.endsWith("null"));
    expect(struck.length).toBeGreaterThan(50);
    expect(struck.length).toBeLessThan(110);
    expect(struck.some((line) => line.includes("page_empty"))).toBe(false);
  });
});

describe("busiestWindow and smallestGapMs", () => {
  it("measure calls", () => {
    const calls = [0, 10, 20, 60, 61, 120].map((at) => ({ at }));
    expect(busiestWindow(calls, 60)).toBe(4);
    expect(busiestWindow(calls, 61)).toBe(4);
    expect(busiestWindow(calls, 50)).toBe(3);
    expect([smallestGapMs(calls), smallestGapMs([])]).toEqual([1, Number.POSITIVE_INFINITY]);
  });
});

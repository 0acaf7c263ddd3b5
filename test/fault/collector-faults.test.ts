/**
 * What the web APIs do wrong: whatever it is, each row stays as one of two days says, errors are clear, and the run after it ends as an
 * undisturbed one.
 */
import { describe, expect, it } from "vitest";
import { age, simulateWeb, stored, withFullPages } from "../support/collector.ts";
import {
  gameCount,
  lists,
  newAppid,
  onCall,
  secondDay,
  secondListPage,
  useTwoDays,
} from "../support/collector-days.ts";
import { isFull, onlyFull } from "../support/full.ts";
import type { AppListEntry } from "../support/web/app-list.ts";
import { type WebFault, withoutShare } from "../support/web/faults.ts";

/** A new seed each day, so that other faults are tried; `SEED=` repeats a run. */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
const days = useTwoDays();
const { sql } = days;

/** One of each class. Unit tests of the web client show how every fault is classified and retried; the random test below uses all. */
const classes: [name: string, fault: WebFault, attempts: number, error: { fault: string; message: RegExp }][] = [
  ["a dropped connection", "drop", 4, { fault: "unreachable", message: /gives no answer: ECONNRESET/ }],
  ["429 with Retry-After", { status: 429, retryAfter: "90" }, 4, { fault: "limited", message: /answered 429/ }],
  ["HTML with 200", "html200", 4, { fault: "invalid", message: /answered 200 with a body that is not JSON/ }],
  ["404", { status: 404, html: true }, 1, { fault: "refused", message: /answered 404/ }],
];

describe.each(isFull ? classes : classes.slice(0, 1))("%s", (_, fault, attempts, error) => {
  it("in every phase leaves only the failed requests to the next run", async () => {
    const { web, before } = await days.second();
    const struck = (await days.stillPending()).slice(0, 2);
    web.list.faults.add({ on: { lastAppid: secondListPage(web) }, times: attempts, fault });
    web.spy.faults.add({ on: { page: 1 }, times: attempts, fault });
    for (const appid of struck) web.spy.faults.add({ on: { appid }, times: attempts, fault });

    const { outcome, pages } = await days.collect(web);
    expect(outcome).toMatchObject({ name: "WebError", fault: error.fault });
    expect((outcome as Error).message).toMatch(/^steam_web_api: api.steampowered.com/);
    expect((outcome as Error).message).toMatch(error.message);
    // The missed page is retried at the end of the same run.
    expect(pages).toEqual([0, ...Array(attempts).fill(1), 2, 3, 1]);
    await days.expectNothingWrong(before);
    expect((await stored(sql)).apps).toEqual(before.apps);
    const failed = await sql(
      "select appid, last_error from game_metadata where fetch_status = 'failed' order by appid",
    );
    expect(failed).toEqual(struck.map((appid) => ({ appid, last_error: expect.stringMatching(error.message) })));

    const next = await days.collect(web);
    expect(next.outcome).not.toBeInstanceOf(Error);
    expect([next.lists[0], next.pages]).toEqual([secondListPage(web), []]);
    expect(new Set(next.details)).toEqual(new Set([...struck, newAppid]));
    expect(await stored(sql)).toEqual(days.undisturbed);
  });
});

it("retries three failures in every phase within one run", async () => {
  const { web } = await days.second();
  const retryLater = { status: 429, retryAfter: "90" } as const;
  web.list.faults.add({ on: { lastAppid: secondListPage(web) }, times: 3, fault: "drop" });
  web.spy.faults.add({ on: { page: 2 }, times: 3, fault: retryLater });
  web.spy.faults.add({ on: { kind: "appdetails" }, after: 20, times: 3, fault: "hang" });
  const { outcome } = await days.collect(web);
  expect(outcome).toMatchObject({ details: { failed: 0 }, pass: { missed: [] } });
  expect(await stored(sql)).toEqual(days.undisturbed);
});

describe("403", () => {
  it("of the app list means a rejected key and ends the run", async () => {
    const { web, before } = await days.second();
    web.list.faults.add({ on: { lastAppid: secondListPage(web) }, fault: { status: 403, html: true } });
    const { outcome, ...asked } = await days.collect(web);
    expect(outcome).toMatchObject({
      name: "WebError",
      fault: "denied",
      message: expect.stringContaining("STEAM_API_KEY"),
    });
    expect(asked).toMatchObject({ lists: [0, secondListPage(web)], pages: [], details: [] });
    expect(await stored(sql)).toEqual(before);
    await days.collect(web);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("of the app list after a 429 means a blocked address, in later processes too; SteamSpy's part goes on", async () => {
    const { web, before } = await days.second(0);
    const onSecond = { lastAppid: secondListPage(web) };
    web.list.faults.add({ on: onSecond, fault: { status: 429 } });
    web.list.faults.add({ on: onSecond, times: 2, fault: { status: 403, html: true } });
    for (const maxDetails of [20, 200]) {
      const { outcome, details } = await days.collect(web, { maxDetails });
      expect(outcome).toMatchObject({
        ...{ name: "WebError", fault: "blocked", status: 403 },
        message: expect.stringMatching(
          /answered 403 after 429: this address is blocked; nothing is sent until 20\d\d-/,
        ),
      });
      expect(details).toHaveLength(maxDetails === 20 ? 20 : gameCount - 20);
      await days.expectNothingWrong(before);
      expect((await stored(sql)).apps).toEqual(before.apps);
    }
    expect((await days.collect(web)).outcome).not.toBeInstanceOf(Error);
    expect(await stored(sql)).toEqual(days.undisturbed);
    expect(await sql("select from web_api_throttles")).toEqual([]);
    // The last answer was usable: now a 403 is a rejected key.
    web.list.faults.add({ fault: { status: 403 } });
    expect((await days.collect(web)).outcome).toMatchObject({ fault: "denied" });
  });

  it.each(["page", "details"])(
    "of SteamSpy's %s means a blocked address; the answers so far are kept",
    async (part) => {
      const { web, before } = await days.second();
      web.spy.faults.add({
        on: part === "page" ? { page: 1 } : { kind: "appdetails" },
        after: part === "page" ? 0 : 20,
        fault: { status: 403 },
      });
      const { outcome, pages, details } = await days.collect(web);
      expect(outcome).toMatchObject({
        name: "WebError",
        fault: "blocked",
        message: expect.stringContaining("answered 403"),
      });
      expect([pages, details.length]).toEqual(part === "page" ? [[0, 1], 0] : [[0, 1, 2, 3], 21]);
      await days.expectNothingWrong(before);
      const { games } = await stored(sql);
      expect(games.filter((row) => row.fetch_status === "failed")).toEqual([]);
      const next = await days.collect(web);
      expect(next.pages).toEqual(part === "page" ? [1, 2, 3] : []);
      expect(await stored(sql)).toEqual(days.undisturbed);
    },
  );
});

describe("an implausible app list", () => {
  const broken =
    /refused.*the list of games has 60 apps, \d+ of its 99 are gone \(Steam announced more after app \d+ and sent none\)/;
  const otherLists: [WebFault, string, object][] = [
    ["null_entry", "WebError", { fault: "invalid", message: expect.stringContaining("response.apps.0") }],
    ["no_apps", "CollectorError", { message: expect.stringMatching(broken) }],
  ];
  it.each<[WebFault, string, object]>([
    ["none_of_more", "CollectorError", { message: expect.stringMatching(broken) }],
    ...(isFull ? otherLists : []),
    [
      "missing_page",
      "CollectorError",
      { message: expect.stringMatching(/refused.*the list of games has \d+ apps, \d+ of its 99 are gone/) },
    ],
    [
      { fewer: 0.1 },
      "CollectorError",
      { message: expect.stringMatching(/refused.*the list of games has 9\d apps, \d+ of its 99 are gone.*MAX_SHRINK/) },
    ],
  ])("with %j changes nothing, and the run continues with SteamSpy", async (fault, name, error) => {
    const { web, before } = await days.second();
    const remove = web.list.faults.add({
      on: ({ lastAppid }) => typeof fault === "object" || lastAppid === secondListPage(web),
      fault,
    });
    const { outcome, pages, details } = await days.collect(web);
    remove();
    expect(outcome).toMatchObject({ name, ...error });
    expect([pages, details.length]).toEqual([[0, 1, 2, 3], 70]);
    await days.expectNothingWrong(before);
    expect(await stored(sql)).toMatchObject({ apps: before.apps, members: before.members });
    await days.collect(web);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("of a kind without any list is rejected with the reason", async () => {
    const { web, before } = await days.second();
    web.list.faults.add({ on: { lastAppid: 0 }, times: 5, fault: "no_apps" });
    const { outcome, lists: asked } = await days.collect(web, { maxShrink: 1, maxDetails: 0 });
    expect(asked).toEqual([0, 0, 0, 0, 0]);
    expect(outcome).toMatchObject({
      name: "CollectorError",
      message: expect.stringMatching(
        /the list of games has 0 apps, 99 of its 99 are gone \(Steam answered without a list\)/,
      ),
    });
    expect(await stored(sql)).toMatchObject({ apps: before.apps, members: before.members });
  });

  it("that breaks off within MAX_SHRINK is accepted, delists nothing beyond its end and adds the new apps before it", async () => {
    const { web, before } = await days.second();
    web.list.faults.add({ on: { lastAppid: secondListPage(web) }, fault: "none_of_more" });
    const { outcome } = await days.collect(web, { maxShrink: 0.5, maxDetails: 0 });
    // The DLC that vanished is not in the list that breaks off.
    expect(outcome).toMatchObject({ list: { delisted: 1, inserted: 1 } });
    const { apps, members } = await stored(sql);
    const [delisted] = before.members.filter(({ kind }) => kind === "dlc");
    expect(apps.filter(({ is_listed }) => !is_listed)).toMatchObject([{ appid: delisted?.appid }]);
    const games = (all: typeof members) => all.filter(({ kind }) => kind === "games").map(({ appid }) => Number(appid));
    expect(games(members)).toEqual(expect.arrayContaining(games(before.members)));
    await days.collect(web);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("whose pages repeat themselves ends, and delists nothing", async () => {
    const { web, before } = await days.second();
    web.list.faults.add({ on: { kind: "app_list" }, times: Number.POSITIVE_INFINITY, fault: "no_progress" });
    const { outcome } = await days.collect(web, { maxDetails: 0 });
    // The cursor of each page stands still; its highest appid moves on.
    expect(outcome).toMatchObject({ list: { delisted: 1 } });
    expect((await stored(sql)).members).toEqual(days.undisturbed.members);
    expect(before.apps.length).toBeGreaterThan(100);
  });

  it.skipIf(!isFull)(`with a tenth fewer apps is accepted with a higher MAX_SHRINK${onlyFull}`, async () => {
    const { web, before } = await days.second();
    const fault = { fewer: 0.1 };
    web.list.faults.add({ fault });
    const { outcome } = await days.collect(web, { maxShrink: 0.2 });
    const named = (day = {}) => Object.values<AppListEntry[]>(day).flatMap((apps) => withoutShare(apps, fault));
    const listed = new Set(named(lists[1]).map(({ appid }) => appid));
    const gone = before.apps.filter(({ appid }) => !listed.has(Number(appid)));
    expect(outcome).toMatchObject({ list: { delisted: gone.length } });
    expect(gone.length).toBeGreaterThan(10);
    const unlisted = await sql("select appid from apps where not is_listed and not is_active order by appid");
    expect(unlisted).toEqual(gone.map(({ appid }) => ({ appid })));
  });
});

describe("crawlPages", () => {
  it("retries an empty page in the middle at the end", async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 1 }, fault: "page_empty" });
    const { outcome, pages } = await days.collect(web);
    expect([pages, outcome]).toMatchObject([[0, 1, 2, 3, 1], { pass: { pages: 4, missed: [] } }]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it.skipIf(!isFull)(`does not take a short page in the middle for the end${onlyFull}`, async () => {
    const { web, before } = await days.second();
    const remove = web.spy.faults.add({ on: { page: 1 }, fault: { fewer: 0.1 } });
    expect((await days.collect(web)).pages).toEqual([0, 1, 2, 3]);
    await days.expectNothingWrong(before);
    remove();
    await age(sql, "21 hours");
    await days.collect(web);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it.skipIf(!isFull)(`keeps the games of a page that stays missing, until the next crawl${onlyFull}`, async () => {
    const { web, before } = await days.second(200);
    web.spy.faults.add({ on: { page: 1 }, times: 2, fault: "page_empty" });
    const { outcome } = await days.collect(web);
    expect(outcome).toMatchObject({ pass: { pages: 3, missed: [1] } });
    await days.expectNothingWrong(before);
    const onPage = new Set(Object.keys(secondDay.pages[1] ?? {}));
    const reviews = new Map(days.undisturbed.games.map((row) => [row.appid, row.positive_reviews]));
    const old = (await stored(sql)).games.filter((row) => row.positive_reviews !== reviews.get(row.appid));
    expect(old.length).toBeGreaterThan(20);
    expect(old.every(({ appid }) => onPage.has(String(appid)))).toBe(true);
    await age(sql, "21 hours");
    expect((await days.collect(web)).pages).toEqual([0, 1, 2, 3]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("rejects an end that comes far too early; the next run resumes there", async () => {
    const { web, before } = await days.second();
    for (const page of [2, 3]) web.spy.faults.add({ on: { page }, fault: "page_empty" });
    const { outcome } = await days.collect(web);
    expect(outcome).toMatchObject({
      name: "CollectorError",
      message: expect.stringContaining("ended after 2 pages, the last one had 4"),
    });
    await days.expectNothingWrong(before);
    expect((await days.collect(web)).pages).toEqual([2, 3]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it.skipIf(!isFull)(`rejects a crawl without any page${onlyFull}`, async () => {
    const web = simulateWeb({ ...secondDay, pages: [] }, { lists: {} });
    const { outcome, pages } = await days.collect(web);
    expect(outcome).toMatchObject({ name: "CollectorError", message: expect.stringMatching(/ended after 0 pages\. /) });
    expect(pages).toEqual([0, 1]);
  });

  it("ends after two failed pages in a row; the next run resumes there", async () => {
    const { web, before } = await days.second();
    for (const page of [1, 2]) web.spy.faults.add({ on: { page }, times: 4, fault: "drop" });
    const { outcome, details } = await days.collect(web);
    expect(outcome).toMatchObject({ name: "WebError", fault: "unreachable" });
    expect(details).toHaveLength(71);
    await days.expectNothingWrong(before);
    expect((await days.collect(web)).pages).toEqual([2, 3, 1]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it.skipIf(!isFull)(`fetches an empty page and the failed page after it in the next run${onlyFull}`, async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 1 }, fault: "page_empty" });
    web.spy.faults.add({ on: { page: 2 }, times: 4, fault: "drop" });
    web.spy.faults.add({ on: { page: 3 }, times: 4, fault: "drop" });
    expect((await days.collect(web)).outcome).toMatchObject({ fault: "unreachable" });
    expect((await days.collect(web)).pages).toEqual([1, 2, 3]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("does not count a failed page at the end", async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 3 }, fault: "page_empty" });
    web.spy.faults.add({ on: { page: 4 }, times: 4, fault: "drop" });
    const { outcome, pages } = await days.collect(web);
    expect(outcome).toMatchObject({ name: "CollectorError" });
    expect(pages).toEqual([0, 1, 2, 3, 4, 4, 4, 4, 5]);
    expect((await days.collect(web)).outcome).toMatchObject({ pass: { pages: 1, missed: [] } });
    expect(await stored(sql)).toEqual(days.undisturbed);

    await age(sql, "21 hours");
    web.spy.dump = { ...secondDay, pages: withFullPages([...secondDay.pages, {}]).slice(0, 4) };
    web.spy.faults.add({ on: { page: 4 }, times: 8, fault: "drop" });
    expect((await days.collect(web)).outcome).toMatchObject({ pass: { pages: 4, missed: [4] } });
    expect(await sql("select pass_pages, pass_missed from collector_state")).toEqual([
      { pass_pages: 4, pass_missed: [4] },
    ]);
    await age(sql, "21 hours");
    web.spy.faults.add({ on: { page: 4 }, times: 4, fault: "drop" });
    expect((await days.collect(web)).outcome).toMatchObject({ pass: { pages: 4, missed: [] } });
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("keeps a page missed until the last of its batches is saved", async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 1 }, times: 4, fault: "drop" });
    // Calls: the last batch of the last page, then the batches of the missed page.
    let atTheEnd = 0;
    const killed = onCall(days.db, "collector_save_page", ({ page }) => {
      if (page === 4 && ++atTheEnd === 3) throw new Error("killed");
    });
    expect((await days.collect(web, { batchSize: 10 }, killed)).outcome).toMatchObject({ message: "killed" });
    expect((await days.collect(web)).pages).toEqual([4, 1]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });
});

it(`stores nothing wrong under random faults, and completes in later runs (SEED=${seed})`, async () => {
  const faults: WebFault[] = ["drop", "hang", "html200", "truncated", "empty200", "page_empty", "blank"];
  for (const status of [403, 404, 429, 500] as const) faults.push({ status });
  faults.push({ status: 429, retryAfter: "90" });
  const listFaults: WebFault[] = [...faults, "no_apps", "none_of_more", "null_entry", "missing_page", "no_progress"];
  listFaults.push({ fewer: 0.2 });
  const { web, before } = await days.second(0);
  web.spy.faults.random({ seed, rate: 0.4, faults });
  web.list.faults.random({ seed, rate: 0.4, faults: listFaults });
  const outcomes: string[] = [];
  for (let run = 1; ; run++) {
    const { outcome } = await days.collect(web, { retryAttempts: 1, batchSize: 20 });
    await days.expectNothingWrong(before);
    const fault = outcome instanceof Error ? ("fault" in outcome ? outcome.fault : outcome.message) : "done";
    outcomes.push(String(fault));
    const failed = await sql(
      "update game_metadata set fetch_attempts = 1 where fetch_status = 'failed' returning appid",
    );
    const missed = await sql("select from collector_state where pass_completed_at is null or pass_missed <> '[]'");
    if (!(outcome instanceof Error) && failed.length + missed.length === 0) break;
    if (!(outcome instanceof Error)) await age(sql, "21 hours");
    expect(run, outcomes.join(", ")).toBeLessThan(80);
  }
  expect(await stored(sql), outcomes.join(", ")).toEqual(days.undisturbed);
  const struck = [web.spy.faults, web.list.faults].flatMap((faults) => Object.values(faults.struck));
  expect(struck.reduce((sum, count) => sum + count)).toBeGreaterThan(40);
});

/**
 * What the web APIs do wrong: whatever it is, each row stays as one of two days says, errors are clear, and the run after it ends as an
 * undisturbed one.
 */
import { describe, expect, it } from "vitest";
import { age, simulateWeb, stored, withFullPages } from "../support/collector.ts";
import { lists, newAppid, onCall, secondDay, secondListPage, useTwoDays } from "../support/collector-days.ts";
import type { AppListEntry } from "../support/web/app-list.ts";
import { type WebFault, withoutShare } from "../support/web/faults.ts";

/** Another seed each day, so that other faults are tried; `SEED=` repeats a run. */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));
const days = useTwoDays();
const { sql } = days;

const passing: [name: string, fault: WebFault, error: { fault: string; message: RegExp }][] = [
  ["a dropped connection", "drop", { fault: "unreachable", message: /gives no answer: ECONNRESET/ }],
  ["silence", "hang", { fault: "unreachable", message: /no whole answer within 30 s/ }],
  ["500", { status: 500 }, { fault: "unreachable", message: /answered 500/ }],
  ["429", { status: 429 }, { fault: "limited", message: /answered 429/ }],
  ["429 with Retry-After", { status: 429, retryAfter: "90" }, { fault: "limited", message: /answered 429/ }],
  ["HTML with 200", "html200", { fault: "invalid", message: /answered 200 with no JSON/ }],
  ["half an answer", "truncated", { fault: "invalid", message: /answered 200 with no JSON/ }],
  ["an empty answer", "empty200", { fault: "invalid", message: /answered 200 with nothing/ }],
];
const refusal = ["404", { status: 404, html: true }, { fault: "refused", message: /answered 404/ }] as const;

it.each([...passing, refusal])("%s in every part leaves what it struck to the next run", async (_, fault, error) => {
  const { web, before } = await days.second();
  const struck = (await days.stillPending()).slice(0, 2);
  const attempts = fault === refusal[1] ? 1 : 4;
  web.list.faults.add({ on: { lastAppid: secondListPage(web) }, times: attempts, fault });
  web.spy.faults.add({ on: { page: 1 }, times: attempts, fault });
  for (const appid of struck) web.spy.faults.add({ on: { appid }, times: attempts, fault });

  const { outcome, pages } = await days.collect(web);
  expect(outcome).toMatchObject({ name: "WebError", fault: error.fault });
  expect((outcome as Error).message).toMatch(/^steam_web_api: api.steampowered.com/);
  expect((outcome as Error).message).toMatch(error.message);
  // The page was had at the end of the same run.
  expect(pages).toEqual([0, ...Array(attempts).fill(1), 2, 3, 1]);
  await days.expectNothingWrong(before);
  expect((await stored(sql)).apps).toEqual(before.apps);
  const failed = await sql("select appid, last_error from game_metadata where fetch_status = 'failed' order by appid");
  expect(failed).toEqual(struck.map((appid) => ({ appid, last_error: expect.stringMatching(error.message) })));

  const next = await days.collect(web);
  expect(next.outcome).not.toBeInstanceOf(Error);
  expect([next.lists[0], next.pages]).toEqual([secondListPage(web), []]);
  expect(new Set(next.details)).toEqual(new Set([...struck, newAppid]));
  expect(await stored(sql)).toEqual(days.undisturbed);
});

it.each(passing)("%s is survived three times in a row", async (_, fault) => {
  const { web } = await days.second();
  web.list.faults.add({ on: { lastAppid: secondListPage(web) }, times: 3, fault });
  web.spy.faults.add({ on: { page: 2 }, times: 3, fault });
  web.spy.faults.add({ on: { kind: "appdetails" }, after: 20, times: 3, fault });
  const { outcome } = await days.collect(web);
  expect(outcome).toMatchObject({ details: { failed: 0 }, pass: { missed: [] } });
  expect(await stored(sql)).toEqual(days.undisturbed);
});

describe("403", () => {
  it("of the list is a key that is refused: nothing else is asked", async () => {
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

  it.each(["page", "details"])(
    "of SteamSpy's %s says that the address is blocked; what was told is kept",
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

describe("an app list", () => {
  it.each<[WebFault, string, object]>([
    ["no_apps", "WebError", { fault: "invalid", message: expect.stringContaining("response.apps: ") }],
    ["null_entry", "WebError", { fault: "invalid", message: expect.stringContaining("response.apps.0: ") }],
    ["no_progress", "WebError", { fault: "invalid", message: expect.stringContaining("does not move forward") }],
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
  ])("with %j changes nothing, and SteamSpy is asked all the same", async (fault, name, error) => {
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

  it("with a tenth fewer is taken where MAX_SHRINK says so", async () => {
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

describe("SteamSpy's pages", () => {
  it("may leave out one in the middle: it is asked for again at the end", async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 1 }, fault: "page_empty" });
    const { outcome, pages } = await days.collect(web);
    expect([pages, outcome]).toMatchObject([[0, 1, 2, 3, 1], { pass: { pages: 4, missed: [] } }]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("may have a short one in the middle, which is no end", async () => {
    const { web, before } = await days.second();
    const remove = web.spy.faults.add({ on: { page: 1 }, fault: { fewer: 0.1 } });
    expect((await days.collect(web)).pages).toEqual([0, 1, 2, 3]);
    await days.expectNothingWrong(before);
    remove();
    await age(sql, "21 hours");
    await days.collect(web);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("may never have one of them: its games stay as they were, until the next pass", async () => {
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

  it("that end far too soon are no end; the next run goes on there", async () => {
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

  it("may be empty at first: nothing is believed then", async () => {
    const web = simulateWeb({ ...secondDay, pages: [] }, { lists: {} });
    const { outcome, pages } = await days.collect(web);
    expect(outcome).toMatchObject({ name: "CollectorError", message: expect.stringMatching(/ended after 0 pages\. /) });
    expect(pages).toEqual([0, 1]);
  });

  it("fail twice in a row: the pass ends for now, and the next run goes on there", async () => {
    const { web, before } = await days.second();
    for (const page of [1, 2]) web.spy.faults.add({ on: { page }, times: 4, fault: "drop" });
    const { outcome, details } = await days.collect(web);
    expect(outcome).toMatchObject({ name: "WebError", fault: "unreachable" });
    expect(details).toHaveLength(71);
    await days.expectNothingWrong(before);
    expect((await days.collect(web)).pages).toEqual([2, 3, 1]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("an empty one and a failed one after it are both asked for by the next run", async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 1 }, fault: "page_empty" });
    web.spy.faults.add({ on: { page: 2 }, times: 4, fault: "drop" });
    web.spy.faults.add({ on: { page: 3 }, times: 4, fault: "drop" });
    expect((await days.collect(web)).outcome).toMatchObject({ fault: "unreachable" });
    expect((await days.collect(web)).pages).toEqual([1, 2, 3]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("one that failed where the end is does not count", async () => {
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

  it("one that was missed and is saved in parts is missed until the last of them is saved", async () => {
    const { web } = await days.second();
    web.spy.faults.add({ on: { page: 1 }, times: 4, fault: "drop" });
    // The last part of the last page, and those of the page that was missed.
    let atTheEnd = 0;
    const killed = onCall(days.db, "collector_save_page", ({ page }) => {
      if (page === 4 && ++atTheEnd === 3) throw new Error("killed");
    });
    expect((await days.collect(web, { batchSize: 10 }, killed)).outcome).toMatchObject({ message: "killed" });
    expect((await days.collect(web)).pages).toEqual([4, 1]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });
});

it(`any faults at any time store nothing wrong, and runs go on until all is done (SEED=${seed})`, async () => {
  const faults: WebFault[] = [...passing.map(([, fault]) => fault), { status: 403 }, { status: 404 }, "page_empty"];
  const listFaults: WebFault[] = [...faults, "no_apps", "null_entry", "missing_page", "no_progress", { fewer: 0.2 }];
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

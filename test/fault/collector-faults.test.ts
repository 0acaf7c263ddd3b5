/**
 * What the web APIs do wrong, on a clock that jumps: a day is collected undisturbed, then a second one with faults. Whatever happens on it,
 * each row stays as one of the two days says, and the run after it ends as an undisturbed one.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { CollectorSummary } from "../../src/collector/collector.ts";
import type { Database } from "../../src/db/database.ts";
import {
  age,
  appidsOf,
  type CollectorOverrides,
  defaultLimits,
  forgetEverything,
  listsOf,
  simulateWeb,
  startCollector,
  stored,
  withFullPages,
} from "../support/collector.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type FakeClock, startFakeClock } from "../support/fake-clock.ts";
import type { AppListEntry } from "../support/web/app-list.ts";
import { type WebFault, withoutShare } from "../support/web/faults.ts";
import { generateSteamSpy } from "../support/web/generate-steamspy.ts";
import { type ExpectedMetadata, emptyMetadata, readSteamSpyIndependently } from "../support/web/read-steamspy.ts";
import type { SteamSpyDump } from "../support/web/steamspy.ts";

const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));

let database: TestDatabase;
let clock: FakeClock;
beforeAll(async () => {
  database = await openTestDatabase("pglite");
});
afterAll(() => database.close());
const sql: TestDatabase["sql"] = (...args) => database.sql(...args);

/** 100 games on four pages. All that differs from day to day are the reviews, the same in pages and details. */
function dayOf(number: number): SteamSpyDump {
  const dump = generateSteamSpy({ seed: 9, games: 100, pageSize: 28 });
  for (const app of new Set(dump.pages.flatMap((page) => Object.values(page)))) {
    if (app.positive < 1_000_000) app.positive += number;
    const details = dump.details.get(app.appid);
    if (details) dump.details.set(app.appid, { ...details, positive: app.positive });
  }
  return dump;
}
const [first, second] = [dayOf(1), dayOf(2)];
const appids = appidsOf(first);
const listSize = 60;
/** Of the games two are new; of the others one has gone. */
const lists = [1, 2].map((day) => {
  const { games = [], dlc = [], ...others } = listsOf(first);
  const isSecond = day === 2;
  return {
    games: isSecond ? [...games, { appid: 1_000_001, name: "New" }] : games.slice(1),
    dlc: isSecond ? dlc.slice(1) : dlc,
    ...others,
  };
});
const allDetails = { details: [...appids, 1_000_001] };
const read = [first, second].map((dump) => readSteamSpyIndependently(dump, allDetails));

/** A run on the clock; its error in place of a summary where it fails. */
async function collect(
  web: ReturnType<typeof simulateWeb>,
  overrides: CollectorOverrides = {},
  db: Database = database.db,
) {
  const started = clock.elapsedMs();
  const outcome: CollectorSummary | Error = await clock
    .run(() => {
      const fetch = clock.wrapFetch(web.fetch);
      return startCollector(clock.wrapDatabase(db), { fetch, limits: defaultLimits, ...overrides }).done;
    })
    .catch((error: Error) => error);
  return { outcome, tookMs: clock.elapsedMs() - started, ...web.asked() };
}

/** The first day with the details of some games, collected undisturbed; a day later the APIs tell of the second. */
async function secondDay(maxDetails = 30) {
  const web = simulateWeb(
    { ...first, pages: withFullPages(first.pages) },
    { lists: lists[0] ?? {}, pageSize: listSize },
  );
  const { outcome } = await collect(web, { maxDetails });
  expect(outcome).not.toBeInstanceOf(Error);
  await age(sql, "1 day");
  web.spy.dump = { ...second, pages: withFullPages(second.pages) };
  web.list.lists = lists[1] ?? {};
  return { web, before: await stored(sql) };
}
let undisturbed: Awaited<ReturnType<typeof stored>>;

beforeEach(async () => {
  clock = startFakeClock();
  onTestFinished(clock.restore);
  await forgetEverything(sql);
});
beforeAll(async () => {
  clock = startFakeClock();
  await forgetEverything(sql);
  const { web } = await secondDay();
  expect((await collect(web)).outcome).not.toBeInstanceOf(Error);
  clock.restore();
  undisturbed = await stored(sql);
  expect(undisturbed.games).toHaveLength(101);
});

/** Every row is as one of the days says, as a whole where it can be; the apps are as at the end of one of the two. */
async function expectNothingWrong(before: Awaited<ReturnType<typeof stored>>) {
  const { apps, games, members } = await stored(sql);
  expect([before.apps, undisturbed.apps]).toContainEqual(apps);
  expect([before.members, undisturbed.members]).toContainEqual(members);
  for (const row of games as (ExpectedMetadata & { appid: number })[]) {
    const wanted = [emptyMetadata(), ...read.flatMap((rows) => rows.get(row.appid) ?? [])];
    expect(wanted.map(numbersOf)).toContainEqual(numbersOf(row));
    if (row.fetch_status === "success") expect(wanted.map(wordsOf)).toContainEqual(wordsOf(row));
    else expect(wordsOf(row)).toEqual(wordsOf(emptyMetadata()));
    if (row.fetch_status === "not_found") expect(wanted[1]?.fetch_status).toBe("not_found");
    expect(row.fetch_attempts > 0).toBe(row.fetch_status === "failed");
  }
}
const wordsOf = ({ genre, languages, tags_json }: ExpectedMetadata) => ({ genre, languages, tags_json });
const numbersOf = ({ positive_reviews, developer, price, owners_estimate }: ExpectedMetadata) => ({
  positive_reviews,
  developer,
  price,
  owners_estimate,
});

/** The games whose details the first day did not ask for. */
async function stillPending() {
  const rows = await sql<{ appid: number }>("select appid from game_metadata where fetched_at is null order by appid");
  return rows.map(({ appid }) => appid);
}
/** Where the second page of the games begins. */
const secondPage = ({ list }: ReturnType<typeof simulateWeb>) => list.lists.games?.[listSize - 1]?.appid ?? 0;

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
  const { web, before } = await secondDay();
  const struck = (await stillPending()).slice(0, 2);
  const attempts = fault === refusal[1] ? 1 : 4;
  web.list.faults.add({ on: { lastAppid: secondPage(web) }, times: attempts, fault });
  web.spy.faults.add({ on: { page: 1 }, times: attempts, fault });
  for (const appid of struck) web.spy.faults.add({ on: { appid }, times: attempts, fault });

  const { outcome, pages } = await collect(web);
  expect(outcome).toMatchObject({ name: "WebError", fault: error.fault });
  expect((outcome as Error).message).toMatch(/^steam_web_api: api.steampowered.com/);
  expect((outcome as Error).message).toMatch(error.message);
  // The page was had at the end of the same run.
  expect(pages).toEqual([0, ...Array(attempts).fill(1), 2, 3, 1]);
  await expectNothingWrong(before);
  expect((await stored(sql)).apps).toEqual(before.apps);
  const failed = await sql("select appid, last_error from game_metadata where fetch_status = 'failed' order by appid");
  expect(failed).toEqual(struck.map((appid) => ({ appid, last_error: expect.stringMatching(error.message) })));

  const next = await collect(web);
  expect(next.outcome).not.toBeInstanceOf(Error);
  expect([next.lists[0], next.pages]).toEqual([secondPage(web), []]);
  expect(new Set(next.details)).toEqual(new Set([...struck, 1_000_001]));
  expect(await stored(sql)).toEqual(undisturbed);
});

it.each(passing)("%s is survived three times in a row", async (_, fault) => {
  const { web } = await secondDay();
  web.list.faults.add({ on: { lastAppid: secondPage(web) }, times: 3, fault });
  web.spy.faults.add({ on: { page: 2 }, times: 3, fault });
  web.spy.faults.add({ on: { kind: "appdetails" }, after: 20, times: 3, fault });
  const { outcome } = await collect(web);
  expect(outcome).toMatchObject({ details: { failed: 0 }, pass: { missed: [] } });
  expect(await stored(sql)).toEqual(undisturbed);
});

describe("403", () => {
  it("of the list is a key that is refused: nothing else is asked", async () => {
    const { web, before } = await secondDay();
    web.list.faults.add({ on: { lastAppid: secondPage(web) }, fault: { status: 403, html: true } });
    const { outcome, ...asked } = await collect(web);
    expect(outcome).toMatchObject({
      name: "WebError",
      fault: "denied",
      message: expect.stringContaining("STEAM_API_KEY"),
    });
    expect(asked).toMatchObject({ lists: [0, secondPage(web)], pages: [], details: [] });
    expect(await stored(sql)).toEqual(before);
    await collect(web);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it.each(["page", "details"])(
    "of SteamSpy's %s says that the address is blocked; what was told is kept",
    async (part) => {
      const { web, before } = await secondDay();
      web.spy.faults.add({
        on: part === "page" ? { page: 1 } : { kind: "appdetails" },
        after: part === "page" ? 0 : 20,
        fault: { status: 403 },
      });
      const { outcome, pages, details } = await collect(web);
      expect(outcome).toMatchObject({
        name: "WebError",
        fault: "blocked",
        message: expect.stringContaining("answered 403"),
      });
      expect([pages, details.length]).toEqual(part === "page" ? [[0, 1], 0] : [[0, 1, 2, 3], 21]);
      await expectNothingWrong(before);
      const { games } = await stored(sql);
      expect(games.filter((row) => (row as ExpectedMetadata).fetch_status === "failed")).toEqual([]);
      const next = await collect(web);
      expect(next.pages).toEqual(part === "page" ? [1, 2, 3] : []);
      expect(await stored(sql)).toEqual(undisturbed);
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
    const { web, before } = await secondDay();
    const remove = web.list.faults.add({
      on: ({ lastAppid }) => typeof fault === "object" || lastAppid === secondPage(web),
      fault,
    });
    const { outcome, pages, details } = await collect(web);
    remove();
    expect(outcome).toMatchObject({ name, ...error });
    expect([pages, details.length]).toEqual([[0, 1, 2, 3], 70]);
    await expectNothingWrong(before);
    expect(await stored(sql)).toMatchObject({ apps: before.apps, members: before.members });
    await collect(web);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("with a tenth fewer is taken where MAX_SHRINK says so", async () => {
    const { web, before } = await secondDay();
    const fault = { fewer: 0.1 };
    web.list.faults.add({ fault });
    const { outcome } = await collect(web, { maxShrink: 0.2 });
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
    const { web } = await secondDay();
    web.spy.faults.add({ on: { page: 1 }, fault: "page_empty" });
    const { outcome, pages } = await collect(web);
    expect([pages, outcome]).toMatchObject([[0, 1, 2, 3, 1], { pass: { pages: 4, missed: [] } }]);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("may have a short one in the middle, which is no end", async () => {
    const { web, before } = await secondDay();
    const remove = web.spy.faults.add({ on: { page: 1 }, fault: { fewer: 0.1 } });
    expect((await collect(web)).pages).toEqual([0, 1, 2, 3]);
    await expectNothingWrong(before);
    remove();
    await age(sql, "21 hours");
    await collect(web);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("may never have one of them: its games stay as they were, until the next pass", async () => {
    const { web, before } = await secondDay(200);
    web.spy.faults.add({ on: { page: 1 }, times: 2, fault: "page_empty" });
    const { outcome } = await collect(web);
    expect(outcome).toMatchObject({ pass: { pages: 3, missed: [1] } });
    await expectNothingWrong(before);
    const onPage = new Set(Object.keys(second.pages[1] ?? {}));
    const old = (await stored(sql)).games.filter((row) => {
      const { appid, ...read } = row as ExpectedMetadata & { appid: number };
      return read.positive_reviews !== undisturbedRow(appid).positive_reviews;
    });
    expect(old.length).toBeGreaterThan(20);
    expect(old.every((row) => onPage.has(String((row as { appid: number }).appid)))).toBe(true);
    await age(sql, "21 hours");
    expect((await collect(web)).pages).toEqual([0, 1, 2, 3]);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("that end far too soon are no end; the next run goes on there", async () => {
    const { web, before } = await secondDay();
    for (const page of [2, 3]) web.spy.faults.add({ on: { page }, fault: "page_empty" });
    const { outcome } = await collect(web);
    expect(outcome).toMatchObject({
      name: "CollectorError",
      message: expect.stringContaining("ended after 2 pages, the last one had 4"),
    });
    await expectNothingWrong(before);
    expect((await collect(web)).pages).toEqual([2, 3]);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("may be empty at first: nothing is believed then", async () => {
    const web = simulateWeb({ ...first, pages: [] }, { lists: {} });
    const { outcome, pages } = await collect(web);
    expect(outcome).toMatchObject({ name: "CollectorError", message: expect.stringMatching(/ended after 0 pages\. /) });
    expect(pages).toEqual([0, 1]);
  });

  it("fail twice in a row: the pass ends for now, and the next run goes on there", async () => {
    const { web, before } = await secondDay();
    for (const page of [1, 2]) web.spy.faults.add({ on: { page }, times: 4, fault: "drop" });
    const { outcome, details } = await collect(web);
    expect(outcome).toMatchObject({ name: "WebError", fault: "unreachable" });
    expect(details).toHaveLength(71);
    await expectNothingWrong(before);
    expect((await collect(web)).pages).toEqual([2, 3, 1]);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("an empty one and a failed one after it are both asked for by the next run", async () => {
    const { web } = await secondDay();
    web.spy.faults.add({ on: { page: 1 }, fault: "page_empty" });
    web.spy.faults.add({ on: { page: 2 }, times: 4, fault: "drop" });
    web.spy.faults.add({ on: { page: 3 }, times: 4, fault: "drop" });
    expect((await collect(web)).outcome).toMatchObject({ fault: "unreachable" });
    expect((await collect(web)).pages).toEqual([1, 2, 3]);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("one that failed where the end is does not count", async () => {
    const { web } = await secondDay();
    web.spy.faults.add({ on: { page: 3 }, fault: "page_empty" });
    web.spy.faults.add({ on: { page: 4 }, times: 4, fault: "drop" });
    const { outcome, pages } = await collect(web);
    expect(outcome).toMatchObject({ name: "CollectorError" });
    expect(pages).toEqual([0, 1, 2, 3, 4, 4, 4, 4, 5]);
    expect((await collect(web)).outcome).toMatchObject({ pass: { pages: 1, missed: [] } });
    expect(await stored(sql)).toEqual(undisturbed);

    await age(sql, "21 hours");
    const full = { ...second, pages: withFullPages([...second.pages, {}]).slice(0, 4) };
    web.spy.dump = full;
    web.spy.faults.add({ on: { page: 4 }, times: 8, fault: "drop" });
    expect((await collect(web)).outcome).toMatchObject({ pass: { pages: 4, missed: [4] } });
    expect(await sql("select pass_pages, pass_missed from collector_state")).toEqual([
      { pass_pages: 4, pass_missed: [4] },
    ]);
    await age(sql, "21 hours");
    web.spy.faults.add({ on: { page: 4 }, times: 4, fault: "drop" });
    expect((await collect(web)).outcome).toMatchObject({ pass: { pages: 4, missed: [] } });
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("one that was missed and is saved in parts is missed until the last of them is saved", async () => {
    const { web } = await secondDay();
    web.spy.faults.add({ on: { page: 1 }, times: 4, fault: "drop" });
    // The last part of the last page, and those of the page that was missed.
    let atTheEnd = 0;
    const killed = onCall(database.db, "collector_save_page", ({ page }) => {
      if (page === 4 && ++atTheEnd === 3) throw new Error("killed");
    });
    expect((await collect(web, { batchSize: 10 }, killed)).outcome).toMatchObject({ message: "killed" });
    expect((await collect(web)).pages).toEqual([4, 1]);
    expect(await stored(sql)).toEqual(undisturbed);
  });
});

it(`any faults at any time store nothing wrong, and runs go on until all is done (SEED=${seed})`, async () => {
  const faults: WebFault[] = [...passing.map(([, fault]) => fault), { status: 403 }, { status: 404 }, "page_empty"];
  const listFaults: WebFault[] = [...faults, "no_apps", "null_entry", "missing_page", "no_progress", { fewer: 0.2 }];
  const { web, before } = await secondDay(0);
  web.spy.faults.random({ seed, rate: 0.4, faults });
  web.list.faults.random({ seed, rate: 0.4, faults: listFaults });
  const outcomes: string[] = [];
  for (let run = 1; ; run++) {
    const { outcome } = await collect(web, { retryAttempts: 1, batchSize: 20 });
    await expectNothingWrong(before);
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
  expect(await stored(sql), outcomes.join(", ")).toEqual(undisturbed);
  const struck = [web.spy.faults, web.list.faults].flatMap((faults) => Object.values(faults.struck));
  expect(struck.reduce((sum, count) => sum + count)).toBeGreaterThan(40);
});

describe("while details are asked for", () => {
  it.each([1, 3])(
    "an outage of SteamSpy ends the run after ten games, none of which has failed (%i workers)",
    async (workers) => {
      const { web, before } = await secondDay();
      web.spy.faults.add({ on: { kind: "appdetails" }, after: 25, times: 10_000, fault: "drop" });
      const { outcome, details } = await collect(web, { workers });
      expect(outcome).toMatchObject({ name: "WebError", fault: "unreachable" });
      const inVain = new Set(details.slice(25)).size;
      expect(inVain).toBeGreaterThanOrEqual(10);
      expect(inVain).toBeLessThan(10 + workers);
      expect(details.length).toBeLessThanOrEqual(25 + 4 * inVain);
      await expectNothingWrong(before);
      expect(await sql("select from game_metadata where fetch_status = 'failed'")).toEqual([]);
      expect(await stillPending()).toHaveLength(101 - 30 - 25);
      web.spy.faults.clear();
      await collect(web);
      expect(await stored(sql)).toEqual(undisturbed);
    },
  );

  it("an outage of nine games is no outage", async () => {
    const { web } = await secondDay();
    const struck = (await stillPending()).slice(0, 9);
    web.spy.faults.add({ on: ({ appid = 0 }) => struck.includes(appid), times: 36, fault: "drop" });
    expect((await collect(web)).outcome).toMatchObject({ details: { failed: 9 } });
    await collect(web);
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("a stop saves what was answered and gives the lease back", async () => {
    const { web, before } = await secondDay();
    const run = startCollector(clock.wrapDatabase(database.db), {
      limits: defaultLimits,
      fetch: clock.wrapFetch((input, init) => {
        if (web.spy.log.counts.appdetails === 40) void run.stop();
        return web.fetch(input, init);
      }),
    });
    await expect(clock.run(run.done)).rejects.toThrow("stopped");
    expect(new Set(web.asked().details).size).toBe(40);
    await expectNothingWrong(before);
    const pending = await stillPending();
    expect(pending.length).toBe(101 - 30 - 40);
    expect(await sql("select leader_id, leader_until from collector_state")).toEqual([
      { leader_id: null, leader_until: null },
    ]);
    const next = await collect(web);
    expect(new Set(next.details)).toEqual(new Set(pending));
    expect(await stored(sql)).toEqual(undisturbed);
  });

  it("another that takes over leaves nothing for it to write", async () => {
    const { web } = await secondDay();
    let taken: unknown;
    const other = "00000000-0000-4000-8000-000000000001";
    const { outcome } = await collect({
      ...web,
      fetch: async (input, init) => {
        const response = await web.fetch(input, init);
        if (web.spy.log.counts.appdetails === 40) {
          await sql("update collector_state set leader_id = $1, leader_until = now() + interval '1 hour'", [other]);
          taken = await stored(sql);
        }
        return response;
      },
    });
    expect(outcome).toMatchObject({ name: "LeaseLost" });
    expect(taken).toBeDefined();
    expect(await stored(sql)).toEqual(taken);
    expect(await sql("select leader_id from collector_state")).toEqual([{ leader_id: other }]);
  });
});

it("two collectors over one database never ask at the same time", async () => {
  const { web } = await secondDay();
  const asking: string[] = [];
  const named =
    (name: string): typeof fetch =>
    (input, init) => {
      asking.push(name);
      return web.fetch(input, init);
    };
  const db = clock.wrapDatabase(database.db);
  const [one, other] = ["one", "other"].map((name) =>
    startCollector(db, { fetch: clock.wrapFetch(named(name)), limits: defaultLimits, maxDetails: 40 }),
  );
  await clock.run(Promise.all([one?.done, other?.done]));
  const turns = asking.filter((name, index) => name !== asking[index - 1]);
  expect(turns).toHaveLength(2);
  expect(web.asked().pages).toEqual([0, 1, 2, 3]);
  expect(await stored(sql)).toEqual(undisturbed);
});

it.each([7, 1_000])("with batches of %i each part is saved in one call, and none is larger", async (batchSize) => {
  const { web } = await secondDay();
  const sizes: Record<string, number[]> = {};
  let db: Database = database.db;
  for (const [name, field] of [
    ["collector_save_list", "apps"],
    ["collector_save_page", "games"],
    ["collector_save_details", "games"],
  ] as const) {
    db = onCall(db, name, (request) => {
      sizes[name] = [...(sizes[name] ?? []), (request[field] as unknown[]).length];
    });
  }
  db = onCall(db, "collector_apply_list", ({ max }) => expect(max).toBe(batchSize));
  await collect(web, { batchSize }, db);

  const parts = (...counts: number[]) =>
    counts.reduce((sum, count) => sum + Math.max(1, Math.ceil(count / batchSize)), 0);
  expect(Math.max(...Object.values(sizes).flat())).toBeLessThanOrEqual(batchSize);
  const pages = second.pages.map((page) => Object.keys(page).length);
  expect(Object.fromEntries(Object.entries(sizes).map(([name, parts]) => [name, parts.length]))).toEqual({
    // Two pages of games, one each of the other kinds.
    collector_save_list: parts(60, 40, 20, 20, 0, 0),
    // The last tells that the pass is complete.
    collector_save_page: parts(...pages) + 1,
    collector_save_details: parts(71),
  });
  expect(await stored(sql)).toEqual(undisturbed);
});

const undisturbedRow = (appid: number) =>
  undisturbed.games.find((row) => (row as { appid: number }).appid === appid) as unknown as ExpectedMetadata;

/** The database, with `look` at each call of a function before it is made, and how many of it there were. */
function onCall(
  db: Database,
  name: string,
  look: (request: Record<string, unknown>, count: number) => unknown,
): Database {
  let count = 0;
  return {
    ...db,
    async rpc(called, args) {
      if (called === name) {
        count += 1;
        await look((args as { request: Record<string, unknown> }).request, count);
      }
      return db.rpc(called, args);
    },
  };
}

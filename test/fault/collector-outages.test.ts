/** A collector that loses SteamSpy, its process or its lease while answers are not saved yet. */
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/db/database.ts";
import { exitCodeOf } from "../../src/process/lifecycle.ts";
import { defaultLimits, startCollector, stored } from "../support/collector.ts";
import { detailsBefore, gameCount, newAppid, onCall, secondDay, useTwoDays } from "../support/collector-days.ts";
import { isFull, onlyFull } from "../support/full.ts";
import type { WebFault } from "../support/web/faults.ts";

const days = useTwoDays();
const { sql } = days;
/** Games whose details are due on the second day. */
const dueCount = gameCount + 1 - detailsBefore;

describe("during the details", () => {
  it.each(isFull ? [1, 3] : [3])(
    "the circuit breaker ends the run after ten consecutive failures and counts none against the games (%i workers)",
    async (workers) => {
      const { web, before } = await days.second();
      web.spy.faults.add({ on: { kind: "appdetails" }, after: 25, times: 10_000, fault: "drop" });
      const { outcome, details } = await days.collect(web, { workers });
      expect(outcome).toMatchObject({ name: "WebError", fault: "unreachable" });
      const inVain = new Set(details.slice(25)).size;
      expect(inVain).toBeGreaterThanOrEqual(10);
      expect(inVain).toBeLessThan(10 + workers);
      expect(details.length).toBeLessThanOrEqual(25 + 4 * inVain);
      await days.expectNothingWrong(before);
      expect(await sql("select from game_metadata where fetch_status = 'failed'")).toEqual([]);
      expect(await days.stillPending()).toHaveLength(dueCount - 25);
      web.spy.faults.clear();
      await days.collect(web);
      expect(await stored(sql)).toEqual(days.undisturbed);
    },
  );

  it.each<WebFault>(["blank", "html200"])(
    "%s for ten games in a row is an outage: exit code 75, no game is marked, the next run asks again",
    async (fault) => {
      const { web, before } = await days.second();
      web.spy.faults.add({ on: { kind: "appdetails" }, after: 25, times: 10_000, fault });
      const { outcome, details } = await days.collect(web, { workers: 1, retryAttempts: 0 });
      expect(outcome).toMatchObject({
        ...{ name: "WebError", fault: "unreachable" },
        message: expect.stringMatching(
          /^SteamSpy is out of order: the details of 10 games in a row failed; the last: /,
        ),
      });
      expect(exitCodeOf(outcome)).toBe(75);
      await days.expectNothingWrong(before);
      expect(await sql("select from game_metadata where fetch_status = 'failed'")).toEqual([]);
      const pending = await days.stillPending();
      expect(pending).toEqual(expect.arrayContaining(details.slice(-10)));
      web.spy.faults.clear();
      expect(new Set((await days.collect(web)).details)).toEqual(new Set(pending));
      expect(await stored(sql)).toEqual(days.undisturbed);
    },
  );

  const named =
    "select appid from game_metadata where fetched_at is null and last_listed_at is not null order by appid";

  it("a blank answer between good ones fails its game alone, and none that no page names", async () => {
    const { web } = await days.second();
    const [struck] = await sql<{ appid: number }>(named);
    for (const appid of [struck?.appid, newAppid]) web.spy.faults.add({ on: { appid: appid ?? 0 }, fault: "blank" });
    expect((await days.collect(web)).outcome).toMatchObject({ details: { failed: 1 } });
    const state = "select fetch_status, fetch_attempts from game_metadata where appid = $1";
    expect(await sql(state, [struck?.appid])).toEqual([{ fetch_status: "failed", fetch_attempts: 1 }]);
    expect(await sql(state, [newAppid])).toEqual([{ fetch_status: "not_found", fetch_attempts: 0 }]);
    expect((await days.collect(web)).details).toEqual([struck?.appid]);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("twenty games that stay blank are retried by the next run without opening the circuit breaker", async () => {
    const { web } = await days.second();
    const struck = (await sql<{ appid: number }>(named))
      .filter((_, index) => index % 3 === 0)
      .map(({ appid }) => appid);
    web.spy.faults.add({ on: ({ appid = 0 }) => struck.includes(appid), times: 2 * struck.length, fault: "blank" });
    expect(struck.length).toBeGreaterThanOrEqual(20);
    for (const failed of [struck.length, struck.length, 0]) {
      const { outcome } = await days.collect(web);
      expect(outcome).toMatchObject({ details: { failed } });
    }
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it.skipIf(!isFull)(`nine consecutive failures do not open the circuit breaker${onlyFull}`, async () => {
    const { web } = await days.second();
    const struck = (await days.stillPending()).slice(0, 9);
    web.spy.faults.add({ on: ({ appid = 0 }) => struck.includes(appid), times: 36, fault: "drop" });
    expect((await days.collect(web)).outcome).toMatchObject({ details: { failed: 9 } });
    await days.collect(web);
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("a stop saves the answers so far and releases the lease", async () => {
    const { web, before } = await days.second();
    const run = startCollector(days.clock.wrapDatabase(days.db), {
      limits: defaultLimits,
      fetch: days.clock.wrapFetch((input, init) => {
        if (web.spy.log.counts.appdetails === 40) void run.stop();
        return web.fetch(input, init);
      }),
    });
    await expect(days.clock.run(run.done)).rejects.toThrow("stopped");
    expect(new Set(web.asked().details).size).toBe(40);
    await days.expectNothingWrong(before);
    const pending = await days.stillPending();
    expect(pending.length).toBe(dueCount - 40);
    expect(await sql("select from leader_leases")).toEqual([]);
    const next = await days.collect(web);
    expect(new Set(next.details)).toEqual(new Set(pending));
    expect(await stored(sql)).toEqual(days.undisturbed);
  });

  it("a worker that has lost its lease writes nothing", async () => {
    const { web } = await days.second();
    let taken: unknown;
    const other = "00000000-0000-4000-8000-000000000001";
    const { outcome } = await days.collect({
      ...web,
      fetch: async (input, init) => {
        const response = await web.fetch(input, init);
        if (web.spy.log.counts.appdetails === 40) {
          await sql("update leader_leases set worker_id = $1, lease_until = now() + interval '1 hour'", [other]);
          taken = await stored(sql);
        }
        return response;
      },
    });
    expect(outcome).toMatchObject({ name: "LeaseLostError" });
    expect(taken).toBeDefined();
    expect(await stored(sql)).toEqual(taken);
    expect(await sql("select worker_id from leader_leases")).toEqual([{ worker_id: other }]);
  });
});

it("two collectors over one database run one after the other", async () => {
  const { web } = await days.second();
  const asking: string[] = [];
  const named =
    (name: string): typeof fetch =>
    (input, init) => {
      asking.push(name);
      return web.fetch(input, init);
    };
  const db = days.clock.wrapDatabase(days.db);
  const [one, other] = ["one", "other"].map((name) =>
    startCollector(db, { fetch: days.clock.wrapFetch(named(name)), limits: defaultLimits, maxDetails: 40 }),
  );
  await days.clock.run(Promise.all([one?.done, other?.done]));
  const turns = asking.filter((name, index) => name !== asking[index - 1]);
  expect(turns).toHaveLength(2);
  expect(web.asked().pages).toEqual([0, 1, 2, 3]);
  expect(await stored(sql)).toEqual(days.undisturbed);
});

it.each(isFull ? [7, 1_000] : [7])("saves in batches of at most %i", async (batchSize) => {
  const { web } = await days.second();
  const sizes: Record<string, number[]> = {};
  let db: Database = days.db;
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
  await days.collect(web, { batchSize }, db);

  const parts = (...counts: number[]) =>
    counts.reduce((sum, count) => sum + Math.max(1, Math.ceil(count / batchSize)), 0);
  expect(Math.max(...Object.values(sizes).flat())).toBeLessThanOrEqual(batchSize);
  const pages = secondDay.pages.map((page) => Object.keys(page).length);
  expect(Object.fromEntries(Object.entries(sizes).map(([name, parts]) => [name, parts.length]))).toEqual({
    // Two pages of games, one each of the other kinds.
    collector_save_list: parts(60, 40, 20, 20, 0, 0),
    // The last call marks the crawl as complete.
    collector_save_page: parts(...pages) + 1,
    collector_save_details: parts(dueCount),
  });
  expect(await stored(sql)).toEqual(days.undisturbed);
});

/**
 * Two days of the web APIs for a collector on a fake clock that jumps: the first day is collected undisturbed, the second by the test.
 *
 *     const days = useTwoDays();
 *     const { web, before } = await days.second();
 *     web.spy.faults.add({ on: { page: 1 }, fault: "drop" });
 *     const { outcome } = await days.collect(web);
 *     await days.expectNothingWrong(before);
 */
import { afterAll, beforeAll, beforeEach, expect, onTestFinished } from "vitest";
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
} from "./collector.ts";
import { openTestDatabase, type TestDatabase } from "./databases.ts";
import { type FakeClock, startFakeClock } from "./fake-clock.ts";
import { generateSteamSpy } from "./web/generate-steamspy.ts";
import { type ExpectedMetadata, emptyMetadata, readSteamSpyIndependently } from "./web/read-steamspy.ts";
import type { SteamSpyDump } from "./web/steamspy.ts";

export type Web = ReturnType<typeof simulateWeb>;
export type Stored = Awaited<ReturnType<typeof stored>>;

/** Games of both days, without the new one in the second list. */
export const gameCount = 100;
/** Games whose details are fetched on the first day. */
export const detailsBefore = 30;
/** A new app that SteamSpy does not know. */
export const newAppid = 1_000_001;
/** Apps per page of the lists. */
const listSize = 60;

/** Four pages. Only the reviews differ from day to day, in pages and details alike. */
function dayOf(number: number): SteamSpyDump {
  const dump = generateSteamSpy({ seed: 9, games: gameCount, pageSize: 28 });
  for (const app of new Set(dump.pages.flatMap((page) => Object.values(page)))) {
    if (app.positive < 1_000_000) app.positive += number;
    const details = dump.details.get(app.appid);
    if (details) dump.details.set(app.appid, { ...details, positive: app.positive });
  }
  return dump;
}
const firstDay = dayOf(1);
export const secondDay = dayOf(2);
const detailsOfAll = { details: [...appidsOf(firstDay), newAppid] };
const read = [firstDay, secondDay].map((dump) => readSteamSpyIndependently(dump, detailsOfAll));

/** Two games are new on the second day, and one DLC has vanished. */
export const lists = [1, 2].map((day) => {
  const { games = [], dlc = [], ...others } = listsOf(firstDay);
  const isSecond = day === 2;
  return {
    games: isSecond ? [...games, { appid: newAppid, name: "New" }] : games.slice(1),
    dlc: isSecond ? dlc.slice(1) : dlc,
    ...others,
  };
});

/** The cursor of the second page of games. */
export const secondListPage = ({ list }: Web) => list.lists.games?.[listSize - 1]?.appid ?? 0;

/** Fixture of a test file: a database, empty at the start of each test, and a fake clock. */
export function useTwoDays() {
  let database: TestDatabase;
  let clock: FakeClock;
  let undisturbed: Stored;
  const sql: TestDatabase["sql"] = (...args) => database.sql(...args);

  beforeAll(async () => {
    database = await openTestDatabase("pglite");
    clock = startFakeClock();
    const { web } = await second();
    expect((await collect(web)).outcome).not.toBeInstanceOf(Error);
    clock.restore();
    undisturbed = await stored(sql);
    expect(undisturbed.games).toHaveLength(gameCount + 1);
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    clock = startFakeClock();
    onTestFinished(clock.restore);
    await forgetEverything(sql);
  });

  /** Runs the collector, with the default limits. `outcome` is the summary, or the error of a failed run. */
  async function collect(web: Web, overrides: CollectorOverrides = {}, db: Database = database.db) {
    const outcome: CollectorSummary | Error = await clock
      .run(() => {
        const fetch = clock.wrapFetch(web.fetch);
        return startCollector(clock.wrapDatabase(db), { fetch, limits: defaultLimits, ...overrides }).done;
      })
      .catch((error: Error) => error);
    return { outcome, ...web.asked() };
  }

  /** Collects the first day, then switches the APIs to the second. */
  async function second(maxDetails = detailsBefore) {
    const pages = withFullPages(firstDay.pages);
    const web = simulateWeb({ ...firstDay, pages }, { lists: lists[0] ?? {}, pageSize: listSize });
    const { outcome } = await collect(web, { maxDetails });
    expect(outcome).not.toBeInstanceOf(Error);
    await age(sql, "1 day");
    web.spy.dump = { ...secondDay, pages: withFullPages(secondDay.pages) };
    web.list.lists = lists[1] ?? {};
    return { web, before: await stored(sql) };
  }

  return {
    sql,
    collect,
    second,
    get db() {
      return database.db;
    },
    get clock() {
      return clock;
    },
    /** The stored state after the second day without faults. */
    get undisturbed() {
      return undisturbed;
    },
    /** Expects every game in the state of one of the days, and the apps as at the end of one of the two. */
    async expectNothingWrong(before: Stored) {
      const { apps, games, members } = await stored(sql);
      expect([before.apps, undisturbed.apps]).toContainEqual(apps);
      expect([before.members, undisturbed.members]).toContainEqual(members);
      for (const { appid, ...row } of games) {
        const wanted = [emptyMetadata(), ...read.flatMap((rows) => rows.get(appid) ?? [])];
        expect(wanted.map(numbersOf)).toContainEqual(numbersOf(row));
        if (row.fetch_status === "success") expect(wanted.map(wordsOf)).toContainEqual(wordsOf(row));
        else expect(wordsOf(row)).toEqual(wordsOf(emptyMetadata()));
        if (row.fetch_status === "not_found") expect(wanted[1]?.fetch_status).toBe("not_found");
        expect(row.fetch_attempts > 0).toBe(row.fetch_status === "failed");
      }
    },
    /** Games whose details were never fetched. */
    async stillPending() {
      const query = "select appid from game_metadata where fetched_at is null order by appid";
      return (await sql<{ appid: number }>(query)).map(({ appid }) => appid);
    },
  };
}

const wordsOf = ({ genre, languages, tags_json }: ExpectedMetadata) => ({ genre, languages, tags_json });
/** Columns that pages contain too. */
const numbersOf = (row: ExpectedMetadata) =>
  Object.fromEntries(
    Object.entries(row).filter(([column]) => !(column in wordsOf(row)) && !column.startsWith("fetch_")),
  );

/** The database, with `look` called before each request to one function. */
export function onCall(db: Database, name: string, look: (request: Record<string, unknown>) => unknown): Database {
  return {
    ...db,
    async rpc(called, args) {
      if (called === name) await look((args as { request: Record<string, unknown> }).request);
      return db.rpc(called, args);
    },
  };
}

import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { sleep } from "../../src/process/time.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { startFakeClock } from "../support/fake-clock.ts";
import { getThrough, startInTest } from "../support/steam/in-test.ts";
import { createSimulatedAppList } from "../support/web/app-list.ts";
import { compareMetadata } from "../support/web/compare-metadata.ts";
import { generateSteamSpy } from "../support/web/generate-steamspy.ts";
import { readSteamSpyIndependently } from "../support/web/read-steamspy.ts";
import { createSimulatedSteamSpy } from "../support/web/steamspy.ts";
import { asFetch, asRoutes } from "../support/web/web-api.ts";

const dump = generateSteamSpy({ seed: 4, games: 400, pageSize: 150 });
const pageUrl = "https://steamspy.com/api.php?request=all&page=1";
const tables = `
  create type fetch_status as enum ('pending', 'success', 'failed', 'not_found');
  create table game_metadata (appid int primary key, developer text, publisher text, owners_estimate text,
    owners_doubtful bool, positive_reviews int, negative_reviews int, score_rank int, average_playtime_forever int, average_playtime_2weeks int, price int, genre text,
    languages text, tags_json jsonb, last_updated timestamptz, fetch_attempts int not null, fetch_status fetch_status not null);
  create table visits (page int primary key);
  create function visit(page int) returns jsonb language sql as 'insert into visits values (page) returning to_jsonb(page)';
  create function nap() returns jsonb language sql as 'select to_jsonb(true) from pg_sleep(0.2)';`;

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase("pglite", { migrated: false, prepare: tables });
});
afterAll(() => database.close());

describe("simulated web APIs", () => {
  it("answer through the proxy of the simulated Steam", async () => {
    const spy = createSimulatedSteamSpy(dump);
    const list = createSimulatedAppList({ lists: { games: [{ appid: 7, name: "Seven" }] }, apiKey: "right" });
    const steam = await startInTest({ routes: asRoutes(spy, list) });
    const page = await getThrough(steam.env, pageUrl);
    expect([page.status, page.json()]).toEqual([200, dump.pages[1]]);
    const listUrl = "https://api.steampowered.com/IStoreService/GetAppList/v1/";
    const apps = await getThrough(steam.env, listUrl, { "x-webapi-key": "right" });
    expect(apps.json()).toMatchObject({ response: { apps: [{ appid: 7, name: "Seven" }] } });
    expect((await getThrough(steam.env, listUrl)).status).toBe(401);
    const tags = await getThrough(steam.env, "https://api.steampowered.com/IStoreService/GetTagList/v1/");
    expect(tags.status).toBe(200);
    expect([spy.log.counts, list.log.counts]).toEqual([{ all: 1 }, { app_list: 2 }]);
  });

  it("fail with the faults that are set", async () => {
    const spy = createSimulatedSteamSpy(dump);
    const steam = await startInTest({ routes: asRoutes(spy) });
    spy.faults.add({ fault: { status: 429, retryAfter: "3" } });
    spy.faults.add({ fault: "truncated" });
    spy.faults.add({ fault: "drop" });
    spy.faults.add({ fault: "hang" });
    expect((await getThrough(steam.env, pageUrl)).status).toBe(429);
    const truncated = await getThrough(steam.env, pageUrl);
    expect(() => truncated.json()).toThrow(SyntaxError);
    await expect(getThrough(steam.env, pageUrl)).rejects.toMatchObject({ code: "ECONNRESET" });
    const hung = getThrough(steam.env, pageUrl);
    const first = await Promise.race([hung.catch(() => "broken"), getThrough(steam.env, pageUrl)]);
    expect(first).toMatchObject({ status: 200 });
    expect(spy.faults.struck).toEqual({ status_429: 1, truncated: 1, drop: 1, hang: 1 });
  });
});

describe("compareMetadata", () => {
  it("finds different, missing and extra rows, and nothing else", async () => {
    const { sql } = database;
    const details = [...dump.details.keys(), ...dump.unknown.keys(), 5];
    const expected = readSteamSpyIndependently(dump, { details });
    const rows = [...expected].map(([appid, row]) => ({ appid, ...row }));
    await sql("insert into game_metadata select * from jsonb_populate_recordset(null::game_metadata, $1)", [
      JSON.stringify(rows),
    ]);
    expect(await compareMetadata(sql, expected)).toEqual([]);

    const [one, two] = dump.details.keys();
    await sql("update game_metadata set price = -1, tags_json = null where appid = $1", [one]);
    await sql("update game_metadata set appid = 3, fetch_status = 'failed' where appid = $1", [two]);
    expect(await compareMetadata(sql, expected)).toEqual([
      { appid: one, column: "price", expected: expected.get(one ?? 0)?.price, actual: -1 },
      { appid: one, column: "tags_json", expected: expected.get(one ?? 0)?.tags_json, actual: null },
      { appid: two, column: "row", expected: "a row", actual: "no row" },
      { appid: 3, column: "row", expected: "no row", actual: "a row" },
    ]);
    expect(await compareMetadata(sql, expected, 1)).toHaveLength(1);
    await expect(compareMetadata(sql, new Map())).rejects.toThrow("nothing is expected");
  });
});

describe("the fake clock with a real database", () => {
  it("runs eight pages, a minute apart and each stored, in little real time", async () => {
    const clock = startFakeClock();
    onTestFinished(clock.restore);
    const spy = createSimulatedSteamSpy(dump);
    const fetch = clock.wrapFetch(asFetch(spy));
    const db = clock.wrapDatabase(database.db);
    expect(db.driver).toBe("pglite");
    const started = process.hrtime.bigint();
    await clock.run(async () => {
      for (let page = 0; page < 8; page += 1) {
        const reply = await fetch(`https://steamspy.com/api.php?request=all&page=${page}`);
        await reply.json();
        await db.rpc("visit", { page });
        await sleep(60_000);
      }
    });
    expect(clock.elapsedMs()).toBe(8 * 60_000);
    // While a call is in flight, its own time limit must not pass.
    const other = sleep(40_000);
    expect(await clock.run(db.rpc("nap"))).toBe(true);
    expect(clock.elapsedMs()).toBe(8 * 60_000);
    await clock.run(other);
    expect(Number(process.hrtime.bigint() - started) / 1e6).toBeLessThan(20_000);
    clock.restore();
    expect(await database.sql("select count(*)::int as visits from visits")).toEqual([{ visits: 8 }]);
  });
});

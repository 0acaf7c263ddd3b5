import http from "node:http";
import { pino } from "pino";
import { expect, it, onTestFinished, vi } from "vitest";
import { createCatalogStore } from "../../src/db/catalog-store.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import { createKeyCensus } from "../../src/sync/key-census.ts";
import { openTestDatabase } from "../support/databases.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { startBulk, startMonitor } from "../support/sync.ts";
import { silent } from "../support/templates.ts";

type Line = Record<string, unknown> & { msg: string };

/** The simulated Steam and a census over a new database, with what it logged. */
async function setUp() {
  const steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 9, count: 60 }) });
  const undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
  const database = await openTestDatabase("postgres");
  onTestFinished(async () => {
    for (const each of undo) each();
    await steam.close();
    await database.close();
  });
  const lines: Line[] = [];
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const store = createCatalogStore(database.db, createDatabaseRetry(database.db.driver, { logger: silent }));
  const newCensus = () => createKeyCensus({ store, logger, intervalMs: 50 });
  return { steam, database, store, lines, newCensus };
}

it("counts the unread keys of a bulk sync, and logs one that Steam adds later once", async () => {
  const { steam, database, store, lines, newCensus } = await setUp();
  const loading = newCensus();
  const { stored } = await startBulk(database.db, steam, { census: loading }).done;
  await loading.stop();
  const found = await database.sql<{ path: string; payloads: string; in_first_load: boolean }>(
    "select path, payloads, in_first_load from steam_keys",
  );
  // A key that every app of the simulation has, and the extractor does not read.
  expect(Number(found.find(({ path }) => path === "common.gameid")?.payloads)).toBe(stored);
  expect(found.every((row) => row.in_first_load)).toBe(true);
  expect(lines).toEqual([{ level: 30, keys: found.length, msg: expect.stringMatching(/^the first load found keys/) }]);
  expect((await store.state()).unread_keys).toEqual({ count: found.length, new_count: 0, new: [] });

  // Counted by a version that does not read it.
  await database.sql("insert into steam_keys (path, payloads, first_appid) values ('common.name', 5, 10)");
  const following = newCensus();
  const monitor = startMonitor(database.db, steam, { census: following });
  onTestFinished(() => monitor.stop());
  const payloads = async () =>
    Number((await database.sql("select payloads from steam_keys where path = 'common.hologram_verdict'"))[0]?.payloads);
  const text = (appid: number) =>
    `"appinfo"\n{\n"appid" "${appid}"\n"common"\n{\n"name" "New"\n"gameid" "${appid}"\n"hologram_verdict" "1"\n}\n}`;
  for (const [index, appid] of [7_777_770, 7_777_780].entries()) {
    steam.catalog.add({ appid, text: text(appid) });
    await vi.waitFor(async () => expect(await payloads()).toBe(index + 1), { timeout: 20_000, interval: 50 });
  }
  await following.stop();
  const [, ...later] = lines;
  expect(later).toEqual([
    {
      level: 30,
      keys: [{ path: "common.hologram_verdict", appid: 7_777_770 }],
      msg: expect.stringMatching(/^Steam sends new keys/),
    },
  ]);
  expect((await store.state()).unread_keys).toMatchObject({
    count: found.length + 1,
    new_count: 1,
    new: [{ path: "common.hologram_verdict", payloads: 2, first_appid: 7_777_770 }],
  });
});

it("stores apps although the census cannot be written", async () => {
  const { steam, database, lines, newCensus } = await setUp();
  await database.sql("drop table steam_keys cascade");
  const census = newCensus();
  expect(await startBulk(database.db, steam, { census }).done).toMatchObject({ stored: 60, failed_count: 0 });
  await census.stop();
  expect(lines.length).toBeGreaterThan(0);
  expect(new Set(lines.map(({ level }) => level))).toEqual(new Set([40]));
});

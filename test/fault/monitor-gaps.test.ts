import http from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { endBehind, idsPerRequest } from "../../src/sync/sweep.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { type Service, startService } from "../support/service.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { createRandom } from "../support/steam/random.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { differences, startBulk, startMonitor } from "../support/sync.ts";

/** Gaps: changes that Steam could not list, and the sweeps that find them. */
describe("gaps", () => {
  const count = 2_000;
  const maxAppid = 30_000;
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let undo: (() => void)[];

  beforeAll(async () => {
    steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 31, count, maxAppid }) });
    undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
    database = await openTestDatabase("postgres");
    await startBulk(database.db, steam, { appIdMax: maxAppid }).done;
  });
  afterAll(async () => {
    for (const each of undo) each();
    await steam.close();
    await database.close();
  });
  beforeEach(async () => {
    steam.log.clear();
    await database.sql("truncate pics_gaps");
  });

  const one = async <T>(query: string) =>
    (await database.sql<{ value: T }>(`select (${query}) as value`))[0]?.value as T;
  const cursor = () => one<number>("select last_change_number from pics_sync_state");
  const stored = (appid: number) =>
    one<number | null>(`select pics_change_number from sync_status where appid = ${appid}`);
  const gaps = () =>
    database.sql("select from_change, to_change, repaired_at is not null as repaired from pics_gaps order by id");
  const settled = () =>
    vi.waitFor(
      async () => {
        expect(await cursor()).toBe(steam.catalog.currentChangeNumber);
        expect(await one("select count(*) from sync_status where pics_pending_change is not null")).toBe(0);
      },
      { timeout: 40_000, interval: 50 },
    );
  const appids = () => [...steam.catalog.apps.keys()];
  const newApp = (appid: number) =>
    steam.catalog.add({ appid, text: `"appinfo"\n{\n"appid" "${appid}"\n"common"\n{\n"name" "New"\n}\n}` });
  /** The next id from `appid` that no app has. */
  const free = (appid: number): number => (steam.catalog.apps.has(appid) ? free(appid + 1) : appid);

  it.skipIf(!isFull)(
    `stores 20,000 changes made during an absence, and fetches each changed app once${onlyFull}`,
    async () => {
      const random = createRandom(32);
      const from = await cursor();
      const changed = random.sample(appids(), 500);
      const removed = changed.splice(0, 10);
      for (let change = 0; change < 20_000; change++) {
        if (change % 2 === 0) steam.catalog.changePackage(random.int(1, 9_000));
        else steam.catalog.change(changed[(change >> 1) % changed.length] as number);
      }
      for (const appid of removed) steam.catalog.remove(appid);
      // New apps appear below the highest known id too.
      const added = [4_321, 12_345, maxAppid + 11].map(free);
      for (const appid of added) newApp(appid);
      const to = steam.catalog.currentChangeNumber;
      const known = await one<number>("select count(*) from apps");

      const monitor = startMonitor(database.db, steam);
      await settled();
      await monitor.stop();

      expect(await gaps()).toEqual([{ from_change: from, to_change: to, repaired: true }]);
      const highest = Math.max(...appids());
      expect(steam.log.counts.metadata).toBe(Math.ceil(known / idsPerRequest) + endBehind(highest) / idsPerRequest);
      const fetched = steam.log.fetchCounts();
      const sorted = (ids: Iterable<number>) => [...ids].sort((a, b) => a - b);
      expect(sorted(fetched.keys())).toEqual(sorted([...new Set(changed), ...removed, ...added]));
      // A second answer must confirm that an app is unknown.
      for (const [appid, times] of fetched) expect([appid, times]).toEqual([appid, removed.includes(appid) ? 2 : 1]);
      expect(await database.sql("select appid from apps where not is_active order by 1")).toEqual(
        sorted(removed).map((appid) => ({ appid })),
      );
      await database.sql(`delete from apps where appid in (${removed.join()})`);
      expect(await differences(database.sql, steam.catalog)).toEqual([]);
    },
  );

  it.each(["full", "since"] as const)("sweeps when Steam cannot list changes (%s)", async (how) => {
    const from = await cursor();
    const changed = createRandom(33).sample(appids(), 20);
    for (const appid of changed) steam.catalog.change(appid);
    steam.faults.add({ kind: "force", how });
    const monitor = startMonitor(database.db, steam);
    await settled();
    await monitor.stop();
    expect(await gaps()).toEqual([{ from_change: from, to_change: steam.catalog.currentChangeNumber, repaired: true }]);
    expect([...steam.log.fetchCounts().keys()].sort()).toEqual([...changed].sort());
    for (const appid of changed) expect(await stored(appid)).toBe(steam.catalog.apps.get(appid)?.changeNumber);
  });

  it.skipIf(!isFull)(`ignores the force flag for packages${onlyFull}`, async () => {
    const appid = appids()[7] as number;
    steam.catalog.change(appid);
    const struckBefore = steam.faults.struck.get("force") ?? 0;
    steam.faults.add({ kind: "force", how: "packages" });
    const monitor = startMonitor(database.db, steam);
    await settled();
    await monitor.stop();
    expect(steam.faults.struck.get("force")).toBe(struckBefore + 1);
    expect(await gaps()).toEqual([]);
    expect(steam.log.counts.metadata).toBe(0);
    expect(await stored(appid)).toBe(steam.catalog.currentChangeNumber);
  });

  it("leaves the gap of a worker killed during a sweep to the next one, whose polls do not wait for the sweep", async () => {
    const from = await cursor();
    const changed = createRandom(34).sample(appids(), 300);
    for (const appid of changed) steam.catalog.change(appid);
    for (let change = 0; change < 6_000; change++) steam.catalog.changePackage(change);
    const slow = steam.faults.add({ kind: "slow", ms: 700, on: "metadata", times: 10_000 });
    const env = { MODE: "change_monitor", POLL_INTERVAL: "0.2", LEASE_SECONDS: "1.5", BULK_REQUEST_DELAY: "0" };
    const services: Service[] = [];
    const start = () => {
      const service = startService({ steam, database, env });
      services.push(service);
      return service;
    };
    try {
      const first = start();
      await vi.waitFor(() => expect(steam.log.counts.metadata).toBeGreaterThan(8), { timeout: 30_000, interval: 10 });
      await first.stop();
      expect(await gaps()).toMatchObject([{ from_change: from, repaired: false }]);
      expect(await cursor()).toBe(from);

      steam.log.clear();
      start();
      await vi.waitFor(() => expect(steam.log.counts.metadata).toBeGreaterThan(8), { timeout: 30_000, interval: 10 });
      const busy = changed[0] as number;
      const announced = steam.catalog.change(busy);
      const added = free(17_171);
      newApp(added);
      await vi.waitFor(
        async () => {
          expect(await stored(busy)).toBe(announced);
          expect(await stored(added)).toBe(announced + 1);
        },
        { timeout: 20_000, interval: 20 },
      );
      expect(await gaps()).toMatchObject([{ repaired: false }]);
      slow();
      await settled();
      expect(await gaps()).toMatchObject([{ from_change: from, repaired: true }]);
      expect(await differences(database.sql, steam.catalog)).toEqual([]);
    } finally {
      slow();
      for (const service of services) await service.stop();
    }
  });
});

import http from "node:http";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { endBehind, idsPerRequest } from "../../src/sync/sweep.ts";
import { forEachDatabase, type OpenDatabase, type TestDatabase } from "../support/databases.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { differences, type MonitorOverrides, startBulk, startMonitor } from "../support/sync.ts";

const appText = (appid: number, name: string, tags: string) =>
  `"appinfo"\n{\n"appid" "${appid}"\n"common"\n{\n"name" "${name}"\n"type" "game"\n"store_tags"\n{\n${tags}}\n}\n}`;

/** The change monitor against the simulated Steam. */
// The tests of faults and processes run the change monitor on plain Postgres.
forEachDatabase("change monitor", changeMonitor, ["supabase"]);

function changeMonitor(open: OpenDatabase): void {
  const count = 300;
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let undo: (() => void)[];

  beforeAll(async () => {
    steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 5, count }), changeWindow: 1_000 });
    undo = [steam.trustHere(), http.setGlobalProxyFromEnv(steam.env)];
    database = await open();
  });
  afterAll(async () => {
    for (const each of undo) each();
    await steam.close();
  });
  beforeEach(() => steam.log.clear());

  const one = async <T>(query: string) =>
    (await database.sql<{ value: T }>(`select (${query}) as value`))[0]?.value as T;
  const cursor = () => one<number | null>("select last_change_number from pics_sync_state");
  const appids = () => [...steam.catalog.apps.keys()];
  const publicApp = () => {
    const app = [...steam.catalog.apps.values()].find(({ access }) => access === "public");
    if (!app) throw new Error("no public app");
    return app;
  };
  /** Waits until all that Steam announced is stored. */
  const settled = () =>
    vi.waitFor(
      async () => {
        expect(await cursor()).toBe(steam.catalog.currentChangeNumber);
        expect(await one("select count(*) from sync_status where pics_pending_change is not null")).toBe(0);
      },
      { timeout: 20_000, interval: 50 },
    );
  /** Runs a monitor while `work` goes on, until everything is stored. */
  async function following(work: () => Promise<unknown> | unknown, overrides: MonitorOverrides = {}) {
    const monitor = startMonitor(database.db, steam, overrides);
    try {
      await work();
      await settled();
    } finally {
      await monitor.stop();
    }
  }

  it("stores the current change number first, when there is none", async () => {
    await following(() => {});
    expect(await one("select count(*) from sync_status")).toBe(0);
    expect(steam.log.counts.product_info).toBe(0);
  });

  it("goes on from the number stored before a bulk sync, and fetches each changed app once", async () => {
    await startBulk(database.db, steam).done;
    const changed = appids().filter((_, index) => index % 10 === 0);
    for (const appid of changed) steam.catalog.change(appid);
    steam.log.clear();
    await following(() => {});
    expect([...steam.log.fetchCounts().keys()].sort((a, b) => a - b)).toEqual(changed);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    expect(steam.log.counts.metadata).toBe(0);
  });

  it("stores changes and new apps as they come, and requests announced tokens before the app", async () => {
    const monitor = startMonitor(database.db, steam);
    const withToken = [...steam.catalog.apps.values()]
      .filter(({ access }) => access === "token")
      .map(({ appid }) => appid);
    await database.sql("delete from pics_access_tokens");
    for (const appid of withToken) steam.catalog.change(appid);
    steam.catalog.add({ appid: 4_321, text: appText(4_321, "New", "") });
    await settled();
    await monitor.stop();
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    for (const appid of withToken) expect(steam.log.fetchCounts().get(appid)).toBe(1);
  });

  it("records a new app as added, and each changed field of an app, and nothing for an unchanged one", async () => {
    const text = (name: string, tags: string) => appText(4_331, name, tags);
    const changes = () => database.sql("select appid, change_number, field, old, new from app_changes order by field");
    await database.sql("truncate app_changes");
    await following(() => void steam.catalog.add({ appid: 4_331, text: text("Before", '"0" "19"\n"1" "492"\n') }));
    const added = {
      appid: 4_331,
      change_number: steam.catalog.currentChangeNumber,
      field: "added",
      old: null,
      new: true,
    };
    expect(await changes()).toEqual([added]);
    await database.sql("truncate app_changes");
    await following(() => void steam.catalog.change(4_331, text("Before", '"0" "19"\n"1" "492"\n')));
    expect(await one("select count(*) from app_changes")).toBe(0);
    await following(() => void steam.catalog.change(4_331, text("After", '"0" "492"\n"1" "21"\n')));
    expect(await changes()).toEqual([
      { appid: 4_331, change_number: steam.catalog.currentChangeNumber, field: "name", old: "Before", new: "After" },
      {
        appid: 4_331,
        change_number: steam.catalog.currentChangeNumber,
        field: "tags",
        old: [19, 492],
        new: [21, 492],
      },
    ]);
    await following(() => void steam.catalog.change(4_331, text("Unrecorded", "")), { history: false });
    expect(await one("select count(*) from app_changes")).toBe(2);
  });

  it("marks an app that is unknown to Steam as inactive, restores it, and records both", async () => {
    const { appid, text } = publicApp();
    await database.sql("truncate app_changes");
    await following(() => void steam.catalog.remove(appid));
    expect(await one(`select is_known or is_active from apps where appid = ${appid}`)).toBe(false);
    await following(() => void steam.catalog.add({ appid, text }));
    expect(await one(`select is_known and is_active from apps where appid = ${appid}`)).toBe(true);
    const life = `select array_agg(array[old, new] order by id) from app_changes where field = 'is_active' and appid = ${appid}`;
    expect(await one(life)).toEqual([
      [true, false],
      [false, true],
    ]);
  });

  it("sweeps after an absence beyond Steam's window, and fetches only what changed", async () => {
    const from = await cursor();
    const changed = appids().filter((_, index) => index % 7 === 0);
    for (const appid of changed) steam.catalog.change(appid);
    steam.catalog.add({ appid: 4_341, text: appText(4_341, "New", "") });
    for (let package_ = 0; package_ < 2_000; package_++) steam.catalog.changePackage(package_);
    const to = steam.catalog.currentChangeNumber;
    const known = await one<number>("select count(*) from apps");
    const highest = Math.max(...appids());
    await following(() => {});

    const fetched = steam.log.fetchCounts();
    expect([...fetched.keys()].sort((a, b) => a - b)).toEqual([...changed, 4_341].sort((a, b) => a - b));
    expect(steam.log.counts.metadata).toBe(Math.ceil(known / idsPerRequest) + endBehind(highest) / idsPerRequest);
    expect(
      await database.sql("select from_change, to_change, repaired_at is not null as repaired from pics_gaps"),
    ).toEqual([{ from_change: from, to_change: to, repaired: true }]);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it("reconciles every RECONCILE_INTERVAL after the last time", async () => {
    const silent = appids()[3] as number;
    await database.sql("update sync_status set pics_change_number = 1 where appid = $1", [silent]);
    await database.sql(
      "update pics_sync_state set last_reconciled_at = now() - interval '2 hours', last_verified_at = now() - interval '2 hours'",
    );
    await following(() => {}, { reconcileIntervalMs: 3 * 3_600_000 });
    expect(steam.log.counts.metadata).toBe(0);

    await following(
      () => vi.waitFor(() => expect(steam.log.fetchCounts().has(silent)).toBe(true), { timeout: 20_000 }),
      {
        reconcileIntervalMs: 3_600_000,
      },
    );
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it("lets one worker poll and all drain; another takes over, and the former leader's poll is rejected", async () => {
    const first = startMonitor(database.db, steam);
    await vi.waitFor(() => expect(first.status().leading).toBe(true), { timeout: 20_000 });
    const second = startMonitor(database.db, steam);
    const drainOnly = startMonitor(database.db, steam, { drainOnly: true });
    for (const appid of appids()) steam.catalog.change(appid);
    await settled();
    expect(second.status().leading).toBe(false);
    expect(Math.max(...steam.log.fetchCounts().values())).toBe(1);

    await first.stop();
    steam.catalog.change(publicApp().appid);
    await settled();
    expect(second.status().leading).toBe(true);
    const now = await cursor();
    const late = await database.db.rpc("pics_poll", {
      request: { worker_id: "00000000-0000-4000-8000-000000000000", since: now, change_number: 99_999_999, apps: [] },
    });
    expect(late).toMatchObject({ accepted: false });
    expect(await cursor()).toBe(now);
    await second.stop();
    await drainOnly.stop();
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });
}

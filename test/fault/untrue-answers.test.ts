import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { type Service, startService } from "../support/service.ts";
import type { Fault, LeftOut } from "../support/steam/faults.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { differences, startBulk, startMonitor } from "../support/sync.ts";

/** Answers of Steam that are not true, of which nothing may be believed: bulk sync, change monitor and their reports. */
const count = 300;

describe("answers that are not true", () => {
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let distrust: () => void;

  beforeAll(async () => {
    steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 13, count, tokenShare: 0.1 }) });
    distrust = steam.trustHere();
    database = await openTestDatabase("postgres");
  });
  afterAll(async () => {
    distrust();
    await steam.close();
    await database.close();
  });
  beforeEach(async () => {
    steam.faults.clear();
    expect(await startBulk(database.db, steam).done).toMatchObject({ apps_total: count, failed_count: 0 });
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  const one = async <T>(query: string) =>
    (await database.sql<{ value: T }>(`select (${query}) as value`))[0]?.value as T;
  const known = () => one<number>("select count(*) from apps where is_known and is_active");
  const bulk = (overrides = {}) => startBulk(database.db, steam, overrides).done;

  describe('"unknown" about every app', () => {
    const services: Service[] = [];
    const everyApp: Fault = { kind: "say_unknown", times: 1_000_000 };
    const start = (args: string[], env: Record<string, string> = {}) => {
      const service = startService({ args, steam, database, env: { BULK_REQUEST_DELAY: "0", ...env } });
      services.push(service);
      return service;
    };
    afterAll(async () => {
      for (const service of services) await service.stop();
    });

    it("is not believed by a bulk sync, which ends with 0 and says so; a later pass recovers", async () => {
      steam.faults.add(everyApp);
      const pass = start(["bulk-sync"]);
      expect((await pass.logged(/^bulk sync finished/)).summary).toMatchObject({ unconfirmed: count, unknown: 0 });
      expect((await pass.logged(/no longer knows more apps than MAX_SHRINK/)).level).toBe("warn");
      expect(await pass.exited).toEqual({ code: 0, signal: null });
      expect(await known()).toBe(count);

      const monitor = start(["change-monitor"]);
      const body = await monitor.until("/status", (status) => status.monitor !== null && status.catalog !== null);
      expect(body.monitor).toMatchObject({
        unconfirmed: count,
        failing: 0,
        pending: 0,
        mass_unknown_at: expect.any(String),
      });
      const metrics = await (await fetch(`${await monitor.url()}/metrics`)).text();
      expect(metrics).toMatch(new RegExp(`^pics_unconfirmed_apps ${count}$`, "m"));
      expect(metrics).toMatch(/^pics_mass_unknown_timestamp_seconds \d/m);
      monitor.kill("SIGTERM"); // It may lead by now: killed at once, it would keep the lease.
      await monitor.exited;

      steam.faults.clear();
      expect(await bulk()).toMatchObject({ unconfirmed: 0, failed_count: 0 });
      expect(await one("select count(*) from sync_status where pics_pending_change is not null")).toBe(0);
      expect(await differences(database.sql, steam.catalog)).toEqual([]);
    });

    it("is believed with --accept-unknown, until Steam knows the apps again", async () => {
      steam.faults.add(everyApp);
      const pass = start(["bulk-sync", "--accept-unknown"]);
      expect((await pass.logged(/^bulk sync finished/)).summary).toMatchObject({ unconfirmed: 0, unknown: count });
      expect(await known()).toBe(0);

      steam.faults.clear();
      expect(await bulk()).toMatchObject({ stored: count });
      expect(await known()).toBe(count);
    });
  });

  it("makes a removed app inactive after the second answer of a monitor, UNKNOWN_CONFIRM_SECONDS after the first", async () => {
    const confirmMs = 5_000;
    const monitor = startMonitor(database.db, steam, {
      unknownRule: { confirmMs, maxShrink: 0.05, acceptUnknown: false },
    });
    const [appid, app] = [...steam.catalog.apps].find(([, { access }]) => access === "public") ?? [];
    if (appid === undefined || app === undefined) throw new Error("no public app");
    const upToDate = { leading: true, last_change_number: steam.catalog.currentChangeNumber };
    await vi.waitFor(() => expect(monitor.status()).toMatchObject(upToDate), 10_000);
    steam.catalog.remove(appid);

    const wait = { timeout: 20_000, interval: 20 };
    const of = (expression: string, table: string) => one(`select ${expression} from ${table} where appid = ${appid}`);
    const first = await vi.waitFor(async () => {
      const since = await of("unknown_since::text", "sync_status");
      expect(since).not.toBeNull();
      return since;
    }, wait);
    await vi.waitFor(async () => expect(await of("is_known or is_active", "apps")).toBe(false), wait);
    const seconds = await of(`extract(epoch from updated_at - '${first}'::timestamptz)::float`, "apps");
    expect(seconds).toBeGreaterThanOrEqual(confirmMs / 1_000);
    await monitor.stop();
    steam.catalog.add({ appid, text: app.text });
  });

  it("erases nothing that an answer leaves out, marks the app, and stores it once Steam answers in full", async () => {
    const cases = leftOutCases(steam);
    for (const { appid, what, flag } of cases) {
      steam.faults.add({ kind: "left_out", appids: [appid], what, ...(flag && { flag }) });
    }
    const failing = cases.filter(({ mark }) => mark.fails).map(({ appid }) => appid);
    const summary = await bulk({ full: true, maxAttempts: 2 });
    expect(summary.failed.map(({ appid }) => appid).sort(ascending)).toEqual(failing);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
    const marks = await database.sql<{ appid: number; fails: boolean; missing_token: boolean }>(
      `select appid, pics_pending_change is not null and attempts > 0 as fails, missing_token
       from sync_status where appid = any ($1) order by appid`,
      [cases.map(({ appid }) => appid)],
    );
    expect(marks).toEqual(cases.map(({ appid, mark }) => ({ appid, ...mark })));

    steam.faults.clear();
    // Apps of which Steam withheld a part are asked for again a day later.
    await database.sql(
      "update sync_status set last_pics_sync = last_pics_sync - interval '25 hours' where missing_token",
    );
    await database.sql("update pics_sync_state set installed_at = installed_at - interval '26 hours'");
    expect(await bulk()).toMatchObject({ failed_count: 0 });
    const open = `select array_agg(appid) from sync_status join pics_access_tokens using (appid)
      where (missing_token and denied_at is null) or pics_pending_change is not null`;
    expect(await one(open)).toBeNull();
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it.skipIf(!isFull)(
    `counts no failure where silent replies about product info end before the attempts do${onlyFull}`,
    async () => {
      for (const appid of steam.catalog.apps.keys()) steam.catalog.change(appid);
      steam.faults.add({ kind: "silent", on: "product_info", times: 3 });
      for (const appid of [...steam.catalog.apps.keys()].filter((_, index) => index % 7 === 0)) {
        steam.faults.add({ kind: "omit", on: "product_info", appids: [appid], times: 2 });
      }
      expect(await bulk({ batchSize: 50 })).toMatchObject({ failed_count: 0 });
      expect(await differences(database.sql, steam.catalog)).toEqual([]);
    },
  );

  it.skipIf(!isFull)(
    `keeps what is stored while Steam does not answer about access tokens, and stores the app afterwards${onlyFull}`,
    async () => {
      const withToken = [...steam.catalog.apps.values()].filter(({ access }) => access === "token");
      const appids = withToken.map(({ appid }) => appid);
      expect(appids.length).toBeGreaterThan(10);
      await database.sql("delete from pics_access_tokens where appid = any ($1)", [appids]);
      const before = await database.sql("select * from apps where appid = any ($1) order by appid", [appids]);
      for (const appid of appids) steam.catalog.change(appid);
      steam.faults.add({ kind: "silent", on: "access_tokens", times: 1_000 });
      await expect(bulk({ maxAttempts: 2 })).rejects.toThrow(`for all of ${appids.length} apps unanswered`);
      expect(await database.sql("select * from apps where appid = any ($1) order by appid", [appids])).toEqual(before);
      expect(await one("select max(last_error) from sync_status")).toMatch(/access token/);

      steam.faults.clear();
      expect(await bulk()).toMatchObject({ stored: appids.length, failed_count: 0 });
      expect(await differences(database.sql, steam.catalog)).toEqual([]);
    },
  );
});

const ascending = (a: number, b: number) => a - b;
type Flag = "missing_token" | "only_public" | undefined;
interface LeftOutCase {
  appid: number;
  what: LeftOut;
  flag: Flag;
  mark: { fails: boolean; missing_token: boolean };
}

/**
 * Each part that may be left out, unflagged and flagged as partial, of an app of its own that has all sections. Without
 * a flag only `extended` may be missing: many apps have nothing to say there.
 */
function leftOutCases({ catalog }: SimulatedSteam): LeftOutCase[] {
  const parts: LeftOut[] = ["everything", "root", "common", "empty_common", "extended", "depots"];
  const flags: Flag[] = [undefined, "missing_token", "only_public"];
  const combinations = parts.flatMap((what) => flags.map((flag) => ({ what, flag })));
  const possible = combinations.filter(({ what, flag }) => what !== "extended" || flag !== undefined);
  const appids = [...catalog.apps.values()]
    .filter((app) => {
      const text = catalog.body(app, "whole").bytes.toString();
      const isWhole = ["common", "extended", "depots"].every((section) => text.includes(`\n\t"${section}"\n\t{\n\t\t`));
      return app.access === "public" && isWhole && text.includes('"buildid"');
    })
    .map(({ appid }) => appid);
  expect(appids.length).toBeGreaterThanOrEqual(possible.length);
  return possible.map(({ what, flag }, index) => {
    const isFlagged = flag !== undefined;
    return { appid: appids[index] as number, what, flag, mark: { fails: !isFlagged, missing_token: isFlagged } };
  });
}

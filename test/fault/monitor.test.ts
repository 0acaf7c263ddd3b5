import { setTimeout as delay } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type Cluster, startCluster } from "../support/cluster.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { soakMonitor } from "../support/monitor-soak/run.ts";
import { type Service, startService } from "../support/service.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import { type SimulatedSteam, startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { differences } from "../support/sync.ts";

/**
 * Another seed each day, so that other moments are tried; `SEED=` repeats a run as far as processes can be repeated.
 */
const seed = Number(process.env.SEED ?? Math.floor(Date.now() / 86_400_000));

/** Of its own, since it is crashed. */
let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
});
afterAll(() => cluster.stop());

describe(`change monitor under kills, faults and outages at once (SEED=${seed})`, () => {
  // A short form of `npm run soak -- monitor`, through PostgREST, which adds faults of its own.
  it.skipIf(!isFull).each(["supabase"] as const)(
    `stores what Steam has once the faults stop (%s)${onlyFull}`,
    async (driver) => {
      const size = { apps: 300, workers: 3, changes: 192, kills: 2, changesPerSecond: 24 };
      const { story, violations, kills, changes } = await soakMonitor({ cluster, driver, seed, ...size });
      expect(violations, story.join("\n")).toEqual([]);
      expect(kills).toBeGreaterThanOrEqual(size.kills);
      expect(changes).toBeGreaterThanOrEqual(size.changes);
    },
    120_000,
  );
});

describe("change monitor workers", () => {
  const leaseSeconds = 1.5;
  const pace = {
    MODE: "change_monitor",
    POLL_INTERVAL: "0.2",
    LEASE_SECONDS: String(leaseSeconds),
    BULK_REQUEST_DELAY: "0",
    RECONNECT_MAX_DELAY: "1",
  };
  let steam: SimulatedSteam;
  let database: TestDatabase;
  let services: Service[];

  beforeAll(async () => {
    steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 41, count: 300 }) });
    database = await openTestDatabase("postgres", { cluster: cluster.address });
    services = [startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } })];
    expect((await services[0]?.exited)?.code).toBe(0);
  });
  afterEach(async () => {
    for (const service of services.splice(0)) await service.stop();
  });
  afterAll(async () => {
    await steam.close();
    await database.close();
  });

  const start = (env: Record<string, string> = {}) => {
    const service = startService({ steam, database, env: { ...pace, ...env } });
    services.push(service);
    return service;
  };
  const monitorOf = async (service: Service) =>
    (await service.get("/status")).body.monitor as { leading: boolean; last_change_number: number } | null;
  const leads = (service: Service) =>
    vi.waitFor(async () => expect((await monitorOf(service))?.leading).toBe(true), { timeout: 20_000, interval: 50 });
  const one = async <T>(query: string) =>
    (await database.sql<{ value: T }>(`select (${query}) as value`))[0]?.value as T;
  const cursor = () => one<number>("select last_change_number from pics_sync_state");
  const settled = () =>
    vi.waitFor(
      async () => {
        expect(await cursor()).toBe(steam.catalog.currentChangeNumber);
        expect(await one("select count(*) from sync_status where pics_pending_change is not null")).toBe(0);
      },
      { timeout: 30_000, interval: 50 },
    );
  const changeSome = () => {
    for (const appid of [...steam.catalog.apps.keys()].slice(0, 40)) steam.catalog.change(appid);
  };

  it("take over from a killed leader, and a frozen leader moves nothing back", async () => {
    const [first, second] = [start(), start()];
    start({ DRAIN_ONLY: "true" });
    const byLeadership = async () => {
      const leading = await Promise.all([first, second].map(async (each) => (await monitorOf(each))?.leading));
      expect(leading).toContain(true);
      return leading[0] ? ([first, second] as const) : ([second, first] as const);
    };
    const [leader, other] = await vi.waitFor(byLeadership, { timeout: 20_000, interval: 50 });

    // Frozen past its lease; the other one leads and follows on.
    leader.kill("SIGSTOP");
    changeSome();
    await leads(other);
    changeSome();
    await settled();
    const before = await cursor();
    leader.kill("SIGCONT");
    await vi.waitFor(async () => expect((await monitorOf(leader))?.leading).toBe(false), { timeout: 20_000 });
    expect(await cursor()).toBe(before);
    changeSome();
    await settled();

    // Killed: the first one leads again, and goes on where the other one was.
    other.kill("SIGKILL");
    changeSome();
    await leads(leader);
    changeSome();
    await settled();
    expect(leader.logs.filter(({ level }) => level === "error" || level === "fatal")).toEqual([]);
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it.skipIf(!isFull)(`go on from the cursor after sleeping through the leadership of another${onlyFull}`, async () => {
    const sleeper = start();
    await leads(sleeper);
    await settled();
    sleeper.kill("SIGSTOP");
    const other = start();
    await leads(other);
    changeSome();
    await settled();
    await other.stop();
    changeSome();
    sleeper.kill("SIGCONT");
    await settled();
    changeSome();
    await settled();
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it.skipIf(!isFull)(`store changes although polls take longer than POLL_INTERVAL${onlyFull}`, async () => {
    const service = start({ POLL_INTERVAL: "0.1", BULK_REQUEST_DELAY: "0.2" });
    await leads(service);
    await settled();
    for (let round = 0; round < 3; round++) {
      changeSome();
      await settled();
    }
    expect(await differences(database.sql, steam.catalog)).toEqual([]);
  });

  it.skipIf(!isFull)(`count no time for which they were frozen, as on a machine that slept${onlyFull}`, async () => {
    const env = { ...pace, BULK_TIMEOUT: "1", LEASE_SECONDS: "1", WATCHDOG_SECONDS: "3" };
    const service = start(env);
    await service.until("/health", ({ status }) => status === "ok");
    service.kill("SIGSTOP");
    await delay(8_000);
    service.kill("SIGCONT");
    await service.logged(/did not run for a while/);
    expect((await service.get("/health")).status).toBe(200);
    changeSome();
    await settled();
    await service.until("/health", ({ status }) => status === "ok");
    const { suspensions } = (await service.get("/status")).body as { suspensions: { from: string; until: string }[] };
    const longest = Math.max(...suspensions.map(({ from, until }) => Date.parse(until) - Date.parse(from)));
    expect(longest).toBeGreaterThan(7_000);
  });

  it("are degraded while Steam or the database is away, and resume", async () => {
    const service = start();
    const health = (status: string) => service.until("/health", (body) => body.status === status);
    await health("ok");
    const back = steam.faults.add({ kind: "unreachable", times: 1_000 });
    steam.disconnectAll(34);
    await health("degraded");
    changeSome();
    back();
    await health("ok");
    await settled();

    await cluster.crash();
    await health("degraded");
    changeSome();
    await cluster.start();
    await health("ok");
    // The test's own connection ended with the server, so the worker is asked for its cursor.
    const { currentChangeNumber } = steam.catalog;
    await vi.waitFor(async () => expect((await monitorOf(service))?.last_change_number).toBe(currentChangeNumber), {
      timeout: 20_000,
      interval: 50,
    });
    expect((await service.get("/health")).body.status).toBe("ok");
  });

  it("turn unhealthy without progress although all is reachable, and exit with 70", async () => {
    const locked = await openTestDatabase("postgres", { cluster: cluster.address });
    const env = { ...pace, BULK_TIMEOUT: "0.3", LEASE_SECONDS: "0.5", WATCHDOG_SECONDS: "1" };
    const service = startService({ steam, database: locked, env });
    services.push(service);
    await service.until("/health", ({ status }) => status === "ok");
    await locked.sql("begin; lock table sync_status, pics_sync_state in access exclusive mode");
    const { reasons } = await service.until("/health", ({ status }) => status === "unhealthy");
    expect(reasons).toEqual(expect.arrayContaining([expect.stringContaining("no progress")]));
    expect((await service.exited).code).toBe(70);
    await locked.sql("rollback");
    await locked.close();
  });

  it.skipIf(!isFull)(
    `are degraded and not ready while the database is read-only, and go on once it is not${onlyFull}`,
    async () => {
      const readOnly = await openTestDatabase("postgres", { cluster: cluster.address });
      const [{ name } = { name: "" }] = await readOnly.sql<{ name: string }>("select current_database() as name");
      // The setting holds for new sessions.
      const set = async (action: string) => {
        await readOnly.sql(`alter database ${name} ${action}`);
        await readOnly.sql(
          "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
        );
      };
      const service = startService({ steam, database: readOnly, env: pace });
      services.push(service);
      await service.until("/health", ({ status }) => status === "ok");

      await set("set default_transaction_read_only = on");
      const refused = /25006.*read-only.*writes are retried/;
      const { reasons } = await service.until("/health", ({ status }) => status === "degraded");
      await service.until("/health", ({ reasons }) => refused.test(String(reasons)));
      expect(reasons).not.toEqual([]);
      expect(await service.get("/ready")).toMatchObject({
        status: 503,
        body: { reasons: [expect.stringMatching(refused)] },
      });
      const oneOff = startService({
        args: ["bulk-sync", "--full"],
        steam,
        database: readOnly,
        env: { BULK_REQUEST_DELAY: "0", GIVE_UP_AFTER: "2" },
      });
      services.push(oneOff);
      expect((await oneOff.exited).code).toBe(75);
      expect(oneOff.logs.map(({ message }) => message)).toContainEqual(expect.stringMatching(/giving up.*read-only/));

      await set("reset default_transaction_read_only");
      await service.until("/health", ({ status }) => status === "ok");
      await service.stop();
      await readOnly.close();
    },
  );
});

import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { freePort } from "../support/free-port.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { it } from "../support/given.ts";
import { compileCache, type Service } from "../support/service.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../support/steam/child.ts";

/** The service as operators see it: exit codes, logs, HTTP, and what remains in the database. */

const catalog = { seed: 5, count: 600, maxAppid: 15_000 };
let steam: ForkedSteam;
beforeAll(async () => {
  steam = await forkSimulatedSteam({ generate: catalog, latencyMs: 20 });
});
afterAll(() => steam.close());

const messages = (service: Service) => service.logs.map(({ message }) => message);

const hurried = { BULK_REQUEST_DELAY: "0" };
/** Slow enough for a signal to arrive during the work. */
const slow = { BULK_REQUEST_DELAY: "0.05", BULK_BATCH_SIZE: "10" };
const doneOf = ({ bulk }: Record<string, unknown>) => (bulk as { done: number } | null)?.done ?? 0;
const begins = /^bulk sync begins/;

describe.concurrent("migrate", () => {
  const migrations = expect.arrayContaining(["20261128000001_catalog_tables.sql", "20261128000005_routines.sql"]);

  it.for(["pglite", "postgres"] as const)(
    "logs the migrations it applied, and that the database is up to date (%s)",
    async (kind, { open, start }) => {
      const database = await open(kind, { migrated: false });
      const [first, second] = await database.lend(async () => {
        const services = [];
        for (let run = 0; run < 2; run++) {
          const service = start({ args: ["migrate"], database });
          expect((await service.exited).code).toBe(0);
          services.push(service);
        }
        return services;
      });
      expect(first?.logs.at(-1)).toMatchObject({ driver: kind, applied: migrations, message: "migrations applied" });
      expect(second?.logs.at(-1)).toMatchObject({ driver: kind, applied: [], message: "the database is up to date" });
    },
  );

  it.skipIf(!isFull)(`checks a Supabase project and says how to update it${onlyFull}`, async ({ open, start }) => {
    const old = await open("supabase", { migrated: false });
    const service = start({ args: ["migrate"], database: old });
    expect((await service.exited).code).toBe(1);
    expect(service.logs.at(-1)).toMatchObject({ level: "fatal", message: expect.stringContaining("supabase db push") });

    const current = await open("supabase");
    const again = start({ args: ["migrate"], database: current });
    expect((await again.exited).code).toBe(0);
    expect(again.logs.at(-1)).toMatchObject({ driver: "supabase", message: "the database is up to date" });
  });
});

describe.concurrent("bulk-sync", () => {
  it.skipIf(!isFull)(`serves Prometheus metrics of its work and health${onlyFull}`, async ({ open, start }) => {
    const database = await open("postgres");
    const service = start({ args: ["bulk-sync"], steam, database, env: slow });
    await service.until("/status", (status) => doneOf(status) > 0 && status.catalog !== null);
    const text = await (await fetch(`${await service.url()}/metrics`)).text();
    const value = (metric: string) =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${metric} `))
          ?.split(" ")[1],
      );
    expect(value("steam_connected")).toBe(1);
    expect(value("database_reachable")).toBe(1);
    expect(value('service_health{status="ok"}')).toBe(1);
    expect(value('pics_bulk_apps{state="done"}')).toBeGreaterThan(0);
    expect(value('pics_apps_total{result="stored"}')).toBeGreaterThan(0);
    expect(value("pics_unread_keys")).toBeGreaterThanOrEqual(0);
    expect(value('steam_requests_total{kind="product_info",result="ok"}')).toBeGreaterThan(0);
  });

  it.skipIf(!isFull)(
    `stores exactly the apps of a list and logs a summary${onlyFull}`,
    async ({ open, start, folder }) => {
      const database = await open("postgres");
      const appids = (await steam.call("appids")).slice(100, 130);
      await writeFile(join(folder, "apps.txt"), `${appids.slice(10).join("\n")} # the rest\n`);

      for (const list of [appids.slice(0, 10).join(","), `@${join(folder, "apps.txt")}`]) {
        const service = start({ args: ["bulk-sync", "--app-ids", list], steam, database, env: hurried });
        expect(await service.exited).toEqual({ code: 0, signal: null });
        expect(service.logs.at(-1)).toMatchObject({
          message: "bulk sync finished",
          summary: { stored: list.startsWith("@") ? 20 : 10, failed_count: 0, requests: { metadata: 1, tag_names: 1 } },
        });
      }
      const rows = await database.sql<{ appid: number }>("select appid from apps order by appid");
      expect(rows.map(({ appid }) => appid)).toEqual(appids);
      // A list is no pass over everything.
      expect(await database.sql("select bulk_completed_at from pics_sync_state")).toEqual([
        { bulk_completed_at: null },
      ]);
    },
  );
});

describe.concurrent("configuration", () => {
  it("reports every fault at once and no secret", async ({ start }) => {
    const service = start({
      env: {
        BULK_BATCH_SIZE: "0",
        POLL_INTERVL: "30",
        SUPABASE_URL: "postgresql://postgres:hunter2@db.example/postgres",
        DATABASE_URL: "mysql://app:hunter2@localhost/app",
        LOG_LEVEL: "loud",
      },
    });
    expect((await service.exited).code).toBe(2);
    for (const name of ["BULK_BATCH_SIZE", "POLL_INTERVL", "SUPABASE_SERVICE_KEY", "DATABASE_URL", "LOG_LEVEL"])
      expect(service.text).toContain(name);
    expect(service.text).toContain("SUPABASE_URL is a connection string: that is a DATABASE_URL");
    expect(service.text).not.toContain("hunter2");
  });

  it("refuses misspelled names in .env, and warns once of others", async ({ folder }) => {
    const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
    const migrate = async (lines: string) => {
      await writeFile(join(folder, ".env"), lines);
      const options = { cwd: folder, env: { PATH: process.env.PATH, NODE_COMPILE_CACHE: compileCache } };
      const { status, stdout, stderr } = spawnSync(process.execPath, [main, "migrate"], {
        ...options,
        encoding: "utf8",
      });
      return { status, stdout, stderr };
    };
    expect(await migrate("DATABASE_URI=postgres://u:hunter2@h/d\n")).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("DATABASE_URI is not a variable of this service; did you mean DATABASE_URL?"),
    });
    // A port without a server: it ends before it has a database.
    const away = `DATABASE_URL=postgres://u:hunter2@127.0.0.1:${await freePort()}/d\nGIVE_UP_AFTER=1\n`;
    const { stdout } = await migrate(`${away}MINE=1\nYOURS=1\n`);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines.filter(({ message }) => message.includes(".env"))).toEqual([
      expect.objectContaining({ level: "warn", message: ".env sets what this service does not read: MINE, YOURS" }),
    ]);
    expect(lines[0].message).toMatch(/^steam-pics-sync [\d.]+ · migrate · Postgres \(127\.0\.0\.1:\d+\/d\)$/);
    expect(stdout).not.toContain("hunter2");
  });

  it("rejects an unknown command and an invalid appid", async ({ start }) => {
    const services = [["bulk-snyc"], ["bulk-sync", "--app-ids", "10,x"]].map((args) => start({ args }));
    for (const service of services) expect((await service.exited).code).toBe(2);
    expect(services[0]?.text).toContain('There is no command "bulk-snyc"; did you mean bulk-sync?');
    expect(services[1]?.text).toContain('Not an appid: "x"');
  });

  it("treats a password that the database refuses as bad configuration", async ({ open, start }) => {
    const database = await open("postgres");
    const url = new URL(database.url ?? "");
    url.password = "another-password";
    const service = start({ args: ["migrate"], env: { DATABASE_URL: url.href } });
    expect((await service.exited).code).toBe(2);
    expect(service.logs.at(-1)?.message).toContain("password authentication failed");
    expect(JSON.stringify(service.logs)).not.toContain("another-password");
  });
});

// Alone: it counts the requests to the simulated Steam.
describe("bulk-sync, interrupted", () => {
  it("finishes what is in flight, releases the rest and exits with 143", async ({ open, start }) => {
    const database = await open("postgres");
    await steam.call("clearLog");
    const service = start({ args: ["bulk-sync"], steam, database, env: slow });
    await service.until("/status", (status) => doneOf(status) >= 30);
    service.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 143, signal: null });
    expect(messages(service)).not.toContainEqual(expect.stringContaining("shutdown:"));

    expect(
      await database.sql("select appid from sync_status where lease_id is not null or lease_until > now()"),
    ).toEqual([]);
    const stored = await database.sql<{ appid: number }>("select appid from apps order by appid");
    const requested = [...(await steam.call("fetchCounts")).keys()].sort((a, b) => a - b);
    expect(stored.map(({ appid }) => appid)).toEqual(requested);
    expect(stored.length).toBeLessThan(catalog.count);
  });
});

describe.concurrent("bulk-sync without Steam or a database", () => {
  it("logs what it cannot reach and what helps, retries, and gives up after GIVE_UP_AFTER", async ({ open, start }) => {
    const database = await open("postgres");
    const HTTPS_PROXY = `http://127.0.0.1:${await freePort()}`;
    const service = start({ args: ["bulk-sync"], database, env: { HTTPS_PROXY, GIVE_UP_AFTER: "4" } });
    expect((await service.exited).code).toBe(75);

    const attempts = service.logs.filter(({ level }) => level === "warn");
    expect(attempts.length).toBeGreaterThan(1);
    for (const { message } of attempts) {
      expect(message).toMatch(/Steam servers from api\.steampowered\.com.*ECONNREFUSED.*; trying again in [\d.]+ s/);
      expect(message).toMatch(/HTTPS_PROXY.*npm run demo/);
    }
    expect(service.logs.at(-1)).toMatchObject({
      level: "fatal",
      message: expect.stringContaining("Steam could not be reached"),
    });
  });

  it("waits for a database that is away at the start, serves HTTP meanwhile, and goes on when it is back", async ({
    open,
    start,
    onTestFinished,
  }) => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const { url } = await open("postgres", { cluster: cluster.address });
    await cluster.crash();

    const appids = (await steam.call("appids")).slice(0, 5);
    const env = { ...hurried, DATABASE_URL: url ?? "" };
    const service = start({ args: ["bulk-sync", "--app-ids", appids.join(",")], steam, env });
    expect(await service.logged(/^database: /)).toMatchObject({ level: "warn", code: "ECONNREFUSED" });
    expect(await service.get("/health")).toMatchObject({ status: 200, body: { status: "starting" } });
    expect(await service.get("/ready")).toMatchObject({ status: 503, body: { ready: false } });
    expect((await service.get("/status")).body).toMatchObject({ database: { driver: "postgres", reachable: false } });

    await cluster.start();
    await service.logged(/the database answers again/);
    expect((await service.exited).code).toBe(0);
    expect(service.logs.at(-1)).toMatchObject({ summary: { apps_total: 5 } });
  });

  it("releases the batch within ten seconds when interrupted while a reply is missing", async ({
    open,
    start,
    onTestFinished,
    expect,
  }) => {
    const database = await open("postgres");
    const appids = (await steam.call("appids")).slice(-3);
    await steam.call("addFault", { kind: "hang", on: "product_info", appids, times: 9 });
    onTestFinished(() => steam.call("clearFaults"));
    const service = start({ args: ["bulk-sync", "--app-ids", appids.join(",")], steam, database, env: hurried });
    await service.logged(begins);
    const held = "select count(*) from sync_status where lease_until > now()";
    await expect.poll(() => database.sql(held), { timeout: 20_000 }).toEqual([{ count: 3 }]);

    const startedAt = performance.now();
    service.kill("SIGINT");
    expect(await service.exited).toEqual({ code: 130, signal: null });
    expect(performance.now() - startedAt).toBeLessThan(10_500);
    expect(messages(service)).not.toContainEqual(expect.stringContaining("shutdown:"));
    expect(await database.sql(held)).toEqual([{ count: 0 }]);
    const pending = "select count(*) from sync_status where pics_pending_change is not null and attempts = 0";
    expect(await database.sql(pending)).toEqual([{ count: 3 }]);
  });
});

describe.concurrent("sync", () => {
  it("serves HTTP while it works, locks its data folder, and shuts down on a signal", async ({ open, start }) => {
    const database = await open("pglite");
    await database.lend(async () => {
      const service = start({ args: ["sync"], steam, database, env: slow });
      await service.logged(begins);
      const url = await service.url();

      const second = start({ args: ["bulk-sync"], steam, database });
      expect((await second.exited).code).toBe(1);
      expect(second.logs.at(-1)).toMatchObject({
        level: "fatal",
        message: expect.stringContaining(`answers on ${url}.`),
      });

      const status = await service.until("/status", (status) => doneOf(status) > 0);
      expect(status).toMatchObject({
        mode: "sync",
        steam: { connected: true, last_error: null },
        database: { driver: "pglite", reachable: true },
        bulk: { failed: 0, unknown: 0 },
      });
      expect(await service.get("/health")).toMatchObject({ status: 200, body: { status: "ok", reasons: [] } });
      // It is ready once it follows Steam, which begins after the bulk sync.
      expect(await service.get("/ready")).toMatchObject({ status: 503, body: { ready: false } });

      service.kill("SIGTERM");
      expect(await service.exited).toEqual({ code: 0, signal: null });
    });
    const [{ stored, held } = {}] = await database.sql(
      "select count(*) filter (where last_pics_sync is not null) as stored, count(lease_id) as held from sync_status",
    );
    expect(stored).toBeGreaterThan(0);
    expect(held).toBe(0);
  });

  it("does not run where its HTTP port is taken, since it could not be probed", async ({ start, onTestFinished }) => {
    const server = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const taken = start({ args: ["sync"], env: { PORT: String(port) } });
    const elsewhere = start({ args: ["sync"], env: { HOST: "192.0.2.1" } });
    expect([(await taken.exited).code, (await elsewhere.exited).code]).toEqual([2, 2]);
    expect(taken.logs.at(-1)).toMatchObject({
      level: "fatal",
      message: `another process listens on port ${port} (EADDRINUSE): stop it, or set PORT to another one`,
    });
    expect(elsewhere.logs.at(-1)).toMatchObject({
      level: "fatal",
      message: expect.stringMatching(
        /^HOST=192\.0\.2\.1 is no address of this machine \(EADDRNOTAVAIL\): set it to 0\.0\.0\.0/,
      ),
    });
  });
});

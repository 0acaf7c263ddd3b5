import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { CollectorProgress } from "../../src/collector/progress.ts";
import { isFull, onlyFull } from "../support/full.ts";
import { it as given } from "../support/given.ts";
import {
  type Asked,
  type CollectorWeb,
  type CollectorWebOptions,
  startCollectorWeb,
} from "../support/interruption/collector-web.ts";
import { type Service, type ServiceOptions, startService } from "../support/service.ts";
import { compareMetadata } from "../support/web/compare-metadata.ts";
import { generateSteamSpy } from "../support/web/generate-steamspy.ts";
import { readSteamSpyIndependently } from "../support/web/read-steamspy.ts";

/** The collector as a process: exit codes, log, HTTP answers, requests. */

const apiKey = "KEY-0123456789ABCDEF";
const wrongKey = "ANOTHER-KEY-98765432";
const dump = generateSteamSpy({ seed: 9, games: 60 });
const appids = dump.pages.flatMap((page) => Object.keys(page).map(Number));
const games = appids.map((appid) => ({ appid, name: `Game ${appid}` }));

/** With the default limits a run would take an hour. */
const hurried = {
  STEAMSPY_API_LIMIT: "6000/second",
  STEAMSPY_ALL_LIMIT: "6000/second",
  NODE_COMPILE_CACHE: join(tmpdir(), "spsync-compile-cache"),
};

interface Given {
  /** Starts an app list and a SteamSpy with these games. */
  serve: (options?: CollectorWebOptions) => Promise<CollectorWeb>;
  /** Starts a process. It is stopped after the test, and must never have logged a key. */
  start: (options: ServiceOptions) => Service;
}

const it = given.extend<Given>({
  serve: ({ onTestFinished }, use) =>
    use(async (options) => {
      const web = await startCollectorWeb({ apiKey, ...options });
      onTestFinished(() => web.close());
      web.list.lists = { games };
      web.spy.dump = dump;
      return web;
    }),
  start: async ({ onTestFinished }, use) => {
    const services: Service[] = [];
    await use(({ env, ...options }) => {
      const service = startService({ ...options, env: { STEAM_API_KEY: apiKey, ...hurried, ...env } });
      services.push(service);
      onTestFinished(() => service.stop());
      return service;
    });
    for (const service of services) {
      const said = `${JSON.stringify(service.logs)}${service.text}`;
      expect(said).not.toContain(apiKey);
      expect(said).not.toContain(wrongKey);
    }
  },
});

const collectorOf = ({ collector }: Record<string, unknown>) => collector as CollectorProgress | null;
const messages = (service: Service) => service.logs.map(({ message }) => message);
const countOf = (asked: readonly Asked[], kind: Asked["kind"]) =>
  asked.filter((request) => request.kind === kind).length;

/** Holds back all answers of a kind after the first `count`. */
function hold(web: CollectorWeb, kind: Asked["kind"], count: number) {
  const held = Promise.withResolvers<void>();
  const free = Promise.withResolvers<void>();
  let asked = 0;
  web.watch({
    asked(request) {
      if (request.kind !== kind) return;
      asked += 1;
      if (asked <= count) return;
      held.resolve();
      return free.promise;
    },
  });
  return {
    /** Resolves when the first answer is held back. */
    held: held.promise,
    letGo: () => free.resolve(),
  };
}

describe.concurrent("collect", () => {
  it("reports progress and a summary, and stores the lists and SteamSpy's answers", async ({ open, serve, start }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const details = hold(web, "appdetails", 40);
    const service = start({ args: ["collect", "--batch-size", "10"], steam: web, database, env: { MAX_WORKERS: "1" } });
    await details.held;
    const status = await service.until("/status", (body) => collectorOf(body)?.done === 40);
    expect(status).toMatchObject({ mode: "collect", steam: null, bulk: null, monitor: null });
    expect(collectorOf(status)).toMatchObject({
      phase: "details",
      total: 60,
      failed: 0,
      eta_seconds: expect.any(Number),
      games: { pending: 20 },
      endpoints: expect.arrayContaining([expect.objectContaining({ endpoint: "steamspy", requests: 41 })]),
      last_error: null,
      next_run_at: null,
    });
    expect(collectorOf(status)?.rate_per_minute).toBeGreaterThan(0);
    expect(JSON.stringify(status)).not.toContain(apiKey);
    expect(await service.get("/health")).toMatchObject({ status: 200, body: { status: "ok", reasons: [] } });
    expect(await service.get("/ready")).toMatchObject({ status: 200, body: { ready: true } });

    details.letGo();
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(service.logs.at(-1)).toMatchObject({
      level: "info",
      message: "collector run finished",
      summary: {
        list: { inserted: 60, delisted: 0 },
        pass: { pages: 1, games: 60 },
        details: { failed: 0 },
        games: { pending: 0, failed: 0 },
        requests: { steam_web_api: 5, steamspy_all: 1, steamspy: 60 },
      },
    });
    expect(await compareMetadata(database.sql, readSteamSpyIndependently(dump, { details: appids }))).toEqual([]);
    const listed = "select appid, name from apps where is_listed and is_active order by appid";
    expect(await database.sql(listed)).toEqual(games.toSorted((a, b) => a.appid - b.appid));
  });

  it("exits with 2 for a rejected key and names the variable", async ({ open, serve, start }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const service = start({ args: ["collect"], steam: web, database, env: { STEAM_API_KEY: wrongKey } });
    expect(await service.exited).toEqual({ code: 2, signal: null });
    expect(service.logs.at(-1)).toMatchObject({ level: "fatal", message: expect.stringContaining("401") });
    expect(service.logs.at(-1)?.message).toContain("STEAM_API_KEY");
    expect(web.taken()).toHaveLength(1);
    expect(await database.sql("select count(*) from apps")).toEqual([{ count: 0 }]);
  });

  it("rejects a shrunk list with its numbers, and accepts it with a higher MAX_SHRINK", async ({
    open,
    serve,
    start,
  }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const collect = async (env: Record<string, string>) => {
      const service = start({ args: ["collect", "--max-details", "0"], steam: web, database, env });
      return { code: (await service.exited).code, last: service.logs.at(-1) };
    };
    expect((await collect({})).code).toBe(0);
    const apps = "select appid, name, is_listed, is_active, updated_at from apps order by appid";
    const before = await database.sql(apps);

    web.list.lists = { games: games.slice(6) };
    const refused = await collect({});
    expect(refused).toMatchObject({ code: 1, last: { level: "fatal" } });
    expect(refused.last?.message).toMatch(/list of games has 54 apps, 6 of its 60 are gone.*0\.05.*MAX_SHRINK/);
    expect(await database.sql(apps)).toEqual(before);

    expect(await collect({ MAX_SHRINK: "0.2" })).toMatchObject({
      code: 0,
      last: { summary: { list: { delisted: 6 } } },
    });
    expect(await database.sql("select count(*) from apps where is_listed is false and not is_active")).toEqual([
      { count: 6 },
    ]);
  });

  it("applies the list, then exits with 75 when SteamSpy blocks the address", async ({ open, serve, start }) => {
    const [database, web] = [await open("postgres"), await serve()];
    web.spy.faults.add({ fault: { status: 403, html: true }, times: Number.POSITIVE_INFINITY });
    const service = start({ args: ["collect"], steam: web, database });
    expect(await service.exited).toEqual({ code: 75, signal: null });
    expect(service.logs.at(-1)).toMatchObject({ level: "fatal", message: expect.stringMatching(/steamspy.*403/) });
    expect(messages(service)).toContainEqual(expect.stringMatching(/address is blocked/));
    expect(countOf(web.taken(), "all")).toBe(1);
    expect(await database.sql("select count(*) from apps where is_listed")).toEqual([{ count: 60 }]);
    const untouched = "select count(*) from game_metadata where last_updated is null and fetch_status = 'pending'";
    expect(await database.sql(untouched)).toEqual([{ count: 60 }]);
  });

  it("saves the answers so far and releases the lease on SIGTERM", async ({ open, serve, start }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const details = hold(web, "appdetails", 25);
    const service = start({ args: ["collect"], steam: web, database });
    await details.held;
    await service.until("/status", (body) => collectorOf(body)?.done === 25);
    service.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 143, signal: null });
    expect(messages(service)).not.toContainEqual(expect.stringContaining("shutdown:"));
    details.letGo();
    const saved = "select appid from game_metadata where fetch_status <> 'pending'";
    const answered = (await database.sql<{ appid: number }>(saved)).map(({ appid }) => appid);
    expect(answered).toHaveLength(25);

    web.taken();
    const next = start({ args: ["collect"], steam: web, database });
    expect(await next.exited).toEqual({ code: 0, signal: null });
    expect(messages(next)).not.toContainEqual(expect.stringContaining("another worker collects"));
    const asked = web.taken();
    expect(countOf(asked, "all")).toBe(0);
    const again = asked.flatMap((request) => (request.kind === "appdetails" ? [request.appid] : []));
    expect(again.toSorted()).toEqual(appids.filter((appid) => !answered.includes(appid)).toSorted());
  });

  it.skipIf(!isFull)(
    `waits while another collector holds the lease, and logs it${onlyFull}`,
    async ({ open, serve, start, expect }) => {
      const [database, web] = [await open("postgres"), await serve()];
      const details = hold(web, "appdetails", 10);
      const env = { LEASE_SECONDS: "1.5" };
      const first = start({ args: ["collect"], steam: web, database, env });
      await details.held;
      await database.sql("create table first_lease as select lease_until from leader_leases");
      const second = start({ args: ["collect"], steam: web, database, env });
      await second.logged(/another worker collects/);
      expect(collectorOf((await second.get("/status")).body)?.phase).toBe("waiting");
      expect(await second.get("/ready")).toMatchObject({ status: 200 });
      // The first one keeps its lease for longer than that lasts.
      const renewed =
        "select min(lease_until) > (select lease_until + interval '1.5 s' from first_lease) as renewed from leader_leases";
      await expect.poll(() => database.sql(renewed), { timeout: 20_000 }).toEqual([{ renewed: true }]);
      expect(collectorOf((await second.get("/status")).body)?.phase).toBe("waiting");

      first.kill("SIGKILL");
      details.letGo();
      expect(await second.exited).toEqual({ code: 0, signal: null });
      expect(await compareMetadata(database.sql, readSteamSpyIndependently(dump, { details: appids }))).toEqual([]);
    },
  );

  it.skipIf(!isFull)(
    `follows --batch-size, --max-details, --update-metadata and --full-refresh${onlyFull}`,
    async ({ open, serve, start }) => {
      const [database, web] = [await open("postgres"), await serve()];
      const collect = async (...args: string[]) => {
        web.taken();
        const service = start({ args: ["collect", ...args], steam: web, database, env: { MAX_WORKERS: "1" } });
        expect(await service.exited).toEqual({ code: 0, signal: null });
        const asked = web.taken();
        const details = asked.flatMap((request) => (request.kind === "appdetails" ? [request.appid] : []));
        return { lists: countOf(asked, "app_list"), pages: countOf(asked, "all"), details };
      };
      const bySize = (table: string, having: string) =>
        database.sql(`select count(*) as rows from ${table} where ${having} group by xmin::text order by 1`);

      const { details: first } = await collect("--batch-size", "10", "--max-details", "25");
      expect(first).toHaveLength(25);
      expect(await bySize("game_metadata", "fetched_at is not null")).toEqual([
        { rows: 5 },
        { rows: 10 },
        { rows: 10 },
      ]);
      expect(await bySize("apps", "is_listed")).toEqual(Array.from({ length: 6 }, () => ({ rows: 10 })));

      // The highest appid becomes the one asked longest ago.
      await database.sql(
        "update game_metadata set fetched_at = timestamptz '2026-01-01' - make_interval(mins => appid) where fetched_at is not null",
      );
      const stale = await collect("--update-metadata", "--max-details", "10");
      const oldest = first.toSorted((a, b) => b - a);
      expect(stale).toEqual({ lists: 0, pages: 0, details: oldest.slice(0, 10) });

      // Games never fetched come before games that are due again.
      const { details: rest } = await collect();
      expect(rest.slice(0, 35).toSorted()).toEqual(appids.filter((appid) => !first.includes(appid)).toSorted());
      expect(rest.slice(35).toSorted()).toEqual(oldest.slice(10).toSorted());

      await database.sql("create table kept as select * from game_metadata");
      const all = hold(web, "appdetails", 0);
      const refresh = start({ args: ["collect", "--full-refresh"], steam: web, database });
      await all.held;
      const lost = await database.sql(
        "select appid from kept k left join game_metadata m using (appid) where m is null or m.tags_json is distinct from k.tags_json",
      );
      expect(lost).toEqual([]);
      all.letGo();
      expect((await refresh.exited).code).toBe(0);
      const asked = web.taken();
      expect([countOf(asked, "app_list"), countOf(asked, "all"), countOf(asked, "appdetails")]).toEqual([5, 1, 60]);
      expect(await database.sql("select refresh_since from collector_state")).toEqual([{ refresh_since: null }]);
    },
  );

  it("exits with 2 for an invalid option", async ({ start }) => {
    const service = start({ args: ["collect", "--max-details", "many"] });
    expect(await service.exited).toEqual({ code: 2, signal: null });
    expect(service.text).toMatch(/--max-details.*whole number/);
  });
});

describe.concurrent("collect with COLLECT_INTERVAL", () => {
  it("logs a failed run, starts the next one after the interval, and stops on a signal", async ({
    open,
    serve,
    start,
  }) => {
    const [database, web] = [await open("postgres"), await serve()];
    web.list.faults.add({ fault: "null_entry" });
    const page = hold(web, "all", 0);
    const service = start({ args: ["collect"], steam: web, database, env: { COLLECT_INTERVAL: "1" } });
    await page.held;
    const { last_error } = collectorOf((await service.get("/status")).body) ?? {};
    expect(last_error).toMatch(/^steam_web_api: .*another shape/);
    expect(countOf(web.taken(), "app_list")).toBe(1);

    const second = hold(web, "app_list", 3);
    page.letGo();
    expect(await service.logged(/^the collector's run failed/)).toMatchObject({ level: "error", retryInSeconds: 1 });
    await second.held;
    const status = collectorOf((await service.get("/status")).body);
    expect(status).toMatchObject({ phase: "reading_list", next_run_at: null, last_error: null });
    service.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(await database.sql("select list_phase from collector_state")).toEqual([{ list_phase: "reading" }]);
    expect(await database.sql("select from leader_leases where role = 'collector'")).toEqual([]);
  });

  it("runs in MODE=sync beside the change monitor, after the bulk sync", async ({ open, serve, start }) => {
    const catalog = { seed: 5, count: 60, maxAppid: 3_000 };
    const [database, web] = [await open("postgres"), await serve({ catalog })];
    // Without a key the games come from the catalog that PICS built.
    const env = {
      MODE: "sync",
      STEAM_API_KEY: "",
      COLLECT_INTERVAL: "3600",
      BULK_REQUEST_DELAY: "0",
      POLL_INTERVAL: "0.3",
    };
    const service = start({ steam: web, database, env });
    const status = await service.until("/status", (body) => {
      const { monitor } = body as { monitor: { last_poll_at: string | null } | null };
      return collectorOf(body)?.phase === "idle" && monitor?.last_poll_at != null;
    });
    const nextInMs = Date.parse(collectorOf(status)?.next_run_at ?? "") - Date.now();
    expect(nextInMs).toBeGreaterThan(3_500_000);
    expect(nextInMs).toBeLessThan(3_600_000);
    expect(status).toMatchObject({ mode: "sync", steam: { connected: true }, bulk: { failed: 0 } });
    expect(await service.get("/health")).toMatchObject({ status: 200, body: { status: "ok" } });
    expect(await service.get("/ready")).toMatchObject({ status: 200 });
    const order = messages(service);
    expect(order.indexOf("bulk sync finished")).toBeGreaterThan(-1);
    expect(order.indexOf("bulk sync finished")).toBeLessThan(order.indexOf("collector run finished"));
    expect(order).toContainEqual(expect.stringContaining("no STEAM_API_KEY"));

    const forgotten = `select appid from apps left join game_metadata m using (appid)
      where type = 'game' and is_active and (m.appid is null or m.fetch_status = 'pending')`;
    expect(await database.sql(forgotten)).toEqual([]);
    const asked = new Set(web.taken().flatMap((request) => (request.kind === "appdetails" ? [request.appid] : [])));
    const due = await database.sql<{ appid: number }>("select appid from apps where type = 'game' and is_active");
    expect(due.length).toBeGreaterThan(10);
    expect(due.filter(({ appid }) => !asked.has(appid))).toEqual([]);
    service.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 0, signal: null });
  });
});

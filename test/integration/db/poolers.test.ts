import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, inject } from "vitest";
import { openPostgres } from "../../../src/db/postgres.ts";
import { runCommand } from "../../support/command.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { isFull } from "../../support/full.ts";
import { it as given } from "../../support/given.ts";
import { startCollectorWeb } from "../../support/interruption/collector-web.ts";
import { hasPgBouncer, type PgBouncer, type PoolMode, startPgBouncer } from "../../support/pgbouncer.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../../support/steam/child.ts";
import { ownerOf, silent } from "../../support/templates.ts";
import { generateSteamSpy } from "../../support/web/generate-steamspy.ts";

/** The service behind Debian's PgBouncer, and with few connections of its own. */

const count = 120;
let steam: ForkedSteam;
beforeAll(async () => {
  steam = await forkSimulatedSteam({ generate: { seed: 5, count, maxAppid: 3_000 } });
});
afterAll(() => steam.close());

const hurried = { BULK_REQUEST_DELAY: "0", POLL_INTERVAL: "0.2", APP_ID_MAX: "3000" };
/** Asks the database and not `/status`, whose view of the catalog is some seconds old. */
async function untilLoaded({ sql }: TestDatabase): Promise<void> {
  const loaded = "select count(*)::int as n from pics_sync_state where bulk_completed_at is not null";
  await expect.poll(async () => (await sql(loaded))[0]).toEqual({ n: 1 });
}

interface Given {
  /** PgBouncer in front of the server of the test run; it ends after the test. */
  pool: (mode: PoolMode, poolSize: number) => Promise<PgBouncer>;
}
const it = given.extend<Given>({
  pool: ({ onTestFinished }, use) =>
    use(async (mode, poolSize) => {
      const bouncer = await startPgBouncer(inject("cluster"), { mode, poolSize, user: ownerOf.postgres });
      onTestFinished(() => bouncer.stop());
      return bouncer;
    }),
});

describe.skipIf(!hasPgBouncer)("behind PgBouncer (skipped unless it is installed: apt-get install pgbouncer)", () => {
  const modes: [PoolMode, number][] = [
    // Fewer server connections than the two workers hold to the pooler: 5 each.
    ["transaction", 3],
    ["session", 14],
  ];
  it.for(isFull ? modes : modes.slice(0, 1))(
    "every command works in %s mode, two workers and the feed, and leaves no session setting",
    async ([mode, poolSize], { open, start, pool, folder }) => {
      const database = await open("postgres", { migrated: false });
      const bouncer = await pool(mode, poolSize);
      const name = new URL(database.url ?? "").pathname.slice(1);
      const env = { ...hurried, DATABASE_URL: bouncer.url(name), DATABASE_POOL_SIZE: "5" };

      expect(await runCommand({ args: ["migrate"], env })).toMatchObject({ code: 0 });
      const workers = [1, 2].map(() => start({ args: ["sync"], steam, env }));
      const [first] = workers as [(typeof workers)[number]];
      await untilLoaded(database);
      expect(await database.sql("select count(*)::int as workers from workers")).toEqual([{ workers: 2 }]);
      expect(await database.sql("select count(*)::int as apps from apps where is_known")).toEqual([{ apps: count }]);

      const stream = await fetch(`${await first.url()}/v1/changes/stream`);
      const changed = await steam.call("changeRandom", 3);
      let events = "";
      for await (const chunk of stream.body ?? []) {
        events += Buffer.from(chunk).toString();
        if ([...changed.keys()].every((appid) => events.includes(`"appid":${appid},`))) break;
      }

      const web = await startCollectorWeb();
      web.spy.dump = generateSteamSpy({ seed: 9, games: 20 });
      const app = String([...changed.keys()][0]);
      const commands = [["status"], ["app", app], ["reextract"], ["collect"], ["export", "--out", join(folder, "out")]];
      const limits = { STEAMSPY_API_LIMIT: "6000/second", STEAMSPY_ALL_LIMIT: "6000/second", PORT: "0" };
      const results = await Promise.all(
        commands.map(async (args) => ({
          args,
          ...(await runCommand({ args, steam: web, env: { ...env, ...limits } })),
        })),
      );
      await web.close();
      for (const result of results) expect(result).toMatchObject({ code: 0 });

      for (const worker of workers) worker.kill("SIGTERM");
      for (const worker of workers) expect((await worker.exited).code).toBe(0);
      const faults = workers.flatMap(({ logs }) => logs.filter(({ level }) => level !== "info"));
      expect(faults).toEqual([]);
      expect(new Set(await bouncer.settings(name, "statement_timeout"))).toEqual(new Set(["0"]));
      // What a session listens to would wake another client.
      expect(await database.sql("select query from pg_stat_activity where query ilike 'listen %'")).toEqual([]);
    },
  );

  it("a call ends at its time limit, and other clients of the same server connection have none", async ({
    open,
    pool,
  }) => {
    const database = await open("postgres", { migrated: false });
    const bouncer = await pool("transaction", 1);
    const name = new URL(database.url ?? "").pathname.slice(1);
    await database.sql(
      "create function public.wait_for(seconds float) returns jsonb language plpgsql as 'begin perform pg_sleep(seconds); return 1; end'",
    );
    const db = await openPostgres({ url: bouncer.url(name), logger: silent });
    try {
      const late = db.rpc("wait_for", { seconds: 5 }, { timeoutMs: 300 });
      await expect(late).rejects.toMatchObject({ fault: "timeout", code: "57014" });
      expect(await db.rpc("wait_for", { seconds: 0 })).toBe(1);
      expect(await bouncer.settings(name, "statement_timeout")).toEqual(["0"]);
      expect(await db.rpc("wait_for", { seconds: 0.4 }, { timeoutMs: 5_000 })).toBe(1);
    } finally {
      await db.close();
    }
  });

  it("refuses statement mode in one sentence, with exit code 2", async ({ open, pool }) => {
    const database = await open("postgres", { migrated: false });
    const bouncer = await pool("statement", 2);
    const DATABASE_URL = bouncer.url(new URL(database.url ?? "").pathname.slice(1));
    const { code, stdout, stderr } = await runCommand({ args: ["migrate"], env: { DATABASE_URL } });
    expect(code).toBe(2);
    expect(stdout + stderr).toContain("set pool_mode=transaction (or session) in PgBouncer");
    expect(stdout + stderr).not.toContain("    at ");
  });
});

const connections = `select count(*)::int as open from pg_stat_activity
  where datname = current_database() and application_name = 'steam-pics-sync'`;

describe("DATABASE_POOL_SIZE", () => {
  it("the smallest, 2, is enough, and never exceeded", async ({ open, start }) => {
    const size = 2;
    const database = await open("postgres");
    const env = { ...hurried, DATABASE_POOL_SIZE: String(size) };
    const service = start({ args: ["sync"], steam, database, env });
    let most = 0;
    let isDone = false;
    const looking = (async () => {
      for (; !isDone; await delay(20)) {
        const [row] = await database.sql<{ open: number }>(connections);
        most = Math.max(most, row?.open ?? 0);
      }
    })();
    await untilLoaded(database);
    const base = await service.url();
    const paths = ["/v1/apps", "/v1/changes"];
    const reads = Array.from({ length: 40 }, (_, i) => fetch(`${base}${paths[i % 2]}?limit=${i + 1}`));
    expect(new Set((await Promise.all(reads)).map(({ status }) => status))).toEqual(new Set([200]));
    const changed = await steam.call("changeRandom", 5);
    const due = "select count(*)::int as n from sync_status where pics_change_number = any($1)";
    await expect.poll(async () => (await database.sql(due, [[...changed.values()]]))[0]).toEqual({ n: 5 });
    isDone = true;
    await looking;
    expect(most).toBe(size);
    expect(service.logs.filter(({ level }) => level !== "info")).toEqual([]);
  });
});

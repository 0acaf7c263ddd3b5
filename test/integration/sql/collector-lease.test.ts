import { describe, expect, test } from "vitest";
import { LeaseLostError } from "../../../src/db/leader-lease.ts";
import { forEachSqlDatabase, useCatalog } from "./catalog.ts";
import { listedApp, useCollecting, type Worker } from "./collector.ts";

forEachSqlDatabase("the collector's lease and quotas", (open, kind) => {
  const catalog = useCatalog(open);
  const { sql } = catalog;
  const collecting = useCollecting(catalog);
  const { newWorker, lapse, takeOver, read, collect, rows } = collecting;

  describe("a worker without the lease", () => {
    const game = { appid: 10, status: "failed", attempts: 7, error: "broken" } as const;
    /** Every function that needs the lease, in a state in which the leader would change something. */
    const calls: Record<string, (worker: Worker, run: number) => Promise<unknown>> = {
      beginList: (worker) => worker.beginList({ kinds: ["games"], fresh: true }),
      saveList: (worker, run) =>
        worker.saveList({ run, kind: "games", apps: [listedApp(77, "New")], after: 77, complete: true }),
      acceptList: (worker, run) => worker.acceptList({ run, maxShrink: 0.05 }),
      applyList: (worker, run) => worker.applyList({ run, max: 10, history: true }),
      enqueue: (worker) => worker.enqueue(0, 10),
      beginCrawl: (worker) => worker.beginCrawl({ fullRefresh: true }),
      savePage: (worker) => worker.savePage({ games: [], page: 1, missed: [], complete: true }),
      due: (worker) =>
        worker.due({ max: 10, runStartedAt: new Date().toISOString(), maxAttempts: 3, staleFirst: false }),
      saveDetails: (worker) => worker.saveDetails([game]),
    };
    async function everything() {
      const tables: Record<string, string[]> = {};
      for (const table of ["apps", "game_metadata", "app_list_entries", "collector_state", "sync_status"] as const) {
        tables[table] = await rows(table);
      }
      return tables;
    }

    const lost = [
      { when: "another worker leads", lose: takeOver },
      { when: "it has lapsed", lose: lapse },
      { when: "no worker leads", lose: () => collecting.worker.release() },
    ];
    test.each(lost)("is rejected by every function when $when", async ({ lose }) => {
      const { worker } = collecting;
      await collect({ games: [10, 20] });
      await sql("insert into apps (appid, type) values (30, 'game')");
      const { run } = await read({ games: [10, 20, 30] });
      await lose();
      for (const phase of ["reading", "applying", null]) {
        await sql("update collector_state set list_phase = $1, list_cursor = '{\"after\": 0}'", [phase]);
        const before = await everything();
        for (const [name, call] of Object.entries(calls)) {
          const error = await call(worker, run).catch((reason: unknown) => reason);
          expect({ name, phase, error }).toEqual({ name, phase, error: expect.any(LeaseLostError) });
        }
        expect(await everything()).toEqual(before);
      }
    });

    test("(control) every function changes something with the lease", async () => {
      await collect({ games: [10, 20] });
      for (const [name, call] of Object.entries(calls)) {
        await sql("insert into apps (appid, type) values (30, 'game') on conflict do nothing");
        const { run } = await read({ games: [10, 20, 30] }, { fresh: true });
        if (name === "applyList") await collecting.worker.acceptList({ run, maxShrink: 0.05 });
        if (name === "enqueue") await sql("delete from game_metadata where appid = 30");
        if (name === "due") {
          await sql("update game_metadata set fetched_at = now(), fetch_status = 'success'");
          await sql("update collector_state set refresh_since = now() - interval '1 hour'");
        }
        const before = await everything();
        await call(collecting.worker, run);
        expect({ name, after: await everything() }).not.toEqual({ name, after: before });
      }
    });

    test("is rejected for a run that a new leader replaced", async () => {
      const { run } = await read({ games: [10] });
      const heir = await takeOver();
      await heir.beginList({ kinds: ["games"], fresh: true });
      await expect(heir.saveList({ run, kind: "games", apps: [], after: 0, complete: true })).rejects.toThrow(
        LeaseLostError,
      );
      await expect(heir.acceptList({ run, maxShrink: 1 })).rejects.toThrow(LeaseLostError);
      await expect(heir.applyList({ run, max: 10, history: true })).rejects.toThrow(LeaseLostError);
    });
  });

  describe("web_reserve", () => {
    const today = "2026-11-20T00:00:00.000Z";
    const tomorrow = "2026-11-21T00:00:00.000Z";
    const reserve = (block: number, given: { endpoint?: string; periodStart?: string; limit?: number } = {}) =>
      newWorker().reserve({ endpoint: "steam", periodStart: today, limit: 1_000, block, ...given });

    test("grants blocks of all workers until the quota is used up", async () => {
      expect(await reserve(400)).toBe(400);
      expect(await reserve(400)).toBe(400);
      expect(await reserve(400)).toBe(200);
      expect(await reserve(400)).toBe(0);
      expect(await reserve(1)).toBe(0);
      // Raised, then lowered below what is used.
      expect(await reserve(400, { limit: 1_100 })).toBe(100);
      expect(await reserve(400, { limit: 500 })).toBe(0);
      expect(await sql("select used from web_api_usage")).toEqual([{ used: 1_100 }]);
    });

    test("counts per endpoint and period", async () => {
      await reserve(1_000);
      expect(await reserve(10, { endpoint: "store" })).toBe(10);
      expect(await reserve(10, { periodStart: tomorrow })).toBe(10);
      expect(await reserve(10)).toBe(0);
    });

    test("never exceeds the limit for concurrent workers", async () => {
      const granted = await Promise.all(Array.from({ length: 24 }, () => reserve(70)));
      expect(granted.reduce((sum, each) => sum + each, 0)).toBe(1_000);
      expect(granted.filter((each) => each > 0)).toHaveLength(15);
    });

    // PGlite has one connection and runs calls one after the other.
    if (kind !== "pglite") {
      test("grants the last block to one of several waiting workers", async () => {
        for (const endpoint of ["steam", "store", "steamspy", "igdb"]) {
          await reserve(930, { endpoint });
          await sql("begin");
          await sql("update web_api_usage set used = used");
          const waiting = Array.from({ length: 6 }, () => reserve(70, { endpoint }));
          await expect
            .poll(async () => (await sql("select from pg_locks where not granted")).length, { interval: 5 })
            .toBeGreaterThanOrEqual(3);
          await sql("rollback");
          expect((await Promise.all(waiting)).sort()).toEqual([0, 0, 0, 0, 0, 70]);
        }
      });
    }

    test("deletes periods older than 60 days", async () => {
      await reserve(10, { periodStart: "2026-09-01T00:00:00.000Z" });
      await reserve(10);
      await reserve(10, { periodStart: tomorrow });
      const periods = await sql<{ used: number }>("select used from web_api_usage order by period_start");
      expect(periods).toEqual([{ used: 10 }, { used: 10 }]);
      expect(await reserve(1_000)).toBe(990);
    });
  });
});

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { forEachDatabase } from "../../support/databases.ts";
import { record, useCatalog } from "./catalog.ts";

/** Lapsed before the next call. */
const instantSeconds = 0;

forEachDatabase("pics_claim", (open, kind) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, status, sql, call } = catalog;
  /** Apps that are marked together are claimed in no particular order. */
  const markAll = (appids: number[]) => mark(appids.map((appid) => [appid, 500]));
  const markInTurn = async (appids: number[]) => {
    for (const appid of appids) await markAll([appid]);
  };
  const failAll = (lease: string, appids: number[], retrySeconds = instantSeconds) =>
    apply(lease, { failed: appids.map((appid) => ({ appid, error: "broken" })), retrySeconds });
  const range = (count: number) => Array.from({ length: count }, (_, index) => index + 1);

  test("claims the longest pending apps first, up to max, with the announced number", async () => {
    await mark([[30, 501]]);
    await mark([[20, 502]]);
    await mark([[10, 503]]);
    expect(await claim({ max: 2 })).toMatchObject({
      apps: [
        { appid: 20, change_number: 502, attempts: 0, access_token: null, token_denied: false },
        { appid: 30, change_number: 501 },
      ],
      waiting: 0,
      due_in_seconds: null,
    });
    expect((await claim({ max: 2 })).appids).toEqual([10]);
  });

  test("claims no app without a mark", async () => {
    await store(record(10, 500));
    expect(await claim()).toMatchObject({ apps: [], waiting: 0, due_in_seconds: null });
  });

  test("excludes apps under a valid lease and reports when they are due", async () => {
    await markInTurn([10, 20]);
    await claim({ max: 1, seconds: 30 });
    expect((await claim({ max: 5, seconds: 90 })).appids).toEqual([20]);
    const { apps, waiting, due_in_seconds } = await claim();
    expect({ apps, waiting }).toEqual({ apps: [], waiting: 2 });
    expect(due_in_seconds).toBeGreaterThan(25);
    expect(due_in_seconds).toBeLessThanOrEqual(30);
  });

  test("forgives the first lapsed lease: its apps are claimed with the others", async () => {
    await markAll([10]);
    const lapsed = await claim();
    expect(lapsed.appids).toEqual([10]);
    await sql("update sync_status set lease_until = now()");
    await mark([[20, 500]]);
    expect((await claim()).apps).toMatchObject([
      { appid: 10, attempts: 1 },
      { appid: 20, attempts: 0 },
    ]);
  });

  describe("an app that kills every worker that claims it", () => {
    const poison = 7;
    /** Its leases lapse, and every backoff has passed when the next worker starts. */
    const die = () =>
      sql("update sync_status set lease_until = now(), next_attempt_at = next_attempt_at - interval '1 day'");
    const settleOthers = async ({ lease, appids }: { lease: string; appids: number[] }) =>
      apply(lease, { apps: appids.filter((appid) => appid !== poison).map((appid) => record(appid, 500)) });

    test.each([
      ["each start is a bulk sync", () => call("pics_begin_bulk", { change_number: 500, appids: null })],
      ["Steam announces it anew before each start", () => mark([[poison, 500 + counter++]])],
    ])("ends up alone, and the others are stored (%s)", async (_, start) => {
      await markAll(range(100));
      const sizes: number[] = [];
      for (let starts = 0; starts < 7; starts++) {
        await start();
        // A worker stores what it claims, until it claims the poison.
        for (;;) {
          const claimed = await claim({ max: 40, maxAttempts: 7 });
          if (claimed.appids.length === 0) break;
          if (claimed.appids.includes(poison)) {
            sizes.push(claimed.appids.length);
            break;
          }
          await settleOthers(claimed);
        }
        await die();
      }
      // With the first or the last of three batches, since all were marked together.
      expect([40, 20]).toContain(sizes[0]);
      expect(sizes.slice(2)).toEqual([2, 1, 1, 1, 1].slice(0, sizes.length - 2));
      expect(await sql("select count(*)::int as stored from apps")).toEqual([{ stored: 99 }]);
      expect(await status(poison)).toMatchObject({ last_error: expect.stringContaining("worker"), attempts: 7 });
    });
    let counter = 1;

    test("waits longer before each claim, unless a bulk sync names it", async () => {
      await markAll([poison]);
      for (let deaths = 0; deaths < 5; deaths++) {
        expect((await claim({ seconds: 50 })).appids).toEqual([poison]);
        await sql("update sync_status set lease_until = now()");
        if (deaths > 2) expect((await claim()).appids).toEqual([]);
        await sql("update sync_status set next_attempt_at = now() where next_attempt_at is not null");
      }
      await call("pics_begin_bulk", { change_number: 500, appids: [poison] });
      expect(await status(poison)).toMatchObject({ attempts: 0, next_attempt_at: null });
    });
  });

  test("returns the same apps for the same lease id", async () => {
    await markInTurn(range(6));
    const first = await claim({ max: 2 });
    expect(await claim({ max: 2, lease: first.lease })).toEqual(first);
    expect((await claim({ max: 10 })).appids).toEqual([3, 4, 5, 6]);
  });

  test("claims one batch for two concurrent calls with the same lease id", async () => {
    await markInTurn(range(6));
    const lease = randomUUID();
    // On a server, a lock holds both calls until each has checked whether the lease exists.
    if (kind !== "pglite") await sql("begin; lock table sync_status in exclusive mode");
    const both = [claim({ lease, max: 2 }), claim({ lease, max: 2 })];
    if (kind !== "pglite") {
      await expect
        .poll(async () => (await sql("select from pg_locks where not granted")).length, { interval: 10 })
        .toBeGreaterThanOrEqual(2);
      await sql("commit");
    }
    expect((await Promise.all(both)).map(({ appids }) => appids)).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(await sql("select appid from sync_status where lease_id = $1", [lease])).toHaveLength(2);
  });

  test("gives no app to two concurrent workers", async () => {
    await markAll(range(60));
    const claims = await Promise.all(range(6).map(() => claim({ max: 10 })));
    const taken = claims.flatMap(({ appids }) => appids);
    expect(new Set(taken).size).toBe(taken.length);
    // `skip locked` passes over a row that another claim holds; the next claim gets it.
    const rest = await claim({ max: 60 });
    expect([...taken, ...rest.appids].sort((a, b) => a - b)).toEqual(range(60));
  });

  // PGlite has one connection, so no concurrent transaction.
  if (kind !== "pglite") {
    test("skips rows locked by another transaction", async () => {
      await markAll([10, 20]);
      await sql("begin");
      await sql("select from sync_status where appid = 10 for update");
      expect(await claim()).toMatchObject({ appids: [20] });
      expect(await claim()).toMatchObject({ appids: [], waiting: 2, due_in_seconds: 0 });
      await sql("commit");
      expect((await claim()).appids).toEqual([10]);
    });
  }

  test("claims only the given appids", async () => {
    await markAll([10, 20, 30]);
    expect((await claim({ appids: [20, 40] })).appids).toEqual([20]);
    expect(await claim({ appids: [20, 40] })).toMatchObject({ apps: [], waiting: 1 });
    expect(await claim({ appids: [40] })).toMatchObject({ apps: [], waiting: 0 });
    expect(await claim({ appids: [] })).toMatchObject({ apps: [], waiting: 0 });
  });

  test("pics_renew extends a valid lease, not a lapsed one", async () => {
    await markInTurn([10, 20]);
    const held = await claim({ max: 1, seconds: 5 });
    const lapsed = await claim({ max: 1, seconds: instantSeconds });
    expect(await call("pics_renew", { lease_id: held.lease, lease_seconds: 600 })).toEqual({ renewed: 1 });
    expect(await call("pics_renew", { lease_id: lapsed.lease, lease_seconds: 600 })).toEqual({ renewed: 0 });
    expect((await claim()).appids).toEqual([20]);
    expect((await claim()).due_in_seconds).toBeLessThan(61);
    const [left] = await sql(
      "select extract(epoch from lease_until - now()) > 500 as yes from sync_status where appid = 10",
    );
    expect(left).toEqual({ yes: true });
  });

  test("pics_release frees apps without counting an attempt", async () => {
    await markAll([10, 20]);
    const { lease } = await claim({ max: 1 });
    expect(await call("pics_release", { lease_id: lease })).toEqual({ released: 1 });
    expect(await call("pics_release", { lease_id: lease })).toEqual({ released: 0 });
    expect((await claim()).apps).toMatchObject([
      { appid: 10, attempts: 0 },
      { appid: 20, attempts: 0 },
    ]);
  });

  describe("retries", () => {
    test("are not claimed during backoff, and the reply says when they are due", async () => {
      await markAll([10]);
      await failAll((await claim()).lease, [10], 100);
      const { apps, waiting, due_in_seconds } = await claim();
      expect({ apps, waiting }).toEqual({ apps: [], waiting: 1 });
      expect(due_in_seconds).toBeGreaterThan(95);
      expect(due_in_seconds).toBeLessThanOrEqual(100);
    });

    test("come after all other apps, in batches that shrink to one app", async () => {
      const appids = range(40);
      await markAll(appids);
      const sizes: number[] = [];
      for (let attempt = 0; attempt < 4; attempt++) {
        let claimed = await claim({ max: 40 });
        sizes.push(claimed.appids.length);
        // Each app to the same number of attempts, as if every request failed.
        for (; claimed.appids.length > 0; claimed = await claim({ max: 40, maxAttempts: attempt + 1 })) {
          expect(claimed.apps.every((app) => app.attempts === attempt)).toBe(true);
          await failAll(claimed.lease, claimed.appids);
        }
      }
      expect(sizes).toEqual([40, 10, 2, 1]);
      await markAll([99]);
      expect((await claim({ max: 40 })).appids).toEqual([99]);
    });

    test("end at max_attempts", async () => {
      await markAll([10]);
      await failAll((await claim()).lease, [10]);
      await failAll((await claim()).lease, [10]);
      expect(await claim({ maxAttempts: 2 })).toMatchObject({ apps: [], waiting: 0, due_in_seconds: null });
      expect(await claim({ maxAttempts: 3 })).toMatchObject({ apps: [{ appid: 10, attempts: 2 }] });
    });

    test("are excluded while another lease is valid", async () => {
      await markAll([10]);
      await failAll((await claim()).lease, [10]);
      expect((await claim({ seconds: 50 })).appids).toEqual([10]);
      const other = await claim();
      expect(other).toMatchObject({ apps: [], waiting: 1 });
      expect(other.due_in_seconds).toBeGreaterThan(45);
    });
  });

  describe("access tokens", () => {
    test("are part of the claim, all 64 bits", async () => {
      await markAll([10]);
      const tokens = [{ appid: 10, access_token: "18446744073709551615" }];
      await apply((await claim()).lease, {
        failed: [{ appid: 10, error: "broken" }],
        tokens,
        retrySeconds: instantSeconds,
      });
      expect((await claim()).apps).toMatchObject([{ access_token: "18446744073709551615", token_denied: false }]);
    });

    test("are requested again a day after a denial", async () => {
      await markAll([10]);
      const { lease } = await claim();
      await apply(lease, { tokens: [{ appid: 10, access_token: null }] });
      await call("pics_release", { lease_id: lease });
      const again = await claim();
      expect(again.apps).toMatchObject([{ access_token: null, token_denied: true }]);
      await call("pics_release", { lease_id: again.lease });
      await sql("update pics_access_tokens set denied_at = denied_at - interval '1 day 1 second'");
      expect((await claim()).apps).toMatchObject([{ access_token: null, token_denied: false }]);
    });

    test("replace a denial and are replaced by one; a grant wins within one request", async () => {
      const stored = () => sql("select access_token, denied_at is not null as is_denied from pics_access_tokens");
      await apply(randomUUID(), { tokens: [{ appid: 10, access_token: null }] });
      expect(await stored()).toEqual([{ access_token: null, is_denied: true }]);
      await apply(randomUUID(), {
        tokens: [
          { appid: 10, access_token: null },
          { appid: 10, access_token: "7" },
        ],
      });
      expect(await stored()).toEqual([{ access_token: "7", is_denied: false }]);
      await apply(randomUUID(), { tokens: [{ appid: 10, access_token: null }] });
      expect(await stored()).toEqual([{ access_token: null, is_denied: true }]);
    });
  });

  test("counts an attempt and changes nothing else of the row", async () => {
    await store(record(10, 500));
    await mark([[10, 501]]);
    const { lease_id: _, lease_until: __, lease_change: ___, ...before } = await status(10);
    await claim();
    expect(await status(10)).toMatchObject({ ...before, attempts: 1 });
  });
});

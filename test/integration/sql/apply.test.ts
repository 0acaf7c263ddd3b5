import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { DatabaseError } from "../../../src/process/errors.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { applied, record, useCatalog } from "./catalog.ts";

const instantSeconds = 0;

forEachDatabase("pics_apply", (open, kind) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, status, app, sql, call } = catalog;
  const claimed = async (...apps: [appid: number, changeNumber: number][]) => {
    await mark(apps);
    return (await claim()).lease;
  };
  /** Seconds from now to a time in the row of `sync_status`. */
  const secondsTo = async (column: "next_attempt_at", appid: number) => {
    const [row] = await sql<{ seconds: number }>(
      `select extract(epoch from ${column} - clock_timestamp())::float as seconds from sync_status where appid = $1`,
      [appid],
    );
    return row?.seconds;
  };
  const noWork = {
    pics_pending_change: null,
    pending_since: null,
    attempts: 0,
    next_attempt_at: null,
    last_error: null,
  };
  const noLease = { lease_id: null, lease_until: null, lease_change: null };

  describe("a record", () => {
    test("is stored at the announced number and clears the mark", async () => {
      const lease = await claimed([10, 500]);
      expect(await apply(lease, { apps: [record(10, 500, { missing_token: true })] })).toEqual(applied({ stored: 1 }));
      expect(await status(10)).toMatchObject({
        ...noWork,
        ...noLease,
        pics_change_number: 500,
        last_pics_sync: expect.any(Date),
        missing_token: true,
      });
      expect(await app(10)).toMatchObject({ name: "App 10", is_known: true, is_active: true });
    });

    test("is stored above the announced number and clears the mark", async () => {
      const lease = await claimed([10, 500]);
      await apply(lease, { apps: [record(10, 510)] });
      expect(await status(10)).toMatchObject({ ...noWork, ...noLease, pics_change_number: 510, missing_token: false });
    });

    test("keeps the mark of a change announced meanwhile, due at once", async () => {
      const lease = await claimed([10, 500]);
      await mark([[10, 520]]);
      const { pending_since } = await status(10);
      expect(await apply(lease, { apps: [record(10, 510)] })).toEqual(applied({ stored: 1 }));
      expect(await status(10)).toMatchObject({
        ...noLease,
        pics_change_number: 510,
        pics_pending_change: 520,
        pending_since,
      });
      expect((await claim()).apps).toMatchObject([{ appid: 10, change_number: 520, attempts: 0 }]);
    });

    test("clears the mark of a change announced meanwhile when it has that number", async () => {
      const lease = await claimed([10, 500]);
      await mark([[10, 520]]);
      await apply(lease, { apps: [record(10, 520)] });
      expect(await status(10)).toMatchObject({ ...noWork, pics_change_number: 520 });
    });

    test("is stored below the announced number when newer than the stored one, and retried with backoff", async () => {
      await store(record(10, 400));
      const lease = await claimed([10, 500]);
      const reply = await apply(lease, { apps: [record(10, 450, { name: "Between" })], retrySeconds: 100 });
      expect(reply).toEqual(applied({ stored: 1 }));
      expect(await app(10)).toMatchObject({ name: "Between" });
      expect(await status(10)).toMatchObject({
        ...noLease,
        pics_change_number: 450,
        pics_pending_change: 500,
        attempts: 1,
        last_error: expect.stringMatching(/500.*450/),
      });
      expect(await secondsTo("next_attempt_at", 10)).toBeGreaterThan(95);
      expect((await claim()).appids).toEqual([]);
    });

    test("is skipped when older than the stored one, and retried with backoff", async () => {
      await store(record(10, 400));
      const before = await app(10);
      const { last_pics_sync } = await status(10);
      const lease = await claimed([10, 500]);
      expect(await apply(lease, { apps: [record(10, 399, { name: "Old" })] })).toEqual(applied({ stale: 1 }));
      expect(await app(10)).toEqual(before);
      expect(await status(10)).toMatchObject({
        ...noLease,
        pics_change_number: 400,
        pics_pending_change: 500,
        attempts: 1,
        last_pics_sync,
      });
    });

    test("is stored again at the stored number", async () => {
      await store(record(10, 400));
      await mark([[10, 400]], { full: true });
      const { lease } = await claim();
      const reply = await apply(lease, { apps: [record(10, 400, { name: "With its token" })] });
      expect(reply).toEqual(applied({ stored: 1 }));
      expect(await app(10)).toMatchObject({ name: "With its token" });
      expect(await status(10)).toMatchObject({ ...noWork, pics_change_number: 400 });
    });

    test("leaves an unlisted app inactive", async () => {
      await store(record(10, 400));
      await sql("update apps set is_listed = false where appid = 10");
      await store(record(10, 401));
      expect(await app(10)).toMatchObject({ is_known: true, is_listed: false, is_active: false });
    });
  });

  describe("unknown to Steam", () => {
    test("makes a stored app inactive until Steam knows it again; its change number stays that of its content", async () => {
      await store(record(10, 400));
      const lease = await claimed([10, 500]);
      expect(await apply(lease, { unknown: [10], confirmSeconds: 0 })).toEqual(applied({ unknown: 1 }));
      expect(await app(10)).toMatchObject({ name: "App 10", is_known: false, is_active: false });
      expect(await status(10)).toMatchObject({ ...noWork, ...noLease, unknown_since: null, pics_change_number: 400 });

      await apply(await claimed([10, 500]), { apps: [record(10, 500)] });
      expect(await app(10)).toMatchObject({ is_known: true, is_active: true });
      expect(await status(10)).toMatchObject({ ...noWork, pics_change_number: 500 });
    });

    test.each([0, 600])(
      "has no effect when a newer change was announced since the claim (%d s)",
      async (confirmSeconds) => {
        await store(record(10, 400));
        const lease = await claimed([10, 500]);
        await mark([[10, 501]]);
        await apply(lease, { unknown: [10], confirmSeconds });
        expect(await app(10)).toMatchObject({ is_known: true, is_active: true });
        expect(await status(10)).toMatchObject({ ...noLease, pics_change_number: 400, pics_pending_change: 501 });
        expect((await claim()).appids).toEqual([10]);
      },
    );

    describe("about a stored and known app", () => {
      const unknown = async (appids: number[], options: { maxShrink?: number; acceptUnknown?: boolean } = {}) => {
        const { lease } = await claim({ appids, max: appids.length });
        return await apply(lease, { unknown: appids, ...options });
      };
      const elapse = (interval: string) =>
        sql(`update sync_status set unknown_since = unknown_since - interval '${interval}',
          unknown_at = unknown_at - interval '${interval}', next_attempt_at = next_attempt_at - interval '${interval}'`);
      const storeAndMark = async (count: number) => {
        const appids = Array.from({ length: count }, (_, index) => index + 1);
        await store(...appids.map((appid) => record(appid, 400)));
        await mark([], { unknown: appids });
        return appids;
      };

      test("is believed once a second answer, late enough, says the same", async () => {
        await storeAndMark(1);
        expect(await unknown([1])).toEqual(applied({ unconfirmed: 1 }));
        expect(await app(1)).toMatchObject({ is_known: true, is_active: true });
        expect(await status(1)).toMatchObject({ ...noLease, attempts: 0, last_error: null, pics_pending_change: 400 });
        expect(await secondsTo("next_attempt_at", 1)).toBeGreaterThan(595);
        // It is not work that a one-off command waits for.
        expect(await claim()).toMatchObject({ appids: [], waiting: 0, due_in_seconds: expect.any(Number) });

        await elapse("590 seconds");
        await sql("update sync_status set next_attempt_at = null");
        expect(await unknown([1])).toEqual(applied({ unconfirmed: 1 }));
        expect(await secondsTo("next_attempt_at", 1)).toBeLessThan(11);

        await elapse("11 seconds");
        expect(await unknown([1])).toEqual(applied({ unknown: 1 }));
        expect(await app(1)).toMatchObject({ is_known: false, is_active: false });
        expect(await status(1)).toMatchObject({ ...noWork, ...noLease, unknown_since: null, pics_change_number: 400 });
      });

      test.each([
        ["is stored again", async () => store(record(1, 400))],
        ["is in metadata", async () => mark([[1, 400]])],
        [
          "is answered with an older version",
          async () => {
            await sql("update sync_status set next_attempt_at = null");
            await apply((await claim()).lease, { apps: [record(1, 300)], retrySeconds: 0 });
          },
        ],
      ])("counts from the start again when the app %s meanwhile", async (_, know) => {
        await storeAndMark(1);
        await unknown([1]);
        await elapse("1 hour");
        await know();
        await mark([], { unknown: [1] });
        await sql("update sync_status set next_attempt_at = null");
        expect(await unknown([1])).toEqual(applied({ unconfirmed: 1 }));
      });

      test("keeps the first answer through failures", async () => {
        await storeAndMark(1);
        await unknown([1]);
        await elapse("700 seconds");
        await apply((await claim()).lease, { failed: [{ appid: 1, error: "silent" }], retrySeconds: instantSeconds });
        expect(await unknown([1])).toEqual(applied({ unknown: 1 }));
      });

      test("is not believed of more than MAX_SHRINK of the known apps within an hour, by however many answers", async () => {
        const appids = await storeAndMark(300);
        const burst = appids.slice(0, 20);
        // Of 300 apps, 20 are more than 5 %.
        for (let answer = 1; answer <= 9; answer++) {
          expect(await unknown(burst)).toEqual(applied({ unconfirmed: 20, mass_unknown: true }));
          await elapse("601 seconds");
        }
        expect(await sql("select count(*)::int as known from apps where is_known")).toEqual([{ known: 300 }]);
        expect(await call("pics_backlog")).toMatchObject({ unconfirmed: 20, failing: 0 });
        expect(await call("pics_state")).toMatchObject({ unconfirmed: 20, mass_unknown_at: expect.any(String) });
        // An operator confirms it; after that a single app is as before.
        await sql("update sync_status set next_attempt_at = null");
        expect(await unknown(burst, { acceptUnknown: true })).toEqual(applied({ unknown: 20 }));
        await unknown([21]);
        await elapse("601 seconds");
        expect(await unknown([21])).toEqual(applied({ unknown: 1 }));
      });

      test("is believed of 19 apps, and of a share that is allowed", async () => {
        const appids = await storeAndMark(60);
        for (const [first, last, maxShrink] of [
          [0, 19, 0],
          [19, 29, 0.6],
        ] as const) {
          const some = appids.slice(first, last);
          expect(await unknown(some, { maxShrink })).toEqual(applied({ unconfirmed: some.length }));
          await elapse("601 seconds");
          expect(await unknown(some, { maxShrink })).toEqual(applied({ unknown: some.length }));
        }
        // Those believed within the hour count: 30 of 60.
        expect(await unknown([appids[29] as number], { maxShrink: 0.49 })).toMatchObject({ mass_unknown: true });
      });

      test("an hour ago does not count towards a mass", async () => {
        const appids = await storeAndMark(40);
        await unknown(appids.slice(0, 20));
        await elapse("3601 seconds");
        await unknown(appids.slice(20, 21));
        await elapse("601 seconds");
        expect(await unknown(appids.slice(20, 21))).toEqual(applied({ unknown: 1 }));
      });
    });

    test("about a never stored app counts from the start again when metadata names it", async () => {
      await apply(await claimed([10, 500]), { unknown: [10] });
      await sql("update sync_status set unknown_since = unknown_since - interval '11 minutes'");
      expect(await apply(await claimed([10, 501]), { unknown: [10] })).toEqual(applied({ unconfirmed: 1 }));
    });

    test("is not believed at once of an app that was gone and is announced again", async () => {
      await store(record(10, 400));
      await apply(await claimed([10, 500]), { unknown: [10], confirmSeconds: 0 });
      expect(await apply(await claimed([10, 600]), { unknown: [10] })).toEqual(applied({ unconfirmed: 1 }));
      expect(await status(10)).toMatchObject({ ...noLease, pics_pending_change: 600 });
    });

    test("deletes the row of an app that was never stored", async () => {
      const lease = await claimed([10, 500], [20, 500]);
      const apps = [record(20, 500)];
      expect(await apply(lease, { unknown: [10], apps, confirmSeconds: 0 })).toEqual(
        applied({ stored: 1, unknown: 1 }),
      );
      expect(await sql("select appid from sync_status")).toEqual([{ appid: 20 }]);
      expect(await sql("select appid from apps")).toEqual([{ appid: 20 }]);
    });

    test("leaves a never stored app pending until a second answer: Steam has named it", async () => {
      const lease = await claimed([10, 500]);
      expect(await apply(lease, { unknown: [10] })).toEqual(applied({ unconfirmed: 1 }));
      expect(await status(10)).toMatchObject({ ...noLease, pics_pending_change: 500, attempts: 0 });
      expect(await secondsTo("next_attempt_at", 10)).toBeGreaterThan(595);
    });

    test("keeps the mark of a never stored app that was announced meanwhile", async () => {
      const lease = await claimed([10, 500]);
      await mark([[10, 501]]);
      await apply(lease, { unknown: [10] });
      expect(await status(10)).toMatchObject({ ...noLease, pics_pending_change: 501 });
    });
  });

  describe("an answer that lacks sections", () => {
    const stored = { current_build_id: "77", last_content_update: "2025-01-02T03:04:05.000Z" };
    const all = ["common", "extended", "depots"] as const;

    test.each([
      ["all of them", { lacks: all }, "empty app info"],
      ["common", { lacks: ["common"] }, "section common"],
      ["common and extended", { lacks: ["common", "extended"] }, "section common"],
      ["depots", { lacks: ["depots"] }, "section depots"],
    ] as const)("which are stored (%s) leaves what is stored, and is retried with backoff", async (_, given, error) => {
      await store(record(10, 400, stored));
      const before = await app(10);
      const lease = await claimed([10, 500]);
      const reply = await apply(lease, { apps: [record(10, 500, { name: "Not it", ...given })], retrySeconds: 100 });
      expect(reply).toEqual(applied({ failed: 1, doubted: [{ appid: 10, error: expect.stringContaining(error) }] }));
      expect(await app(10)).toEqual(before);
      expect(await status(10)).toMatchObject({
        ...noLease,
        pics_change_number: 400,
        pics_pending_change: 500,
        attempts: 1,
        last_error: expect.stringContaining(error),
      });
      expect(await secondsTo("next_attempt_at", 10)).toBeGreaterThan(95);
    });

    test("all of them, as partial, leaves what is stored, marks it missing_token, and is asked for again in a day", async () => {
      await store(record(10, 400, stored));
      const before = await app(10);
      const lease = await claimed([10, 500]);
      const withheld = record(10, 500, { name: null, lacks: all, partial: true, missing_token: true });
      expect(await apply(lease, { apps: [withheld] })).toEqual(applied({ withheld: 1 }));
      expect(await app(10)).toEqual(before);
      expect(await status(10)).toMatchObject({
        ...noLease,
        pics_change_number: 400,
        pics_pending_change: 500,
        attempts: 0,
        missing_token: true,
      });
      expect(await secondsTo("next_attempt_at", 10)).toBeGreaterThan(86_000);
      // Answered as far as Steam will: a one-off command does not wait for it.
      expect(await claim()).toMatchObject({ appids: [], waiting: 0 });
      expect(await call("pics_backlog")).toMatchObject({ pending: 0, failing: 0 });
    });

    test.each([
      ["extended", {}, { lacks: ["extended"] }],
      ["depots, without a build that is stored", {}, { lacks: ["extended", "depots"] }],
      ["depots, as partial", stored, { lacks: ["extended", "depots"], partial: true }],
      ["common, without a name that is stored", { name: null }, { lacks: ["common"] }],
      ["all of them, as partial, without a name that is stored", { name: null }, { lacks: all, partial: true }],
    ] as const)("that need not be there (%s) is stored", async (_, before, given) => {
      await store(record(10, 400, before));
      const lease = await claimed([10, 500]);
      expect(await apply(lease, { apps: [record(10, 500, given)] })).toEqual(applied({ stored: 1 }));
      expect(await status(10)).toMatchObject({ ...noWork, pics_change_number: 500 });
    });

    test("all of them fails an app that was never stored, unless it is partial", async () => {
      const lease = await claimed([10, 500], [20, 500]);
      const apps = [record(10, 500, { lacks: all }), record(20, 500, { lacks: all, partial: true, name: null })];
      expect(await apply(lease, { apps })).toMatchObject({ stored: 1, failed: 1, doubted: [{ appid: 10 }] });
      expect(await sql("select appid from apps")).toEqual([{ appid: 20 }]);
    });
  });

  describe("a failure", () => {
    test("is recorded, with exponential backoff up to the limit", async () => {
      await mark([[10, 500]]);
      const delays: (number | undefined)[] = [];
      for (const error of ["first", "second", "third", "fourth"]) {
        const { lease } = await claim();
        const reply = await apply(lease, { failed: [{ appid: 10, error }], retrySeconds: 100, retryMaxSeconds: 350 });
        expect(reply).toEqual(applied({ failed: 1 }));
        delays.push(Math.round((await secondsTo("next_attempt_at", 10)) ?? 0));
        await sql("update sync_status set next_attempt_at = now()");
      }
      expect(delays).toEqual([100, 200, 350, 350]);
      expect(await status(10)).toMatchObject({
        ...noLease,
        attempts: 4,
        last_error: "fourth",
        pics_pending_change: 500,
      });
    });

    test("has a finite backoff after a hundred attempts", async () => {
      await mark([[10, 500]]);
      await sql("update sync_status set attempts = 100, next_attempt_at = now()");
      await apply((await claim()).lease, { failed: [{ appid: 10, error: "broken" }], retryMaxSeconds: 350 });
      expect(Math.round((await secondsTo("next_attempt_at", 10)) ?? 0)).toBe(350);
    });

    test("leaves stored data alone, and its attempts are reset by the next success", async () => {
      await store(record(10, 400));
      const failed = [{ appid: 10, error: "broken" }];
      await apply(await claimed([10, 500]), { failed, retrySeconds: instantSeconds });
      expect(await app(10)).toMatchObject({ name: "App 10", is_known: true });
      await apply((await claim()).lease, { apps: [record(10, 500)] });
      expect(await status(10)).toMatchObject({ ...noWork, pics_change_number: 500 });
    });
  });

  describe("without a valid lease writes nothing:", () => {
    const everything = {
      apps: [record(10, 500, { name: "Not mine" })],
      unknown: [20],
      failed: [{ appid: 30, error: "broken" }],
    };
    const rows = () => sql("select * from sync_status order by appid");

    test.each([
      ["it ran out", async () => (await claim({ seconds: instantSeconds })).lease],
      [
        "it was given back",
        async () => {
          const { lease } = await claim();
          await call("pics_release", { lease_id: lease });
          return lease;
        },
      ],
      ["another holds it", async () => (await claim()) && randomUUID()],
      ["was never claimed", async () => randomUUID()],
    ])("%s", async (_, leaseOf) => {
      await store(record(10, 400), record(20, 400), record(30, 400));
      await mark([
        [10, 500],
        [20, 500],
        [30, 500],
      ]);
      const lease = await leaseOf();
      const before = await rows();
      expect(await apply(lease, everything)).toEqual(applied({ lease_lost: 3 }));
      expect(await rows()).toEqual(before);
      expect(await app(10)).toMatchObject({ name: "App 10" });
      expect(await app(20)).toMatchObject({ is_known: true });
    });

    test("each worker writes the apps that it holds after a lease lapsed", async () => {
      await mark([[10, 500]]);
      await mark([[20, 500]]);
      const late = await claim({ seconds: instantSeconds });
      const next = await claim({ max: 1 });
      expect(next.appids).toEqual([10]);
      expect(await apply(late.lease, { apps: [record(10, 500, { name: "Late" })] })).toEqual(
        applied({ lease_lost: 1 }),
      );
      expect(await apply(next.lease, { apps: [record(10, 500), record(20, 500)] })).toEqual(
        applied({ stored: 1, lease_lost: 1 }),
      );
      expect(await app(10)).toMatchObject({ name: "App 10" });
    });
  });

  describe("replay of a request id", () => {
    test("returns the first reply and writes nothing", async () => {
      await store(record(30, 400));
      const lease = await claimed([10, 500], [20, 500], [30, 500]);
      const request = randomUUID();
      const failed = [{ appid: 20, error: "broken" }];
      const options = { request, apps: [record(10, 500)], failed, unknown: [30], confirmSeconds: 0 };
      const reply = await apply(lease, options);
      expect(reply).toEqual(applied({ stored: 1, unknown: 1, failed: 1 }));
      const after = await sql("select * from sync_status order by appid");
      expect(await apply(lease, options)).toEqual(reply);
      expect(await sql("select * from sync_status order by appid")).toEqual(after);
    });

    test("waits for the first call while it is running", async () => {
      const lease = await claimed([10, 500]);
      const options = { request: randomUUID(), failed: [{ appid: 10, error: "broken" }] };
      // On a server, a lock holds the first call until the second has started.
      if (kind !== "pglite") await sql("begin; select from sync_status where appid = 10 for update");
      const both = [apply(lease, options), apply(lease, options)];
      if (kind !== "pglite") {
        await expect
          .poll(async () => (await sql("select from pg_locks where not granted")).length, { interval: 10 })
          .toBeGreaterThanOrEqual(2);
        await sql("commit");
      }
      expect(await Promise.all(both)).toEqual([applied({ failed: 1 }), applied({ failed: 1 })]);
      expect(await status(10)).toMatchObject({ attempts: 1 });
    });

    test("is not possible after an hour, nor for a request that failed", async () => {
      await apply(randomUUID(), {});
      await sql("update pics_replies set created_at = now() - interval '61 minutes'");
      await apply(randomUUID(), {});
      expect(await sql("select from pics_replies")).toHaveLength(1);

      const lease = await claimed([10, 500]);
      const request = randomUUID();
      const tooLong = { pics_review_percentage: 2 ** 31 };
      await expect(apply(lease, { request, apps: [record(10, 500, tooLong)] })).rejects.toThrow(DatabaseError);
      expect(await apply(lease, { request, apps: [record(10, 500)] })).toEqual(applied({ stored: 1 }));
    });
  });

  describe("APP_TYPES", () => {
    const types = ["game", "dlc"];
    const sweep = (change: number, wanted: string[] | null) =>
      call<{ marked: number }>("pics_mark", { apps: [[10, change]], unknown: [], types: wanted });
    const soundtrack = (change: number, given = {}) => record(10, change, { type: "music", tags: [19], ...given });

    test("stores nothing of a new app of another type but its change number and type, until Steam announces a change", async () => {
      const lease = await claimed([10, 500], [20, 500]);
      const tokens = [{ appid: 10, access_token: "7" }];
      const info = { sha1: "", size: 1, data: "eA==" };
      expect(await apply(lease, { apps: [soundtrack(500, { info }), record(20, 500)], tokens, types })).toEqual(
        applied({ skipped: 1, stored: 1 }),
      );
      expect(await status(10)).toMatchObject({ ...noWork, ...noLease, pics_change_number: 500, skipped_type: "music" });
      expect(await status(20)).toMatchObject({ skipped_type: null });
      expect(await sql("select appid from apps")).toEqual([{ appid: 20 }]);
      for (const table of ["app_steam_tags", "app_info", "app_changes"]) {
        expect(await sql(`select from ${table} where appid = 10`)).toEqual([]);
      }
      expect(await call("pics_skipped_type", { appid: 10 })).toBe("music");
      expect(await call("pics_state")).toMatchObject({ apps: 1, skipped: 1 });
      expect(await call("pics_outdated", { extractor_version: 99 })).toMatchObject({ not_kept: 1, skipped: 1 });

      expect((await sweep(500, types)).marked).toBe(0);
      expect((await sweep(501, types)).marked).toBe(1);
      const again = (await claim()).lease;
      expect(await apply(again, { apps: [soundtrack(501)], types })).toEqual(applied({ skipped: 1 }));
      // A payload without `common` says nothing new of the type.
      await sweep(502, types);
      const { type: _, name: __, ...withheld } = soundtrack(502, { lacks: ["common"] });
      expect(await apply((await claim()).lease, { apps: [withheld], types })).toEqual(applied({ skipped: 1 }));
      expect(await status(10)).toMatchObject({ pics_change_number: 502, skipped_type: "music" });
    });

    test("an app comes in with its new type, and once stored stays and is kept current, whatever its type", async () => {
      await apply(await claimed([10, 500]), { apps: [soundtrack(500)], types });
      await apply(await claimed([10, 501]), { apps: [record(10, 501)], types });
      expect(await app(10)).toMatchObject({ type: "game" });
      expect(await status(10)).toMatchObject({ skipped_type: null });
      await apply(await claimed([10, 502]), { apps: [soundtrack(502)], types });
      expect(await app(10)).toMatchObject({ type: "music" });
    });

    test("an app without a type is stored", async () => {
      await apply(await claimed([10, 500]), { apps: [record(10, 500, { type: null })], types });
      expect(await app(10)).toMatchObject({ type: null });
    });

    test("a wider setting fetches what was left out, by a sweep or at once", async () => {
      await apply(await claimed([10, 500], [20, 500]), {
        apps: [soundtrack(500), record(20, 500, { type: "video" })],
        types,
      });
      expect(await call("pics_mark_skipped", { types: [...types, "tool"], max: 5 })).toMatchObject({ marked: 0 });
      expect((await sweep(500, null)).marked).toBe(1);
      expect(await call("pics_mark_skipped", { types: null, max: 1 })).toEqual({ marked: 1, has_more: true });
      const { lease, apps } = await claim();
      expect(apps).toMatchObject([
        { appid: 10, change_number: 500 },
        { appid: 20, change_number: 500 },
      ]);
      expect(await apply(lease, { apps: [soundtrack(500), record(20, 500, { type: "video" })] })).toEqual(
        applied({ stored: 2 }),
      );
      expect(await call("pics_state")).toMatchObject({ apps: 2, skipped: 0, pending: 0 });
    });

    test("an app that was left out and that Steam does not know any more leaves no row", async () => {
      await apply(await claimed([10, 500]), { apps: [soundtrack(500)], types });
      expect(await apply(await claimed([10, 501]), { unknown: [10], confirmSeconds: 0, types })).toEqual(
        applied({ unknown: 1 }),
      );
      expect(await sql("select from sync_status")).toEqual([]);
    });
  });

  test("rolls back the whole batch for a row that Postgres rejects, as a fault of the data", async () => {
    const lease = await claimed([10, 500], [20, 500]);
    const before = await sql("select * from sync_status order by appid");
    const poison = [
      { pics_review_score: 70_000 },
      { steam_release_date: "+275760-09-13T00:00:00.000Z" },
      { tags: [2 ** 31] },
      { name: "a\u0000b" },
    ];
    for (const given of poison) {
      const call = apply(lease, {
        apps: [record(10, 500), record(20, 500, given)],
        tokens: [{ appid: 10, access_token: "7" }],
      });
      await expect(call).rejects.toMatchObject({ fault: "data" });
    }
    expect(await sql("select * from sync_status order by appid")).toEqual(before);
    expect(await sql("select from apps")).toEqual([]);
    expect(await sql("select from pics_access_tokens")).toEqual([]);
    expect(await apply(lease, { apps: [record(10, 500), record(20, 500)] })).toEqual(applied({ stored: 2 }));
  });
});

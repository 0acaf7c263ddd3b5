import { randomUUID } from "node:crypto";
import { beforeEach, describe, expect, test } from "vitest";
import type { Heard } from "../../../src/db/sync-calls.ts";
import { forEachSqlDatabase, record, useCatalog } from "./catalog.ts";

/** Lapsed before the next call. */
const instantSeconds = 0;

interface MonitorState {
  last_change_number: number | null;
  bulk_completed_at: string | null;
  reconciled_seconds_ago: number | null;
  gap: { from_change: number; to_change: number } | null;
}
interface Polled {
  accepted: boolean;
  last_change_number: number | null;
  marked: number;
}
type Announced = [appid: number, changeNumber: number, needsToken?: boolean];

forEachSqlDatabase("the change monitor's functions", (open) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, status, call, sql } = catalog;
  let worker: string;

  beforeEach(async () => {
    await sql("do $$ begin delete from pics_gaps; delete from workers; delete from leader_leases; end $$");
    worker = randomUUID();
  });

  const lead = (id = worker, seconds = 60) =>
    call<{ leading: boolean }>("leader_acquire", { role: "monitor", worker_id: id, lease_seconds: seconds });
  const monitorState = () => call<MonitorState>("pics_monitor_state");
  const poll = (since: number, changeNumber: number, apps: Announced[] = [], id = worker) =>
    call<Polled>("pics_poll", { worker_id: id, since, change_number: changeNumber, apps });
  const openGap = (from: number, to: number, id = worker) =>
    call<{ accepted: boolean }>("pics_open_gap", { worker_id: id, from_change: from, to_change: to });
  const finishSweep = (changeNumber: number, id = worker, seconds = 600) =>
    call("pics_finish_sweep", { worker_id: id, seconds, change_number: changeNumber });
  const one = async (query: string) => (await sql<{ value: unknown }>(`select (${query}) as value`))[0]?.value;
  const cursor = () => one("select last_change_number from pics_sync_state");
  const pending = async () =>
    (
      await sql<{ appid: number; pics_pending_change: number }>(
        "select appid, pics_pending_change from sync_status where pics_pending_change is not null order by appid",
      )
    ).map((row) => [row.appid, row.pics_pending_change]);
  /** The worker leads, and the cursor is at 1,000. */
  const following = async () => {
    await lead();
    await poll(0, 1_000);
  };

  test("pics_monitor_state returns cursor, last sweep and open gap", async () => {
    expect(await monitorState()).toEqual({
      last_change_number: null,
      bulk_completed_at: null,
      reconciled_seconds_ago: null,
      gap: null,
    });
    await following();
    await openGap(1_000, 7_000);
    await sql(`update pics_sync_state set bulk_completed_at = now(), last_reconciled_at = now() - interval '2 hours',
               last_verified_at = now() - interval '1 hour'`);
    const state = await monitorState();
    expect(state).toMatchObject({
      last_change_number: 1_000,
      bulk_completed_at: expect.any(String),
      gap: { from_change: 1_000, to_change: 7_000 },
    });
    expect(state.reconciled_seconds_ago).toBeGreaterThanOrEqual(3_600);
    expect(state.reconciled_seconds_ago).toBeLessThan(3_700);
  });

  describe("pics_poll", () => {
    test("marks what was announced and moves the cursor", async () => {
      await following();
      expect(
        await poll(1_000, 1_010, [
          [10, 1_004],
          [20, 1_010, true],
        ]),
      ).toEqual({
        accepted: true,
        last_change_number: 1_010,
        marked: 2,
      });
      expect(await pending()).toEqual([
        [10, 1_004],
        [20, 1_010],
      ]);
      expect((await claim()).apps).toMatchObject([
        { appid: 10, needs_token: false },
        { appid: 20, needs_token: true },
      ]);
    });

    test("sets the cursor when there is none", async () => {
      await lead();
      expect(await poll(0, 1_000)).toEqual({ accepted: true, last_change_number: 1_000, marked: 0 });
    });

    test("is idempotent", async () => {
      await following();
      const changes: Announced[] = [
        [10, 1_004],
        [20, 1_010],
      ];
      await poll(1_000, 1_010, changes);
      const before = [await status(10), await status(20)];
      expect(await poll(1_000, 1_010, changes)).toEqual({ accepted: true, last_change_number: 1_010, marked: 0 });
      expect([await status(10), await status(20)]).toEqual(before);
    });

    test("moves nothing back when delivered late", async () => {
      await following();
      await poll(1_000, 1_020, [
        [10, 1_020],
        [20, 1_015],
      ]);
      expect(
        await poll(1_000, 1_010, [
          [10, 1_004],
          [20, 1_010],
        ]),
      ).toMatchObject({ last_change_number: 1_020, marked: 0 });
      expect(await pending()).toEqual([
        [10, 1_020],
        [20, 1_015],
      ]);
    });

    test("marks no app stored at this or a newer number", async () => {
      await following();
      await store(record(10, 1_004), record(20, 1_010));
      expect(
        (
          await poll(1_000, 1_010, [
            [10, 1_004],
            [20, 1_003],
            [30, 1_002],
          ])
        ).marked,
      ).toBe(1);
      expect(await pending()).toEqual([[30, 1_002]]);
    });

    test("marks an app named twice with the higher number", async () => {
      await following();
      expect(
        (
          await poll(1_000, 1_010, [
            [10, 1_009],
            [10, 1_004],
          ])
        ).marked,
      ).toBe(1);
      expect(await pending()).toEqual([[10, 1_009]]);
    });

    test("is accepted only under the leader's valid lease", async () => {
      await following();
      const refused = { accepted: false, last_change_number: null, marked: 0 };
      expect(await poll(1_000, 1_010, [[10, 1_010]], randomUUID())).toEqual(refused);
      await lead(worker, instantSeconds);
      expect(await poll(1_000, 1_010, [[10, 1_010]])).toEqual(refused);
      expect(await pending()).toEqual([]);
      expect(await cursor()).toBe(1_000);
    });

    test("marks without moving the cursor when it did not count from the cursor", async () => {
      await following();
      expect(await poll(1_500, 1_600, [[10, 1_550]])).toEqual({ accepted: true, last_change_number: 1_000, marked: 1 });
    });

    test("resets attempts when a newer change is announced, keeping pending_since", async () => {
      await following();
      await poll(1_000, 1_001, [[10, 1_001]]);
      const { lease } = await claim();
      await apply(lease, { failed: [{ appid: 10, error: "broken" }] });
      const failed = await status(10);
      expect(failed).toMatchObject({ attempts: 1, next_attempt_at: expect.anything() });
      await poll(1_001, 1_001, [[10, 1_001]]);
      expect(await status(10)).toEqual(failed);
      await poll(1_001, 1_002, [[10, 1_002]]);
      expect(await status(10)).toEqual({ ...failed, pics_pending_change: 1_002, attempts: 0, next_attempt_at: null });
    });

    test("keeps an app pending that is announced again under a lease", async () => {
      await following();
      await poll(1_000, 1_001, [[10, 1_001]]);
      const { lease } = await claim();
      await poll(1_001, 1_002, [[10, 1_002]]);
      expect((await claim()).appids).toEqual([]);
      await apply(lease, { apps: [record(10, 1_001)] });
      expect(await status(10)).toMatchObject({ pics_change_number: 1_001, pics_pending_change: 1_002 });
      expect((await claim()).apps).toMatchObject([{ appid: 10, change_number: 1_002 }]);
    });

    test("keeps an unknown app only when it was announced again", async () => {
      await following();
      await poll(1_000, 1_002, [
        [10, 1_001],
        [20, 1_002],
      ]);
      const { lease } = await claim();
      await poll(1_002, 1_003, [[20, 1_003]]);
      await apply(lease, { unknown: [10, 20], confirmSeconds: 0 });
      expect(await status(10)).toEqual({});
      expect(await pending()).toEqual([[20, 1_003]]);
    });
  });

  describe("pics_open_gap and pics_finish_sweep", () => {
    test("hold the cursor until the sweep ends, while polls mark", async () => {
      await following();
      expect(await openGap(1_000, 7_000)).toEqual({ accepted: true });
      expect(await poll(1_000, 7_000)).toEqual({ accepted: true, last_change_number: 1_000, marked: 0 });
      expect(await poll(7_000, 7_010, [[10, 7_005]])).toEqual({ accepted: true, last_change_number: 1_000, marked: 1 });
      expect(await finishSweep(7_010)).toEqual({ accepted: true, last_change_number: 7_010 });
      expect(await poll(7_010, 7_020)).toEqual({ accepted: true, last_change_number: 7_020, marked: 0 });
      expect((await monitorState()).gap).toBeNull();
    });

    test("extend an open gap; after its repair the next one is a new row", async () => {
      await following();
      await openGap(1_000, 7_000);
      await openGap(7_000, 14_000);
      await openGap(1_000, 9_000);
      await finishSweep(14_000);
      await openGap(14_000, 20_000);
      expect(
        await sql("select from_change, to_change, repaired_at is not null as repaired from pics_gaps order by id"),
      ).toEqual([
        { from_change: 1_000, to_change: 14_000, repaired: true },
        { from_change: 14_000, to_change: 20_000, repaired: false },
      ]);
    });

    test("are accepted only from the leader", async () => {
      await following();
      const other = randomUUID();
      expect(await openGap(1_000, 7_000, other)).toEqual({ accepted: false });
      await openGap(1_000, 7_000);
      expect(await finishSweep(9_000, other)).toEqual({ accepted: false, last_change_number: null });
      await lead(worker, instantSeconds);
      expect(await finishSweep(9_000)).toEqual({ accepted: false, last_change_number: null });
      expect(await cursor()).toBe(1_000);
      expect(await one("select count(*) from pics_gaps where repaired_at is null")).toBe(1);
    });

    test("never move the cursor back, and set last_verified_at", async () => {
      await following();
      expect(await finishSweep(900, worker, 600)).toEqual({ accepted: true, last_change_number: 1_000 });
      const [state] = await sql<{ reconciled: number; verified: number }>(
        `select extract(epoch from now() - last_reconciled_at)::float8 as reconciled,
                extract(epoch from now() - last_verified_at)::float8 as verified from pics_sync_state`,
      );
      expect(state?.reconciled).toBeLessThan(30);
      expect(state?.verified).toBeGreaterThanOrEqual(600);
      expect(state?.verified).toBeLessThan(630);
      // A shorter sweep that began later does not make it older.
      await finishSweep(1_000, worker, 6_000);
      expect(
        await one("select extract(epoch from now() - last_verified_at)::float8 from pics_sync_state"),
      ).toBeLessThan(630);
    });
  });

  describe("report_worker", () => {
    const report = (id: string, snapshot: object, lease?: object) =>
      call<Heard>("report_worker", { id, mode: "change_monitor", snapshot, lease });

    test("returns the workers of the last minute, and deletes rows after a day", async () => {
      const [one, two, quiet, old] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()].sort() as [
        string,
        string,
        string,
        string,
      ];
      for (const id of [one, quiet, old]) await report(id, { first: true });
      await report(one, { first: false });
      await sql(`update workers set seen_at = now() - interval '2 minutes' where id = '${quiet}'`);
      await sql(`update workers set seen_at = now() - interval '25 hours' where id = '${old}'`);
      const { workers: heard } = await report(two, { nested: [1] });
      expect(heard.map(({ id, mode, snapshot }) => ({ id, mode, snapshot }))).toEqual([
        { id: one, mode: "change_monitor", snapshot: { first: false } },
        { id: two, mode: "change_monitor", snapshot: { nested: [1] } },
      ]);
      expect(heard.every(({ seen_seconds_ago }) => seen_seconds_ago >= 0 && seen_seconds_ago < 30)).toBe(true);
      expect(await sql("select id from workers order by id")).toEqual([one, two, quiet].sort().map((id) => ({ id })));
      expect(await call("forget_worker", { id: one })).toEqual({ forgotten: true });
      expect(await call("forget_worker", { id: one })).toEqual({ forgotten: false });
      expect(await sql("select id from workers where id = $1", [one])).toEqual([]);
    });

    test("acquires or renews the leader lease only on request, and returns backlog and state", async () => {
      await sql("delete from leader_leases");
      const [leader, other] = [randomUUID(), randomUUID()];
      const lease = { role: "monitor", lease_seconds: 60 };
      expect(await report(leader, {})).toMatchObject({ lease: null, backlog: { pending: 0, due_in_seconds: null } });
      expect((await report(leader, {}, lease)).lease).toEqual({ leading: true, free_in_seconds: null });
      await mark([[10, 1_000]]);
      const heard = await report(other, {}, lease);
      expect(heard.lease).toEqual({ leading: false, free_in_seconds: expect.any(Number) });
      expect(heard.backlog).toMatchObject({ pending: 1, due_in_seconds: 0 });
      const { reconciled_seconds_ago: _, ...monitor } = await monitorState();
      expect(heard.monitor).toMatchObject(monitor);
    });

    test("the backlog is due when the first lease or delay is over", async () => {
      await mark([
        [10, 1_000],
        [20, 1_000],
      ]);
      await claim({ appids: [10, 20] });
      await sql(
        "update sync_status set lease_until = now() + case appid when 10 then interval '50 seconds' else interval '1 hour' end",
      );
      const { due_in_seconds } = (await report(randomUUID(), {})).backlog;
      expect(due_in_seconds).toBeGreaterThan(20);
      expect(due_in_seconds).toBeLessThanOrEqual(50);
    });
  });

  describe("pics_backlog", () => {
    const backlog = () =>
      call<{ pending: number; failing: number; lag_seconds: number | null; failing_apps: object[] }>("pics_backlog");

    const noWebhooks = { total: 0, failing: 0, dead: 0, disabled: 0, lag_seconds: null };

    test("is zero when nothing is pending", async () => {
      await store(record(10, 1_000));
      expect(await backlog()).toEqual({
        pending: 0,
        failing: 0,
        unconfirmed: 0,
        mass_unknown_at: null,
        lag_seconds: null,
        due_in_seconds: null,
        failing_apps: [],
        webhooks: noWebhooks,
      });
    });

    test("counts pending and failing apps apart, with the age of the oldest pending", async () => {
      await mark([
        [10, 1_000],
        [20, 1_000],
        [30, 1_000],
      ]);
      const { lease } = await claim({ appids: [30] });
      await apply(lease, { failed: [{ appid: 30, error: "broken" }] });
      await sql("update sync_status set pending_since = now() - interval '90 seconds' where appid = 20");
      await sql("update sync_status set pending_since = now() - interval '1 hour' where appid = 30");
      const { lag_seconds, ...counts } = await backlog();
      expect(counts).toEqual({
        pending: 2,
        failing: 1,
        unconfirmed: 0,
        mass_unknown_at: null,
        due_in_seconds: 0,
        failing_apps: [{ appid: 30, name: null, error: "broken", attempts: 1, next_attempt_at: expect.any(String) }],
        webhooks: noWebhooks,
      });
      expect(lag_seconds).toBeGreaterThanOrEqual(90);
      expect(lag_seconds).toBeLessThan(120);
    });
  });
});

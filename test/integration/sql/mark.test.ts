import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { applied, forEachSqlDatabase, record, useCatalog } from "./catalog.ts";

forEachSqlDatabase("pics_mark", (open, kind) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, status, sql, call } = catalog;
  const pending = async () =>
    Object.fromEntries(
      (
        await sql<{ appid: number; pics_pending_change: number }>(
          "select appid, pics_pending_change from sync_status where pics_pending_change is not null",
        )
      ).map((row) => [row.appid, row.pics_pending_change]),
    );

  test("marks a new app with its change number and returns counts", async () => {
    expect(
      await mark([
        [10, 500],
        [20, 501],
      ]),
    ).toMatchObject({ known: 2, marked: 2, now: expect.any(String) });
    expect(await status(10)).toMatchObject({ pics_pending_change: 500, pics_change_number: null, attempts: 0 });
    expect(await pending()).toEqual({ 10: 500, 20: 501 });
  });

  test("keeps that an app needs an access token, whatever a later metadata says", async () => {
    await mark([
      [10, 500],
      [20, 501, true],
    ]);
    await mark([[20, 502]]);
    expect((await claim()).apps).toMatchObject([
      { appid: 10, needs_token: false },
      { appid: 20, needs_token: true },
    ]);
  });

  test("never lowers a mark, and a repeat changes nothing", async () => {
    await mark([[10, 500]]);
    const { pending_since } = await status(10);
    expect(await mark([[10, 500]])).toMatchObject({ marked: 0 });
    expect(await mark([[10, 499]])).toMatchObject({ marked: 0 });
    expect(await mark([[10, 501]])).toMatchObject({ marked: 1 });
    expect(await status(10)).toMatchObject({ pics_pending_change: 501, pending_since });
  });

  test("marks an app named twice once, with the higher number", async () => {
    const twice: [number, number][] = [
      [10, 500],
      [10, 502],
      [10, 501],
    ];
    expect(await mark(twice)).toMatchObject({ known: 3, marked: 1 });
    expect(await pending()).toEqual({ 10: 502 });
  });

  test("marks a stored app at a higher number, with `full` at any", async () => {
    await store(record(10, 500), record(20, 500));
    const same: [number, number][] = [
      [10, 500],
      [20, 499],
    ];
    expect(await mark(same)).toMatchObject({ known: 2, marked: 0 });
    expect(await mark([[10, 501]])).toMatchObject({ marked: 1 });
    expect(await mark(same, { full: true })).toMatchObject({ marked: 1 });
    expect(await pending()).toEqual({ 10: 501, 20: 499 });
  });

  test("marks an unknown id only when it is stored and believed known", async () => {
    await store(record(10, 500));
    const unknown = [10, 20, 30];
    expect(await mark([], { unknown })).toMatchObject({ known: 0, marked: 1 });
    expect(await pending()).toEqual({ 10: 500 });
    expect(await mark([], { unknown })).toMatchObject({ marked: 0 });

    const { lease } = await claim();
    await apply(lease, { unknown: [10] });
    expect(await mark([], { unknown })).toMatchObject({ marked: 0 });
    expect(await sql("select appid from sync_status")).toEqual([{ appid: 10 }]);
  });

  test("marks an app that is known again at its stored number", async () => {
    await store(record(10, 500));
    await mark([], { unknown: [10] });
    await apply((await claim()).lease, { unknown: [10], confirmSeconds: 0 });
    expect(await mark([[10, 500]])).toMatchObject({ marked: 1 });
  });

  test("marks an app of which Steam withheld a part a day after its token was denied", async () => {
    await store(record(10, 500, { missing_token: true }), record(20, 500));
    await apply(randomUUID(), { tokens: [{ appid: 10, access_token: null }] });
    const metadata: [number, number][] = [
      [10, 500],
      [20, 500],
    ];
    expect(await mark(metadata)).toMatchObject({ marked: 0 });
    await sql("update pics_access_tokens set denied_at = now() - interval '1 day 1 second'");
    expect(await mark(metadata)).toMatchObject({ marked: 1 });
    const { apps, lease } = await claim();
    expect(apps).toMatchObject([{ appid: 10, change_number: 500, token_denied: false }]);
    const denied = [{ appid: 10, access_token: null }];
    await apply(lease, { apps: [record(10, 500, { missing_token: true })], tokens: denied });
    expect(await mark(metadata)).toMatchObject({ marked: 0 });
  });

  test("marks an app whose row was deleted", async () => {
    await store(record(10, 500));
    await sql("delete from apps");
    expect(await mark([], { unknown: [10] })).toMatchObject({ marked: 0 });
    expect(await mark([[10, 500]])).toMatchObject({ marked: 1 });
  });

  test("resets attempts when a newer change is announced, not for the same one", async () => {
    await mark([[10, 500]]);
    await apply((await claim()).lease, { failed: [{ appid: 10, error: "broken" }] });
    await mark([[10, 500]]);
    expect((await claim()).appids).toEqual([]);
    await mark([[10, 501]]);
    expect(await status(10)).toMatchObject({ attempts: 0, next_attempt_at: null });
    expect((await claim()).appids).toEqual([10]);
  });

  test("leaves a lease as it is", async () => {
    await mark([[10, 500]]);
    const { lease } = await claim();
    await mark([[10, 501]]);
    expect(await status(10)).toMatchObject({ lease_id: lease, lease_change: 500, pics_pending_change: 501 });
    expect((await claim()).appids).toEqual([]);
  });

  // PGlite has one connection, so no concurrent transaction.
  if (kind !== "pglite") {
    test("does not mark an app that is stored during the call", async () => {
      await mark([[10, 500]]);
      const { lease } = await claim();
      const request = {
        request_id: lease,
        lease_id: lease,
        apps: [record(10, 500)],
        retry_seconds: 1,
        retry_max_seconds: 1,
      };
      await sql("begin");
      await sql("select pics_apply($1)", [JSON.stringify(request)]);
      const marking = mark([[10, 500]]);
      await expect
        .poll(async () => (await sql("select from pg_locks where not granted")).length, { interval: 10 })
        .toBeGreaterThanOrEqual(1);
      await sql("commit");
      expect(await marking).toMatchObject({ marked: 0 });
      expect(await pending()).toEqual({});
      expect(await mark([[10, 501]])).toMatchObject({ marked: 1 });
    });
  }

  describe("rows of another application", () => {
    test("count as not stored at any number, and are overwritten", async () => {
      await sql(`insert into sync_status (appid, pics_change_number, last_pics_sync) values
        (10, 500, now() - interval '1 day'), (20, 500, null), (30, 900, now() - interval '1 year')`);
      const announced: [number, number][] = [
        [10, 500],
        [20, 500],
        [30, 500],
      ];
      expect(await mark(announced)).toMatchObject({ marked: 3 });
      const { lease } = await claim();
      const apps = announced.map(([appid, change]) => record(appid, change));
      expect(await apply(lease, { apps })).toEqual(applied({ stored: 3 }));
      expect(await mark(announced)).toMatchObject({ marked: 0 });
      expect(await status(30)).toMatchObject({ pics_change_number: 500, pics_pending_change: null });
    });
  });

  describe("pics_begin_bulk and pics_finish_bulk", () => {
    const state = async () => (await sql("select * from pics_sync_state"))[0];

    test("store the change number only if there is none", async () => {
      const first = await call<{ last_change_number: number }>("pics_begin_bulk", { change_number: 700, appids: null });
      expect(first).toMatchObject({ last_change_number: 700, pending: 0, highest_appid: 0 });
      expect(await call("pics_begin_bulk", { change_number: 800, appids: null })).toMatchObject({
        last_change_number: 700,
      });
      expect(await state()).toMatchObject({ last_change_number: 700, bulk_started_at: expect.any(Date) });
    });

    test("count only the given apps, without setting bulk_started_at", async () => {
      await store(record(40, 500));
      await mark([
        [10, 500],
        [20, 500],
      ]);
      expect(await call("pics_begin_bulk", { change_number: 700, appids: [20, 30] })).toMatchObject({
        pending: 1,
        highest_appid: 40,
      });
      expect(await state()).toMatchObject({ last_change_number: 700, bulk_started_at: null });
    });

    test("reset the attempts of the failing apps of the pass", async () => {
      await mark([
        [10, 500],
        [20, 500],
      ]);
      const failed = [10, 20].map((appid) => ({ appid, error: "broken" }));
      await apply((await claim()).lease, { failed });
      await call("pics_begin_bulk", { change_number: 700, appids: [10] });
      expect((await claim()).appids).toEqual([10]);
      await call("pics_begin_bulk", { change_number: 700, appids: null });
      expect((await claim()).appids).toEqual([20]);
    });

    test("set last_verified_at to the begin of the pass, never backwards", async () => {
      const begin = await call<{ started_at: string }>("pics_begin_bulk", { change_number: 700, appids: null });
      await call("pics_finish_bulk", { started_at: begin.started_at });
      const ended = await state();
      expect(ended).toMatchObject({ bulk_completed_at: expect.any(Date), last_verified_at: expect.any(Date) });
      await call("pics_finish_bulk", { started_at: "2020-01-01T00:00:00Z" });
      expect((await state())?.last_verified_at).toEqual(ended?.last_verified_at);
    });

    test("pics_stored_appids pages by key", async () => {
      await store(...[30, 10, 50, 20, 40].map((appid) => record(appid, 500)));
      await mark([[60, 500]]);
      expect(await call("pics_stored_appids", { after: 0, max: 2 })).toEqual([10, 20]);
      expect(await call("pics_stored_appids", { after: 20, max: 2 })).toEqual([30, 40]);
      expect(await call("pics_stored_appids", { after: 40, max: 2 })).toEqual([50]);
      expect(await call("pics_stored_appids", { after: 50, max: 2 })).toEqual([]);
    });

    test("pics_known_among returns stored apps that Steam knows, and nothing that is only marked", async () => {
      await store(record(30, 500), record(10, 500), record(20, 500));
      await sql("update apps set is_known = false where appid = 20");
      await mark([[60, 500]]);
      expect(await call("pics_known_among", { appids: [60, 30, 20, 10, 7, 30] })).toEqual([10, 30]);
      expect(await call("pics_known_among", { appids: [] })).toEqual([]);
    });
  });
});

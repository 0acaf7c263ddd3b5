import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createCatalogStore } from "../../../src/db/catalog-store.ts";
import { requiredVersion } from "../../../src/db/migrate.ts";
import type { Compacted, DatabaseSize } from "../../../src/db/sync-calls.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { applied, fullRecord, record, useCatalog } from "./catalog.ts";

forEachDatabase("status functions", (open) => {
  const catalog = useCatalog(open);
  const { mark, claim, apply, store, sql, call } = catalog;
  const rpc = (name: string, args: Record<string, unknown> = {}) => catalog.database.db.rpc(name, args);

  test("schema_version returns the newest migration's version", async () => {
    expect(await rpc("schema_version")).toBe(await requiredVersion());
  });

  test("pics_state counts apps, pending and failing ones", async () => {
    await store(record(10, 500), record(20, 500));
    await mark([
      [20, 501],
      [30, 501],
      [40, 501],
    ]);
    const { lease } = await claim({ appids: [40] });
    await apply(lease, { failed: [{ appid: 40, error: "broken" }] });
    await sql("update pics_sync_state set last_change_number = 4294967295");
    expect(await rpc("pics_state")).toMatchObject({
      last_change_number: 4_294_967_295,
      bulk_started_at: null,
      bulk_completed_at: null,
      last_verified_at: null,
      apps: 2,
      pending: 3,
      failing: 1,
    });
  });

  test("pics_state reports the bytes of every table of the service, and their growth a day since a day ago", async () => {
    const sized = async () => (await call<{ size: DatabaseSize }>("pics_state")).size;
    const ours = await sql<{ name: string }>(
      "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
    );
    const { bytes, tables, growth_per_day } = await sized();
    expect(tables.map(({ name }) => name).toSorted()).toEqual(
      ours
        .map(({ name }) => name)
        .filter((name) => name !== "schema_migrations")
        .toSorted(),
    );
    expect(tables.reduce((sum, each) => sum + each.bytes, 0)).toBe(bytes);
    expect(growth_per_day).toBeNull();

    // Once a day, for 30 days.
    await sql("insert into pics_sizes (day, bytes) values (current_date - 40, 1)");
    for (const _ of [1, 2]) await rpc("pics_record_size");
    const kept = await sql<{ bytes: number }>("select bytes::float8 as bytes from pics_sizes");
    expect(kept).toEqual([{ bytes: expect.any(Number) }]);
    expect((await sized()).growth_per_day).toBeNull();
    await sql("update pics_sizes set day = day - 2, taken_at = now() - interval '2 days', bytes = bytes - 1000000");
    const { bytes: now, growth_per_day: growth } = await sized();
    expect(growth).toBeCloseTo((now - (kept[0]?.bytes ?? 0) + 1_000_000) / 2, -2);
  });

  test("pics_compact rebuilds indexes one by one, of a size, until null", async () => {
    // In an order that leaves the pages of the index half empty.
    await sql(`insert into app_list_entries (appid, kind, name, seen_in)
      select i, 'game', 'App', 1 from generate_series(20000, 1, -1) as i`);
    const rebuilt: Compacted[] = [];
    for (let after: string | null = null; ; after = rebuilt.at(-1)?.index ?? null) {
      const next = (await rpc("pics_compact", { request: { after, min_bytes: 200_000 } })) as Compacted | null;
      if (next === null) break;
      rebuilt.push(next);
    }
    expect(rebuilt).toEqual([
      { index: "app_list_entries_pkey", bytes_before: expect.any(Number), bytes_after: expect.any(Number) },
    ]);
    expect(rebuilt[0]?.bytes_after).toBeLessThan(0.7 * (rebuilt[0]?.bytes_before ?? 0));
  });

  test("pics_failing returns errors, most attempts first", async () => {
    await store(record(10, 500));
    await mark([
      [10, 501],
      [20, 501],
      [30, 501],
    ]);
    for (const appids of [[10, 20], [20]]) {
      await sql("update sync_status set next_attempt_at = now() where attempts > 0");
      const { lease } = await claim({ appids, max: 10 });
      await apply(lease, { failed: appids.map((appid) => ({ appid, error: `broken ${appid}` })) });
    }
    const failing = { next_attempt_at: expect.any(String) };
    expect(await call("pics_failing", { max: 5 })).toEqual([
      { ...failing, appid: 20, name: null, error: "broken 20", attempts: 2 },
      { ...failing, appid: 10, name: "App 10", error: "broken 10", attempts: 1 },
    ]);
    expect(await call("pics_failing", { max: 1 })).toHaveLength(1);
  });

  test("catalog_summary counts types, Deck categories and the ten most used tags", async () => {
    const verdict = fullRecord(1, 1).steam_deck ?? null;
    const tags = Array.from({ length: 12 }, (_, index) => 1_001 + index);
    await store(
      record(10, 500, { type: "game", tags, steam_deck: verdict }),
      record(20, 500, {
        type: "game",
        tags: tags.slice(1),
        steam_deck: verdict && { ...verdict, category: "playable" },
      }),
      record(30, 500, { type: "dlc", tags: [1_012], steam_deck: verdict }),
      record(40, 500, { type: null }),
    );
    await call("pics_name_tags", { tags: [{ tag_id: 1_012, name: "Indie" }] });
    expect(await rpc("catalog_summary")).toEqual({
      apps: 4,
      by_type: [
        { name: "game", count: 2 },
        { name: "dlc", count: 1 },
        { name: "none", count: 1 },
      ],
      deck: [
        { category: "verified", count: 2 },
        { category: "playable", count: 1 },
      ],
      top_tags: [{ name: "Indie", count: 3 }, ...tags.slice(1, 10).map((tag) => ({ name: `tag ${tag}`, count: 2 }))],
    });
  });

  test("return zeros and empty lists for an empty catalog", async () => {
    expect(await rpc("catalog_summary")).toEqual({ apps: 0, by_type: [], deck: [], top_tags: [] });
    expect(await rpc("pics_state")).toMatchObject({ apps: 0, pending: 0, failing: 0, last_change_number: null });
    expect(await call("pics_failing", { max: 5 })).toEqual([]);
    expect(await rpc("get_apps_for_sync", { source: "pics", max_apps: 5 })).toEqual([]);
  });

  describe("get_apps_for_sync", () => {
    const due = (source: string, max_apps: number) => rpc("get_apps_for_sync", { source, max_apps });

    test("returns never synced apps, then the longest pending, then synced longest ago", async () => {
      await sql("insert into apps (appid) values (10), (20), (30), (40), (50), (60)");
      await sql(`insert into sync_status (appid, last_pics_sync, pics_pending_change, pending_since) values
        (20, now() - interval '1 day', null, null),
        (30, now() - interval '9 days', null, null),
        (40, now() - interval '1 day', 7, now() - interval '1 minute'),
        (50, now() - interval '1 hour', 7, now() - interval '1 hour'),
        (60, null, 7, now() - interval '1 minute'),
        (70, null, 7, now() - interval '1 hour')`);
      expect(await due("pics", 100)).toEqual([70, 60, 10, 50, 40, 30, 20]);
      expect(await due("pics", 3)).toEqual([70, 60, 10]);
      expect(await due("pics", 0)).toEqual([]);
    });

    test("orders by last_steamspy_sync for steamspy", async () => {
      await sql("insert into apps (appid) values (10), (20), (30), (40)");
      await sql(`insert into sync_status (appid, last_steamspy_sync, pics_pending_change, pending_since) values
        (20, now() - interval '1 day', 7, now()), (30, now() - interval '9 days', null, null), (40, null, 7, now())`);
      expect(await due("steamspy", 100)).toEqual([10, 40, 30, 20]);
    });

    test("returns more than the 1,000 rows at which PostgREST cuts", async () => {
      await sql("insert into apps (appid) select generate_series(1, 2500)");
      expect(await due("pics", 2_400)).toHaveLength(2_400);
    });

    test("rejects an unknown source", async () => {
      await expect(due("Pics", 5)).rejects.toMatchObject({ code: "22023", message: expect.stringContaining("'Pics'") });
    });
  });

  test("match the reply schemas of the catalog store", async () => {
    const typed = createCatalogStore(catalog.database.db, { call: (work) => work() });
    const begin = await typed.beginBulk({ changeNumber: 500, appids: null });
    expect(begin).toMatchObject({ last_change_number: 500, pending: 0, highest_appid: 0 });
    const apps = [10, 20, 30].map((appid) => ({ appid, changeNumber: 500 }));
    expect(await typed.mark({ apps, unknown: [40], full: false })).toMatchObject({ known: 3, marked: 3 });

    const leaseId = randomUUID();
    const request = { leaseId, max: 5, leaseMs: 60_000, appids: null, maxAttempts: 5 };
    const claimed = await typed.claim(request);
    expect(claimed.apps.map(({ appid }) => appid)).toEqual([10, 20, 30]);
    expect(await typed.claim({ ...request, leaseId: randomUUID() })).toMatchObject({ waiting: 3 });
    expect(await typed.renew(leaseId, 60_000)).toBe(3);
    const reply = await typed.apply({
      leaseId,
      apps: [fullRecord(10, 500)],
      extractorVersion: 2,
      isReextract: false,
      unknown: [20],
      failed: [{ appid: 30, error: "broken" }],
      tokens: [{ appid: 10, access_token: "7" }],
      appBackoff: { firstMs: 60_000, maxMs: 3_600_000 },
      unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
      history: true,
    });
    expect(reply).toEqual(applied({ stored: 1, unconfirmed: 1, failed: 1 }));
    await typed.release(leaseId);

    expect(await typed.storedAppids(0, 10)).toEqual([10]);
    expect(await typed.unnamedTags(0, 10)).toEqual([19, 21, 492]);
    await typed.nameTags(new Map([[19, "Action"]]));
    expect(await typed.unnamedTags(0, 10)).toEqual([21, 492]);
    expect(await typed.failing(10)).toMatchObject([{ appid: 30, name: null, error: "broken", attempts: 1 }]);
    await typed.finishBulk({ startedAt: begin.started_at });
    expect(await typed.state()).toMatchObject({
      apps: 1,
      pending: 2,
      failing: 1,
      bulk_completed_at: expect.any(String),
    });
    expect(await typed.summary()).toMatchObject({
      apps: 1,
      top_tags: expect.arrayContaining([{ name: "Action", count: 1 }]),
    });
  });
});

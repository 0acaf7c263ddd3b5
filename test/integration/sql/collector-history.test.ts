import { describe, expect, test } from "vitest";
import { forEachSqlDatabase, record, useCatalog } from "./catalog.ts";
import { type Lists, listedApp, useCollecting } from "./collector.ts";

interface Change {
  appid: number;
  change_number: number | string;
  field: string;
  old: unknown;
  new: unknown;
}

forEachSqlDatabase("the history of the collector's app lists", (open) => {
  const catalog = useCatalog(open);
  const { sql, store, call } = catalog;
  const collecting = useCollecting(catalog);
  const { collect, read } = collecting;

  /** `[appid, old, new, change number]` of each row, in the order of their ids. */
  async function changes() {
    const rows = await sql<Change>("select appid, change_number, field, old, new from app_changes order by id");
    expect(new Set(rows.map(({ field }) => field)).size).toBeLessThanOrEqual(1);
    return rows.map((row) => [row.appid, row.old, row.new, Number(row.change_number)]);
  }

  test("has no row for the first list of a kind, whether apps are stored or not", async () => {
    await store(record(10, 500));
    await collect({ games: [10, 20], dlc: [30] });
    await collect({ games: [10, 20], dlc: [30], videos: [40, 50] });
    expect(await changes()).toEqual([]);
  });

  test("has a row for each app that a later list takes out or in, with the stored change number", async () => {
    await store(record(10, 500), record(60, 600), record(77, 700));
    await collect({ games: [10, 20, 30], dlc: [40] });
    await collect({ games: [20, 30, 50, 60], dlc: [40] });
    expect(await changes()).toEqual([
      [10, true, false, 500],
      [50, null, true, 0],
      [60, null, true, 600],
    ]);
    await collect({ games: [10, 20, 30, 50, 60], dlc: [40] });
    expect((await changes()).slice(3)).toEqual([[10, false, true, 500]]);
    await collect({ games: [10, 20, 30, 50, 60], dlc: [40] });
    expect(await changes()).toHaveLength(4);
    const [row] = await sql<Change>("select field from app_changes limit 1");
    expect(row?.field).toBe("is_listed");
  });

  test("has a row for an app of a first list only when a list that was read before names it too", async () => {
    await collect({ games: [10, 20] });
    await collect({ games: [10, 20, 30], videos: [30, 40] });
    expect(await changes()).toEqual([[30, null, true, 0]]);
  });

  test("has no row for an app that moves to another kind", async () => {
    await collect({ games: [10, 20], software: [30, 40] });
    await collect({ games: [20], software: [10, 30, 40] }, { max: 1 });
    expect(await changes()).toEqual([]);
  });

  test("has no row where a run is rejected or was not applied", async () => {
    await collect({ games: [10, 20, 30, 40] });
    await collect({ games: [10] });
    await read({ games: [10, 20, 30, 40, 50] });
    expect(await changes()).toEqual([]);
  });

  test("has no row without history, and later none for what was missed", async () => {
    await collect({ games: [10, 20, 30] });
    const now: Lists = { games: [20, 30, 40] };
    await collect(now, { history: false });
    await collect(now);
    expect(await changes()).toEqual([]);
    expect(await sql("select appid, is_listed from apps where appid in (10, 40) order by appid")).toEqual([
      { appid: 10, is_listed: false },
      { appid: 40, is_listed: true },
    ]);
  });

  test.each([1, 2, 3, 1_000])(
    "has each row once in batches of %i, when calls are repeated and workers die",
    async (max) => {
      await collect({ games: [10, 20, 30, 40, 50] });
      const { run } = await read({ games: [15, 20, 25, 40, 60] });
      await collecting.worker.acceptList({ run, maxShrink: 1 });
      for (let done = false; !done; ) {
        const { worker } = collecting;
        ({ done } = await worker.applyList({ run, max, history: true }));
        if (done) await worker.applyList({ run, max, history: true });
        await collecting.takeOver();
      }
      expect(await changes()).toEqual([
        [10, true, false, 0],
        [15, null, true, 0],
        [25, null, true, 0],
        [30, true, false, 0],
        [50, true, false, 0],
        [60, null, true, 0],
      ]);
    },
  );

  describe("of store pages and prices", () => {
    const paged = (appid: number, last_modified: number | null, price_change_number: number | null) => ({
      ...listedApp(appid),
      last_modified,
      price_change_number,
    });
    const first = { games: [paged(10, 1_700_000_000, 500), paged(20, 1_700_000_000, null), paged(30, null, 700)] };
    const second = { games: [paged(10, 1_700_086_400, 501), paged(20, 1_700_000_000, 600), paged(30, null, null)] };
    const time = (seconds: number) => new Date(seconds * 1_000).toISOString().replace(".000Z", "+00:00");
    const pages = async () =>
      Object.fromEntries(
        (await sql("select appid, store_modified_at, price_change_number from apps")).map((row) => {
          const modified = row.store_modified_at as Date | null;
          return [row.appid, [modified && modified.getTime() / 1_000, row.price_change_number]];
        }),
      );
    const written = async () =>
      (await sql<Change>("select appid, field, old, new, change_number from app_changes order by id")).map((row) =>
        Object.values({ ...row, change_number: Number(row.change_number) }),
      );

    test("has a row for each value that a later list changes, and none for a first value", async () => {
      await store(record(10, 500));
      await collect(first);
      expect(await pages()).toEqual({ 10: [1_700_000_000, 500], 20: [1_700_000_000, null], 30: [null, 700] });
      const writes = await collecting.rows("apps");
      await collect(first);
      expect(await collecting.rows("apps")).toEqual(writes);
      expect(await written()).toEqual([]);

      await sql("update apps set updated_at = now() - interval '1 day'");
      await collect(second, { max: 1 });
      // What a list leaves out stays as it is stored.
      expect(await pages()).toEqual({ 10: [1_700_086_400, 501], 20: [1_700_000_000, 600], 30: [null, 700] });
      const updated = "select appid from apps where updated_at > now() - interval '1 hour' order by appid";
      expect(await sql(updated)).toEqual([{ appid: 10 }]);
      expect(await written()).toEqual([
        [10, "price_change_number", 500, 501, 500],
        [10, "store_modified_at", time(1_700_000_000), time(1_700_086_400), 500],
      ]);
      // PICS neither overwrites the columns nor writes their history.
      await store(record(10, 501, { name: "PICS 10" }));
      expect(await pages()).toMatchObject({ 10: [1_700_086_400, 501] });
      expect((await written()).slice(2)).toEqual([[10, "name", "App 10", "PICS 10", 501]]);
    });

    test("has no row without history, nor of a rejected run", async () => {
      await collect(first);
      await collect({ games: [paged(10, 1_800_000_000, 900)] });
      expect(await pages()).toMatchObject({ 10: [1_700_000_000, 500] });
      await collect(second, { history: false });
      expect(await pages()).toMatchObject({ 10: [1_700_086_400, 501] });
      expect(await written()).toEqual([]);
    });
  });

  test("reaches readers of the change feed", async () => {
    await collect({ games: [10, 20] });
    await collect({ games: [20] });
    const { changes: served } = await call<{ changes: Change[] }>("catalog_changes", { after: 0, max: 10 });
    expect(served).toMatchObject([{ appid: 10, field: "is_listed", old: true, new: false }]);
  });
});

import { expect, test } from "vitest";
import { forEachSqlDatabase, record, useCatalog } from "./catalog.ts";
import { type Lists, useCollecting } from "./collector.ts";

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

  test("reaches readers of the change feed", async () => {
    await collect({ games: [10, 20] });
    await collect({ games: [20] });
    const { changes: served } = await call<{ changes: Change[] }>("catalog_changes", { after: 0, max: 10 });
    expect(served).toMatchObject([{ appid: 10, field: "is_listed", old: true, new: false }]);
  });
});

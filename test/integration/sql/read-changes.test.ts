import pg from "pg";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { ChangePage } from "../../../src/db/catalog-queries.ts";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import { createRandom } from "../../support/steam/random.ts";
import { forEachSqlDatabase, record, useCatalog } from "./catalog.ts";

/** Reading app_changes by id without missing a change. */

forEachSqlDatabase("catalog_changes", (open, kind) => {
  const catalog = useCatalog(open);
  const { store, sql, call } = catalog;
  const reader = () => createCatalogReader(catalog.database.db);
  const idsOf = ({ items }: ChangePage) => items.map(({ id }) => id);
  const rows = async () => (await sql<{ id: number }>("select id from app_changes order by id")).map(({ id }) => id);
  /** Last id at the begin of the test: ids continue from test to test. */
  let start = 0;
  beforeEach(async () => {
    start = (await reader().changes({ max: 1 })).last_id;
  });

  test("returns changes with the app's name and type", async () => {
    await store(record(10, 500));
    await store(record(10, 501, { name: "Renamed", type: "dlc" }));
    const { items, last_id, next } = await reader().changes({ after: start, max: 10 });
    const of = {
      appid: 10,
      name: "Renamed",
      type: "dlc",
      change_number: 501,
      detected_at: expect.stringMatching(/\+00:00$/),
    };
    expect(items).toEqual([
      { ...of, id: expect.any(Number), field: "name", old: "App 10", new: "Renamed" },
      { ...of, id: expect.any(Number), field: "type", old: "game", new: "dlc" },
    ]);
    expect(last_id).toBe(items[1]?.id);
    expect(next).toBeNull();
  });

  test("pages forwards, backwards, and within one app", async () => {
    await sql(
      `insert into app_changes (appid, change_number, field) select 10 * (1 + i % 2), i, 'name' from generate_series(1, 11) i`,
    );
    const all = await rows();
    const forwards: number[] = [];
    for (let page: ChangePage | null = null; page === null || page.next !== null; ) {
      page = await reader().changes({ after: page?.last_id ?? start, max: 4 });
      forwards.push(...idsOf(page));
    }
    expect(forwards).toEqual(all);

    const backwards: number[] = [];
    for (let page: ChangePage | null = null; page === null || page.next !== null; ) {
      page = await reader().changes({ before: page?.items.at(-1)?.id, max: 4 });
      backwards.push(...idsOf(page));
    }
    expect(backwards).toEqual(all.toReversed());

    expect(await reader().changesOf(20, { max: 3 })).toBeNull();
    await sql("insert into apps (appid) values (20)");
    const ofOne = await reader().changesOf(20, { max: 3 });
    expect(ofOne && idsOf(ofOne)).toEqual(
      all
        .filter((_, index) => index % 2 === 0)
        .toReversed()
        .slice(0, 3),
    );
    expect(ofOne?.next).not.toBeNull();
    expect(await reader().changes({ after: all.at(-1) ?? 0, max: 5 })).toEqual({
      items: [],
      last_id: all.at(-1),
      next: null,
    });
  });

  describe("pics_trim_changes", () => {
    const insert = (ages: readonly number[]) =>
      sql(
        `insert into app_changes (appid, change_number, field, detected_at)
         select 10, 1, 'name', now() - make_interval(days => age) from unnest($1::integer[]) with ordinality as of(age, place) order by place`,
        [ages],
      );
    const trim = (max: number, days = 7) => call("pics_trim_changes", { days, max });
    const deletedUpTo = async (query: Parameters<ReturnType<typeof reader>["changes"]>[0]) =>
      (await reader().changes(query)).deleted_up_to;

    test("deletes in id order up to the first change that is young enough, in batches, and keeps the id", async () => {
      await insert([9, 8, 8, 1, 9, 0]);
      const all = await rows();
      expect(await trim(2)).toEqual({ deleted: 2, has_more: true });
      expect(await deletedUpTo({ after: start, max: 10 })).toBe(all[1]);
      expect(await trim(2)).toEqual({ deleted: 1, has_more: false });
      expect(await trim(2)).toEqual({ deleted: 0, has_more: false });
      expect(await rows()).toEqual(all.slice(3));

      const kept = all[2] ?? 0;
      expect(await deletedUpTo({ after: kept - 1, max: 10 })).toBe(kept);
      expect(idsOf(await reader().changes({ after: kept, max: 10 }))).toEqual(all.slice(3));
      expect(await deletedUpTo({ after: kept, max: 10 })).toBeUndefined();
      expect(await deletedUpTo({ before: kept, max: 10 })).toBe(kept);
      expect(await deletedUpTo({ before: kept + 1, max: 10 })).toBe(kept);
      expect(await deletedUpTo({ before: kept + 2, max: 10 })).toBeUndefined();
      expect(await deletedUpTo({ max: 10 })).toBeUndefined();
    });

    test("the id is still refused when every change is deleted, and a repeat never lowers it", async () => {
      await insert([9, 9]);
      const all = await rows();
      expect(await trim(5)).toEqual({ deleted: 2, has_more: false });
      await trim(5);
      expect(await deletedUpTo({ after: all[0], max: 1 })).toBe(all[1]);
      expect(await deletedUpTo({ after: all[1], max: 1 })).toBeUndefined();
    });
  });

  test("catalog_activity counts every minute of the last hour, catalog_day every hour of the last day", async () => {
    await sql(`insert into app_changes (appid, change_number, field, detected_at)
      select 10 + i % 2, i, 'name', now() - interval '5 minutes' from generate_series(1, 6) i`);
    await sql(
      "insert into app_changes (appid, change_number, field, detected_at) values (1, 1, 'name', now() - interval '2 hours')",
    );
    const minutes = await reader().activity();
    expect(minutes).toHaveLength(60);
    expect(minutes.filter(({ changes }) => changes > 0)).toEqual([{ minute: expect.any(String), apps: 2, changes: 6 }]);
    await sql(`insert into app_changes (appid, change_number, field, detected_at)
      values (10, 1, 'added', now() - interval '3 hours'), (3, 1, 'added', now() - interval '25 hours')`);
    const day = await reader().day();
    expect(day).toMatchObject({ apps: 3, added: 1 });
    expect(day.hours).toHaveLength(24);
    expect(day.hours.reduce((sum, { apps }) => sum + apps, 0)).toBe(4);
  });

  // PGlite has one connection, so no concurrent transaction.
  describe.skipIf(kind === "pglite")("while transactions are open", () => {
    /** A connection of its own, as the owner of the tables. */
    async function connect() {
      const client = new pg.Client({ connectionString: catalog.database.url ?? "" });
      await client.connect();
      onTestFinished(() => client.end());
      const insert = (appid: number) =>
        client.query("insert into app_changes (appid, change_number, field) values ($1, 1, 'name')", [appid]);
      return { query: (text: string) => client.query(text), insert };
    }
    const appids = async (after: number) => {
      const page = await reader().changes({ after, max: 100 });
      return { appids: page.items.map(({ appid }) => appid), last: page.last_id };
    };

    test("serves no id above that of an open transaction", async () => {
      const [late, early] = [await connect(), await connect()];
      await early.insert(1);
      await late.query("begin");
      await late.insert(2);
      await early.insert(3);
      const before = await appids(start);
      expect(before.appids).toEqual([1]);
      // A consumer that resumes there gets nothing yet, whatever commits meanwhile.
      await early.insert(4);
      expect(await appids(before.last)).toEqual({ appids: [], last: before.last });
      await late.query("commit");
      expect((await appids(before.last)).appids).toEqual([2, 3, 4]);
    });

    test("serves the service's own changes after those of an open transaction", async () => {
      await store(record(10, 500));
      const late = await connect();
      await late.query("begin");
      await late.insert(2);
      await store(record(10, 501, { name: "Renamed" }));
      expect((await appids(start)).appids).toEqual([]);
      expect((await reader().changes({ max: 5 })).items).toEqual([]);
      await late.query("commit");
      expect((await appids(start)).appids).toEqual([2, 10]);
    });

    test("waits for an open transaction that only took ids", async () => {
      const [late, early] = [await connect(), await connect()];
      await late.query("begin");
      // No row is inserted, but the statement may have taken ids.
      await late.query("insert into app_changes (appid, change_number, field) select 1, 1, 'name' where false");
      await early.insert(3);
      expect((await appids(start)).appids).toEqual([]);
      await late.insert(4);
      await late.query("commit");
      expect((await appids(start)).appids).toEqual([3, 4]);
    });

    test("does not wait for a transaction that rolled back or died", async () => {
      const early = await connect();
      for (const end of ["rollback", "kill"]) {
        const late = new pg.Client({ connectionString: catalog.database.url ?? "" });
        late.on("error", () => {});
        await late.connect();
        await late.query("begin");
        await late.query("insert into app_changes (appid, change_number, field) values (9, 1, 'name')");
        await early.insert(1);
        expect((await appids(start)).appids).toEqual([]);
        if (end === "kill") {
          const {
            rows: [backend],
          } = await late.query("select pg_backend_pid() as pid");
          // Waits until the session has ended.
          await sql("select pg_terminate_backend($1, 5000)", [backend.pid]);
        } else await late.query("rollback");
        await late.end();
        const { appids: found, last } = await appids(start);
        expect(found).toEqual([1]);
        start = last;
      }
    });

    test("pics_trim_changes deletes nothing that an open transaction could still precede", async () => {
      const [late, early] = [await connect(), await connect()];
      await sql("delete from app_changes");
      await late.query("begin");
      await late.insert(1);
      await early.insert(2);
      await sql("update app_changes set detected_at = now() - interval '9 days'");
      expect(await call("pics_trim_changes", { days: 7, max: 10 })).toEqual({ deleted: 0, has_more: false });
      await late.query("commit");
      expect((await appids(start)).appids).toEqual([1, 2]);
    });

    test("keeps the horizon after a rollback to a savepoint", async () => {
      const [late, early] = [await connect(), await connect()];
      await late.query("begin");
      await late.query("savepoint a");
      await late.insert(1);
      await late.query("rollback to savepoint a");
      await early.insert(2);
      await late.insert(3);
      await early.insert(4);
      const first = await appids(start);
      expect(first.appids).toEqual([2]);
      await late.query("commit");
      expect((await appids(first.last)).appids).toEqual([3, 4]);
    });

    test("delivers each change once among many concurrent writers", async () => {
      const seed = Math.floor(Date.now() / 86_400_000);
      const random = createRandom(seed, 7);
      const writers = await Promise.all(Array.from({ length: 4 }, connect));
      const isOpen = writers.map(() => false);
      const read: number[] = [];
      let position = start;
      for (let step = 0; step < 300; step++) {
        const index = random.int(0, writers.length - 1);
        const writer = writers[index];
        if (!writer) continue;
        if (!isOpen[index]) await writer.query("begin");
        isOpen[index] = true;
        const what = random.next();
        if (what < 0.6) await writer.insert(step + 1);
        else {
          await writer.query(what < 0.9 ? "commit" : "rollback");
          isOpen[index] = false;
        }
        if (random.chance(0.5)) {
          const page = await reader().changes({ after: position, max: 3 });
          read.push(...idsOf(page));
          position = page.last_id;
        }
      }
      for (const [index, writer] of writers.entries()) if (isOpen[index]) await writer.query("commit");
      read.push(...idsOf(await reader().changes({ after: position, max: 1_000 })));
      expect(read, `seed ${seed}`).toEqual(await rows());
    });
  });
});

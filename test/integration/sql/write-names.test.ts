import { createHash, randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import { applied, forEachSqlDatabase, fullRecord, record, useCatalog } from "./catalog.ts";

const relations = ["developers", "publishers", "franchises"] as const;

/** Incompressible text. */
function noise(length: number): string {
  let text = "";
  for (let part = 0; text.length < length; part++) text += createHash("sha512").update(String(part)).digest("base64");
  return text.slice(0, length);
}

forEachSqlDatabase("pics_mirror_names", (open, kind) => {
  const { store, mark, claim, apply, sql, relations: of } = useCatalog(open);
  const all = async (relation: string) =>
    (await sql<{ name: string }>(`select name from ${relation} order by name collate "C"`)).map(({ name }) => name);

  test.each(relations)("stores %s exactly, one row each, shared by their apps", async (relation) => {
    const odd = [
      "Valve",
      "valve",
      "Valve ",
      "VALVE",
      'O\'Brien "& Sons"',
      "{a,b}",
      "NULL",
      "null",
      "1234",
      "back\\slash",
      "a, Inc.",
      "株式会社",
      "é",
      "e\u0301",
      "\u200bzero",
      "🎮",
      "%s %I $1",
    ];
    await store(record(10, 500, { [relation]: odd }), record(20, 500, { [relation]: ["Valve", "valve"] }));
    expect(await all(relation)).toEqual([...odd].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    expect(await of(20)).toMatchObject({ [relation]: ["Valve", "valve"] });
    const [row] = await sql(`select count(*) as links from app_${relation}`);
    expect(row).toEqual({ links: odd.length + 2 });
    for (const other of relations) if (other !== relation) expect(await all(other)).toEqual([]);
  });

  test("reuses the row of a known name", async () => {
    await store(fullRecord(10, 500));
    const before = await sql("select * from developers");
    await store(fullRecord(20, 500), record(30, 500, { developers: ["Other"] }));
    expect(await sql("select * from developers where name = 'Valve'")).toEqual(before);
  });

  test("moves an app to other names", async () => {
    await store(record(10, 500, { developers: ["Old", "Both"] }), record(20, 500, { developers: ["Old"] }));
    await store(record(10, 501, { developers: ["Both", "New"] }));
    expect(await of(10)).toMatchObject({ developers: ["Both", "New"] });
    expect(await of(20)).toMatchObject({ developers: ["Old"] });
  });

  test("rolls back for a name too long for the index, as a fault of the data", async () => {
    await store(record(10, 500, { developers: [noise(2_600), "x".repeat(3_000)] }));
    await mark([
      [20, 500],
      [30, 500],
    ]);
    const { lease } = await claim();
    const poison = record(20, 500, { developers: [noise(3_000)] });
    const refused = apply(lease, { apps: [poison, record(30, 500)] });
    await expect(refused).rejects.toMatchObject({ fault: "data", code: "54000" });
    const failed = [{ appid: 20, error: "refused" }];
    expect(await apply(lease, { apps: [record(30, 500)], failed })).toEqual(applied({ stored: 1, failed: 1 }));
  });

  // PGlite has one connection and runs calls one after the other.
  if (kind !== "pglite") {
    const fresh = Array.from({ length: 40 }, () => `Name ${randomUUID()}`);
    const ids = Array.from({ length: 40 }, (_, index) => 100_000 + index);
    const lists = [
      { relation: "developers", list: fresh, column: "developers (name)", links: "app_developers" },
      { relation: "publishers", list: fresh, column: "publishers (name)", links: "app_publishers" },
      { relation: "franchises", list: fresh, column: "franchises (name)", links: "app_franchises" },
      { relation: "tags", list: ids, column: "steam_tags (tag_id)", links: "app_steam_tags" },
      { relation: "genres", list: ids, column: "steam_genres (genre_id)", links: "app_genres" },
      { relation: "categories", list: ids, column: "steam_categories (category_id)", links: "app_categories" },
    ];
    // One relation at a time: the first written one serializes the batches.
    test.each(lists)("does not deadlock for new $relation in opposite order", async (given) => {
      const { relation, list, column, links } = given;
      const batch = (first: number, values: (string | number)[]): StoredRecord[] =>
        Array.from({ length: 10 }, (_, index) =>
          record(first + index, 500, { [relation]: values.slice(index * 4, index * 4 + 4) }),
        );
      const batches = [batch(1_000, list), batch(2_000, [...list].reverse()), batch(3_000, list)];
      await mark(batches.flat().map(({ appid }) => [appid, 500]));
      const leases: string[] = [];
      for (const apps of batches) leases.push((await claim({ appids: apps.map(({ appid }) => appid) })).lease);

      // Another transaction writes a name in the middle: a batch blocks there after writing the names before it.
      await sql("begin");
      await sql(`insert into ${column} values ($1)`, [list[20]]);
      const replies = batches.map((apps, index) => apply(leases[index] ?? "", { apps }));
      await expect
        .poll(async () => (await sql("select from pg_locks where not granted")).length, { interval: 10 })
        .toBeGreaterThanOrEqual(3);
      await sql("rollback");
      expect(await Promise.all(replies)).toEqual(batches.map(() => applied({ stored: 10 })));
      expect(await sql(`select count(*) from ${links}`)).toEqual([{ count: 120 }]);
    });
  }
});

import { createHash, randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { StoredRecord } from "../../../src/db/catalog-store.ts";
import { forEachDatabase } from "../../support/databases.ts";
import { applied, fullRecord, record, useCatalogue } from "./catalogue.ts";

const relations = ["developers", "publishers", "franchises"] as const;

/** Text that no compression makes shorter. */
function noise(length: number): string {
  let text = "";
  for (let part = 0; text.length < length; part++) text += createHash("sha512").update(String(part)).digest("base64");
  return text.slice(0, length);
}

forEachDatabase("names", (open, kind) => {
  const { store, mark, claim, apply, sql, relations: of } = useCatalogue(open);
  const all = async (relation: string) =>
    (await sql<{ name: string }>(`select name from ${relation} order by name collate "C"`)).map(({ name }) => name);

  test.each(relations)("%s are exact, one row each, shared by their apps", async (relation) => {
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

  test("a known name is found again and keeps its id", async () => {
    await store(fullRecord(10, 500));
    const before = await sql("select * from developers");
    await store(fullRecord(20, 500), record(30, 500, { developers: ["Other"] }));
    expect(await sql("select * from developers where name = 'Valve'")).toEqual(before);
  });

  test("an app changes hands", async () => {
    await store(record(10, 500, { developers: ["Old", "Both"] }), record(20, 500, { developers: ["Old"] }));
    await store(record(10, 501, { developers: ["Both", "New"] }));
    expect(await of(10)).toMatchObject({ developers: ["Both", "New"] });
    expect(await of(20)).toMatchObject({ developers: ["Old"] });
  });

  test("a name that no index holds is a fault of the data and leaves no trace", async () => {
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

  // PGlite has one connection and runs one call after the other.
  if (kind !== "pglite") {
    describe("at the same time", () => {
      const fresh = (count: number) => Array.from({ length: count }, () => `Name ${randomUUID()}`);
      const ids = (count: number) => Array.from({ length: count }, (_, id) => 100_000 + id);
      const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

      test("the same new names in opposite order do not block each other", async () => {
        const companies = fresh(200);
        const tags = ids(200);
        const backwards = <T>(list: T[]) => [...list].reverse();
        const batch = (first: number, order: <T>(list: T[]) => T[]): StoredRecord[] =>
          order(
            numbers(20).map((index) => {
              const part = <T>(list: T[]) => order(list.slice(index * 10, index * 10 + 10));
              return record(first + index, 500, {
                developers: part(companies),
                publishers: part(companies),
                franchises: part(companies),
                tags: part(tags),
                genres: part(tags),
                categories: part(tags),
              });
            }),
          );
        const batches = [batch(1_000, (list) => list), batch(2_000, backwards), batch(3_000, (list) => list)];
        await mark(batches.flat().map(({ appid }) => [appid, 500]));
        const leases = await Promise.all(
          batches.map((apps) => claim({ appids: apps.map(({ appid }) => appid), max: 20 })),
        );

        // Nobody writes a name before everybody is about to.
        await sql("begin; lock table apps in share row exclusive mode");
        const replies = batches.map((apps, index) => apply(leases[index]?.lease ?? "", { apps }));
        await expect
          .poll(async () => (await sql("select from pg_locks where not granted")).length, { interval: 10 })
          .toBeGreaterThanOrEqual(3);
        await sql("commit");
        expect(await Promise.all(replies)).toEqual(batches.map(() => applied({ stored: 20 })));
        expect(await all("developers")).toEqual([...companies].sort());
        expect(await sql("select count(*) as links from app_developers")).toEqual([{ links: 600 }]);
        expect(await sql("select count(*) as links from app_categories")).toEqual([{ links: 600 }]);
      });
    });
  }
});

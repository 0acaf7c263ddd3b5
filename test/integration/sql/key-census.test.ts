import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { forEachSqlDatabase, useCatalog } from "./catalog.ts";

interface Reply {
  added: string[];
  first_load: boolean;
  refused: number;
}
type Key = [path: string, payloads: number, appid: number];

forEachSqlDatabase("pics_count_keys", (open, kind) => {
  const { call, sql } = useCatalog(open);
  const count = (keys: Key[], request = randomUUID()) =>
    call<Reply>("pics_count_keys", {
      request_id: request,
      keys: keys.map(([path, payloads, appid]) => ({ path, payloads, appid })),
    });
  const stored = async () =>
    Object.fromEntries(
      (await sql<Record<string, unknown>>('select * from steam_keys order by path collate "C"')).map((row) => [
        row.path,
        [Number(row.payloads), row.first_appid, row.in_first_load],
      ]),
    );
  const loaded = () => sql("update pics_sync_state set bulk_completed_at = now()");
  const unread = async () =>
    (await call<{ unread_keys: { count: number; new_count: number; new: { path: string }[] } }>("pics_state"))
      .unread_keys;
  const many = (first: number, length: number): Key[] =>
    Array.from({ length }, (_, index) => [`key ${String(first + index).padStart(5, "0")}`, 1, 10]);

  test("adds new paths and sums the payloads of known ones", async () => {
    await loaded();
    expect(
      await count([
        ["b", 2, 10],
        ["a", 1, 20],
      ]),
    ).toEqual({ added: ["a", "b"], first_load: false, refused: 0 });
    await sql(
      "update steam_keys set first_seen_at = now() - interval '1 day', last_seen_at = now() - interval '1 day'",
    );
    expect(
      await count([
        ["b", 3, 30],
        ["c", 1, 40],
      ]),
    ).toEqual({ added: ["c"], first_load: false, refused: 0 });
    expect(await stored()).toEqual({ a: [1, 20, false], b: [5, 10, false], c: [1, 40, false] });
    const times =
      "select path, first_seen_at < now() - interval '1 hour' as old, last_seen_at > now() - interval '1 hour' as seen";
    expect(await sql(`${times} from steam_keys order by path`)).toEqual([
      { path: "a", old: true, seen: false },
      { path: "b", old: true, seen: true },
      { path: "c", old: false, seen: true },
    ]);
  });

  test("is idempotent by request id", async () => {
    const request = randomUUID();
    const first = await count([["a", 2, 10]], request);
    expect(first).toEqual({ added: ["a"], first_load: true, refused: 0 });
    expect(await count([["a", 2, 10]], request)).toEqual(first);
    expect(await stored()).toEqual({ a: [2, 10, true] });
  });

  test("adds a path that a request names twice once, with the lower app", async () => {
    expect(
      await count([
        ["a", 2, 20],
        ["a", 1, 10],
      ]),
    ).toMatchObject({ added: ["a"] });
    expect(await stored()).toEqual({ a: [3, 10, true] });
  });

  test("deletes paths that are read now, before it counts", async () => {
    await loaded();
    await count([
      ["a", 2, 10],
      ["a.b", 1, 10],
    ]);
    const request = { request_id: randomUUID(), keys: [{ path: "c", payloads: 1, appid: 20 }], read: ["a", "x"] };
    expect(await call<Reply>("pics_count_keys", request)).toMatchObject({ added: ["c"] });
    expect(Object.keys(await stored())).toEqual(["a.b", "c"]);
  });

  test("accepts a request without keys", async () => {
    expect(await count([])).toEqual({ added: [], first_load: true, refused: 0 });
  });

  test("holds 2,000 paths: counts known ones further and refuses others", async () => {
    await count(many(0, 1_990));
    expect(await count([["zzz", 1, 10], ...many(1_980, 30)])).toEqual({
      added: many(1_990, 10).map(([path]) => path),
      first_load: true,
      refused: 11,
    });
    expect(await count(many(1_985, 20))).toMatchObject({ added: [], refused: 5 });
    const rows = await stored();
    expect(Object.keys(rows)).toHaveLength(2_000);
    expect(rows["key 01984"]).toEqual([2, 10, true]);
    expect(rows["key 01999"]).toEqual([2, 10, true]);
  });

  test("pics_state has the number of paths, and those new within 7 days and after the first load", async () => {
    await count([["loaded", 9, 10]]);
    await loaded();
    expect(await unread()).toEqual({ count: 1, new_count: 0, new: [] });
    await count([
      ["older", 1, 20],
      ["old", 1, 20],
    ]);
    await sql("update steam_keys set first_seen_at = now() - interval '8 days' where path = 'older'");
    await sql("update steam_keys set first_seen_at = now() - interval '6 days' where path = 'old'");
    await count([
      ["loaded", 1, 30],
      ["new", 4, 30],
    ]);
    const first_seen_at = expect.any(String);
    expect(await unread()).toEqual({
      count: 4,
      new_count: 2,
      new: [
        { path: "new", payloads: 4, first_appid: 30, first_seen_at },
        { path: "old", payloads: 1, first_appid: 20, first_seen_at },
      ],
    });
    await count(many(0, 30));
    const { new_count, new: latest } = await unread();
    expect([new_count, latest.length]).toEqual([32, 20]);
  });

  // PGlite has one connection and runs calls one after the other.
  describe.skipIf(kind === "pglite")("by several workers", () => {
    test("neither deadlocks nor exceeds the limit", async () => {
      const overlapping = Array.from({ length: 8 }, (_, worker) => {
        const keys = many(worker * 250, 600);
        return count(worker % 2 === 0 ? keys : keys.toReversed());
      });
      const replies = await Promise.all(overlapping);
      const added = replies.flatMap((reply) => reply.added);
      expect(new Set(added).size).toBe(added.length);
      expect(added).toHaveLength(2_000);
      expect(replies.some(({ refused }) => refused > 0)).toBe(true);
      const [sum] = await sql<{ counted: string; rows: number }>(
        "select sum(payloads) as counted, count(*) as rows from steam_keys",
      );
      const refused = replies.reduce((total, reply) => total + reply.refused, 0);
      expect(sum).toEqual({ counted: String(8 * 600 - refused), rows: 2_000 });
    });
  });
});

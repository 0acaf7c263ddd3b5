import { describe, expect, test } from "vitest";
import { eventKinds, eventView } from "../../../src/catalog/event-views.ts";
import type { EventPage, EventQuery } from "../../../src/db/catalog-queries.ts";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import { branch, deckVerdict, forEachSqlDatabase, record, useCatalog } from "./catalog.ts";

/** Events that follow from changes, and reading them. */

type Expected = [event: string, subject: string | null, old: unknown, new_: unknown];

/** What a change of a field means: its old and new value, and the events. */
const derivations: [field: string, old: unknown, new_: unknown, events: Expected[]][] = [
  ["added", null, true, [["added", null, null, null]]],
  ["release_state", "prerelease", "released", [["released", null, "prerelease", "released"]]],
  ["release_state", "released", "unavailable", [["release_state", null, "released", "unavailable"]]],
  ["release_state", null, "released", []],
  [
    "steam_release_date",
    null,
    "2026-12-01T00:00:00+00:00",
    [["release_date_moved", null, null, "2026-12-01T00:00:00+00:00"]],
  ],
  ["name", "Old", "New", [["renamed", null, "Old", "New"]]],
  ["name", null, "New", []],
  ["type", "demo", "game", [["type_changed", null, "demo", "game"]]],
  ["is_known", true, false, [["removed", null, null, null]]],
  ["is_known", false, true, [["returned", null, null, null]]],
  ["is_listed", true, false, [["delisted", null, null, null]]],
  ["is_listed", false, true, [["relisted", null, null, null]]],
  ["is_listed", null, true, []],
  ["is_free", false, true, [["became_free", null, null, null]]],
  ["is_free", true, false, [["no_longer_free", null, null, null]]],
  ["is_free", false, null, []],
  ["pics_review_score", 6, 8, [["review_verdict", null, 6, 8]]],
  ["pics_review_percentage", 79, 80, []],
  ["tags", [19, 492], [492, 21, 1756], [["tags", null, [19], [21, 1756]]]],
  ["developers", ["A"], ["A", "B"], [["developer_changed", null, null, ["B"]]]],
  ["publishers", ["A"], ["B"], [["publisher_changed", null, ["A"], ["B"]]]],
  [
    "dlc",
    [30, 40],
    [40, 50, 60],
    [
      ["dlc_added", null, null, [50, 60]],
      ["dlc_removed", null, [30], null],
    ],
  ],
  ["platforms", "windows", "windows,macos,linux", [["platforms", null, null, ["macos", "linux"]]]],
  ["platforms", "windows", null, [["platforms", null, ["windows"], null]]],
  ["languages", { english: { full_audio: true } }, { english: { full_audio: false } }, []],
  ["languages", { english: {} }, { english: {}, german: {} }, [["languages", null, null, ["german"]]]],
  [
    "genres",
    [1, 70],
    [1, 23],
    [
      ["genres", null, [70], [23]],
      ["left_early_access", null, null, null],
    ],
  ],
  [
    "genres",
    [1],
    [1, 70],
    [
      ["entered_early_access", null, null, null],
      ["genres", null, null, [70]],
    ],
  ],
  [
    "steam_deck",
    { category: "playable", steamos_category: null, tests: [1] },
    { category: "verified", steamos_category: "compatible", tests: [2] },
    [
      ["deck_verdict", null, "playable", "verified"],
      ["steamos_verdict", null, null, "compatible"],
    ],
  ],
  ["steam_deck", null, { category: "verified" }, [["deck_verdict", null, null, "verified"]]],
  ["steam_deck", { category: "verified", tests: [1] }, { category: "verified", tests: [2] }, []],
  [
    "branches",
    [
      { branch: "beta", build_id: "7" },
      { branch: "old", build_id: null },
      { branch: "public", build_id: "1" },
    ],
    [
      { branch: "beta", build_id: "7", updated_at: "x" },
      { branch: "new", build_id: "9" },
      { branch: "public", build_id: "2" },
    ],
    [
      ["branch_added", "new", null, "9"],
      ["branch_removed", "old", null, null],
      ["build", "public", "1", "2"],
    ],
  ],
  [
    "assets",
    { header: { english: "a" }, hero: { english: "b" } },
    { header: { english: "c" }, hero: { english: "b" } },
    [["art_changed", null, null, ["header"]]],
  ],
  ["assets", null, { header: { english: "c" } }, []],
  ["homepage_url", "https://a.example", "https://b.example", []],
];

forEachSqlDatabase("events", (open) => {
  const catalog = useCatalog(open);
  const { store, sql, call } = catalog;
  const insert = (changes: [appid: number, field: string, old: unknown, new_: unknown][]) =>
    sql(
      `insert into app_changes (appid, change_number, field, old, new)
       select (c ->> 0)::integer, 500, c ->> 1, nullif(c -> 2, 'null'), nullif(c -> 3, 'null')
       from jsonb_array_elements($1::jsonb) with ordinality as given(c, place) order by place`,
      [JSON.stringify(changes)],
    );
  const reader = () => createCatalogReader(catalog.database.db);
  async function read(query: Partial<EventQuery> = {}): Promise<EventPage> {
    const page = await reader().events({ max: 100, after: 0, ...query });
    if ("unknown" in page) throw new Error(`unknown ${page.unknown}`);
    return page;
  }
  const kinds = async (query?: Partial<EventQuery>) =>
    (await read(query)).items.map(({ appid, event }) => [appid, event]);

  test("follow from each change as documented", async () => {
    const { last_id: start } = await read();
    await insert(derivations.map(([field, old, new_], index) => [index + 1, field, old, new_]));
    const rows = await sql<{ appid: number; event: string; subject: string | null; old: unknown; new: unknown }>(
      "select appid, event, subject, old, new from app_events where id > $1 order by id",
      [start],
    );
    const found = derivations.map((_, index) =>
      rows.filter(({ appid }) => appid === index + 1).map((row) => [row.event, row.subject, row.old, row.new]),
    );
    expect(found).toEqual(derivations.map(([, , , events]) => events));
    // The one list of kinds is that of the views; each is derived here.
    const derived = new Set(rows.map(({ event }) => event));
    const elsewhere = [
      "price_changed",
      "metacritic_score",
      "machine_verdict",
      "frame_verdict",
      "categories",
      "controller_support",
    ];
    expect(
      [...derived, ...elsewhere, "vr_support", "content_descriptors", "ai_content", "franchise_changed"].sort(),
    ).toEqual([...eventKinds].sort());
  });

  test("of a release are one event with both of its changes, and the date that comes with it does not move", async () => {
    await store(record(10, 500, { release_state: "prerelease", steam_release_date: "2026-12-31T00:00:00+00:00" }));
    await store(record(10, 501, { release_state: "released", steam_release_date: "2026-12-11T17:00:00+00:00" }));
    const { items } = await read({ appids: [10] });
    const changes = await sql<{ id: number }>("select id from app_changes where appid = 10 order by field");
    expect(items).toMatchObject([
      { event: "released", name: "App 10", type: "game", change_number: 501, old: "prerelease", new: "released" },
    ]);
    expect(items[0]?.change_ids).toEqual(changes.map(({ id }) => id));
    expect(eventView.safeParse(items[0]).success).toBe(true);
  });

  test("of builds and verdicts come through the write path, named", async () => {
    await sql(
      "insert into steam_tags (tag_id, name) values (492, 'Indie') on conflict (tag_id) do update set name = excluded.name",
    );
    const before = { branches: [branch("public", "1")], steam_deck: deckVerdict("playable"), tags: [19] };
    await store(record(20, 600, before));
    await store(record(20, 601, { ...before, branches: [branch("public", "2")], tags: [19, 492] }));
    const { items } = await read({ appids: [20] });
    expect(items.map(({ event, subject, old, new: now }) => [event, subject, old, now])).toEqual([
      ["build", "public", "1", "2"],
      ["tags", null, null, [{ id: 492, name: "Indie" }]],
    ]);
  });

  describe("are read", () => {
    test("by kind, app, branch, type, company and reviews, in both directions", async () => {
      await store(record(10, 500, { developers: ["Valve"] }), record(20, 500, { type: "dlc" }), record(30, 500));
      await sql(
        "insert into game_metadata (appid, positive_reviews, negative_reviews) values (10, 90, 9), (30, 90, 10)",
      );
      const build = (id: string) => [{ branch: "public", build_id: id }];
      await insert([
        [10, "branches", build("1"), build("2")],
        [10, "branches", [{ branch: "beta", build_id: "1" }], [{ branch: "beta", build_id: "2" }]],
        [20, "name", "A", "B"],
        [30, "branches", build("1"), build("2")],
      ]);
      expect(await kinds()).toEqual([
        [10, "build"],
        [10, "build"],
        [20, "renamed"],
        [30, "build"],
      ]);
      expect(await kinds({ events: ["renamed", "released"] })).toEqual([[20, "renamed"]]);
      expect(await kinds({ appids: [30, 20] })).toEqual([
        [20, "renamed"],
        [30, "build"],
      ]);
      expect(await kinds({ appids: [30, 20], events: ["build"] })).toEqual([[30, "build"]]);
      expect(await kinds({ events: ["build"], branch: "public" })).toEqual([
        [10, "build"],
        [30, "build"],
      ]);
      expect(await kinds({ types: ["dlc"] })).toEqual([[20, "renamed"]]);
      expect(await kinds({ relations: [["developer", "Valve"]] })).toEqual([
        [10, "build"],
        [10, "build"],
      ]);
      expect(await kinds({ min_reviews: 100 })).toEqual([[30, "build"]]);
      expect(await kinds({ after: undefined, events: ["build"] })).toEqual([
        [30, "build"],
        [10, "build"],
        [10, "build"],
      ]);
      expect(await reader().events({ max: 1, relations: [["developer", "Unknown Studio"]] })).toEqual({
        unknown: ["developer", "Unknown Studio"],
      });
    });

    test("in pages that look at a bounded number of events, and never skip one", async () => {
      await insert(Array.from({ length: 23 }, (_, i) => [i % 5 === 4 ? 50 : 40, "name", "A", `B${i}`]));
      await store(record(50, 500));
      for (const direction of ["after", "before"] as const) {
        const found: unknown[] = [];
        let pages = 0;
        let from: number | null = direction === "after" ? 0 : Number.MAX_SAFE_INTEGER;
        while (from !== null) {
          // A request over types walks all events; `most` is below what lies between two that fit.
          const page: { events: { new: string }[]; next: number | null } = await call("catalog_events", {
            max: 2,
            most: 3,
            types: ["game"],
            [direction]: from,
          });
          found.push(...page.events.map((event) => event.new));
          from = page.next;
          pages += 1;
        }
        const wanted = ["B4", "B9", "B14", "B19"];
        expect(found).toEqual(direction === "after" ? wanted : wanted.toReversed());
        expect(pages).toBeGreaterThan(7);
      }
    });

    test("as deleted with their changes, and reports that to a consumer that resumes before them", async () => {
      await insert([[10, "name", "A", "B"]]);
      await sql("update app_changes set detected_at = now() - interval '9 days'");
      await insert([[10, "name", "B", "C"]]);
      await call("pics_trim_changes", { days: 7, max: 100 });
      const page = await read();
      expect(page.items.map((event) => event.new)).toEqual(["C"]);
      expect(page.deleted_up_to).toBeLessThan(page.items[0]?.id ?? 0);
      expect(page.deleted_up_to).toBeGreaterThan(0);
      expect((await read({ after: page.deleted_up_to })).deleted_up_to).toBeUndefined();
      await sql("update pics_sync_state set changes_deleted_up_to = 0");
    });
  });
});

import { deflateSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { assetUrls } from "../../../src/catalog/assets.ts";
import { branchView, depotAppView, depotView } from "../../../src/catalog/content-views.ts";
import { type AppSort, appSorts, companyKinds, labelKinds } from "../../../src/catalog/list-views.ts";
import { appSummary, appView } from "../../../src/catalog/views.ts";
import { type AppQuery, type AppRelation, appRelations } from "../../../src/db/catalog-queries.ts";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import type { StoredRecord } from "../../../src/db/sync-calls.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { createRandom, type Random } from "../../support/steam/random.ts";
import {
  branch,
  catalogOf,
  deckVerdict,
  depot,
  forEachSqlDatabase,
  fullColumns,
  fullRecord,
  manifest,
  record,
  useCatalog,
} from "./catalog.ts";

/** Results of the read functions, compared with a plain loop over the records. */

forEachSqlDatabase("catalog_app", (open) => {
  const catalog = useCatalog(open);
  const { store, sql, mark } = catalog;
  const reader = () => createCatalogReader(catalog.database.db);

  test("returns every column and relation, with names", async () => {
    await sql("insert into steam_tags (tag_id, name) values (19, 'Action'), (492, 'Indie')");
    await store(fullRecord(620, 500), record(1000, 500, { name: "Soundtrack" }), record(400, 500, { name: "Portal" }));
    await sql(
      "update apps set store_modified_at = '2026-09-14T13:20:11Z', price_change_number = 501 where appid = 620",
    );
    await sql(
      `insert into game_metadata (appid, owners_estimate, positive_reviews, negative_reviews, price, last_updated)
       values (620, '0 .. 20,000', 380000, 10000, 999, '2026-09-15T00:00:00Z'), (400, '0 .. 20,000', 1, 1, 0, null)`,
    );
    const app = await reader().app(620);
    expect((await reader().app(400))?.steamspy).toBeNull();
    const { parent_appid, platforms, assets, ...columns } = fullColumns;
    const times = ["steam_release_date", "original_release_date", "store_asset_mtime", "last_content_update"] as const;
    for (const time of times) expect(Date.parse(app?.[time] ?? "")).toBe(Date.parse(columns[time]));
    expect(app).toMatchObject({
      ...Object.fromEntries(Object.entries(columns).filter(([name]) => !times.some((time) => time === name))),
      appid: 620,
      is_known: true,
      is_listed: null,
      is_active: true,
      platforms: platforms.split(","),
      assets: assetUrls(620, assets),
      parent: { appid: parent_appid, name: "Portal" },
      tags: [
        { id: 492, name: "Indie" },
        { id: 19, name: "Action" },
        { id: 21, name: null },
      ],
      genres: [
        { id: 1, name: "Action" },
        { id: 25, name: "Adventure" },
      ],
      categories: [
        { id: 2, name: "Single-player" },
        { id: 22, name: "Steam Achievements" },
      ],
      franchises: ["Portal"],
      developers: ["Valve"],
      publishers: ["Electronic Arts", "Valve"],
      dlc: [
        { appid: 1000, name: "Soundtrack" },
        { appid: 1001, name: null },
      ],
      steam_deck: fullRecord(620, 500).steam_deck,
      store_modified_at: "2026-09-14T13:20:11+00:00",
      price_change_number: 501,
      steamspy: {
        owners_estimate: "0 .. 20,000",
        owners_doubtful: true,
        positive_reviews: 380_000,
        negative_reviews: 10_000,
        average_playtime_forever: null,
        average_playtime_2weeks: null,
        price: 999,
        last_updated: "2026-09-15T00:00:00+00:00",
      },
      change_number: 500,
      is_pending: false,
      missing_token: false,
    });
    // Parsing gives the order of the schema.
    const parsed = z.strictObject(appView.shape).parse(app);
    expect(Object.keys(app ?? {})).toEqual(Object.keys(parsed));
    expect(Object.keys(app?.steam_deck ?? {})).toEqual(Object.keys(parsed.steam_deck ?? {}));
  });

  test("returns null for an app that is not stored", async () => {
    await mark([[10, 500]]);
    const { app, info, branches, depots } = reader();
    expect(await Promise.all([app(10), info(10), branches(10), depots(10)])).toEqual([null, null, null, null]);
  });

  test("returns branches and depots, public first, and the apps of a depot, its owner first", async () => {
    const shared = (appid: number) =>
      record(appid, 500, { depots: [depot(621, { from_appid: 620, name: "Redist", os_list: "windows,linux" })] });
    await store(fullRecord(620, 500), shared(10), shared(700), record(20, 500));
    const branches = z.array(z.strictObject(branchView.shape)).parse(await reader().branches(620));
    expect(branches).toEqual([branch("public", "8212379"), branch("beta", "8212380", { password_required: true })]);
    const depots = z.array(z.strictObject(depotView.shape)).parse(await reader().depots(620));
    const manifests = [manifest("public", "18446744073709551615"), manifest("beta", "11")];
    expect(depots).toEqual([depot(621, { manifests })]);
    expect([await reader().branches(20), await reader().depots(20)]).toEqual([[], []]);

    const first = await reader().appsOfDepot({ depot_id: 621, max: 2 });
    expect(z.array(z.strictObject(depotAppView.shape)).parse(first.apps)).toMatchObject([
      { appid: 620, name: "Portal 2", type: "application", depot_name: null, os_list: null, from_appid: null },
      { appid: 10, depot_name: "Redist", os_list: ["windows", "linux"], from_appid: 620 },
    ]);
    const second = await reader().appsOfDepot({ depot_id: 621, max: 2, after: { shared: true, appid: 10 } });
    expect([first.has_more, second.has_more]).toEqual([true, false]);
    expect(second.apps.map(({ appid }) => appid)).toEqual([700]);
    expect(await reader().appsOfDepot({ depot_id: 1, max: 2 })).toEqual({ apps: [], has_more: false });
  });

  test("returns the text of an app as it was kept", async () => {
    const text = '"appinfo" { "appid" "10" "name" "Ω" }';
    const data = deflateSync(text).toString("base64");
    await store(record(10, 500, { info: { sha1: "ab", size: 38, data } }), record(20, 500));
    const facts = { change_number: 500, sha1: "ab", size: 38, partial: false, missing_token: false };
    expect(await reader().info(10)).toEqual({ kept: { ...facts, fetched_at: expect.any(String), text } });
    expect(await reader().info(20)).toEqual({ kept: null });
  });

  test("returns synced_at: the later of its own answer and the last verifying pass", async () => {
    await store(record(10, 500));
    const at = async () => Date.parse((await reader().app(10))?.synced_at ?? "");
    const [{ synced } = { synced: "" }] = await sql<{ synced: string }>(
      "select last_pics_sync::text as synced from sync_status",
    );
    expect(await at()).toBe(Date.parse(synced));
    await sql("update pics_sync_state set last_verified_at = now() - interval '1 day'");
    expect(await at()).toBe(Date.parse(synced));
    await sql("update pics_sync_state set last_verified_at = '2099-01-01T00:00:00Z'");
    expect(await at()).toBe(Date.parse("2099-01-01T00:00:00Z"));

    await mark([[10, 501]]);
    expect(await reader().app(10)).toMatchObject({ change_number: 500, is_pending: true });
    // The age of rows that another application stored is unknown.
    await sql("update pics_sync_state set installed_at = now() + interval '1 hour'");
    expect(await reader().app(10)).toMatchObject({ synced_at: null });
  });

  test("returns and finds platforms beyond the three usual ones", async () => {
    await store(record(10, 500, { platforms: "windows,android" }), record(20, 500, { platforms: "windows" }));
    expect((await reader().app(10))?.platforms).toEqual(["windows", "android"]);
    const { apps } = z
      .object({ apps: z.array(appSummary) })
      .parse(await reader().apps({ max: 5, sort: "appid", descending: false, platforms: ["android"] }));
    expect(apps).toMatchObject([{ appid: 10, platforms: ["windows", "android"] }]);
  });

  test("returns a primary genre that is not among the genres", async () => {
    await store(record(10, 500, { genres: [1], primary_genre_id: 23 }));
    expect(await reader().app(10)).toMatchObject({ genres: [{ id: 1 }], primary_genre_id: 23 });
  });

  test("returns languages that version 1 of the extractor stored as supported", async () => {
    const stored = { english: { full_audio: true, subtitles: false }, odd: "1" };
    await sql("insert into apps (appid, languages) values (7, $1), (8, '[]'), (9, null)", [JSON.stringify(stored)]);
    expect((await reader().app(7))?.languages).toEqual({
      english: { supported: true, full_audio: true, subtitles: false },
      odd: "1",
    });
    expect((await reader().app(8))?.languages).toEqual([]);
    expect((await reader().app(9))?.languages).toBeNull();
  });

  test("returns rows of an older application", async () => {
    await sql("insert into apps (appid, platforms, languages, content_descriptors) values (7, '', '{}', '[]')");
    expect(await reader().app(7)).toMatchObject({ name: null, platforms: [], synced_at: null, change_number: null });
    expect((await reader().apps({ max: 5, sort: "appid", descending: false })) as object).toMatchObject({
      apps: [{ appid: 7 }],
    });
  });
});

const seed = Math.floor(Date.now() / 86_400_000);
const tagNames = ["Puzzle", "RPG", "Free to Play", "VR"];
const companies = ["Valve", "valve", "100% \\ Orange_Juice", "Ünïcode “Games”"];
const day = (n: number) => new Date(Date.UTC(2020, 0, 1 + n)).toISOString();

function randomRecord(appid: number, random: Random): StoredRecord {
  const some = <T>(items: readonly T[]) => items.filter(() => random.chance(0.4));
  return record(appid, 500, {
    name: random.pick([null, "Half_Life", "half life 2", "50% off", "Ω mega", "a\\b", `App ${appid}`]),
    type: random.pick(["game", "dlc", "demo", null]),
    is_free: random.chance(0.5),
    steam_release_date: random.pick([null, day(1), day(2), day(3)]),
    pics_review_percentage: random.pick([null, 0, 50, 100]),
    platforms: random.pick([null, "windows", "windows,linux", "windows,macos,linux"]),
    parent_appid: random.pick([null, 10, 20]),
    tags: some([1, 2, 3, 4]),
    genres: some([1, 25]),
    categories: some([2, 22]),
    developers: some(companies),
    publishers: some(companies),
    franchises: some(companies),
    steam_deck: random.pick(
      [null, ...(["playable", "verified"] as const)].map(
        (category) => category && deckVerdict(category, { machine_category: "verified", frame_category: category }),
      ),
    ),
    ai_content: random.pick([null, null, ["live"], ["pre_generated", "live"]]),
    vr_support: random.pick([null, "supported", "only"]),
  });
}

/** Ids that a filter may name, by relation. */
const words: Record<AppRelation, [string, (app: StoredRecord) => boolean][]> = {
  tag: tagNames.flatMap((name, index): [string, (app: StoredRecord) => boolean][] => {
    const has = ({ tags }: StoredRecord) => tags?.includes(index + 1) ?? false;
    return [
      [name.toUpperCase(), has],
      [String(index + 1), has],
    ];
  }),
  genre: [
    ["action", ({ genres }) => genres?.includes(1) ?? false],
    ["25", ({ genres }) => genres?.includes(25) ?? false],
  ],
  category: [
    ["single-PLAYER", ({ categories }) => categories?.includes(2) ?? false],
    ["22", ({ categories }) => categories?.includes(22) ?? false],
  ],
  developer: companies.map((name) => [name, ({ developers }) => developers?.includes(name) ?? false]),
  publisher: companies.map((name) => [name, ({ publishers }) => publishers?.includes(name) ?? false]),
  franchise: companies.map((name) => [name, ({ franchises }) => franchises?.includes(name) ?? false]),
};

type Condition = (app: StoredRecord) => boolean;

/** Words in the name, without regard to case, accents and punctuation; those of one or two letters begin a word of it. */
function isFound(name: string | null, search: readonly string[]): boolean {
  const folded = (text: string) =>
    text
      .normalize("NFD")
      .replaceAll(/\p{M}/gu, "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\d]+/gu, " ");
  const tokens = search.flatMap((word) =>
    folded(word)
      .split(" ")
      .filter((token) => token !== ""),
  );
  const text = ` ${folded(name ?? "")}`;
  return tokens.length > 0 && tokens.every((token) => text.includes(token.length > 2 ? token : ` ${token}`));
}

/** A request, and the predicate that it stands for. */
function randomQuery(random: Random): { query: Omit<AppQuery, "max">; holds: Condition } {
  const conditions: Condition[] = [];
  const query: Omit<AppQuery, "max"> = {
    sort: random.pick(appSorts.filter((sort) => sort !== "relevance")),
    descending: random.chance(0.5),
    // Small ones, so that 80 apps meet every way in which a page is found.
    limits: random.pick([
      undefined,
      { first: 5, gather: 4, found: 6, walk: 15, most: 30 },
      { first: 3, gather: 0, found: 0, walk: 4, most: 0 },
      { first: 2, gather: 20, found: 40, walk: 9, most: 20 },
    ]),
  };
  const sometimes = (build: () => Condition) => {
    if (random.chance(0.15)) conditions.push(build());
  };
  const relations: [AppRelation, string][] = [];
  for (let left = random.int(0, 2); left > 0; left--) {
    const relation = random.pick(appRelations);
    const [value, has] = random.pick(words[relation]);
    relations.push([relation, value]);
    conditions.push(has);
  }
  query.relations = relations;
  sometimes(() => {
    const types = random.pick([["game"], ["dlc", "demo"], ["none"]]);
    query.types = types;
    return ({ type }) => types.includes(type ?? "");
  });
  sometimes(() => {
    const deck = random.pick([["verified"], ["verified", "playable"]]);
    query.deck = deck;
    return ({ steam_deck }) => deck.includes(steam_deck?.category ?? "");
  });
  sometimes(() => {
    const machine = random.pick([["verified"], ["unknown", "playable"]]);
    query.machine = machine;
    return ({ steam_deck }) => machine.includes(steam_deck?.machine_category ?? "");
  });
  sometimes(() => {
    const frame = random.pick([["verified", "playable"], ["playable"]]);
    query.frame = frame;
    return ({ steam_deck }) => frame.includes(steam_deck?.frame_category ?? "");
  });
  sometimes(() => {
    const vr = random.pick([["only"], ["only", "supported"]]);
    query.vr = vr;
    return ({ vr_support }) => vr.includes(vr_support ?? "");
  });
  sometimes(() => {
    const ai = random.pick([["live"], ["pre_generated", "none"], ["any"], ["any", "none"]]);
    query.ai = ai;
    return ({ ai_content }) =>
      ai.includes(ai_content ? "any" : "none") || (ai_content ?? []).some((content) => ai.includes(content));
  });
  sometimes(() => {
    const appids = random.sample(
      Array.from({ length: 90 }, (_, index) => 10 * index),
      60,
    );
    query.appids = appids;
    return ({ appid }) => appids.includes(appid);
  });
  sometimes(() => {
    const wanted = random.pick([["linux"], ["windows", "macos"]]);
    query.platforms = wanted;
    return ({ platforms }) => wanted.every((platform) => platforms?.split(",").includes(platform));
  });
  sometimes(() => {
    const parent = random.pick([10, 20, 99]);
    query.parent = parent;
    return ({ parent_appid }) => parent_appid === parent;
  });
  sometimes(() => {
    const free = random.chance(0.5);
    query.free = free;
    return ({ is_free }) => (is_free ?? false) === free;
  });
  sometimes(() => {
    query.released_since = day(2);
    return ({ steam_release_date }) => (steam_release_date ?? "") >= day(2);
  });
  sometimes(() => {
    query.released_before = day(3);
    return ({ steam_release_date }) => steam_release_date !== null && (steam_release_date ?? "") < day(3);
  });
  sometimes(() => {
    const search = random.pick([["half"], ["LIFE", "hálf"], ["%"], ["50%", "of"], ["a\\b"], ["Ω"], ["ga"]]);
    query.words = search;
    if (random.chance(0.5)) query.sort = "relevance";
    return ({ name }) => isFound(name ?? null, search);
  });
  return { query, holds: (app) => conditions.every((condition) => condition(app)) };
}

/** Sort key of an app, as the model compares it; names are compared by the database alone. */
const keyOf: Record<
  Exclude<AppSort, "name" | "updated" | "relevance">,
  (app: StoredRecord) => number | string | null
> = {
  appid: ({ appid }) => appid,
  release_date: ({ steam_release_date }) => steam_release_date ?? null,
  reviews: ({ pics_review_percentage }) => pics_review_percentage ?? null,
};

forEachSqlDatabase("catalog_apps", (open) => {
  let database: TestDatabase;
  const random = createRandom(seed, 3);
  const records = Array.from({ length: 80 }, (_, index) => randomRecord(10 * (index + 1), random));
  const reader = () => createCatalogReader(database.db);

  beforeAll(async () => {
    database = await open();
    const { store, sql } = catalogOf(() => database);
    await store(...records);
    for (const [index, name] of tagNames.entries())
      await sql("update steam_tags set name = $2 where tag_id = $1", [index + 1, name]);
  });

  async function allPages(query: Omit<AppQuery, "max">, max: number): Promise<number[]> {
    const found: number[] = [];
    for (let after: AppQuery["after"], pages = 0; pages < 100; pages++) {
      const page = await reader().apps({ ...query, max, after });
      if ("unknown" in page) throw new Error(`unknown ${page.unknown}`);
      z.array(z.strictObject(appSummary.shape)).parse(page.apps);
      found.push(...page.apps.map(({ appid }) => appid));
      if (page.next === null) return found;
      expect(page.apps).toHaveLength(max);
      after = page.next;
    }
    throw new Error("the pages do not end");
  }

  test(`hold exactly what fulfils all conditions, in order, each once (seed ${seed})`, async () => {
    let nonEmpty = 0;
    for (let round = 0; round < 90; round++) {
      const { query, holds } = randomQuery(random);
      const expected = records.filter(holds);
      const found = await allPages(query, 7);
      const told = `seed ${seed}, round ${round}: ${JSON.stringify(query)}`;
      expect(
        found.toSorted((a, b) => a - b),
        told,
      ).toEqual(expected.map(({ appid }) => appid));
      nonEmpty += found.length > 0 ? 1 : 0;
      if (query.sort === "name" || query.sort === "updated" || query.sort === "relevance") {
        // One page has the same order as several.
        expect(await allPages(query, 200), told).toEqual(found);
        continue;
      }
      const key = keyOf[query.sort];
      const direction = query.descending ? -1 : 1;
      const sorted = expected.toSorted((a, b) => {
        const [left, right] = [key(a), key(b)];
        if (left === right) return (a.appid - b.appid) * direction;
        if (left === null || right === null) return left === null ? 1 : -1;
        return (left < right ? -1 : 1) * direction;
      });
      expect(found, told).toEqual(sorted.map(({ appid }) => appid));
    }
    expect(nonEmpty).toBeGreaterThan(20);
  });

  test("returns the filter value that does not exist", async () => {
    const ask = (given: Partial<AppQuery>) => reader().apps({ max: 5, sort: "appid", descending: false, ...given });
    for (const relation of appRelations) {
      const unknown = [relation, "no such thing"] as const;
      expect(await ask({ relations: [[...unknown]] })).toEqual({ unknown });
    }
    expect(
      await ask({
        required: [
          ["type", "dlc"],
          ["platform", "macos"],
        ],
      }),
    ).not.toHaveProperty("unknown");
    expect(
      await ask({
        required: [
          ["type", "dlc"],
          ["type", "dl"],
        ],
      }),
    ).toEqual({ unknown: ["type", "dl"] });
    expect(await ask({ required: [["platform", "mac"]] })).toEqual({ unknown: ["platform", "mac"] });
  });

  test("finds the names that resemble a value", async () => {
    const { similar } = reader();
    expect(await similar("tag", "puzle", 1)).toEqual(["Puzzle"]);
    expect(await similar("tag", "FREE", 1)).toEqual(["Free to Play"]);
    expect(await similar("developer", "100% \\ Orang_Juice", 3)).toEqual(["100% \\ Orange_Juice"]);
    expect((await similar("publisher", "vlave", 2)).toSorted()).toEqual(["Valve", "valve"]);
    expect(await similar("type", "gmae", 2)).toContain("game");
    expect(await similar("category", "%", 1)).toEqual([]);
    for (const value of ["", "x", "no such thing", "\\", "_".repeat(200)]) {
      for (const relation of [...appRelations, "type"] as const) await similar(relation, value, 3);
    }
  });

  test("filters by changed_since, relations included, and by active", async () => {
    const { sql } = catalogOf(() => database);
    await sql("update apps set updated_at = '2020-01-01'");
    await sql("update apps set updated_at = '2024-06-02' where appid = 10");
    await sql("update apps set is_active = false where appid = 20");
    await sql(
      "insert into app_changes (appid, change_number, field, detected_at) values (30, 1, 'tags', '2024-06-03'), (40, 1, 'tags', '2024-05-01')",
    );
    expect(await allPages({ sort: "appid", descending: false, changed_since: "2024-06-01" }, 5)).toEqual([10, 30]);
    expect(await allPages({ sort: "appid", descending: false, active: false }, 5)).toEqual([20]);
    expect(await allPages({ sort: "appid", descending: false, active: true }, 50)).toHaveLength(records.length - 1);
  });

  describe("catalog_labels and catalog_companies", () => {
    const carriers = (has: Condition) => records.filter(has).length;

    test("count the apps of each, the most used first", async () => {
      const tags = await reader().labels("tags");
      const expected = tagNames.map((name, index) => ({
        id: index + 1,
        name,
        apps: carriers(({ tags }) => tags?.includes(index + 1) ?? false),
      }));
      expect(tags).toEqual(expected.toSorted((a, b) => b.apps - a.apps || a.id - b.id));
      for (const kind of labelKinds) {
        const labels = await reader().labels(kind);
        expect(labels.map(({ apps }) => apps)).toEqual(labels.map(({ apps }) => apps).toSorted((a, b) => b - a));
      }
      expect((await reader().labels("genres")).at(-1)?.apps).toBe(0);
    });

    test("page and search companies by name", async () => {
      for (const kind of companyKinds) {
        const found: string[] = [];
        for (let after: string | undefined; ; after = found.at(-1)) {
          const page = await reader().companies({ kind, max: 1, after });
          for (const { name, apps } of page.companies) {
            expect(apps).toBe(carriers((app) => app[kind]?.includes(name) ?? false));
            found.push(name);
          }
          if (!page.has_more) break;
        }
        expect(found.toSorted()).toEqual(companies.toSorted());
        const search = async (...words: string[]) =>
          (await reader().companies({ kind, max: 9, words })).companies.map(({ name }) => name);
        expect((await search("VALVE")).toSorted()).toEqual(["Valve", "valve"]);
        expect(await search("%", "_")).toEqual(["100% \\ Orange_Juice"]);
        expect(await search("\\")).toEqual(["100% \\ Orange_Juice"]);
      }
    });
  });
});

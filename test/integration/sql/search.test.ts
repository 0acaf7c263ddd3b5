import { beforeAll, expect, test } from "vitest";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { createRandom } from "../../support/steam/random.ts";
import { catalogOf, forEachSqlDatabase, record } from "./catalog.ts";

/** Searches by name: what is found, and in which order. */

const games: [appid: number, name: string, reviews: number | null, localized?: Record<string, string>][] = [
  [10, "Dark", 40],
  [20, "Dark Souls", 80],
  [30, "Dark Messiah", 90],
  [40, "A Dance in the Dark", 99],
  [50, "Stardew Valley", 98],
  [60, "Pokémon: Let's Go", null],
  [70, "Cat Girl Plan", 70, { schinese: "猫娘计划", japanese: "ネコぱら" }],
  [80, "100% \\ Orange_Juice", null],
  [90, "S.T.A.L.K.E.R. 2", 75],
];

async function found(database: TestDatabase, q: string, max = 20): Promise<number[]> {
  const appids: number[] = [];
  const reader = createCatalogReader(database.db);
  const words = q.split(" ");
  for (let after: Parameters<typeof reader.apps>[0]["after"]; ; ) {
    const page = await reader.apps({ sort: "relevance", descending: false, words, max, after });
    if ("unknown" in page) throw new Error("no filter is unknown");
    appids.push(...page.apps.map(({ appid }) => appid));
    if (page.next === null) return appids;
    after = page.next;
  }
}

const storeGames = (database: TestDatabase) =>
  catalogOf(() => database).store(
    ...games.map(([appid, name, pics_review_percentage, name_localized = null]) =>
      record(appid, 500, { name, pics_review_percentage, name_localized }),
    ),
  );

async function storeOddNames(database: TestDatabase): Promise<void> {
  const random = createRandom(Number(process.env.SEED ?? 1));
  const letters = [..." .-'!aZéßİ́ﬃ½猫ネｶﾞ한😀\u200b\u00ad\t\n\u{1F468}\u200d%_\\\"|¦–—“”‘’「」『』【】・：！？、。™®©"];
  const odd = Array.from({ length: 300 }, (_, index) =>
    record(1_000 + index, 500, {
      name: Array.from({ length: random.int(0, 700) }, () => random.pick(letters)).join("") || null,
      name_localized: { koreana: "한국 ".repeat(random.int(1, 300)) },
    }),
  );
  // Names of ASCII alone, which the column folds in a way of its own, and with one other letter.
  const ascii = Array.from({ length: 127 }, (_, index) => String.fromCharCode(index + 1));
  const plain = Array.from({ length: 100 }, (_, index) =>
    record(2_001 + index, 500, {
      name: Array.from({ length: random.int(1, 300) }, () => random.pick(ascii)).join("") + (index % 4 ? "" : "É"),
    }),
  );
  const { store, sql } = catalogOf(() => database);
  await store(
    ...odd,
    record(2_000, 500, { name: `${"x".repeat(398)} y` }),
    record(2_200, 500, { name: ascii.join("") }),
    ...plain,
  );
  expect(await sql("select count(*) from apps where appid between 1000 and 2200")).toEqual([{ count: 402 }]);
  expect(await found(database, "한국")).toHaveLength(300);
  const texts = `coalesce(left(name, 200), '') || coalesce(' ¦ ' || left(jsonb_path_query_array(name_localized, '$.*')::text, 1000), '')`;
  expect(
    await sql(
      `select appid from apps where search_text is distinct from rtrim(left(' ' || catalog_fold(${texts}), 400))`,
    ),
    `folded as catalog_fold does (SEED=${process.env.SEED ?? 1})`,
  ).toEqual([]);
  await sql("delete from apps where appid between 1000 and 2200");
}

forEachSqlDatabase("a search by name", (open) => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await open();
    await storeGames(database);
  });

  test("lists the whole name, then names that begin with the words, then the better reviewed, on pages too", async () => {
    expect(await found(database, "dark")).toEqual([10, 30, 20, 40]);
    expect(await found(database, "dark", 1)).toEqual([10, 30, 20, 40]);
  });

  test.each<[string, number[]]>([
    ["souls dark", [20]],
    ["pokemon lets", [60]],
    ["计划", [70]],
    ["ネコ", [70]],
    ["stalker", [90]],
    ["100% juice", [80]],
    // One or two letters begin a word.
    ["da in", [40]],
    ["ar", []],
    ["no such", []],
  ])("for %j finds %j", async (q, appids) => {
    expect(await found(database, q)).toEqual(appids);
  });

  test("stores and finds names of any kind: empty, of marks alone, too long for an index, cut at a space", () =>
    storeOddNames(database));

  test("finds close misses where nothing has the words", async () => {
    expect(await found(database, "stardew vally")).toEqual([50]);
    expect(await found(database, "mesiah")).toEqual([30]);
  });
});

test("without the extension pg_trgm, a search finds whole words and their beginnings", async () => {
  const database = await openTestDatabase("postgres");
  // The test cluster is of locale C: its databases have the index of words, too.
  await database.sql("drop extension pg_trgm cascade");
  await storeOddNames(database);
  await storeGames(database);
  expect(await database.db.rpc("catalog_search_index")).toEqual({ trigrams: false });
  expect(await found(database, "dark")).toEqual([10, 30, 20, 40]);
  expect(await found(database, "sou dark")).toEqual([20]);
  expect(await found(database, "stardew vally")).toEqual([]);
  await database.close();
});

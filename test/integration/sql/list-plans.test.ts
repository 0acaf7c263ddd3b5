import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestDatabase, type TestDatabase } from "../../support/databases.ts";
import { fillScript } from "../../support/generated-catalog/fill.ts";
import { filtersOf, resolved, shapes } from "../../support/generated-catalog/shapes.ts";

/**
 * Plans of lists and searches on Postgres with 50,000 apps. The plan of a call does not show what the function runs, so what each question
 * reads is counted instead: Postgres counts the scans of each table and the rows that indexes led to.
 */

const apps = 50_000;
let database: TestDatabase;

const largeTables = [
  ...["apps", "sync_status", "app_changes", "app_steam_tags", "app_genres", "app_categories", "app_developers"],
  ...["app_publishers", "app_franchises", "app_steam_deck", "developers", "publishers"],
];

/** Calls a function once for each request, and returns what each call read. */
const countReads = `
  create function pg_temp.count_reads(name text, requests jsonb) returns jsonb language plpgsql as $$
  declare
    tables constant oid[] := (select array_agg(relation::regclass::oid) from unnest(string_to_array('${largeTables.join(",")}', ',')) as relation);
    request jsonb;
    before bigint[];
    after bigint[];
    reads jsonb := '[]';
  begin
    for request in select * from jsonb_array_elements(requests) loop
      before := (select array[sum(pg_stat_get_xact_numscans(t)), sum(pg_stat_get_xact_tuples_fetched(t))] from unnest(tables) as t);
      execute format('select public.%I($1)', name) using request;
      after := (select array[sum(pg_stat_get_xact_numscans(t)), sum(pg_stat_get_xact_tuples_fetched(t))] from unnest(tables) as t);
      reads := reads || jsonb_build_object('scans', after[1] - before[1], 'rows', after[2] - before[2]);
    end loop;
    return reads;
  end $$`;

beforeAll(async () => {
  database = await openTestDatabase("postgres");
  await database.sql(await fillScript(apps));
  await database.sql("vacuum (analyze)");
  await database.sql(countReads);
}, 120_000);

afterAll(() => database.close());

async function readsOf(name: string, requests: readonly object[]) {
  const query = "select pg_temp.count_reads($1, $2) as reads";
  const [row] = await database.sql<{ reads: { scans: number; rows: number }[] }>(query, [
    name,
    JSON.stringify(requests),
  ]);
  return row?.reads ?? [];
}

test("every sort with every filter reads no large table from end to end", { timeout: 60_000 }, async () => {
  const asked = shapes(await resolved(filtersOf(), (query) => database.sql(query)));
  const reads = await readsOf(
    "catalog_apps",
    asked.map(({ query }) => ({ ...query, max: 50 })),
  );
  expect(reads.length).toBeGreaterThan(400);
  const faults = reads.flatMap((read, index) =>
    read.scans > 0 || read.rows > apps / 3 ? [`${asked[index]?.name}: ${JSON.stringify(read)}`] : [],
  );
  expect(faults).toEqual([]);
});

test("searches read no large table from end to end", async () => {
  const words = [["stardew"], ["the"], ["a"], ["no", "such"], ["dark", "lihgt"], ["st", "va"], ["星"]];
  const byName = words.map((search) => ({ max: 50, sort: "relevance", words: search }));
  const companies = [["stardew"], ["studio", "dark"], undefined].map((search) => ({
    kind: "developers",
    max: 50,
    ...(search ? { words: search } : {}),
  }));
  const similar = [
    { relation: "developer", value: "Studio Drak 2", edits: 2 },
    { relation: "type", value: "gmae", edits: 1 },
  ];
  const scans = [
    ...(await readsOf("catalog_apps", byName)),
    ...(await readsOf("catalog_companies", companies)),
    ...(await readsOf("catalog_similar", similar)),
  ].map((read) => read.scans);
  expect(scans).toEqual(scans.map(() => 0));
});

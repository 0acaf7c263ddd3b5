/** Compares the contract's tables, field by field, with what {@link readIndependently} expects of them. */
import { isDeepStrictEqual } from "node:util";
import type { ExpectedRows } from "./rows.ts";

/** Plain SQL on the database under test; jsonb columns come back parsed. */
export type Sql = (query: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;

export interface Difference {
  appid: number;
  /**
   * `apps.<column>`, a relation (`tags`, …, `steam_deck`) or `pics_change_number`; `apps` when the row itself is
   * missing or too many.
   */
  field: string;
  expected: unknown;
  actual: unknown;
}

export interface Comparison {
  apps: number;
  /** Values compared: apps × fields. */
  fields: number;
  /** Field → apps with an expected value there (neither null, false nor empty). */
  valued: Record<string, number>;
  differences: Difference[];
}

const isoTime = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const timeColumns = ["steam_release_date", "original_release_date", "store_asset_mtime", "last_content_update"];

/** One value per app, in the shape of the expectation. */
const relationQueries = {
  tags: "select appid, jsonb_agg(jsonb_build_array(tag_id, rank) order by rank) as value from app_steam_tags group by appid",
  genres:
    "select appid, jsonb_agg(jsonb_build_array(genre_id, is_primary) order by genre_id) as value from app_genres group by appid",
  categories: "select appid, jsonb_agg(category_id order by category_id) as value from app_categories group by appid",
  franchises: namesQuery("franchise", "franchises"),
  developers: namesQuery("developer", "developers"),
  publishers: namesQuery("publisher", "publishers"),
  dlc: "select appid, jsonb_agg(dlc_appid order by dlc_appid) as value from app_dlc group by appid",
  steam_deck: `select appid, jsonb_build_object('category', category, 'steamos_category', steamos_category,
    'machine_category', machine_category, 'frame_category', frame_category,
    'test_timestamp', ${isoTime("test_timestamp")}, 'tested_build_id', tested_build_id, 'tests', tests, 'steamos_tests', steamos_tests,
    'machine_tests', machine_tests, 'frame_tests', frame_tests, 'configuration', configuration) as value
    from app_steam_deck`,
  branches: `select appid, jsonb_agg(jsonb_build_object('branch', branch, 'build_id', build_id, 'built_at', ${isoTime("built_at")},
    'updated_at', ${isoTime("updated_at")}, 'description', description, 'password_required', password_required)
    order by branch collate "C") as value from app_branches group by appid`,
  depots: `select d.appid, jsonb_agg(to_jsonb(d) - 'appid' || jsonb_build_object('manifests', coalesce(m.manifests, '[]'))
    order by d.depot_id) as value
    from app_depots d left join (
      select appid, depot_id, jsonb_agg(to_jsonb(m) - 'appid' - 'depot_id' order by branch collate "C") as manifests
      from app_depot_manifests m group by appid, depot_id
    ) m on m.appid = d.appid and m.depot_id = d.depot_id
    group by d.appid`,
};

type Relation = keyof typeof relationQueries;
const relations = Object.keys(relationQueries) as Relation[];
const nameRelations: Relation[] = ["franchises", "developers", "publishers"];

function namesQuery(one: string, many: string): string {
  return `select link.appid, jsonb_agg(named.name) as value
    from app_${many} link join ${many} named on named.id = link.${one}_id group by link.appid`;
}

/**
 * Reads the tables in bulk and compares every field of every expected app. A missing app and an unexpected one
 * are one difference each, in the field `apps`.
 */
export async function compareWithDatabase(sql: Sql, expected: Map<number, ExpectedRows>): Promise<Comparison> {
  const rows = await readAppRows(sql, expected);
  const changeNumbers = await readValues(sql, "select appid, pics_change_number::text as value from sync_status");
  const related = new Map<Relation, Map<number, unknown>>();
  for (const relation of relations) related.set(relation, await readValues(sql, relationQueries[relation]));

  const result: Comparison = { apps: expected.size, fields: 0, valued: {}, differences: [] };
  function check(appid: number, field: string, wanted: unknown, actual: unknown): void {
    result.fields += 1;
    if (holdsSomething(wanted)) result.valued[field] = (result.valued[field] ?? 0) + 1;
    if (!isDeepStrictEqual(wanted, actual)) result.differences.push({ appid, field, expected: wanted, actual });
  }

  for (const appid of rows.keys()) {
    if (!expected.has(appid)) {
      result.differences.push({ appid, field: "apps", expected: "no row", actual: "a row" });
    }
  }
  for (const [appid, wanted] of expected) {
    const row = rows.get(appid);
    if (row === undefined) {
      result.differences.push({ appid, field: "apps", expected: "a row", actual: "no row" });
      continue;
    }
    for (const [column, value] of Object.entries(wanted.apps)) check(appid, `apps.${column}`, value, row[column]);
    for (const relation of relations) {
      const stored = related.get(relation)?.get(appid) ?? (relation === "steam_deck" ? null : []);
      const sorted = nameRelations.includes(relation) ? [...(stored as string[])].sort() : stored;
      check(appid, relation, wanted[relation], sorted);
    }
    const changeNumber = changeNumbers.get(appid);
    check(appid, "pics_change_number", wanted.changeNumber, changeNumber == null ? null : Number(changeNumber));
  }
  return result;
}

async function readAppRows(
  sql: Sql,
  expected: Map<number, ExpectedRows>,
): Promise<Map<number, Record<string, unknown>>> {
  const [sample] = expected.values();
  if (sample === undefined) throw new Error("nothing is expected, so nothing would be compared");
  const columns = Object.keys(sample.apps).map((column) =>
    timeColumns.includes(column) ? `${isoTime(column)} as ${column}` : column,
  );
  const rows = await sql(`select ${columns.join(", ")} from apps`);
  return new Map(rows.map((row) => [Number(row.appid), row]));
}

async function readValues(sql: Sql, query: string): Promise<Map<number, unknown>> {
  return new Map((await sql(query)).map((row) => [Number(row.appid), row.value]));
}

function holdsSomething(value: unknown): boolean {
  return value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
}

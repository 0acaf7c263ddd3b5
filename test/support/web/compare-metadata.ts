import { isDeepStrictEqual } from "node:util";
import { type ExpectedMetadata, emptyMetadata } from "./read-steamspy.ts";

export interface MetadataDifference {
  appid: number;
  /** A column of `game_metadata`; `row` for a missing or extra row. */
  column: string;
  expected: unknown;
  actual: unknown;
}

/** Plain SQL on the database under test; jsonb columns come back parsed. */
type Sql = (query: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;

const columns = Object.keys(emptyMetadata());

/** Compares all of `game_metadata` with the expected rows. Returns the first `limit` differences; none if equal. */
export async function compareMetadata(
  sql: Sql,
  expected: Map<number, ExpectedMetadata>,
  limit = 20,
): Promise<MetadataDifference[]> {
  if (expected.size === 0) throw new Error("nothing is expected, so nothing would be compared");
  const rows = await sql(`select appid, ${columns.join(", ")} from game_metadata order by appid`);
  const actual = new Map(rows.map((row) => [Number(row.appid), row]));
  const differences: MetadataDifference[] = [];
  for (const [appid, wanted] of expected) {
    const row = actual.get(appid);
    if (row) differences.push(...rowDifferences(appid, wanted, row));
    else differences.push({ appid, column: "row", expected: "a row", actual: "no row" });
  }
  for (const appid of actual.keys()) {
    if (!expected.has(appid)) differences.push({ appid, column: "row", expected: "no row", actual: "a row" });
  }
  return differences.slice(0, limit);
}

function rowDifferences(appid: number, wanted: ExpectedMetadata, row: Record<string, unknown>): MetadataDifference[] {
  return Object.entries(wanted)
    .filter(([column, value]) => !isDeepStrictEqual(value, row[column]))
    .map(([column, value]) => ({ appid, column, expected: value, actual: row[column] }));
}

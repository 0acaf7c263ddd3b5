import { isDeepStrictEqual } from "node:util";
import type { ExpectedRows } from "./rows.ts";

/** One row of `app_changes`, without its id and time. */
export interface ExpectedChange {
  appid: number;
  change_number: number;
  field: string;
  old: unknown;
  new: unknown;
}

/** The history of one step of an app, by field: a row for each field whose value differs. */
export function changesBetween(appid: number, before: ExpectedRows, after: ExpectedRows): ExpectedChange[] {
  const [old, now] = [imageOf(before), imageOf(after)];
  return Object.keys(now)
    .sort()
    .filter((field) => !isDeepStrictEqual(old[field], now[field]))
    .map((field) => ({ appid, change_number: after.changeNumber, field, old: old[field], new: now[field] }));
}

/** Relations are compared as sorted lists of ids, names or rows: neither depots, nor a tag's rank nor a genre's place is history. */
function imageOf({ apps, tags, genres, depots, ...rows }: ExpectedRows): Record<string, unknown> {
  const { appid, ...columns } = apps;
  const { partial, changeNumber, ...relations } = rows;
  const ids = (pairs: [id: number, ...unknown[]][]) => pairs.map(([id]) => id).sort((a, b) => a - b);
  return { ...columns, ...relations, tags: ids(tags), genres: ids(genres) };
}

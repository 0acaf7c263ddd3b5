import { z } from "zod";
import { int32Max } from "../../process/limits.ts";
import { Problem } from "../problem.ts";

/**
 * Cursors of keyset pagination: the order of a list and the key of a page's last entry, as an opaque text. A cursor is valid for one order
 * of one list.
 */
export type CursorKey = readonly (string | number | boolean | null)[];

const appid = z.int().min(0).max(int32Max);
const feedId = z.int().min(0).max(Number.MAX_SAFE_INTEGER);
/** A timestamp in UTC as Postgres writes it. */
const time = z.string().regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/);
const score = z.string().regex(/^\d{1,5}(\.\d{1,5})?$/);

/** Keys of a list of apps, by what it is sorted by: the sort value as text, and the appid. */
export const appKeys = {
  appid: z.tuple([z.string().regex(/^\d{1,10}$/), appid]),
  name: z.tuple([z.string().nullable(), appid]),
  reviews: z.tuple([score.nullable(), appid]),
  release_date: z.tuple([time.nullable(), appid]),
  updated: z.tuple([time.nullable(), appid]),
  /** Class of the match and reviews (catalog_apps), as one number. */
  relevance: z.tuple([z.string().regex(/^\d{1,4}$/), appid]),
};
/** The name. */
export const companyKey = z.tuple([z.string()]);
/** Of changes and of events: id of the last one, and `last_id` of the first page. */
export const feedKey = z.tuple([feedId, feedId]);
/** Whether the app shares the depot, and its appid. */
export const depotAppKey = z.tuple([z.boolean(), appid]);

export function encodeCursor(order: string, key: CursorKey): string {
  return Buffer.from(JSON.stringify([order, ...key])).toString("base64url");
}

/** @throws {Problem} 400 for a text that is no cursor, and for a cursor of another list or order. */
export function decodeCursor<Key extends CursorKey>(order: string, shape: z.ZodType<Key>, cursor: string): Key {
  const [of, ...key] = parse(cursor);
  const parsed = of === order ? shape.safeParse(key) : null;
  if (parsed?.success) return parsed.data;
  const detail = "cursor is not one of this list in this order; take `next` of the previous page unchanged";
  throw new Problem(400, `${detail}.`, { errors: [{ parameter: "cursor", detail }] });
}

function parse(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

import { z } from "zod";
import type { PageKey } from "../../db/catalog-reader.ts";
import { int32Max } from "../../process/limits.ts";
import { Problem } from "../problem.ts";

/** Cursors of keyset pagination: the sort key of a page's last entry, as an opaque text. A cursor is valid for one sort order. */

const id = z.int().min(0).max(int32Max);
/** A timestamp in UTC as Postgres writes it. */
const time = z.string().regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00$/);
const keys: Record<string, z.ZodType<string | null>> = {
  appid: z.string().regex(/^\d{1,10}$/),
  name: z.string().nullable(),
  reviews: z
    .string()
    .regex(/^\d{1,5}(\.\d{1,5})?$/)
    .nullable(),
  release_date: time.nullable(),
  updated: time.nullable(),
};

export function encodeCursor(sort: string, { key, appid }: PageKey): string {
  return Buffer.from(JSON.stringify([sort, key, appid])).toString("base64url");
}

/** @throws {Problem} 400 for a text that is no cursor, and for a cursor of another sort order. */
export function decodeCursor(sort: string, cursor: string): PageKey {
  const parsed = z.tuple([z.literal(sort), keys[sort.replace("-", "")] ?? z.never(), id]).safeParse(json(cursor));
  if (parsed.success) return { key: parsed.data[1], appid: parsed.data[2] };
  const detail = "it is not a cursor of this list and sort order; take `next` of the previous page unchanged";
  throw new Problem(400, `The cursor is invalid: ${detail}.`, [{ parameter: "cursor", detail }]);
}

function json(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
  } catch {
    return null;
  }
}

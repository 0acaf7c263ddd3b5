import { z } from "zod";
import { deckCategories } from "../../catalog/app-record.ts";
import { appSorts } from "../../catalog/views.ts";
import { int32Max } from "../../process/limits.ts";

/** Path and query parameters. Each appears in the OpenAPI document with its limits and description. */

const maxChangeId = Number.MAX_SAFE_INTEGER;
/** One line of text: Postgres rejects NUL, and no name contains other control characters. */
const line = z
  .string()
  .min(1)
  .max(200)
  .regex(/^\P{Cc}*$/u, "must not contain control characters");
const list = z.array(line).max(10);
const time = z.union(
  [z.iso.datetime({ offset: true }), z.iso.date()],
  "must be a date or a time, such as 2026-07-01T12:00:00Z",
);

const cursor = z.string().max(1_000).optional().meta({ description: "`next` of the previous page, unchanged" });
const search = line.max(100).optional().meta({ description: "words in the name, case-insensitive, in any order" });
const limit = (most: number) =>
  z.int().min(1).max(most).default(50).meta({ description: "maximum number of entries of a page" });

export const appidPath = z.strictObject({ appid: z.int().min(1).max(int32Max) });

export const sorts = appSorts.flatMap((sort) => [sort, `-${sort}`] as const);

export const appFilters = z.strictObject({
  type: list
    .optional()
    .meta({ description: "any of these: game, dlc, demo, …; repeat the parameter for several values" }),
  tag: list.optional().meta({ description: "all of these, by id or by case-insensitive name" }),
  genre: list.optional().meta({ description: "all of these, by id or by case-insensitive name" }),
  category: list.optional().meta({ description: "all of these, by id or by case-insensitive name" }),
  franchise: list.optional().meta({ description: "all of these, by exact name" }),
  developer: list.optional().meta({ description: "all of these, by exact name" }),
  publisher: list.optional().meta({ description: "all of these, by exact name" }),
  deck: z.array(z.enum(deckCategories)).max(4).optional().meta({ description: "any of these verdicts" }),
  platform: list.optional().meta({ description: "all of these: windows, macos, linux, …" }),
  parent: z
    .int()
    .min(1)
    .max(int32Max)
    .optional()
    .meta({ description: "DLC, demos and other apps that belong to this app" }),
  free: z.boolean().optional(),
  active: z.boolean().optional().meta({ description: "known to Steam and not delisted" }),
  released_since: time.optional(),
  released_before: time.optional(),
  changed_since: time.optional().meta({ description: "a stored field of the app changed at or after this time" }),
  q: search,
  sort: z
    .enum(sorts)
    .default("appid")
    .meta({ description: "prefix - for descending order; apps without a value come last" }),
  limit: limit(200),
  cursor,
});

export const changesOfApp = z.strictObject({
  before: z.int().min(1).max(maxChangeId).optional().meta({ description: "`next_before` of the previous page" }),
  limit: limit(500),
});

export const changesOfAll = changesOfApp
  .extend({
    after: z.int().min(0).max(maxChangeId).optional().meta({
      description: "changes after this id, oldest first; without it, newest first",
    }),
  })
  .refine(({ after, before }) => after === undefined || before === undefined, {
    path: ["before"],
    message: "after and before exclude each other",
  });

export const streamStart = z.strictObject({
  after: z
    .int()
    .min(0)
    .max(maxChangeId)
    .optional()
    .meta({ description: "starts after this id; without it, with the next new change" }),
});

export const companyFilters = z.strictObject({
  q: search,
  limit: limit(500),
  cursor,
});

/** Splits a search text into words. */
export function words(search: string | undefined): string[] | undefined {
  return search?.split(/\s+/).filter((word) => word !== "");
}

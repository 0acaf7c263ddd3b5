import { z } from "zod";
import { deckCategories, steamosCategories } from "../../../src/catalog/app-record.ts";

/** What the SQL side relies on, written down a second time and apart from the extractor. */

const id = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const text = z
  .string()
  .min(1)
  .refine((value) => value === value.trim() && value.isWellFormed() && !value.includes("\0"));
const lowerText = text.refine((value) => value === value.toLowerCase());
const time = z.iso.datetime({ precision: 3 });
const once = <T extends z.ZodType>(item: T) => z.array(item).refine((list) => new Set(list).size === list.length);

const languageSupport = z.strictObject({ supported: z.boolean(), full_audio: z.boolean(), subtitles: z.boolean() });

const steamDeck = z.strictObject({
  category: z.enum(deckCategories),
  steamos_category: z.enum(steamosCategories).nullable(),
  machine_category: z.enum(deckCategories).nullable(),
  frame_category: z.enum(deckCategories).nullable(),
  test_timestamp: time.nullable(),
  tested_build_id: text.nullable(),
  tests: z
    .array(z.strictObject({ display: z.int().min(0).nullable(), token: text }))
    .min(1)
    .nullable(),
});

/** The record of a payload with all sections: every key is there. */
export const wholeRecord = z.strictObject({
  appid: id,
  name: text.nullable(),
  type: lowerText.nullable(),
  is_free: z.boolean(),
  release_state: lowerText.nullable(),
  steam_release_date: time.nullable(),
  original_release_date: time.nullable(),
  store_asset_mtime: time.nullable(),
  platforms: lowerText.refine((list) => list.split(",").every((platform) => platform.trim() === platform)).nullable(),
  controller_support: lowerText.nullable(),
  pics_review_score: z.int().min(0).max(9).nullable(),
  pics_review_percentage: z.int().min(0).max(100).nullable(),
  metacritic_score: z.int().min(0).max(100).nullable(),
  metacritic_url: text.nullable(),
  parent_appid: id.nullable(),
  homepage_url: text.nullable(),
  app_state: text.nullable(),
  last_content_update: time.nullable(),
  current_build_id: text.nullable(),
  content_descriptors: once(id).min(1).nullable(),
  languages: z.record(z.string().regex(/^[a-z_]+$/), languageSupport).nullable(),
  has_workshop: z.boolean(),
  primary_genre_id: id.nullable(),
  tags: once(id),
  genres: once(id),
  categories: once(id),
  franchises: once(text),
  developers: once(text),
  publishers: once(text),
  dlc: once(id),
  dlc_complete: z.boolean(),
  steam_deck: steamDeck.nullable(),
});

/** The record of a payload that lacks sections: any of the keys but the appid may be missing, and none is `undefined`. */
export const partialRecord = wholeRecord
  .partial()
  .required({ appid: true })
  .refine((record) => Object.values(record).every((value) => value !== undefined));

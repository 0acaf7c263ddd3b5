import { z } from "zod";
import { aiContents, deckCategories, steamosCategories, vrSupports } from "../../../src/catalog/app-record.ts";

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

/** A block that has a key, also one (`__proto__`) that zod does not copy. */
function filled<T extends z.ZodType>(record: T) {
  return z
    .any()
    .refine((value) => Object.keys(value).length > 0)
    .pipe(record);
}

const deckTests = z
  .array(z.strictObject({ display: z.int().min(0).nullable(), token: text }))
  .min(1)
  .nullable();

const steamDeck = z.strictObject({
  category: z.enum(deckCategories),
  steamos_category: z.enum(steamosCategories).nullable(),
  machine_category: z.enum(deckCategories).nullable(),
  frame_category: z.enum(deckCategories).nullable(),
  test_timestamp: time.nullable(),
  tested_build_id: text.nullable(),
  tests: deckTests,
  steamos_tests: deckTests,
  machine_tests: deckTests,
  frame_tests: deckTests,
  configuration: filled(z.record(text, text)).nullable(),
});

const assets = filled(
  z.record(
    z.string().regex(/^[a-z0-9_]+$/),
    filled(
      z.record(
        z.string().regex(/^[a-z_]+$/),
        text.refine((path) => !/\p{Cc}|:|\\|^\/|\/$|\/\/|(^|\/)\.{1,2}(\/|$)/u.test(path)),
      ),
    ),
  ),
);

const branch = z.strictObject({
  branch: text,
  build_id: text.nullable(),
  built_at: time.nullable(),
  updated_at: time.nullable(),
  description: text.nullable(),
  password_required: z.boolean(),
});

const bytes = z.int().min(0).nullable();
const manifest = z.strictObject({
  branch: text,
  manifest_id: z.string().regex(/^\d{1,20}$/),
  size_bytes: bytes,
  download_bytes: bytes,
});
const depot = z.strictObject({
  depot_id: id,
  name: text.nullable(),
  os_list: text.nullable(),
  os_arch: text.nullable(),
  language: text.nullable(),
  dlc_appid: id.nullable(),
  from_appid: id.nullable(),
  shared_install: z.boolean(),
  manifests: sortedBy("branch", z.array(manifest)),
});

/** Ascending by a key, without equal ones. */
function sortedBy<Key extends string, T extends z.ZodType<{ [key in Key]: string | number }[]>>(key: Key, list: T) {
  return list.refine((items) => items.every((item, i) => i === 0 || (items[i - 1]?.[key] ?? item[key]) < item[key]));
}

/** The record of a payload with all sections: every key is there. */
export const wholeRecord = z.strictObject({
  appid: id,
  name: text.nullable(),
  name_localized: filled(z.record(z.string().regex(/^[a-z_]+$/), text)).nullable(),
  type: lowerText.nullable(),
  is_free: z.boolean(),
  release_state: lowerText.nullable(),
  steam_release_date: time.nullable(),
  original_release_date: time.nullable(),
  store_asset_mtime: time.nullable(),
  platforms: lowerText.refine((list) => list.split(",").every((platform) => platform.trim() === platform)).nullable(),
  controller_support: lowerText.nullable(),
  os_arch: text.nullable(),
  vr_support: z.enum(vrSupports).nullable(),
  pics_review_score: z.int().min(0).max(9).nullable(),
  pics_review_percentage: z.int().min(0).max(100).nullable(),
  pics_review_score_without_bombs: z.int().min(0).max(9).nullable(),
  pics_review_percentage_without_bombs: z.int().min(0).max(100).nullable(),
  metacritic_score: z.int().min(0).max(100).nullable(),
  metacritic_url: text.nullable(),
  parent_appid: id.nullable(),
  must_own_appid: id.nullable(),
  homepage_url: text.nullable(),
  app_state: text.nullable(),
  last_content_update: time.nullable(),
  current_build_id: text.nullable(),
  content_descriptors: once(id).min(1).nullable(),
  languages: z.record(z.string().regex(/^[a-z_]+$/), languageSupport).nullable(),
  has_workshop: z.boolean(),
  ai_content: once(z.enum(aiContents)).min(1).nullable(),
  restricted_countries: once(z.string().regex(/^[A-Z]{2}$/))
    .min(1)
    .nullable(),
  family_sharing_excluded: z.boolean(),
  playtest_type: z.int().min(0).max(32_767).nullable(),
  install_dir: text.nullable(),
  assets: assets.nullable(),
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
  branches: sortedBy("branch", z.array(branch)),
  depots: sortedBy("depot_id", z.array(depot)),
});

/** The record of a payload that lacks sections: any of the keys but the appid may be missing, and none is `undefined`. */
export const partialRecord = wholeRecord
  .partial()
  .required({ appid: true })
  .refine((record) => Object.values(record).every((value) => value !== undefined));

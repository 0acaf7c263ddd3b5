import { z } from "zod";
import { deckCategories, steamosCategories } from "./app-record.ts";
import { maxId } from "./values.ts";

/**
 * Views of the catalog, defined once: the result of the database's read functions, the replies of the read API, and the schemas of its
 * OpenAPI document. Names are those of the columns; times are ISO 8601 in UTC.
 */

const id = z.int().min(1).max(maxId);
const count = z.int().min(0);
const time = z.iso.datetime({ offset: true });

/** A tag, genre or category; the name is null while only its id is known. */
const named = z.object({ id, name: z.string().nullable() });

const otherApp = z.object({ appid: id, name: z.string().nullable().meta({ description: "null until it is stored" }) });

const freshness = {
  change_number: count.nullable().meta({ description: "of the stored app info; null before the first sync" }),
  synced_at: time.nullable().meta({
    description:
      "freshness: when Steam's app info was stored, or the start of the last sweep that found every stored change number current, whichever is later",
  }),
  is_pending: z.boolean().meta({ description: "Steam has announced a newer change that is not stored yet" }),
};

const deckCategory = z.enum(deckCategories);

const languageSupport = z.object({
  supported: z.boolean().meta({ description: "in the interface" }),
  full_audio: z.boolean(),
  subtitles: z.boolean(),
});

const facts = {
  appid: id,
  name: z.string().nullable(),
  type: z.string().nullable().meta({ description: "lower-cased: game, dlc, demo, beta, tool, music, …; an open set" }),
  is_active: z.boolean().meta({ description: "known to Steam and not delisted" }),
  is_free: z.boolean().nullable().meta({ description: "Steam marks it as free; demos and playtests are" }),
  release_state: z.string().nullable(),
  steam_release_date: time.nullable(),
  platforms: z.array(z.string()).meta({ description: "windows, macos, linux, then others; an open set" }),
  pics_review_score: z
    .number()
    .nullable()
    .meta({ description: "1 overwhelmingly negative … 9 overwhelmingly positive" }),
  pics_review_percentage: z.number().nullable().meta({ description: "share of positive reviews, 0–100" }),
  last_content_update: time.nullable().meta({ description: "when the public branch was last built" }),
};

/** An app in lists. */
export const appSummary = z
  .object({
    ...facts,
    parent_appid: id.nullable(),
    deck: deckCategory.nullable().meta({ description: "Steam Deck verdict of Valve; null when there is none" }),
    developers: z.array(z.string()),
    publishers: z.array(z.string()),
    tags: z.array(z.string()).meta({ description: "ranked, most applied first; tags without a name are omitted" }),
    ...freshness,
    updated_at: time.meta({ description: "when a field last changed" }),
  })
  .meta({ id: "AppSummary" });
export type AppSummary = z.infer<typeof appSummary>;

/** An app with all its fields. */
export const appView = z
  .object({
    ...facts,
    is_known: z.boolean().meta({ description: "false once Steam answers that the app is unknown" }),
    is_listed: z.boolean().nullable().meta({ description: "null until an app list contains it; false: delisted" }),
    original_release_date: time.nullable(),
    store_asset_mtime: time.nullable(),
    controller_support: z.string().nullable(),
    metacritic_score: z.number().nullable(),
    metacritic_url: z.string().nullable(),
    homepage_url: z.string().nullable(),
    app_state: z.string().nullable(),
    current_build_id: z.string().nullable().meta({ description: "of the public branch" }),
    content_descriptors: z
      .array(z.int())
      .nullable()
      .meta({ description: "1 some nudity, 2 violence, 3 adult only, 4 frequent nudity, 5 general mature" }),
    languages: z.record(z.string(), languageSupport).nullable(),
    has_workshop: z.boolean().nullable(),
    primary_genre_id: id
      .nullable()
      .meta({ description: "the genre that Steam calls primary; it need not be among `genres`" }),
    parent: otherApp.nullable(),
    dlc: z.array(otherApp),
    tags: z.array(named.extend({ rank: z.int() })).meta({ description: "ranked, most applied first" }),
    genres: z.array(named.extend({ is_primary: z.boolean() })),
    categories: z.array(named),
    franchises: z.array(z.string()),
    developers: z.array(z.string()),
    publishers: z.array(z.string()),
    steam_deck: z
      .object({
        category: deckCategory,
        steamos_category: z.enum(steamosCategories).nullable(),
        machine_category: deckCategory.nullable().meta({ description: "Steam Machine" }),
        frame_category: deckCategory.nullable().meta({ description: "Steam Frame" }),
        test_timestamp: time.nullable(),
        tested_build_id: z.string().nullable(),
        tests: z.array(z.object({ display: z.int().nullable(), token: z.string() })).nullable(),
      })
      .nullable(),
    ...freshness,
    missing_token: z.boolean().meta({ description: "Steam shows anonymous sessions only the public part of this app" }),
    created_at: time,
    updated_at: time.meta({ description: "when a field last changed" }),
  })
  .meta({ id: "App" });
export type AppView = z.infer<typeof appView>;

/** A change of one field of an app that was stored before. */
export const changeView = z
  .object({
    id: count.meta({ description: "increases in the order in which changes are served" }),
    appid: id,
    name: z.string().nullable(),
    type: z.string().nullable(),
    change_number: count,
    field: z.string().meta({ description: "a column of apps, or a relation (tags, dlc, steam_deck, …) as a whole" }),
    old: z.unknown(),
    new: z.unknown(),
    detected_at: time,
  })
  .meta({ id: "Change" });
export type ChangeView = z.infer<typeof changeView>;

/** A tag, genre or category with its number of apps. */
export const namedCount = z.object({ id, name: z.string().nullable(), apps: count }).meta({ id: "Named" });
export type NamedCount = z.infer<typeof namedCount>;

/** A developer, publisher or franchise with its number of apps. */
export const companyCount = z.object({ name: z.string(), apps: count }).meta({ id: "Company" });
export type CompanyCount = z.infer<typeof companyCount>;

/** Number of changes, and of changed apps, in one minute. */
export const activityMinute = z.object({ minute: time, apps: count, changes: count });
export type ActivityMinute = z.infer<typeof activityMinute>;

export const labelKinds = ["tags", "genres", "categories"] as const;
export type LabelKind = (typeof labelKinds)[number];
export const companyKinds = ["developers", "publishers", "franchises"] as const;
export type CompanyKind = (typeof companyKinds)[number];

export const appSorts = ["appid", "name", "release_date", "reviews", "updated"] as const;
export type AppSort = (typeof appSorts)[number];

import { z } from "zod";
import { aiContents, deckCategories, steamosCategories, vrSupports } from "./app-record.ts";
import {
  appTypes,
  codesInWords,
  contentDescriptors,
  deckTestResults,
  releaseStates,
  reviewScores,
} from "./code-names.ts";
import { maxId } from "./values.ts";
import * as examples from "./view-examples.ts";

/**
 * Views of the catalog, defined once: the result of the database's read functions, the replies of the read API, and the schemas of its
 * OpenAPI document. Names are those of the columns, keys are served in the order of the schemas, and times are ISO 8601 in UTC. A schema
 * with an `id` is a component of the document.
 */

export const id = z.int().min(1).max(maxId);
export const count = z.int().min(0);
export const time = z.iso.datetime({ offset: true }).meta({ id: "Time", examples: [examples.time] });

export const label = z
  .object({ id, name: z.string().nullable().meta({ description: "null while only the id is known" }) })
  .meta({ id: "Label", description: "a tag, genre or category", examples: [examples.label] });

export const appReference = z
  .object({ appid: id, name: z.string().nullable().meta({ description: "null while the app is not stored" }) })
  .meta({ id: "AppReference", description: "another app", examples: [examples.appReference] });

const languageSupport = z
  .object({
    supported: z.boolean().meta({ description: "in the interface" }),
    full_audio: z.boolean(),
    subtitles: z.boolean(),
  })
  .meta({ id: "LanguageSupport", examples: [examples.languageSupport] });

const deckCategory = z.enum(deckCategories).meta({ id: "DeckVerdict", examples: ["verified"] });

/** What lists show of the compatibility with Steam Deck. */
const steamDeck = z
  .object({
    category: deckCategory.meta({ description: "Valve's verdict for the Steam Deck" }),
    steamos_category: z.enum(steamosCategories).nullable().meta({ description: "SteamOS; null: no verdict" }),
    machine_category: deckCategory.nullable().meta({ description: "Steam Machine; null: no verdict" }),
    frame_category: deckCategory.nullable().meta({ description: "Steam Frame; null: no verdict" }),
    test_timestamp: time.nullable(),
    tested_build_id: z.string().nullable(),
  })
  .meta({ id: "SteamDeck", description: "compatibility by Valve's review", examples: [examples.steamDeck] });

const deckTest = z
  .object({
    display: z
      .int()
      .nullable()
      .meta({ description: `how Steam shows it: ${codesInWords(deckTestResults)}; on SteamOS 3 is compatible` }),
    token: z.string().meta({ description: "Steam's name of the text" }),
  })
  .meta({ id: "DeckTest", examples: [examples.deckTest] });
const deckTests = z.array(deckTest).nullable();

const steamDeckReport = steamDeck
  .extend({
    tests: deckTests.meta({ description: "of the Steam Deck, in Valve's order" }),
    steamos_tests: deckTests,
    machine_tests: deckTests,
    frame_tests: deckTests,
    configuration: z
      .record(z.string(), z.string())
      .nullable()
      .meta({ description: "what Valve noted for the Steam Deck, as Steam writes it" }),
  })
  .meta({
    id: "SteamDeckReport",
    description: "compatibility by Valve's review, with its tests",
    examples: [examples.steamDeckReport],
  });

const steamSpy = z
  .object({
    owners_estimate: z.string().nullable().meta({ description: "a range such as 20,000 .. 50,000" }),
    owners_doubtful: z
      .boolean()
      .nullable()
      .meta({ description: "there are more reviews than a tenth of the range's upper end; null: no estimate" }),
    positive_reviews: count.nullable(),
    negative_reviews: count.nullable(),
    average_playtime_forever: count.nullable().meta({ description: "minutes; 0 also where SteamSpy reports none" }),
    average_playtime_2weeks: count.nullable().meta({ description: "minutes; 0 also where SteamSpy reports none" }),
    price: count.nullable().meta({ description: "US cents at the time" }),
    last_updated: time,
  })
  .meta({ id: "SteamSpy", description: "SteamSpy's estimates, by the collector", examples: [examples.steamSpy] });

const score = z
  .number()
  .nullable()
  .meta({
    description: `${codesInWords(reviewScores)}; 0 none. Since when: the newest event review_verdict of the app`,
  });
const percentage = z.number().nullable().meta({ description: "share of positive reviews, 0–100" });

/** An app with all its fields. */
export const appView = z
  .object({
    appid: id,
    name: z.string().nullable(),
    type: z
      .string()
      .nullable()
      .meta({ description: `lower-cased: ${[...appTypes.keys()].join(", ")}, …; an open set` }),
    name_localized: z
      .record(z.string(), z.string())
      .nullable()
      .meta({ description: "by Steam's name of the language; null where there is none" }),
    is_active: z.boolean().meta({ description: "known to Steam and not delisted" }),
    is_known: z.boolean().meta({ description: "false once Steam answers that the app is unknown" }),
    is_listed: z.boolean().nullable().meta({ description: "null until an app list contains it; false: delisted" }),
    is_free: z.boolean().nullable().meta({ description: "Steam marks it as free; demos and playtests are" }),
    release_state: z
      .string()
      .nullable()
      .meta({ description: `lower-cased: ${[...releaseStates.keys()].join(", ")}, …; an open set` }),
    steam_release_date: time.nullable(),
    original_release_date: time.nullable(),
    parent: appReference
      .nullable()
      .meta({ description: "the app that a DLC, demo, playtest or soundtrack belongs to" }),
    must_own_appid: id.nullable().meta({ description: "the app that must be owned to buy this one" }),
    playtest_type: z.int().nullable().meta({ description: "Steam's code of a playtest; not documented by Steam" }),
    dlc: z.array(appReference),
    developers: z.array(z.string()),
    publishers: z.array(z.string()),
    franchises: z.array(z.string()),
    tags: z.array(label).meta({ description: "by rank, the most applied first" }),
    genres: z.array(label),
    primary_genre_id: id
      .nullable()
      .meta({ description: "the genre that Steam calls primary; it need not be among `genres`" }),
    categories: z.array(label),
    content_descriptors: z
      .array(z.int())
      .nullable()
      .meta({ description: codesInWords(contentDescriptors) }),
    ai_content: z.array(z.enum(aiContents)).nullable().meta({
      description: "made with generative AI, as the developer declares: before release, or live; null: nothing",
    }),
    platforms: z.array(z.string()).meta({ description: "windows, macos, linux, then others; an open set" }),
    os_arch: z.string().nullable().meta({ description: "word size that the app needs: 64, 32; null: not said" }),
    controller_support: z.string().nullable(),
    vr_support: z.enum(vrSupports).nullable().meta({ description: "only: needs virtual reality" }),
    steam_deck: steamDeckReport.nullable(),
    languages: z
      .record(z.string(), languageSupport)
      .nullable()
      .meta({ description: "by Steam's name of the language" }),
    has_workshop: z.boolean().nullable(),
    family_sharing_excluded: z.boolean().nullable(),
    restricted_countries: z
      .array(z.string())
      .nullable()
      .meta({ description: "two-letter codes of the countries where Steam does not sell the app" }),
    pics_review_score: score,
    pics_review_percentage: percentage,
    pics_review_score_without_bombs: score,
    pics_review_percentage_without_bombs: percentage,
    metacritic_score: z.number().nullable(),
    metacritic_url: z.string().nullable(),
    homepage_url: z.string().nullable(),
    app_state: z.string().nullable(),
    current_build_id: z.string().nullable().meta({ description: "of the public branch" }),
    last_content_update: time.nullable().meta({ description: "when the public branch was last built" }),
    install_dir: z.string().nullable().meta({ description: "folder under steamapps/common" }),
    store_asset_mtime: time.nullable(),
    assets: z
      .record(z.string(), z.record(z.string(), z.string()))
      .nullable()
      .meta({ description: "addresses of the art, by kind, then by language; those of `icons` by name" }),
    store_modified_at: time.nullable().meta({
      description: "when the store page was last changed, by the store's app list; null: no list told",
    }),
    price_change_number: count.nullable().meta({
      description: "rises with each change of a price, by the store's app list; null: no list told",
    }),
    steamspy: steamSpy.nullable().meta({ description: "null for an app that SteamSpy was not seen to know" }),
    change_number: count.nullable().meta({ description: "of the stored app info; null before the first sync" }),
    synced_at: time.nullable().meta({
      description:
        "freshness: when Steam's app info was stored, or the start of the last sweep that found every stored change number current, whichever is later",
    }),
    is_pending: z.boolean().meta({ description: "Steam has announced a newer change that is not stored yet" }),
    missing_token: z.boolean().meta({ description: "Steam shows anonymous sessions only the public part of this app" }),
    created_at: time,
    updated_at: time.meta({ description: "when a field last changed" }),
  })
  .meta({ id: "App", examples: [examples.app] });
export type AppView = z.infer<typeof appView>;

/** An app in lists: fewer keys, each in the form that it has in {@link appView}. */
export const appSummary = appView
  .pick({
    appid: true,
    name: true,
    type: true,
    is_active: true,
    is_free: true,
    release_state: true,
    steam_release_date: true,
    parent: true,
    developers: true,
    publishers: true,
    tags: true,
    platforms: true,
    steam_deck: true,
    pics_review_score: true,
    pics_review_percentage: true,
    last_content_update: true,
    change_number: true,
    synced_at: true,
    is_pending: true,
    updated_at: true,
  })
  .extend({ steam_deck: steamDeck.nullable() })
  .meta({ id: "AppSummary", examples: [examples.appSummary] });
export type AppSummary = z.infer<typeof appSummary>;

/** A change of one field of an app that was stored before. */
export const changeView = z
  .object({
    id: count.meta({ description: "increases in the order in which changes are served" }),
    appid: id,
    name: z.string().nullable(),
    type: z.string().nullable(),
    change_number: count,
    field: z.string().meta({
      description: "a column of apps, or a relation (tags, dlc, steam_deck, branches, …) as a whole; added: a new app",
    }),
    old: z.unknown(),
    new: z.unknown(),
    detected_at: time,
  })
  .meta({ id: "Change", examples: [examples.change] });
export type ChangeView = z.infer<typeof changeView>;

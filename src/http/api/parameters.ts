import { z } from "zod";
import { aiContents, deckCategories, vrSupports } from "../../catalog/app-record.ts";
import { eventKinds } from "../../catalog/event-views.ts";
import { appSorts } from "../../catalog/list-views.ts";
import { int32Max } from "../../process/limits.ts";
import { flag, int, joinedList, line, list, oneOf, time } from "./parameter-types.ts";

/** Path and query parameters. Each appears in the OpenAPI document with its limits and description. */

const cursor = z
  .string()
  .max(1_000, "must be `next` of the previous page")
  .optional()
  .meta({ description: "`next` of the previous page, unchanged" });
/** Each word is a condition on every name. */
const maxWords = 8;
const tooManyWords = `must have at most ${maxWords} different words`;
const isSearch = (text: string) => words(text).length <= maxWords;
const search = line(100)
  .refine(isSearch, tooManyWords)
  .optional()
  .meta({
    description: `words in the name or in its translations, in any order, without regard to case and accents, at most ${maxWords} different ones; those of one or two letters begin a word. Where no name has them, names that resemble them`,
  });
const limit = (most: number) => int(1, most).default(50).meta({ description: "maximum number of entries of a page" });
const appid = int(1, int32Max);
const changeId = int(0, Number.MAX_SAFE_INTEGER);

/** Tags, genres, categories and companies of one request together: each is a join. */
export const maxRelations = 10;
const together = `at most ${maxRelations} tags, genres, categories, franchises, developers and publishers together`;
const names = list(line(200), maxRelations).optional();
const labels = names.meta({
  description: `all of these, by id or by case-insensitive name; repeat it for several; ${together}`,
});
const companies = names.meta({ description: `all of these, by exact name; repeat it for several; ${together}` });
const verdicts = (of: string) =>
  joinedList(oneOf(deckCategories), 4)
    .optional()
    .meta({ description: `any of these verdicts for the ${of}` });

export const noParameters = z.strictObject({});
export const appidPath = z.strictObject({ appid });
export const depotPath = z.strictObject({ id: appid });

/**
 * Types and platforms that are known without looking for a stored app that has them. The types are those of Steam's public headers
 * (`EAppType`) and of real app info; both are open sets.
 */
export const documentedTypes = [
  ...["game", "dlc", "demo", "beta", "tool", "application", "music", "video", "config", "hardware", "mod"],
  ...["series", "episode", "advertising", "media", "guide", "driver", "comic", "plugin"],
];
export const documentedPlatforms = ["windows", "macos", "linux", "android"];

export const sorts = appSorts.flatMap((sort) => (sort === "relevance" ? [sort] : [sort, `-${sort}` as const]));

export const appFilters = z.strictObject({
  appid: joinedList(appid, 100)
    .optional()
    .meta({ description: "any of these, joined by commas; unknown ones are left out" }),
  type: joinedList(line(100), 10)
    .optional()
    .meta({ description: "any of these: game, dlc, demo, beta (playtests), tool, music, …, joined by commas" }),
  tag: labels,
  genre: labels,
  category: labels,
  franchise: companies,
  developer: companies,
  publisher: companies,
  deck: verdicts("Steam Deck"),
  machine: verdicts("Steam Machine"),
  frame: verdicts("Steam Frame"),
  ai: joinedList(oneOf([...aiContents, "any", "none"]), 4)
    .optional()
    .meta({
      description:
        "generative AI as the developer declares it, any of these: pre_generated (before release), live; any: one of the two, none: not declared",
    }),
  vr: joinedList(oneOf(vrSupports), 2)
    .optional()
    .meta({ description: "virtual reality, any of these: supported (and not required), only" }),
  platform: joinedList(line(100), 10).optional().meta({ description: "all of these: windows, macos, linux, …" }),
  parent: appid.optional().meta({ description: "DLC, demos and other apps that belong to this app" }),
  free: flag().optional(),
  active: flag().optional().meta({ description: "known to Steam and not delisted" }),
  released_since: time().optional(),
  released_before: time().optional(),
  changed_since: time().optional().meta({ description: "a stored field of the app changed at or after this time" }),
  q: search,
  sort: oneOf(sorts).optional().meta({
    description:
      "prefix - for descending order; apps without a value come last. Default: relevance where `q` is given (the whole name first, then its beginning, then the better reviewed), else appid",
  }),
  limit: limit(200),
  cursor,
});

export const changesOfApp = z.strictObject({ limit: limit(500), cursor });

export const changesOfAll = z.strictObject({
  after: changeId.optional().meta({ description: "changes after this id, oldest first; without it, newest first" }),
  limit: limit(500),
  cursor,
});

/** Of events: about themselves, and about their apps. */
const eventFilters = {
  event: joinedList(oneOf(eventKinds), eventKinds.length)
    .optional()
    .meta({ description: "any of these kinds, joined by commas" }),
  branch: line(200).optional().meta({ description: "of builds and branches: this one, such as public" }),
  appid: appFilters.shape.appid,
  type: appFilters.shape.type,
  tag: labels,
  genre: labels,
  category: labels,
  franchise: companies,
  developer: companies,
  publisher: companies,
  min_reviews: int(1, int32Max).optional().meta({
    description: "of apps with at least this number of reviews, positive and negative ones, as SteamSpy counts them",
  }),
};

export const eventsOfAll = z.strictObject({
  ...eventFilters,
  after: changeId.optional().meta({ description: "events after this id, oldest first; without it, newest first" }),
  limit: limit(500),
  cursor,
});

export const eventStreamStart = z.strictObject({
  ...eventFilters,
  after: changeId.optional().meta({ description: "starts after this id; without it, with the next new event" }),
});

export const feedOfEvents = z.strictObject({ ...eventFilters, limit: limit(200) });

export const streamStart = z.strictObject({
  after: changeId.optional().meta({ description: "starts after this id; without it, with the next new change" }),
});

const companySearch = line(100)
  .refine(isSearch, tooManyWords)
  .optional()
  .meta({ description: `words in the name, case-insensitive, in any order; at most ${maxWords} different ones` });

export const companyFilters = z.strictObject({ q: companySearch, limit: limit(500), cursor });

export const depotFilters = z.strictObject({ limit: limit(500), cursor });

/** Loose: a client of another API may send more. */
export const steamcmdOptions = z.object({
  pretty: z.string().max(200).optional().meta({ description: "1 or true: with line breaks and indentation" }),
});

/** Splits a search text into its different words, ignoring case; each as it is written first. */
export function words(search: string): string[] {
  const found = search.split(/\s+/).filter((word) => word !== "");
  return [...new Map(found.toReversed().map((word) => [word.toLowerCase(), word])).values()].toReversed();
}

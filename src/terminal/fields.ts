import type { AppRecord, LanguageSupport, SteamDeckRecord } from "../catalog/app-record.ts";
import { clean, formatTime } from "./layout.ts";

/** The fields of an app's record in words, in the order in which they are shown. */

/** What ids mean, as far as somebody knows. */
export interface Names {
  apps: ReadonlyMap<number, string>;
  tags: ReadonlyMap<number, string>;
  genres: ReadonlyMap<number, string>;
  categories: ReadonlyMap<number, string>;
}

export type FieldName = Exclude<keyof AppRecord, "appid">;

export interface Field {
  name: FieldName;
  label: string;
  /** Null where there is nothing to tell. */
  words(record: AppRecord, names: Names): string | null;
}

export const fieldGroups: readonly { title: string; fields: readonly Field[] }[] = [
  {
    title: "Store",
    fields: [
      text("name", "Name"),
      text("type", "Type"),
      text("release_state", "State"),
      time("steam_release_date", "Released"),
      time("original_release_date", "First released"),
      flag("is_free", "Free"),
      field("parent_appid", "Belongs to", (appid, { apps }) => named([appid], apps)),
      field("dlc", "DLC", (appids, { apps }) => named(appids, apps)),
      list("developers", "Developers"),
      list("publishers", "Publishers"),
      list("franchises", "Franchises"),
      text("homepage_url", "Homepage"),
      text("app_state", "App state"),
      time("store_asset_mtime", "Store page changed"),
    ],
  },
  {
    title: "What it is",
    fields: [
      field("tags", "Tags", (ids, { tags }) => named(ids, tags)),
      field("genres", "Genres", (ids, { genres }) => named(ids, genres)),
      field("primary_genre", "Primary genre", (id, { genres }) => named([id], genres)),
      field("categories", "Categories", (ids, { categories }) => named(ids, categories)),
      field("content_descriptors", "Content", (ids) => named(ids, contentDescriptors)),
      flag("has_workshop", "Workshop"),
    ],
  },
  {
    title: "Reviews",
    fields: [
      field("pics_review_score", "Score", (score) => named([score], reviewScores)),
      field("pics_review_percentage", "Positive", (share) => `${share} %`),
      field("metacritic_score", "Metacritic", String),
      text("metacritic_url", "at Metacritic"),
    ],
  },
  {
    title: "Runs on",
    fields: [
      field("platforms", "Platforms", (platforms) => platforms.replaceAll(",", ", ")),
      text("controller_support", "Controllers"),
      field("languages", "Languages", languageWords),
      field("steam_deck", "Steam Deck", deckWords),
      time("last_content_update", "Built"),
      text("current_build_id", "Build"),
    ],
  },
];

/** Valve's codes. */
const contentDescriptors = new Map([
  [1, "some nudity or sexual content"],
  [2, "frequent violence or gore"],
  [3, "adult only sexual content"],
  [4, "frequent nudity or sexual content"],
  [5, "general mature content"],
]);
const reviewScores = new Map([
  [1, "overwhelmingly negative"],
  [2, "very negative"],
  [3, "negative"],
  [4, "mostly negative"],
  [5, "mixed"],
  [6, "mostly positive"],
  [7, "positive"],
  [8, "very positive"],
  [9, "overwhelmingly positive"],
]);

function field<Name extends FieldName>(
  name: Name,
  label: string,
  words: (value: NonNullable<AppRecord[Name]>, names: Names) => string,
): Field {
  return {
    name,
    label,
    words(record, names) {
      const value = record[name];
      return value === undefined || value === null ? null : words(value as NonNullable<AppRecord[Name]>, names) || null;
    },
  };
}

type NamesOf<T> = { [Name in FieldName]: NonNullable<AppRecord[Name]> extends T ? Name : never }[FieldName];

function text(name: NamesOf<string>, label: string): Field {
  return field(name, label, (value) => clean(String(value)));
}

function time(name: NamesOf<string>, label: string): Field {
  return field(name, label, (value) => formatTime(String(value)));
}

function flag(name: NamesOf<boolean>, label: string): Field {
  return field(name, label, (value) => (value ? "yes" : "no"));
}

function list(name: NamesOf<string[]>, label: string): Field {
  return field(name, label, (values) => (values as string[]).map(clean).join(", "));
}

/** `Puzzle (1664), 5055`: ids with their names where they have any. */
function named(ids: readonly number[], names: ReadonlyMap<number, string>): string {
  return ids
    .map((id) => {
      const name = clean(names.get(id) ?? "");
      return name === "" ? String(id) : `${name} (${id})`;
    })
    .join(", ");
}

/** `english (audio, subtitles), french (subtitles), thai`: what has neither is in the interface only. */
function languageWords(languages: Record<string, LanguageSupport>): string {
  return Object.entries(languages)
    .map(([name, { full_audio, subtitles }]) => {
      const support = [full_audio && "audio", subtitles && "subtitles"].filter(Boolean).join(", ");
      return support === "" ? name : `${name} (${support})`;
    })
    .join(", ");
}

/** The verdicts, then a line for each test with Valve's code of its outcome. */
function deckWords({ category, steamos_category, test_timestamp, tested_build_id, tests }: SteamDeckRecord): string {
  const verdict = [
    category,
    steamos_category && `SteamOS ${steamos_category}`,
    test_timestamp && `tested ${formatTime(test_timestamp)}`,
    tested_build_id && `build ${clean(tested_build_id)}`,
  ];
  const outcomes = (tests ?? []).map(({ display, token }) => `[${display ?? "–"}] ${testName(clean(token))}`);
  return [verdict.filter(Boolean).join(", "), ...outcomes].join("\n");
}

/** `#SteamDeckVerified_TestResult_ControllerGlyphsMatchDeckDevice` without what all of them begin with. */
function testName(token: string): string {
  return token.replace(/^#\w*_TestResult_/, "");
}

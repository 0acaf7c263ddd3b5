import type { AppRecord } from "../catalog/app-record.ts";
import { contentDescriptors, reviewScores } from "../catalog/code-names.ts";
import {
  canonicalAssets,
  canonicalBranches,
  canonicalDepots,
  formatAssets,
  formatBranches,
  formatDepots,
  formatNames,
} from "./field-content.ts";
import {
  ascending,
  byKey,
  canonicalDeck,
  canonicalLanguages,
  canonicalTime,
  formatDeck,
  formatIds,
  formatLanguages,
  sorted,
} from "./field-values.ts";
import { clean, formatTime } from "./layout.ts";

/**
 * The fields of an app, in the order in which `app` and `fetch` show them. One entry is all that a new field needs here: its label, how
 * its value is formatted, and how it is compared.
 */

/** Names of ids, where they are known. */
export interface Names {
  apps: ReadonlyMap<number, string>;
  tags: ReadonlyMap<number, string>;
  genres: ReadonlyMap<number, string>;
  categories: ReadonlyMap<number, string>;
}

export type FieldName = Exclude<keyof AppRecord, "appid" | "dlc_complete">;
type Value<Name extends FieldName> = NonNullable<AppRecord[Name]>;

export interface Field {
  name: FieldName;
  label: string;
  /** Null when the record has no value. */
  format(record: AppRecord, names: Names): string | null;
  /** The value in the one form that can be compared; null and undefined stay as they are. */
  canonical(record: AppRecord): unknown;
}

export const fieldGroups: readonly { title: string; fields: readonly Field[] }[] = [
  {
    title: "Store",
    fields: [
      text("name", "Name"),
      field("name_localized", "Other names", formatNames, byKey),
      text("type", "Type"),
      text("release_state", "State"),
      time("steam_release_date", "Released"),
      time("original_release_date", "First released"),
      flag("is_free", "Free"),
      field("parent_appid", "Belongs to", (appid, { apps }) => formatIds([appid], apps)),
      field("must_own_appid", "Must own", (appid, { apps }) => formatIds([appid], apps)),
      field("dlc", "DLC", (appids, { apps }) => formatIds(appids, apps), ascending),
      list("developers", "Developers"),
      list("publishers", "Publishers"),
      list("franchises", "Franchises"),
      text("homepage_url", "Homepage"),
      text("app_state", "App state"),
      field("restricted_countries", "Not sold in", (codes) => codes.map(clean).join(", ")),
      field("family_sharing_excluded", "Family sharing", (excluded) => (excluded ? "excluded" : "not excluded")),
      field("playtest_type", "Playtest type", String),
      time("store_asset_mtime", "Store page changed"),
    ],
  },
  {
    title: "Classification",
    fields: [
      // Tags are ranked: their order is part of the value.
      field("tags", "Tags", (ids, { tags }) => formatIds(ids, tags)),
      field("genres", "Genres", (ids, { genres }) => formatIds(ids, genres), ascending),
      field("primary_genre_id", "Primary genre", (id, { genres }) => formatIds([id], genres)),
      field("categories", "Categories", (ids, { categories }) => formatIds(ids, categories), ascending),
      field("content_descriptors", "Content", (ids) => formatIds(ids, contentDescriptors)),
      field("ai_content", "AI content", (kinds) => kinds.map((kind) => kind.replaceAll("_", "-")).join(", ")),
      flag("has_workshop", "Workshop"),
    ],
  },
  {
    title: "Reviews",
    fields: [
      field("pics_review_score", "Score", (score) => formatIds([score], reviewScores)),
      field("pics_review_percentage", "Positive", (share) => `${share} %`),
      field("pics_review_score_without_bombs", "Score w/o bombs", (score) => formatIds([score], reviewScores)),
      field("pics_review_percentage_without_bombs", "Positive w/o bombs", (share) => `${share} %`),
      field("metacritic_score", "Metacritic", String),
      text("metacritic_url", "Metacritic page"),
    ],
  },
  {
    title: "Platform support",
    fields: [
      field("platforms", "Platforms", (platforms) => platforms.replaceAll(",", ", ")),
      field("os_arch", "Architecture", (bits) => `${clean(bits)} bit`),
      field("vr_support", "Virtual reality", clean),
      text("controller_support", "Controllers"),
      field("languages", "Languages", formatLanguages, canonicalLanguages),
      field("steam_deck", "Steam Deck", formatDeck, canonicalDeck),
    ],
  },
  {
    title: "Files",
    fields: [
      time("last_content_update", "Built"),
      text("current_build_id", "Build"),
      text("install_dir", "Folder"),
      field("branches", "Branches", formatBranches, canonicalBranches),
      field("depots", "Depots", formatDepots, canonicalDepots),
      field("assets", "Art", formatAssets, canonicalAssets),
    ],
  },
];

export const fields: readonly Field[] = fieldGroups.flatMap((group) => group.fields);

function field<Name extends FieldName>(
  name: Name,
  label: string,
  format: (value: Value<Name>, names: Names) => string,
  canonical: (value: Value<Name>) => Value<Name> = (value) => value,
): Field {
  const isSet = (value: AppRecord[FieldName]): value is Value<Name> => value !== undefined && value !== null;
  return {
    name,
    label,
    format(record, names) {
      const value = record[name];
      return isSet(value) ? format(value, names) || null : null;
    },
    canonical(record) {
      const value = record[name];
      return isSet(value) ? canonical(value) : value;
    },
  };
}

type NamesOf<T> = { [Name in FieldName]: Value<Name> extends T ? Name : never }[FieldName];

function text(name: NamesOf<string>, label: string): Field {
  return field(name, label, (value) => clean(String(value)));
}

function time(name: NamesOf<string>, label: string): Field {
  return field(name, label, formatTime, canonicalTime);
}

function flag(name: NamesOf<boolean>, label: string): Field {
  return field(name, label, (value) => (value ? "yes" : "no"));
}

/** Names whose order has no meaning. */
function list(name: NamesOf<string[]>, label: string): Field {
  return field(name, label, (values) => values.map(clean).join(", "), sorted);
}

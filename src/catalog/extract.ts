import {
  type AppRecord,
  type DeckCategory,
  deckCategories,
  type LanguageSupport,
  type Section,
  type SteamDeckRecord,
  type SteamDeckTest,
  sections,
  steamosCategories,
} from "./app-record.ts";
import { emptyBlock, type KeyValues, parseKeyValues } from "./key-values.ts";
import { block, flag, id, ids, int, listed, lowerText, maxId, text, time, unique, type Value } from "./values.ts";

/** Text that parses but is not the `appinfo` of the requested app. */
export class ExtractError extends Error {
  override readonly name = "ExtractError";
}

/**
 * Version of the extractor, stored with each app (`sync_status.extractor_version`). Raise it when a field is added or
 * corrected, and name the field in `pics_field_version` (supabase/routines/pics.sql): history must not report as a
 * change what only the extractor reads differently.
 */
export const extractorVersion = 2;

export interface ExtractedApp {
  record: AppRecord;
  /** Steam withholds sections: `partial` was given, or the text says so. */
  isPartial: boolean;
  /** Sections that the text lacks, or has without content. What they would determine is not in the record. */
  lacks: Section[];
}

/**
 * Extracts the record of one app from its PICS payload.
 *
 * A section that is missing, empty or not a block determines nothing, and a field with a fallback in a missing section
 * is known only where the fallback is not needed. One exception: where `common` is there and the payload is whole, a
 * missing `extended` lists none, since many apps have nothing to say there.
 *
 * Invalid values never throw: they read as null, or are left out of a list.
 *
 * @param partial Steam withholds sections (`only_public` or `missing_token` of the reply); `public_only` in the text
 * means the same.
 * @throws {KeyValuesError} when the text is not KeyValues.
 * @throws {ExtractError} when its root is not `appinfo`, or it names another appid.
 */
export function extractApp(appid: number, text: string, partial: boolean): ExtractedApp {
  const appinfo = appinfoOf(appid, parseKeyValues(text));
  const section = (name: Section): KeyValues | null => {
    const found = block(appinfo.get(name));
    return found.size === 0 ? null : found;
  };
  const common = section("common");
  const extended = section("extended");
  const depots = section("depots");
  const isPartial = partial || flag(appinfo.get("public_only"));
  const isWhole = !isPartial && common !== null;
  const record = recordOf(appid, common, extended ?? (isWhole ? emptyBlock : null), depots, isWhole);
  return {
    record,
    isPartial,
    lacks: sections.filter((name) => section(name) === null),
  };
}

function recordOf(
  appid: number,
  common: KeyValues | null,
  extended: KeyValues | null,
  depots: KeyValues | null,
  isWhole: boolean,
): AppRecord {
  const record: AppRecord = {
    appid,
    ...(common && fromCommon(common)),
    ...(extended && fromExtended(extended)),
    ...(depots && fromDepots(depots)),
    ...dlcOf(appid, extended, depots, isWhole),
  };
  const isFree = freeOf(common, extended);
  if (isFree !== undefined) record.is_free = isFree;
  if (common === null) return record;

  const parent = parentOf(appid, common, extended);
  if (parent !== undefined) record.parent_appid = parent;
  const developers = companies("developer", common, extended);
  if (developers !== undefined) record.developers = developers;
  const publishers = companies("publisher", common, extended);
  if (publishers !== undefined) record.publishers = publishers;
  return record;
}

function appinfoOf(appid: number, tree: KeyValues): KeyValues {
  const appinfo = tree.get("appinfo");
  if (typeof appinfo !== "object") {
    throw new ExtractError(`Expected appinfo of app ${appid}, found ${named(tree.entries()[0]?.[0])}`);
  }
  const said = appinfo.get("appid");
  if (said !== undefined && id(said) !== appid) {
    throw new ExtractError(`Expected appid ${appid}, found ${named(said)}`);
  }
  return appinfo;
}

/** A value of the text for an error message: shortened, and safe to store. */
function named(value: Value): string {
  return typeof value === "string" ? JSON.stringify(text(value.slice(0, 40)) ?? "") : "a block";
}

function fromCommon(common: KeyValues) {
  const category = block(common.get("category"));
  return {
    name: text(common.get("name")),
    type: lowerText(common.get("type")),
    release_state: lowerText(common.get("releasestate")),
    steam_release_date: time(common.get("steam_release_date")),
    original_release_date: time(common.get("original_release_date")),
    store_asset_mtime: time(common.get("store_asset_mtime")),
    platforms: platforms(common.get("oslist")),
    controller_support: lowerText(common.get("controller_support")),
    pics_review_score: int(common.get("review_score"), 0, 9),
    pics_review_percentage: int(common.get("review_percentage"), 0, 100),
    metacritic_score: int(common.get("metacritic_score"), 0, 100),
    metacritic_url: text(common.get("metacritic_fullurl")) ?? metacriticUrl(common.get("metacritic_url")),
    content_descriptors: orNull(ids(listed(common.get("content_descriptors"))).sort((a, b) => a - b)),
    languages: languages(common),
    has_workshop: flag(category.get("category_30")) || flag(common.get("workshop_visible")),
    primary_genre_id: id(common.get("primary_genre")),
    tags: ids(listed(common.get("store_tags"))),
    genres: ids(listed(common.get("genres"))),
    categories: categories(category),
    franchises: associated(common, "franchise"),
    steam_deck: steamDeck(block(common.get("steam_deck_compatibility"))),
  } satisfies Partial<AppRecord>;
}

function fromExtended(extended: KeyValues) {
  return {
    homepage_url: text(extended.get("homepage")) ?? text(extended.get("developer_url")),
    app_state: text(extended.get("state")),
  } satisfies Partial<AppRecord>;
}

/** `timeupdated` is only the fallback: it also moves when the branch is merely edited. */
function fromDepots(depots: KeyValues) {
  const branch = block(block(depots.get("branches")).get("public"));
  return {
    last_content_update: time(branch.get("timebuildupdated")) ?? time(branch.get("timeupdated")),
    current_build_id: text(branch.get("buildid")),
  } satisfies Partial<AppRecord>;
}

/** Entries at which Steam cuts `listofdlc`; the newest stay. */
const dlcListLimit = 64;

/** The DLC that `listofdlc` and the depots name; nothing when neither section is there. */
function dlcOf(
  appid: number,
  extended: KeyValues | null,
  depots: KeyValues | null,
  isWhole: boolean,
): Partial<AppRecord> {
  if (extended === null && depots === null) return {};
  const list = commaList(extended?.get("listofdlc")).filter((item) => item !== "");
  const ofDepots = (depots?.entries() ?? []).map(([key, depot]) =>
    /^\d+$/.test(key) ? block(depot).get("dlcappid") : undefined,
  );
  return {
    dlc: ids([...list, ...ofDepots]).filter((dlc) => dlc !== appid),
    dlc_complete: list.length < dlcListLimit && extended !== null && (depots !== null || isWhole),
  };
}

/**
 * Whether Steam marks the app as free. Valve gives demos and playtests away; real ones carry neither flag. `undefined`
 * when a missing section could tell.
 */
function freeOf(common: KeyValues | null, extended: KeyValues | null): boolean | undefined {
  const isGivenAway = ["demo", "beta"].includes(lowerText(common?.get("type")) ?? "");
  if (isGivenAway || flag(common?.get("freetodownload")) || flag(extended?.get("isfreeapp"))) return true;
  return common === null || extended === null ? undefined : false;
}

/** The app that this one belongs to; `undefined` when a partial payload does not determine it. */
function parentOf(appid: number, common: KeyValues, extended: KeyValues | null): number | null | undefined {
  const other = (value: Value) => {
    const parent = id(value);
    return parent === appid ? null : parent;
  };
  const parent = other(common.get("parent"));
  if (parent !== null) return parent;
  if (extended === null) return undefined;
  return (
    other(extended.get("dlcforappid")) ?? other(extended.get("demoofappid")) ?? other(extended.get("betaforappid"))
  );
}

/**
 * Developers or publishers: the associations, and only when there is none of that kind the older single name, which is
 * not split (commas are part of names such as `Valve, Inc.`). `undefined` when a partial payload does not determine
 * them.
 */
function companies(
  kind: "developer" | "publisher",
  common: KeyValues,
  extended: KeyValues | null,
): string[] | undefined {
  const found = associated(common, kind);
  if (found.length > 0) return found;
  if (extended === null) return undefined;
  return unique([text(extended.get(kind)) ?? text(common.get(kind))]);
}

/** Names in `associations { "0" { "type" "developer" "name" "Valve" } … }`, exact after trimming. */
function associated(common: KeyValues, kind: string): string[] {
  const associations = listed(common.get("associations")).map(block);
  return unique(associations.filter((a) => lowerText(a.get("type")) === kind).map((a) => text(a.get("name"))));
}

/** The platforms of `oslist` (`android,macos, windows`): the three of a PC in the catalog's order, then others by name. */
function platforms(oslist: Value): string | null {
  const named = unique(commaList(oslist)).filter((platform) => platform !== "");
  const usual = ["windows", "macos", "linux"];
  const others = named.filter((platform) => !usual.includes(platform)).sort();
  return [...usual.filter((platform) => named.includes(platform)), ...others].join(",") || null;
}

function commaList(value: Value): string[] {
  return (lowerText(value) ?? "").split(",").map((item) => item.trim());
}

/** From a path such as `pc/portal-2`. Every full address that Steam gives beside a path is of this form. */
function metacriticUrl(path: Value): string | null {
  const found = text(path);
  return found === null ? null : `https://www.metacritic.com/game/${found}`;
}

/** `category { "category_2" "1" … }`: the numbers of those that are set, ascending. */
function categories(category: KeyValues): number[] {
  const set = category.entries().filter(([, value]) => flag(value));
  return ids(set.map(([key]) => /^category_(\d+)$/i.exec(key)?.[1])).sort((a, b) => a - b);
}

/**
 * `supported_languages`, or the older `languages { "english" "1" }` when that block is absent. Keys such as
 * `#lang_russian` or `german;` are mistakes of publishers and are left out.
 */
function languages(common: KeyValues): Record<string, LanguageSupport> | null {
  const supported = common.get("supported_languages");
  const entries: [string, LanguageSupport | null][] =
    typeof supported === "object"
      ? supported.entries().map(([key, value]) => [key, languageSupport(block(value))])
      : block(common.get("languages"))
          .entries()
          .map(([key, value]) => [key, flag(value) ? { supported: true, full_audio: false, subtitles: false } : null]);
  const valid = entries.filter((entry): entry is [string, LanguageSupport] => /^[a-z_]+$/.test(entry[0]) && !!entry[1]);
  return valid.length > 0 ? Object.fromEntries(valid) : null;
}

/** Null when no flag is set. Some languages have audio or subtitles without support in the interface. */
function languageSupport(language: KeyValues): LanguageSupport | null {
  const yes = (key: string) => ["true", "1"].includes(text(language.get(key)) ?? "");
  const support = { supported: yes("supported"), full_audio: yes("full_audio"), subtitles: yes("subtitles") };
  return support.supported || support.full_audio || support.subtitles ? support : null;
}

/** Valve's verdict; codes as in `SteamDeckRecord`, one outside of the known range reads as `unknown`. */
function steamDeck(deck: KeyValues): SteamDeckRecord | null {
  if (deck.size === 0) return null;
  const steamos = deck.get("steamos_compatibility");
  const tests = listed(deck.get("tests")).map(block).map(steamDeckTest);
  return {
    category: deckCategory(deck.get("category")) ?? "unknown",
    steamos_category: text(steamos) === null ? null : (steamosCategories[int(steamos, 0, 2) ?? 0] ?? "unknown"),
    machine_category: deckCategory(deck.get("steam_machine_compatibility")),
    frame_category: deckCategory(deck.get("steam_frame_compatibility")),
    test_timestamp: time(deck.get("test_timestamp")),
    tested_build_id: text(deck.get("tested_build_id")),
    tests: orNull(tests.filter((test) => test !== null)),
  };
}

function deckCategory(code: Value): DeckCategory | null {
  return text(code) === null ? null : (deckCategories[int(code, 0, 3) ?? 0] ?? "unknown");
}

function steamDeckTest(test: KeyValues): SteamDeckTest | null {
  const token = text(test.get("token"));
  return token === null ? null : { display: int(test.get("display"), 0, maxId), token };
}

function orNull<T>(list: T[]): T[] | null {
  return list.length > 0 ? list : null;
}

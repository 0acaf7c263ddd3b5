import { type AiContent, type AppRecord, aiContents, type LanguageSupport, type VrSupport } from "./app-record.ts";
import { assets } from "./extract-art.ts";
import { steamDeck } from "./extract-deck.ts";
import type { KeyValues } from "./key-values.ts";
import {
  block,
  commaList,
  flag,
  id,
  ids,
  int,
  languageKey,
  listed,
  lowerText,
  maxId,
  orNull,
  platforms,
  text,
  texts,
  time,
  unique,
  type Value,
} from "./values.ts";

/** The fields of `common` alone. Every column of it is known as soon as the section is there. */
export function fromCommon(common: KeyValues) {
  const category = block(common.get("category"));
  return {
    name: text(common.get("name")),
    name_localized: texts(common.get("name_localized"), languageKey),
    type: lowerText(common.get("type")),
    release_state: lowerText(common.get("releasestate")),
    steam_release_date: time(common.get("steam_release_date")),
    original_release_date: time(common.get("original_release_date")),
    store_asset_mtime: time(common.get("store_asset_mtime")),
    platforms: platforms(common.get("oslist")),
    controller_support: lowerText(common.get("controller_support")),
    os_arch: text(common.get("osarch")),
    vr_support: vrSupport(common),
    pics_review_score: int(common.get("review_score"), 0, 9),
    pics_review_percentage: int(common.get("review_percentage"), 0, 100),
    pics_review_score_without_bombs: int(common.get("review_score_bombs"), 0, 9),
    pics_review_percentage_without_bombs: int(common.get("review_percentage_bombs"), 0, 100),
    metacritic_score: int(common.get("metacritic_score"), 0, 100),
    metacritic_url: text(common.get("metacritic_fullurl")) ?? metacriticUrl(common.get("metacritic_url")),
    content_descriptors: orNull(ids(listed(common.get("content_descriptors"))).sort((a, b) => a - b)),
    ai_content: aiContent(common.get("aicontenttype")),
    restricted_countries: restrictedCountries(common.get("restricted_countries")),
    family_sharing_excluded: int(common.get("exfgls"), 1, maxId) !== null,
    languages: languages(common),
    has_workshop: flag(category.get("category_30")) || flag(common.get("workshop_visible")),
    assets: assets(common),
    primary_genre_id: id(common.get("primary_genre")),
    tags: ids(listed(common.get("store_tags"))),
    genres: ids(listed(common.get("genres"))),
    categories: categories(category),
    franchises: associated(common, "franchise"),
    steam_deck: steamDeck(block(common.get("steam_deck_compatibility"))),
  } satisfies Partial<AppRecord>;
}

/** Names in `associations { "0" { "type" "developer" "name" "Valve" } … }`, exact after trimming. */
export function associated(common: KeyValues, kind: string): string[] {
  const associations = listed(common.get("associations")).map(block);
  return unique(associations.map((each) => (lowerText(each.get("type")) === kind ? text(each.get("name")) : null)));
}

/** From a path such as `pc/portal-2`. Every full address that Steam gives beside a path is of this form. */
function metacriticUrl(path: Value): string | null {
  const found = text(path);
  return found === null ? null : `https://www.metacritic.com/game/${found}`;
}

/** `category { "category_2" "1" … }`: the numbers of those that are set, ascending. */
function categories(category: KeyValues): number[] {
  const numbers: Value[] = [];
  category.each((key, value) => {
    if (flag(value)) numbers.push(/^category_(\d+)$/.exec(key)?.[1]);
  });
  return ids(numbers).sort((a, b) => a - b);
}

/**
 * `supported_languages`, or the older `languages { "english" "1" }` when that block is absent.
 */
function languages(common: KeyValues): Record<string, LanguageSupport> | null {
  const supported = common.get("supported_languages");
  const read = typeof supported === "object" ? languageSupport : oldLanguageSupport;
  const found: [string, LanguageSupport][] = [];
  block(typeof supported === "object" ? supported : common.get("languages")).each((_, value, key) => {
    const support = languageKey(key) === null ? null : read(value);
    if (support !== null) found.push([key, support]);
  });
  return found.length > 0 ? Object.fromEntries(found) : null;
}

/** Null when no flag is set. Some languages have audio or subtitles without support in the interface. */
function languageSupport(value: Value): LanguageSupport | null {
  const language = block(value);
  const supported = isYes(language.get("supported"));
  const full_audio = isYes(language.get("full_audio"));
  const subtitles = isYes(language.get("subtitles"));
  return supported || full_audio || subtitles ? { supported, full_audio, subtitles } : null;
}

function isYes(value: Value): boolean {
  const said = value === undefined ? null : text(value);
  return said === "true" || said === "1";
}

function oldLanguageSupport(value: Value): LanguageSupport | null {
  return flag(value) ? { supported: true, full_audio: false, subtitles: false } : null;
}

/**
 * Of 10,000 apps 390 need virtual reality (`onlyvrsupport`) and 110 merely support it, by one flag for each runtime.
 * `controllervr` names controllers and alone makes no app one of virtual reality.
 */
function vrSupport(common: KeyValues): VrSupport | null {
  if (flag(common.get("onlyvrsupport"))) return "only";
  const runtimes = ["openvrsupport", "openxrsupport", "othervrsupport"];
  return runtimes.some((key) => flag(common.get(key))) ? "supported" : null;
}

/** `1` pre-generated (817 of 7,743 games), `2` live (30); read as bits, so that 3 is both. */
function aiContent(value: Value): AiContent[] | null {
  const bits = int(value, 1, 3);
  return bits === null ? null : aiContents.filter((_, index) => bits & (1 << index));
}

/** `CN,DE,SA`: an order without meaning, so that a mere reordering is no change. */
function restrictedCountries(value: Value): string[] | null {
  const codes = commaList(value).filter((code) => /^[a-z]{2}$/.test(code));
  return orNull(unique(codes.map((code) => code.toUpperCase())).sort());
}

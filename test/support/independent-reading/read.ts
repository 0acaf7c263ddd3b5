/**
 * An independent oracle: what one raw PICS payload determines, read from the text by the rules of the project's contract
 * only. It shares no code with the product, and the result has the shape of SQL rows rather than of its records.
 */
import { at, blockAt, type Pairs, readPairs } from "./pairs.ts";
import { readAssets } from "./read-assets.ts";
import { readBranches, readDepots } from "./read-depots.ts";
import type { ExpectedDeck, LanguageColumns, Reading, Relations, SqlValue } from "./rows.ts";
import {
  ascending,
  child,
  commaItems,
  id,
  inKeyOrder,
  integer,
  lowerText,
  maxId,
  objectOf,
  platformsOf,
  saysOne,
  saysTrue,
  text,
  time,
} from "./values.ts";

/** Every `metacritic_fullurl` in real payloads starts so; `metacritic_url` holds what follows (`pc/portal-2`). */
const metacriticBase = "https://www.metacritic.com/game/";

/** The sections of a payload that tell something. */
interface Telling {
  common: boolean;
  extended: boolean;
  depots: boolean;
  config: boolean;
}

/**
 * Reads one payload.
 *
 * @param appid the app that was requested
 * @param text text KeyValues without the trailing NUL; one that cannot be read throws
 * @param withheld the reply said `only_public` or `missing_token`
 */
export function readPayload(appid: number, text: string, withheld: boolean): Reading {
  const app = blockAt(readPairs(text), "appinfo");
  if (app === undefined) throw new Error(`app ${appid}: the text is no "appinfo" block`);
  const partial = withheld || saysOne(at(app, "public_only"));
  const hasContent = (section: string) => (blockAt(app, section) ?? []).length > 0;
  const common = hasContent("common");
  const depots = hasContent("depots");
  // Many whole texts have no `extended`: such an app has nothing to say there.
  const extended = hasContent("extended") || (common && !partial);
  const config = hasContent("config") || (common && !partial);
  const telling = { common, extended, depots, config };
  return {
    partial,
    columns: readColumns(appid, app, telling),
    relations: readRelations(appid, app, telling),
    dlc: readDlc(appid, app),
    dlcComplete: listedDlc(app).length < 64 && ((hasContent("extended") && depots) || (common && !partial)),
  };
}

function readColumns(appid: number, app: Pairs, telling: Telling): Record<string, SqlValue> {
  return {
    ...(telling.common && readCommon(app)),
    ...(telling.extended && {
      homepage_url: text(at(app, "extended", "homepage")) ?? text(at(app, "extended", "developer_url")),
      app_state: text(at(app, "extended", "state")),
      must_own_appid: notItself(appid, id(at(app, "extended", "mustownapptopurchase"))),
      playtest_type: integer(at(app, "extended", "playtest_type"), 0, 32_767),
    }),
    ...(telling.config && { install_dir: text(at(app, "config", "installdir")) }),
    ...(telling.depots && readBuild(app)),
    ...readFree(app, telling),
    ...readParent(appid, app, telling),
  };
}

function readCommon(app: Pairs): Record<string, SqlValue> {
  const common = (key: string) => at(app, "common", key);
  return {
    name: text(common("name")),
    type: lowerText(common("type")),
    release_state: lowerText(common("releasestate")),
    steam_release_date: time(common("steam_release_date")),
    original_release_date: time(common("original_release_date")),
    store_asset_mtime: time(common("store_asset_mtime")),
    platforms: platformsOf(common("oslist")),
    controller_support: lowerText(common("controller_support")),
    pics_review_score: integer(common("review_score"), 0, 9),
    pics_review_percentage: integer(common("review_percentage"), 0, 100),
    metacritic_score: integer(common("metacritic_score"), 0, 100),
    metacritic_url: readMetacriticUrl(app),
    content_descriptors: readContentDescriptors(app),
    languages: readLanguages(app),
    has_workshop: saysOne(at(app, "common", "category", "category_30")) || saysOne(common("workshop_visible")),
    primary_genre_id: id(common("primary_genre")),
    name_localized: readNames(app),
    os_arch: text(common("osarch")),
    vr_support: readVr(app),
    pics_review_score_without_bombs: integer(common("review_score_bombs"), 0, 9),
    pics_review_percentage_without_bombs: integer(common("review_percentage_bombs"), 0, 100),
    ai_content: readAiContent(app),
    restricted_countries: readCountries(app),
    family_sharing_excluded: integer(common("exfgls"), 1, maxId) !== null,
    assets: readAssets(app),
  };
}

function notItself(appid: number, other: number | null): number | null {
  return other === appid ? null : other;
}

function readNames(app: Pairs): Record<string, string> | null {
  const names = (blockAt(app, "common", "name_localized") ?? []).filter(([language]) => /^[a-z_]+$/.test(language));
  return objectOf(names.map(([language, name]) => [language, text(name)]));
}

function readVr(app: Pairs): string | null {
  const says = (key: string) => saysOne(at(app, "common", key));
  if (says("onlyvrsupport")) return "only";
  return says("openvrsupport") || says("openxrsupport") || says("othervrsupport") ? "supported" : null;
}

function readAiContent(app: Pairs): string[] | null {
  const kinds: Record<string, string[]> = { 1: ["pre_generated"], 2: ["live"], 3: ["pre_generated", "live"] };
  return kinds[integer(at(app, "common", "aicontenttype"), 0, 9) ?? 0] ?? null;
}

function readCountries(app: Pairs): string[] | null {
  const codes = commaItems(at(app, "common", "restricted_countries")).filter((code) => /^[a-z][a-z]$/.test(code));
  return codes.length === 0 ? null : [...new Set(codes.map((code) => code.toUpperCase()))].sort();
}

function readBuild(app: Pairs): Record<string, SqlValue> {
  const branch = (key: string) => at(app, "depots", "branches", "public", key);
  return {
    last_content_update: time(branch("timebuildupdated")) ?? time(branch("timeupdated")),
    current_build_id: text(branch("buildid")),
  };
}

/** Nothing when the flags that are there say no and a section with another flag is withheld. */
function readFree(app: Pairs, telling: Telling): Record<string, SqlValue> {
  const type = lowerText(at(app, "common", "type"));
  const isFree =
    saysOne(at(app, "extended", "isfreeapp")) ||
    saysOne(at(app, "common", "freetodownload")) ||
    type === "demo" ||
    type === "beta";
  return isFree || (telling.common && telling.extended) ? { is_free: isFree } : {};
}

function readRelations(appid: number, app: Pairs, telling: Telling): Partial<Relations> {
  const ofDepots = telling.depots ? { branches: readBranches(app), depots: readDepots(appid, app) } : {};
  if (!telling.common) return ofDepots;
  return {
    ...ofDepots,
    tags: readTags(app),
    genres: readGenres(app),
    categories: readCategories(app),
    franchises: readAssociations(app, "franchise"),
    steam_deck: readDeck(app),
    ...readCompanies(app, "developer", telling),
    ...readCompanies(app, "publisher", telling),
  };
}

function readMetacriticUrl(app: Pairs): string | null {
  const path = text(at(app, "common", "metacritic_url"));
  return text(at(app, "common", "metacritic_fullurl")) ?? (path === null ? null : metacriticBase + path);
}

/** The first valid of four; nothing when `common` has none and the section of the others is withheld. */
function readParent(appid: number, app: Pairs, telling: Telling): Record<string, SqlValue> {
  const candidates = [
    id(at(app, "common", "parent")),
    id(at(app, "extended", "dlcforappid")),
    id(at(app, "extended", "demoofappid")),
    id(at(app, "extended", "betaforappid")),
  ].map((candidate) => (candidate === appid ? null : candidate));
  if (!telling.common || (candidates[0] === null && !telling.extended)) return {};
  return { parent_appid: candidates.find((candidate) => candidate !== null) ?? null };
}

function readContentDescriptors(app: Pairs): number[] | null {
  const ids = (blockAt(app, "common", "content_descriptors") ?? []).map(([, value]) => id(value));
  return ascending(ids).length > 0 ? ascending(ids) : null;
}

function readLanguages(app: Pairs): Record<string, LanguageColumns> | null {
  const current = blockAt(app, "common", "supported_languages");
  const older = blockAt(app, "common", "languages") ?? [];
  const named: [string, LanguageColumns][] =
    current === undefined
      ? older
          .filter(([, value]) => saysOne(value))
          .map(([language]) => [language, { supported: true, full_audio: false, subtitles: false }])
      : current.map(([language, support]) => [
          language,
          {
            supported: saysTrue(child(support, "supported")),
            full_audio: saysTrue(child(support, "full_audio")),
            subtitles: saysTrue(child(support, "subtitles")),
          },
        ]);
  const wellNamed = named.filter(
    ([language, flags]) => /^[a-z_]+$/.test(language) && Object.values(flags).includes(true),
  );
  return wellNamed.length > 0 ? Object.fromEntries(wellNamed) : null;
}

function readTags(app: Pairs): [number, number][] {
  const ids = inKeyOrder(blockAt(app, "common", "store_tags") ?? []).map((value) => id(value));
  const present = ids.filter((tag) => tag !== null);
  return [...new Set(present)].map((tag, index) => [tag, index + 1]);
}

function readGenres(app: Pairs): [number, boolean][] {
  const primary = id(at(app, "common", "primary_genre"));
  const ids = (blockAt(app, "common", "genres") ?? []).map(([, value]) => id(value));
  return ascending(ids).map((genre) => [genre, genre === primary]);
}

function readCategories(app: Pairs): number[] {
  const set = (blockAt(app, "common", "category") ?? []).filter(([, value]) => saysOne(value));
  return ascending(
    set.map(([key]) => (key.toLowerCase().startsWith("category_") ? id(key.slice("category_".length)) : null)),
  );
}

function readAssociations(app: Pairs, type: string): string[] {
  const entries = blockAt(app, "common", "associations") ?? [];
  const ofType = entries.filter(([, entry]) => text(child(entry, "type")) === type);
  const names = ofType.map(([, entry]) => text(child(entry, "name"))).filter((name) => name !== null);
  return [...new Set(names)].sort();
}

/** The associations, else the older single name; nothing when there is no association and `extended` is withheld. */
function readCompanies(app: Pairs, type: "developer" | "publisher", telling: Telling): Partial<Relations> {
  const associated = readAssociations(app, type);
  if (associated.length === 0 && !telling.extended) return {};
  const name = text(at(app, "extended", type)) ?? text(at(app, "common", type));
  return { [`${type}s`]: associated.length > 0 || name === null ? associated : [name] };
}

function listedDlc(app: Pairs): string[] {
  const entries = (text(at(app, "extended", "listofdlc")) ?? "").split(",").map((entry) => entry.trim());
  return entries.filter(Boolean);
}

function readDlc(appid: number, app: Pairs): number[] {
  const depots = (blockAt(app, "depots") ?? []).filter(([key]) => /^\d+$/.test(key));
  const named = [
    ...listedDlc(app).map((entry) => id(entry)),
    ...depots.map(([, depot]) => id(child(depot, "dlcappid"))),
  ];
  return ascending(named).filter((dlc) => dlc !== appid);
}

function readDeck(app: Pairs): ExpectedDeck | null {
  const deck = blockAt(app, "common", "steam_deck_compatibility");
  if (deck === undefined || deck.length === 0) return null;
  const verdict = (key: string) =>
    text(at(deck, key)) === null
      ? null
      : (["unknown", "unsupported", "playable", "verified"][integer(at(deck, key), 0, 3) ?? 0] ?? "unknown");
  const steamos = text(at(deck, "steamos_compatibility"));
  const tests = (key: string) => {
    const results = inKeyOrder(blockAt(deck, key) ?? []).flatMap((test) => {
      const token = text(child(test, "token"));
      return token === null ? [] : [{ display: integer(child(test, "display"), 0, maxId), token }];
    });
    return results.length > 0 ? results : null;
  };
  return {
    category: verdict("category") ?? "unknown",
    steamos_category:
      steamos === null ? null : (["unknown", "unsupported", "compatible"][integer(steamos, 0, 2) ?? 0] ?? "unknown"),
    machine_category: verdict("steam_machine_compatibility"),
    frame_category: verdict("steam_frame_compatibility"),
    test_timestamp: time(at(deck, "test_timestamp")),
    tested_build_id: text(at(deck, "tested_build_id")),
    tests: tests("tests"),
    steamos_tests: tests("steamos_tests"),
    machine_tests: tests("steam_machine_tests"),
    frame_tests: tests("steam_frame_tests"),
    configuration: objectOf((blockAt(deck, "configuration") ?? []).map(([key, value]) => [key, text(value)])),
  };
}

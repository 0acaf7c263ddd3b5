/**
 * An independent oracle: the rows expected for one raw PICS payload, read from the text by the rules of the project's
 * contract only. It shares no code with the product, and the result has the shape of SQL rows rather than of its
 * records.
 */
import { at, blockAt, type Pairs, readPairs } from "./pairs.ts";

export type SqlValue = string | number | boolean | null | number[] | Record<string, LanguageColumns>;

interface LanguageColumns {
  full_audio: boolean;
  subtitles: boolean;
}

/** One row of `app_steam_deck`. */
export interface ExpectedDeck {
  category: string;
  steamos_category: string | null;
  /** ISO 8601, UTC. */
  test_timestamp: string | null;
  tested_build_id: string | null;
  tests: { display: number | null; token: string }[] | null;
}

/** The rows of one app, as selects would return them after its payload was loaded into an empty database. */
export interface ExpectedRows {
  /** Steam withheld sections: the fields that depend on them are null or empty here. */
  partial: boolean;
  changeNumber: number;
  /** Column of `apps` → value; times are ISO 8601 in UTC, jsonb columns are parsed. */
  apps: Record<string, SqlValue>;
  /** Ascending by rank. */
  tags: [tagId: number, rank: number][];
  /** Ascending by id. */
  genres: [genreId: number, isPrimary: boolean][];
  /** Ascending. */
  categories: number[];
  /** Sorted by UTF-16 code units, like the two below. */
  franchises: string[];
  developers: string[];
  publishers: string[];
  /** Ascending. */
  dlc: number[];
  steam_deck: ExpectedDeck | null;
}

const maxId = 2 ** 31 - 1;
/** 9999-12-31T23:59:59Z. */
const maxUnixSeconds = 253_402_300_799;
/** Every `metacritic_fullurl` in real payloads starts so; `metacritic_url` holds what follows (`pc/portal-2`). */
const metacriticBase = "https://www.metacritic.com/game/";

/**
 * Reads one payload as if it were the first one stored in an empty database.
 *
 * @param appid the app that was requested
 * @param changeNumber the change number that came with it
 * @param text text KeyValues without the trailing NUL; one that cannot be read throws
 */
export function readIndependently(appid: number, changeNumber: number, text: string): ExpectedRows {
  const app = blockAt(readPairs(text), "appinfo");
  if (app === undefined) throw new Error(`app ${appid}: the text is no "appinfo" block`);
  const partial = saysOne(at(app, "public_only"));
  return {
    partial,
    changeNumber,
    apps: readColumns(appid, app, partial),
    tags: readTags(app),
    genres: readGenres(app),
    categories: readCategories(app),
    franchises: readAssociations(app, "franchise"),
    developers: readCompanies(app, "developer"),
    publishers: readCompanies(app, "publisher"),
    dlc: readDlc(app),
    steam_deck: readDeck(app),
  };
}

function readColumns(appid: number, app: Pairs, partial: boolean): Record<string, SqlValue> {
  const common = (key: string) => at(app, "common", key);
  const extended = (key: string) => at(app, "extended", key);
  const publicBranch = (key: string) => at(app, "depots", "branches", "public", key);
  return {
    appid,
    name: text(common("name")),
    type: lowerText(common("type")),
    is_known: true,
    is_active: true,
    is_free: blockAt(app, "extended") || !partial ? saysOne(extended("isfreeapp")) : null,
    release_state: lowerText(common("releasestate")),
    steam_release_date: time(common("steam_release_date")),
    original_release_date: time(common("original_release_date")),
    store_asset_mtime: time(common("store_asset_mtime")),
    platforms: readPlatforms(app),
    controller_support: lowerText(common("controller_support")),
    pics_review_score: integer(common("review_score"), 0, 9),
    pics_review_percentage: integer(common("review_percentage"), 0, 100),
    metacritic_score: integer(common("metacritic_score"), 0, 100),
    metacritic_url: readMetacriticUrl(app),
    parent_appid: readParent(appid, app),
    homepage_url: text(extended("homepage")) ?? text(extended("developer_url")),
    app_state: text(extended("state")),
    last_content_update: time(publicBranch("timeupdated")),
    current_build_id: text(publicBranch("buildid")),
    content_descriptors: readContentDescriptors(app),
    languages: readLanguages(app),
    has_workshop:
      blockAt(app, "common") || !partial
        ? saysOne(at(app, "common", "category", "category_30")) || saysOne(common("workshop_visible"))
        : null,
  };
}

function readPlatforms(app: Pairs): string | null {
  const named = (text(at(app, "common", "oslist")) ?? "").split(",").map((entry) => entry.trim());
  return ["windows", "macos", "linux"].filter((platform) => named.includes(platform)).join(",") || null;
}

function readMetacriticUrl(app: Pairs): string | null {
  const path = text(at(app, "common", "metacritic_url"));
  return text(at(app, "common", "metacritic_fullurl")) ?? (path === null ? null : metacriticBase + path);
}

function readParent(appid: number, app: Pairs): number | null {
  const candidates = [
    id(at(app, "common", "parent")),
    id(at(app, "extended", "dlcforappid")),
    id(at(app, "extended", "demoofappid")),
    id(at(app, "extended", "betaforappid")),
  ];
  return candidates.find((candidate) => candidate !== null && candidate !== appid) ?? null;
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
          .map(([language]) => [language, { full_audio: false, subtitles: false }])
      : current
          .filter(([, support]) => saysTrue(child(support, "supported")))
          .map(([language, support]) => [
            language,
            { full_audio: saysTrue(child(support, "full_audio")), subtitles: saysTrue(child(support, "subtitles")) },
          ]);
  const wellNamed = named.filter(([language]) => /^[a-z_]+$/.test(language));
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
  return ascending(set.map(([key]) => (key.startsWith("category_") ? id(key.slice("category_".length)) : null)));
}

function readAssociations(app: Pairs, type: string): string[] {
  const entries = blockAt(app, "common", "associations") ?? [];
  const ofType = entries.filter(([, entry]) => text(child(entry, "type")) === type);
  const names = ofType.map(([, entry]) => text(child(entry, "name"))).filter((name) => name !== null);
  return [...new Set(names)].sort();
}

function readCompanies(app: Pairs, type: "developer" | "publisher"): string[] {
  const associated = readAssociations(app, type);
  if (associated.length > 0) return associated;
  const name = text(at(app, "extended", type)) ?? text(at(app, "common", type));
  return name === null ? [] : [name];
}

function readDlc(app: Pairs): number[] {
  return ascending((text(at(app, "extended", "listofdlc")) ?? "").split(",").map((entry) => id(entry)));
}

function readDeck(app: Pairs): ExpectedDeck | null {
  const deck = blockAt(app, "common", "steam_deck_compatibility");
  if (deck === undefined || deck.length === 0) return null;
  const category = integer(at(deck, "category"), 0, 3) ?? 0;
  const steamos = text(at(deck, "steamos_compatibility"));
  const tests = inKeyOrder(blockAt(deck, "tests") ?? []).flatMap((test) => {
    const token = text(child(test, "token"));
    return token === null ? [] : [{ display: integer(child(test, "display"), 0, maxId), token }];
  });
  return {
    category: ["unknown", "unsupported", "playable", "verified"][category] ?? "unknown",
    steamos_category:
      steamos === null ? null : (["unknown", "unsupported", "compatible"][integer(steamos, 0, 2) ?? 0] ?? "unknown"),
    test_timestamp: time(at(deck, "test_timestamp")),
    tested_build_id: text(at(deck, "tested_build_id")),
    tests: tests.length > 0 ? tests : null,
  };
}

/** Plain text without NUL and without halves of surrogate pairs, trimmed; null when it is empty or a block. */
function text(value: string | Pairs | undefined): string | null {
  if (typeof value !== "string") return null;
  return value.replaceAll("\0", "").toWellFormed().trim() || null;
}

function lowerText(value: string | Pairs | undefined): string | null {
  return text(value)?.toLowerCase() ?? null;
}

/** Digits only, within the bounds; null otherwise. */
function integer(value: string | Pairs | undefined, min: number, max: number): number | null {
  const digits = text(value);
  if (digits === null || !/^\d+$/.test(digits)) return null;
  const number = Number(digits);
  return number >= min && number <= max ? number : null;
}

function id(value: string | Pairs | undefined): number | null {
  return integer(value, 1, maxId);
}

/** Unix seconds as ISO 8601 in UTC. */
function time(value: string | Pairs | undefined): string | null {
  const seconds = integer(value, 1, maxUnixSeconds);
  return seconds === null ? null : new Date(seconds * 1000).toISOString();
}

function saysOne(value: string | Pairs | undefined): boolean {
  return text(value) === "1";
}

function saysTrue(value: string | Pairs | undefined): boolean {
  return saysOne(value) || text(value) === "true";
}

function child(value: string | Pairs, key: string): string | Pairs | undefined {
  return typeof value === "string" ? undefined : at(value, key);
}

/**
 * The values of a numbered block (`"0" …`, `"1" …`) in numeric order of their keys; other keys are no members of the
 * list.
 */
function inKeyOrder(block: Pairs): (string | Pairs)[] {
  const numbered = block.filter(([key]) => /^\d+$/.test(key));
  return numbered.sort(([left], [right]) => Number(left) - Number(right)).map(([, value]) => value);
}

/** Deduplicated, ascending, without nulls. */
function ascending(ids: (number | null)[]): number[] {
  return [...new Set(ids.filter((value) => value !== null))].sort((left, right) => left - right);
}

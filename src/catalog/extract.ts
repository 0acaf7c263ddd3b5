import { type AppRecord, type Section, sections } from "./app-record.ts";
import { associated, fromCommon } from "./extract-common.ts";
import { dlcOf, fromDepots } from "./extract-depots.ts";
import { emptyBlock, type KeyValues, parseKeyValues } from "./key-values.ts";
import { unreadKeys } from "./unread-keys.ts";
import { block, flag, id, int, lowerText, text, unique, type Value } from "./values.ts";

/** Text that parses but is not the `appinfo` of the requested app. */
export class ExtractError extends Error {
  override readonly name = "ExtractError";
}

/**
 * Version of the extractor, stored with each app (`sync_status.extractor_version`). Raise it when a field is added or
 * corrected, and name the field in `pics_field_version` (supabase/routines/pics.sql): history must not report as a
 * change what only the extractor reads differently.
 */
export const extractorVersion = 3;

export interface ExtractedApp {
  record: AppRecord;
  /** Steam withholds sections: `partial` was given, or the text says so. */
  isPartial: boolean;
  /** Sections that the text lacks, or has without content. What they would determine is not in the record. */
  lacks: Section[];
  /** Paths of the keys that Steam sends and this extractor does not read, as {@link unreadKeys} writes them. */
  unread: string[];
}

/**
 * Extracts the record of one app from its PICS payload.
 *
 * A section that is missing, empty or not a block determines nothing, and a field with a fallback in a missing section
 * is known only where the fallback is not needed. One exception: where `common` is there and the payload is whole, a
 * missing `extended` or `config` lists none, since many apps have nothing to say there.
 *
 * Invalid values never throw: they read as null, or are left out of a list.
 *
 * @param partial Steam withholds sections (`only_public` or `missing_token` of the reply); `public_only` in the text
 * means the same.
 * @throws {KeyValuesError} when the text is not KeyValues.
 * @throws {ExtractError} when its root is not `appinfo`, or it names another appid.
 */
export function extractApp(appid: number, text: string, partial: boolean, options?: ExtractOptions): ExtractedApp {
  const appinfo = appinfoOf(appid, parseKeyValues(text));
  return extractAppInfo(appid, appinfo, partial, options);
}

export interface ExtractOptions {
  /** Whether to read depots and their manifests, a quarter of the work; without it the record lists none. */
  withDepots: boolean;
}

/** The same from what a text was parsed to: the block `appinfo`. */
export function extractAppInfo(
  appid: number,
  appinfo: KeyValues,
  partial: boolean,
  { withDepots }: ExtractOptions = { withDepots: true },
): ExtractedApp {
  const section = (name: string): KeyValues | null => {
    const found = block(appinfo.get(name));
    return found.size === 0 ? null : found;
  };
  const common = section("common");
  const isPartial = partial || flag(appinfo.get("public_only"));
  const isWhole = !isPartial && common !== null;
  const noneIfWhole = isWhole ? emptyBlock : null;
  const told = {
    common,
    extended: section("extended") ?? noneIfWhole,
    config: section("config") ?? noneIfWhole,
    depots: section("depots"),
  };
  return {
    record: recordOf(appid, told, isWhole, withDepots),
    isPartial,
    lacks: sections.filter((name) => section(name) === null),
    unread: unreadKeys(appinfo),
  };
}

/** The sections of a payload; null for one that determines nothing. */
interface Told {
  common: KeyValues | null;
  extended: KeyValues | null;
  config: KeyValues | null;
  depots: KeyValues | null;
}

function recordOf(
  appid: number,
  { common, extended, config, depots }: Told,
  isWhole: boolean,
  withDepots: boolean,
): AppRecord {
  const record: AppRecord = {
    appid,
    ...(common && fromCommon(common)),
    ...(extended && fromExtended(appid, extended)),
    ...(config && { install_dir: text(config.get("installdir")) }),
    ...(depots && fromDepots(appid, depots, withDepots)),
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

function fromExtended(appid: number, extended: KeyValues) {
  return {
    homepage_url: text(extended.get("homepage")) ?? text(extended.get("developer_url")),
    app_state: text(extended.get("state")),
    must_own_appid: otherThan(appid, extended.get("mustownapptopurchase")),
    playtest_type: int(extended.get("playtest_type"), 0, 32_767),
  } satisfies Partial<AppRecord>;
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
  const parent = otherThan(appid, common.get("parent"));
  if (parent !== null) return parent;
  if (extended === null) return undefined;
  return (
    otherThan(appid, extended.get("dlcforappid")) ??
    otherThan(appid, extended.get("demoofappid")) ??
    otherThan(appid, extended.get("betaforappid"))
  );
}

/** The id of an app that is not the app itself. */
function otherThan(appid: number, value: Value): number | null {
  const other = id(value);
  return other === appid ? null : other;
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

import type { KeyValues } from "./key-values.ts";

/**
 * Key census: which keys Steam sends and the extractor does not read.
 *
 * Steam adds keys without a word (`steam_machine_compatibility` is one of 2025); counted by path, a new one is noticed on
 * its first day.
 */

/**
 * The keys that the extractor reads, by path from `appinfo`: `#` is a number, `*` any key. A test compares them with what
 * it really reads, both ways.
 */
export const readPaths: readonly string[] = [
  ...under("", "appid public_only"),
  ...under(
    "common",
    "name type releasestate steam_release_date original_release_date store_asset_mtime oslist osarch controller_support " +
      "review_score review_percentage review_score_bombs review_percentage_bombs metacritic_score metacritic_url " +
      "metacritic_fullurl aicontenttype restricted_countries exfgls workshop_visible freetodownload parent primary_genre " +
      "onlyvrsupport openvrsupport openxrsupport othervrsupport developer publisher name_localized.* category.* " +
      "store_tags.* genres.* content_descriptors.* languages.* associations.*.type associations.*.name",
  ),
  ...under("common.supported_languages.*", "supported full_audio subtitles"),
  ...under("common", "icon logo logo_small clienticon clienticns clienttga linuxclienticon"),
  ...under("common", "header_image.* header_image.image2x.* small_capsule.* small_capsule.image2x.*"),
  ...under("common.library_assets_full.*", "image.* images.* image2x.*"),
  ...under(
    "common.steam_deck_compatibility",
    "category steamos_compatibility steam_machine_compatibility steam_frame_compatibility test_timestamp tested_build_id " +
      "configuration.* tests.*.token tests.*.display steamos_tests.*.token steamos_tests.*.display " +
      "steam_machine_tests.*.token steam_machine_tests.*.display steam_frame_tests.*.token steam_frame_tests.*.display",
  ),
  ...under(
    "extended",
    "homepage developer_url state isfreeapp listofdlc dlcforappid demoofappid betaforappid developer publisher " +
      "mustownapptopurchase playtest_type",
  ),
  ...under("config", "installdir"),
  ...under("depots.branches.*", "buildid timebuildupdated timeupdated description pwdrequired"),
  ...under("depots.#", "name dlcappid depotfromapp sharedinstall config.oslist config.osarch config.language"),
  ...under("depots.#.manifests", "* *.gid *.size *.download"),
];

/**
 * Blocks that are not read, but whose keys are listed one by one. Any other unread block is listed as a whole, since what
 * is in it may be named freely: registry keys, tokens of localization, files.
 */
const openedPaths: readonly string[] = [
  ...under("common", "eulas.# library_assets controllervr playareavr"),
  ...under("config", "launch.# launch.#.config steamcontrollerconfigdetails.# steamcontrollertouchconfigdetails.#"),
  ...under("depots.#", "encryptedmanifests.*"),
  ...under("", "ufs ufs.savefiles.# ufs.rootoverrides.# sysreqs install localization albummetadata"),
];

/**
 * Paths (`common.eulas.*.id`) of the keys that the extractor does not read, each once, in lower case. Numbers and freely
 * named keys (languages, branches, …) are `*`. Takes a few microseconds.
 */
export function unreadKeys(appinfo: KeyValues): string[] {
  const found = new Set<string>();
  collect(appinfo, known, found);
  return [...found];
}

/** A key that is read or opened, with the keys below it. */
interface Known {
  /** From `appinfo`; numbers are `*`. */
  readonly path: string;
  readonly children: Map<string, Known>;
  /** What `#` and `*` are read as. */
  number: Known | null;
  any: Known | null;
  isRead: boolean;
  /** Paths of unread keys below it that came before. */
  readonly unread: Map<string, string>;
}

const known: Known = createKnown("");
for (const path of [...readPaths, ...openedPaths]) knownAt(path);
for (const path of readPaths) knownAt(path).isRead = true;

function collect(block: KeyValues, here: Known, found: Set<string>): void {
  block.each((key, value) => {
    const child = childOf(here, key);
    if (child === null) found.add(unreadPath(here, key));
    else if (typeof value === "object") collect(value, child, found);
    else if (!child.isRead) found.add(child.path);
  });
}

function childOf({ children, number, any }: Known, key: string): Known | null {
  return children.get(key) ?? (number !== null && isNumber(key) ? number : any);
}

/** Most paths to remember for each block: keys come from outside. */
const maxRemembered = 200;

function unreadPath(parent: Known, key: string): string {
  const remembered = parent.unread.get(key);
  if (remembered !== undefined) return remembered;
  const path = joined(parent.path, nameOf(key));
  // The key is a slice that would keep the whole text in memory.
  if (parent.unread.size < maxRemembered) parent.unread.set(Buffer.from(key).toString(), path);
  return path;
}

/**
 * The key, or `*` for a number and for what is no field's name: those are of letters, digits and a few signs. The client's
 * own app (7) has dozens of console variables, `convar_…`.
 */
function nameOf(key: string): string {
  if (key.startsWith("convar_")) return "convar_*";
  return isNumber(key) || !/^[\w @:-]{1,60}$/.test(key) ? "*" : key;
}

function isNumber(key: string): boolean {
  const first = key.charCodeAt(0);
  return first >= 0x30 && first <= 0x39 && /^\d+$/.test(key);
}

function joined(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function knownAt(path: string): Known {
  let here = known;
  for (const key of path.split(".")) {
    const child = here.children.get(key) ?? createKnown(joined(here.path, key === "#" ? "*" : key));
    here.children.set(key, child);
    if (key === "#") here.number = child;
    if (key === "*") here.any = child;
    here = child;
  }
  return here;
}

function createKnown(path: string): Known {
  return { path, children: new Map(), number: null, any: null, isRead: false, unread: new Map() };
}

/** The paths of space-separated keys below a block. */
function under(block: string, keys: string): string[] {
  return keys.split(" ").map((key) => joined(block, key));
}

/**
 * Extractor of the plain program: reads the data of one app out of steam-user's parsed `appinfo`, for the same columns and relations
 * that the service stores.
 */

type Json = string | { [key: string]: Json } | undefined;

export interface Facts {
  app: { appid: number } & Record<string, unknown>;
  tags: number[];
  genres: number[];
  primaryGenre: number | null;
  categories: number[];
  franchises: string[];
  developers: string[];
  publishers: string[];
  dlc: number[];
  deck: Record<string, unknown> | null;
  branches: Record<string, unknown>[];
  depots: Record<string, unknown>[];
  manifests: Record<string, unknown>[];
}

export function factsOf(appid: number, appinfo: unknown): Facts {
  const info = block(appinfo as Json);
  // Without an access token Steam sends fewer sections; absent values are unknown.
  const isPartial = info.public_only === "1";
  const common = block(info.common);
  const extended = block(info.extended);
  const depots = block(info.depots);
  const branches = block(depots.branches);
  const branch = block(branches.public);
  const category = block(common.category);
  const descriptors = ids(list(common.content_descriptors)).sort((a, b) => a - b);
  const parents = [common.parent, extended.dlcforappid, extended.demoofappid, extended.betaforappid].map(id);
  return {
    app: {
      appid,
      name: text(common.name),
      name_localized: textsByKey(common.name_localized, isLanguage),
      type: lower(common.type),
      is_free: isFree(common, extended) || (isPartial && !info.extended ? null : false),
      release_state: lower(common.releasestate),
      steam_release_date: time(common.steam_release_date),
      original_release_date: time(common.original_release_date),
      store_asset_mtime: time(common.store_asset_mtime),
      platforms: platforms(common.oslist),
      controller_support: lower(common.controller_support),
      os_arch: text(common.osarch),
      vr_support: vrSupport(common),
      pics_review_score: int(common.review_score, 0, 9),
      pics_review_percentage: int(common.review_percentage, 0, 100),
      pics_review_score_without_bombs: int(common.review_score_bombs, 0, 9),
      pics_review_percentage_without_bombs: int(common.review_percentage_bombs, 0, 100),
      metacritic_score: int(common.metacritic_score, 0, 100),
      metacritic_url: text(common.metacritic_fullurl) ?? metacriticUrl(text(common.metacritic_url)),
      parent_appid: parents.find((parent) => otherThan(appid, parent) !== null) ?? null,
      must_own_appid: otherThan(appid, id(extended.mustownapptopurchase)),
      playtest_type: int(extended.playtest_type, 0, 32_767),
      install_dir: text(block(info.config).installdir),
      homepage_url: text(extended.homepage) ?? text(extended.developer_url),
      app_state: text(extended.state),
      last_content_update: time(branch.timebuildupdated) ?? time(branch.timeupdated),
      current_build_id: text(branch.buildid),
      content_descriptors: descriptors.length > 0 ? descriptors : null,
      ai_content: aiContent(common.aicontenttype),
      restricted_countries: countries(common.restricted_countries),
      family_sharing_excluded: info.common ? int(common.exfgls, 1, maxId) !== null : null,
      languages: languages(common),
      assets: assets(common),
      has_workshop: isPartial && !info.common ? null : category.category_30 === "1" || common.workshop_visible === "1",
      primary_genre_id: id(common.primary_genre),
    },
    tags: ids(list(common.store_tags)),
    genres: ids(list(common.genres)),
    primaryGenre: id(common.primary_genre),
    categories: ids(
      Object.entries(category).map(([key, value]) => (value === "1" ? key.replace("category_", "") : undefined)),
    ),
    franchises: associated(common, "franchise"),
    developers: companies("developer", common, extended),
    publishers: companies("publisher", common, extended),
    dlc: ids([...(text(extended.listofdlc) ?? "").split(","), ...dlcDepots(depots)]).filter((dlc) => dlc !== appid),
    deck: steamDeck(block(common.steam_deck_compatibility)),
    branches: Object.entries(branches).map(([name, value]) => branchOf(name, block(value))),
    ...depotsOf(appid, depots),
  };
}

function branchOf(branch: string, value: Record<string, Json>) {
  return {
    branch,
    build_id: text(value.buildid),
    built_at: time(value.timebuildupdated),
    updated_at: time(value.timeupdated),
    description: text(value.description),
    password_required: value.pwdrequired === "1",
  };
}

function depotsOf(appid: number, depots: Record<string, Json>) {
  const found = Object.entries(depots)
    .filter(([key, value]) => /^\d+$/.test(key) && id(key) !== null && typeof value === "object")
    .map(([key, value]) => ({ depot_id: Number(key), value: block(value) }));
  return {
    depots: found.map(({ depot_id, value: { config, ...depot } }) => ({
      depot_id,
      name: text(depot.name),
      os_list: platforms(block(config).oslist),
      os_arch: text(block(config).osarch),
      language: text(block(config).language),
      dlc_appid: id(depot.dlcappid),
      from_appid: otherThan(appid, id(depot.depotfromapp)),
      shared_install: int(depot.sharedinstall, 1, maxId) !== null,
    })),
    manifests: found.flatMap(({ depot_id, value }) =>
      Object.entries(block(value.manifests)).map(([branch, manifest]) => ({
        depot_id,
        branch,
        manifest_id: text(typeof manifest === "string" ? manifest : block(manifest).gid),
        size_bytes: int(block(manifest).size, 0, Number.MAX_SAFE_INTEGER),
        download_bytes: int(block(manifest).download, 0, Number.MAX_SAFE_INTEGER),
      })),
    ),
  };
}

function assets(common: Record<string, Json>): Record<string, unknown> | null {
  const found: Record<string, unknown> = {};
  const add = (kind: string, art: Json) => {
    const { image2x, ...paths } = block(art);
    found[kind] ??= textsByKey(paths, isLanguage) ?? undefined;
    found[`${kind}_2x`] ??= textsByKey(image2x, isLanguage) ?? undefined;
  };
  const icons = Object.entries(iconExtensions).map(([name, extension]) => [name, text(common[name]), extension]);
  const named = icons
    .filter(([, hash]) => hash !== null)
    .map(([name, hash, extension]) => [name, `${hash}.${extension}`]);
  if (named.length > 0) found.icons = Object.fromEntries(named);
  add("header", common.header_image);
  add("small_capsule", common.small_capsule);
  for (const [kind, art] of Object.entries(block(common.library_assets_full))) {
    const { image, images, image2x } = block(art);
    add(kind, { ...block(image ?? images), ...(image2x && { image2x }) });
  }
  return Object.values(found).some((paths) => paths !== undefined) ? found : null;
}

const iconExtensions = {
  icon: "jpg",
  logo: "jpg",
  logo_small: "jpg",
  clienticon: "ico",
  clienticns: "icns",
  clienttga: "tga",
  linuxclienticon: "zip",
};

function vrSupport(common: Record<string, Json>): string | null {
  if (common.onlyvrsupport === "1") return "only";
  const runtimes = [common.openvrsupport, common.openxrsupport, common.othervrsupport];
  return runtimes.includes("1") ? "supported" : null;
}

function aiContent(value: Json): string[] | null {
  const kinds = [null, ["pre_generated"], ["live"], ["pre_generated", "live"]];
  return kinds[int(value, 1, 3) ?? 0] ?? null;
}

function countries(value: Json): string[] | null {
  const codes = (text(value) ?? "")
    .toUpperCase()
    .split(",")
    .map((code) => code.trim());
  const valid = [...new Set(codes.filter((code) => /^[A-Z]{2}$/.test(code)))].sort();
  return valid.length > 0 ? valid : null;
}

function companies(kind: string, common: Record<string, Json>, extended: Record<string, Json>): string[] {
  const found = associated(common, kind);
  if (found.length > 0) return found;
  const single = text(extended[kind]) ?? text(common[kind]);
  return single === null ? [] : [single];
}

function associated(common: Record<string, Json>, kind: string): string[] {
  const names = list(common.associations).map((item) => (block(item).type === kind ? text(block(item).name) : null));
  return [...new Set(names.filter((name) => name !== null))];
}

function isFree(common: Record<string, Json>, extended: Record<string, Json>): boolean {
  const isGivenAway = ["demo", "beta"].includes(lower(common.type) ?? "");
  return isGivenAway || extended.isfreeapp === "1" || common.freetodownload === "1";
}

function dlcDepots(depots: Record<string, Json>): Json[] {
  return Object.entries(depots).map(([key, depot]) => (/^\d+$/.test(key) ? block(depot).dlcappid : undefined));
}

function platforms(oslist: Json): string | null {
  const named = new Set((lower(oslist) ?? "").split(",").map((name) => name.trim()));
  const usual = ["windows", "macos", "linux"].filter((name) => named.delete(name));
  return [...usual, ...[...named].filter(Boolean).sort()].join(",") || null;
}

function metacriticUrl(path: string | null): string | null {
  return path && `https://www.metacritic.com/game/${path}`;
}

function languages(common: Record<string, Json>): Record<string, unknown> | null {
  const yes = (value: Json) => value === "true" || value === "1";
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(block(common.supported_languages ?? common.languages))) {
    const { supported, full_audio, subtitles } = common.supported_languages ? block(value) : { supported: value };
    const flags = { supported: yes(supported), full_audio: yes(full_audio), subtitles: yes(subtitles) };
    if (isLanguage(name) && Object.values(flags).includes(true)) found[name] = flags;
  }
  return Object.keys(found).length > 0 ? found : null;
}

function steamDeck(deck: Record<string, Json>): Record<string, unknown> | null {
  if (Object.keys(deck).length === 0) return null;
  const tests = (value: Json) => {
    const results = list(value)
      .map(block)
      .map(({ display, token }) => ({ display: int(display, 0, 99), token: text(token) }));
    return results.length > 0 ? results : null;
  };
  const steamos = text(deck.steamos_compatibility);
  const verdict = (code: Json) => ["unknown", "unsupported", "playable", "verified"][int(code, 0, 3) ?? 0];
  return {
    category: verdict(deck.category),
    steamos_category: steamos && ["unknown", "unsupported", "compatible"][int(steamos, 0, 2) ?? 0],
    machine_category: text(deck.steam_machine_compatibility) && verdict(deck.steam_machine_compatibility),
    frame_category: text(deck.steam_frame_compatibility) && verdict(deck.steam_frame_compatibility),
    test_timestamp: time(deck.test_timestamp),
    tested_build_id: text(deck.tested_build_id),
    tests: tests(deck.tests),
    steamos_tests: tests(deck.steamos_tests),
    machine_tests: tests(deck.steam_machine_tests),
    frame_tests: tests(deck.steam_frame_tests),
    configuration: textsByKey(deck.configuration),
  };
}

const block = (value: Json): Record<string, Json> => (typeof value === "object" ? value : {});
/** A JavaScript object iterates its integer keys in ascending order. */
const list = (value: Json): Json[] => Object.values(block(value));
const text = (value: Json): string | null =>
  typeof value === "string" ? value.replaceAll("\0", "").toWellFormed().trim() || null : null;
const lower = (value: Json): string | null => text(value)?.toLowerCase() ?? null;
const maxId = 2_147_483_647;
const id = (value: Json): number | null => int(value, 1, maxId);
const otherThan = (appid: number, other: number | null): number | null => (other === appid ? null : other);
const isLanguage = (key: string): boolean => /^[a-z_]+$/.test(key);
const ids = (values: Json[]): number[] => [...new Set(values.map(id).filter((value) => value !== null))];

function textsByKey(value: Json, isKey: (key: string) => boolean = () => true): Record<string, string> | null {
  const found: Record<string, string> = {};
  for (const [key, item] of Object.entries(block(value))) {
    const content = isKey(key) ? text(item) : null;
    if (content !== null) found[key] = content;
  }
  return Object.keys(found).length > 0 ? found : null;
}

function int(value: Json, min: number, max: number): number | null {
  const digits = text(value);
  const number = digits !== null && /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  return number >= min && number <= max ? number : null;
}

function time(value: Json): string | null {
  const seconds = int(value, 1, 253_402_300_799);
  return seconds === null ? null : new Date(seconds * 1_000).toISOString();
}

import type { AppPlan, AppType } from "./app-plan.ts";
import { type KeyValue, type KeyValueBlock, toKeyValues } from "./key-values-writer.ts";
import { distortCommon, distortText } from "./odd-shapes.ts";
import { createRandom, type Random } from "./random.ts";
import { namelessTag, storeTags } from "./store-tags.ts";

const day = 86_400;
/** 2 April 2024 and a little: generated times lie around it. */
const epoch = 1_712_000_000;
const namedTags = [...storeTags.keys()];
const allTags = [...namedTags, namelessTag];
const genreIds = [1, 2, 3, 4, 9, 18, 23, 25, 28, 29, 37, 70];
const categoryIds = [1, 2, 9, 13, 15, 18, 20, 22, 23, 24, 25, 27, 28, 29, 30, 35, 36, 37, 38, 39, 41, 42, 43, 44, 62];
const languages =
  "english german french italian spanish schinese tchinese russian japanese koreana portuguese brazilian polish turkish latam ukrainian".split(
    " ",
  );
const deckTokens = [
  "DefaultControllerConfigFullyFunctional",
  "ControllerGlyphsMatchDeckDevice",
  "InterfaceTextIsLegible",
  "DefaultConfigurationIsPerformant",
  "TextInputDoesNotAutomaticallyInvokesKeyboard",
  "LauncherInteractionIssues",
];

/**
 * The text KeyValues of an app, shaped like those that PICS sends: which sections and fields are there, and how often,
 * follows counts over real payloads. What changes from version to version is what changes on Steam: builds, dates,
 * reviews, the order of tags.
 */
export function generateText(plan: AppPlan, version: number): string | Buffer {
  const fixed = createRandom(plan.seed, plan.appid, 3);
  const moving = createRandom(plan.seed, plan.appid, 4, version);
  const updated = epoch + fixed.int(-900 * day, 600 * day) + version * day;
  const common = commonSection(plan, fixed, moving, updated, version);
  const odd = plan.isOdd ? createRandom(plan.seed, plan.appid, 5) : null;
  const isTiny = plan.type === "config" && fixed.chance(0.5);
  const text = toKeyValues({
    appinfo: {
      appid: plan.appid,
      common: odd ? distortCommon(common, plan, odd) : common,
      extended: isTiny ? undefined : extendedSection(plan, fixed),
      config: isTiny || plan.type === "video" ? undefined : configSection(plan, fixed),
      depots: isTiny || plan.type === "video" ? undefined : depotsSection(plan, fixed, moving, updated),
      ufs: plan.type === "game" && fixed.chance(0.6) ? { quota: 100_000_000, maxnumfiles: 1_000 } : undefined,
    },
  });
  return odd ? distortText(text, odd) : text;
}

function commonSection(plan: AppPlan, fixed: Random, moving: Random, updated: number, version: number): KeyValueBlock {
  const { type } = plan;
  const isOnStore = ["game", "dlc", "demo", "music", "application", "video"].includes(type);
  const isGame = type === "game";
  // The same in all versions.
  const released = updated - version * day - fixed.int(10, 1_500) * day;
  const isReleased = !isOnStore || fixed.chance(0.9);
  const genres = fixed.sample(genreIds, fixed.int(1, 4));
  const tags = fixed.sample(
    plan.hasNamelessTag ? allTags : namedTags,
    isGame ? (fixed.chance(0.41) ? 20 : fixed.int(3, 19)) : fixed.int(1, 6),
  );
  if (version > 0) tags.push(...tags.splice(moving.int(0, tags.length - 1), 1));
  const percentage = isGame && isReleased && fixed.chance(0.64) ? moving.int(20, 99) : undefined;
  const controller = fixed.weighted([
    [66, undefined],
    [20, "full"],
    [14, "partial"],
  ] as const);

  return [
    ["name", plan.name],
    ["type", typeSpelling(type, fixed)],
    ["parent", plan.parent ?? undefined],
    ["clienticon", fixed.chance(0.7) ? fixed.hex(40) : undefined],
    ["icon", fixed.chance(0.7) ? fixed.hex(40) : undefined],
    ["logo", fixed.chance(0.6) ? fixed.hex(40) : undefined],
    [
      "oslist",
      fixed.weighted([
        [70, "windows"],
        [8, "windows,macos"],
        [8, "windows,linux"],
        [12, "windows,macos,linux"],
        [1, "windows,android"],
      ]),
    ],
    ["osarch", fixed.pick(["", "32", "64", "64"])],
    ["releasestate", isOnStore ? (isReleased ? "released" : fixed.pick(["prerelease", "unavailable"])) : undefined],
    ["controller_support", isGame ? controller : undefined],
    ["steam_deck_compatibility", isGame && fixed.chance(0.3) ? deckBlock(fixed, moving, updated) : undefined],
    ["metacritic_name", isGame && fixed.chance(0.4) ? plan.name : undefined],
    ["small_capsule", isOnStore ? { english: "capsule_231x87.jpg" } : undefined],
    ["header_image", isOnStore ? { english: "header.jpg" } : undefined],
    ["library_assets_full", isGame && fixed.chance(0.6) ? libraryAssets(fixed) : undefined],
    ["store_asset_mtime", isOnStore ? updated - moving.int(0, 30) * day : undefined],
    ["associations", isOnStore || fixed.chance(0.4) ? associations(plan) : undefined],
    ["primary_genre", isOnStore ? primaryGenre(genres, fixed) : undefined],
    ["genres", isOnStore ? indexed(genres) : undefined],
    ["category", isOnStore ? categories(fixed) : undefined],
    ["supported_languages", isOnStore ? supportedLanguages(fixed) : undefined],
    ["steam_release_date", isOnStore && isReleased ? released : undefined],
    ["original_release_date", isGame && fixed.chance(0.09) ? released - 400 * day : undefined],
    [
      "content_descriptors",
      isGame && fixed.chance(0.23) ? indexed(fixed.sample([1, 2, 3, 4, 5], fixed.int(1, 3))) : undefined,
    ],
    ["aicontenttype", isGame && fixed.chance(0.1) ? fixed.pick([1, 2]) : undefined],
    ["metacritic_score", isGame && fixed.chance(0.033) ? fixed.int(35, 96) : undefined],
    [
      "metacritic_url",
      isGame && fixed.chance(0.03) ? `pc/${plan.name.toLowerCase().replace(/[^a-z]+/g, "-")}` : undefined,
    ],
    ["freetodownload", type === "tool" && fixed.chance(0.3) ? 1 : undefined],
    ["community_visible_stats", isGame && fixed.chance(0.6) ? 1 : undefined],
    ["workshop_visible", isGame && fixed.chance(0.12) ? 1 : undefined],
    ["community_hub_visible", isOnStore ? 1 : undefined],
    ["gameid", plan.appid],
    ["exfgls", fixed.chance(0.2) ? fixed.int(1, 9) : undefined],
    ["store_tags", isOnStore && type !== "video" ? indexed(tags) : undefined],
    ["review_score", percentage === undefined ? undefined : Math.max(1, Math.ceil(percentage / 11.2))],
    ["review_percentage", percentage],
    ...rareFacts(plan),
  ];
}

/** Facts that few apps have, by a random of their own. */
function rareFacts(plan: AppPlan): [string, KeyValue | undefined][] {
  const random = createRandom(plan.seed, plan.appid, 6);
  const isGame = plan.type === "game";
  return [
    [
      "name_localized",
      isGame && random.chance(0.1) ? { japanese: `${plan.name} 日本語`, schinese: plan.name } : undefined,
    ],
    ["openvrsupport", isGame && random.chance(0.06) ? 1 : undefined],
    ["onlyvrsupport", isGame && random.chance(0.04) ? 1 : undefined],
    ["restricted_countries", random.chance(0.08) ? random.pick(["DE", "CN,DE", "cn, de,SA"]) : undefined],
    ["review_score_bombs", isGame && random.chance(0.02) ? random.int(1, 9) : undefined],
    ["review_percentage_bombs", isGame && random.chance(0.02) ? random.int(1, 99) : undefined],
  ];
}

/** Usually the first genre; `0` is none, and a few are not among the genres. */
function primaryGenre(genres: number[], random: Random): number | undefined {
  if (random.chance(0.04)) return 0;
  return random.chance(0.01) ? genreIds.find((genre) => !genres.includes(genre)) : genres[0];
}

function typeSpelling(type: AppType, random: Random): string {
  const spelled = type === "dlc" ? "DLC" : type.charAt(0).toUpperCase() + type.slice(1);
  return random.chance(0.1) ? type : spelled;
}

const indexed = (values: readonly (string | number)[]): KeyValueBlock =>
  values.map((value, index) => [String(index), value]);

function associations({ developers, publishers, franchise }: AppPlan): KeyValueBlock {
  const named = [
    ...developers.map((name) => ({ type: "developer", name })),
    ...publishers.map((name) => ({ type: "publisher", name })),
    ...(franchise ? [{ type: "franchise", name: franchise }] : []),
  ];
  return named.map((association, index) => [String(index), association]);
}

function categories(random: Random): KeyValueBlock {
  const block: KeyValueBlock = { category_2: 1 };
  for (const id of random.sample(categoryIds, random.int(2, 9))) block[`category_${id}`] = random.chance(0.01) ? 0 : 1;
  return block;
}

function supportedLanguages(random: Random): KeyValueBlock {
  const count = random.chance(0.6) ? random.int(0, 3) : random.int(4, languages.length - 1);
  const block: KeyValueBlock = {};
  for (const language of ["english", ...random.sample(languages.slice(1), count)]) {
    block[language] = {
      supported: language === "english" || random.chance(0.97) ? "true" : undefined,
      full_audio: random.chance(0.3) ? "true" : undefined,
      subtitles: random.chance(0.4) ? "true" : undefined,
    };
  }
  return block;
}

function deckBlock(fixed: Random, moving: Random, updated: number): KeyValueBlock {
  const category = fixed.weighted([
    [6, 0],
    [24, 1],
    [40, 2],
    [30, 3],
  ] as const);
  const tests = (prefix: string): KeyValueBlock =>
    fixed
      .sample(deckTokens, fixed.int(1, 5))
      .map((token, index) => [String(index), { display: fixed.int(2, 4), token: `#${prefix}_TestResult_${token}` }]);
  return {
    category,
    steamos_compatibility: fixed.chance(0.8) ? Math.min(category, 2) : undefined,
    steam_machine_compatibility: fixed.int(0, 3),
    steam_frame_compatibility: fixed.chance(0.02) ? fixed.int(0, 3) : undefined,
    test_timestamp: Math.floor(updated / day) * day,
    tested_build_id: moving.int(5_000_000, 22_000_000),
    tests: category === 0 ? undefined : tests("SteamDeckVerified"),
    steamos_tests: category > 0 && fixed.chance(0.4) ? tests("SteamOS") : undefined,
    configuration: { supported_input: "gamepad", small_text: 0, recommended_runtime: "proton-stable", hdr_support: 0 },
  };
}

function libraryAssets(random: Random): KeyValueBlock {
  const image = (file: string): KeyValueBlock => ({
    image: { english: `${random.hex(40)}/${file}.jpg` },
    image2x: { english: `${random.hex(40)}/${file}_2x.jpg` },
  });
  return {
    library_capsule: image("library_capsule"),
    library_hero: image("library_hero"),
    library_logo: {
      ...image("logo"),
      logo_position: { pinned_position: "BottomLeft", width_pct: "49.8", height_pct: "100" },
    },
  };
}

function extendedSection(plan: AppPlan, random: Random): KeyValueBlock {
  return {
    developer: plan.developers[0],
    publisher: plan.publishers[0],
    homepage: random.chance(0.6) ? `https://${plan.appid}.example.com/` : random.chance(0.3) ? "" : undefined,
    // Real demos and playtests lack it.
    isfreeapp: random.chance(0.12) && !["demo", "beta"].includes(plan.type) ? 1 : undefined,
    listofdlc: plan.dlc.length > 0 ? listOfDlc(plan, random) : undefined,
    dlcavailableonstore: plan.dlc.length > 0 ? 1 : undefined,
    demoofappid: plan.type === "demo" ? (plan.parent ?? undefined) : undefined,
    dlcforappid: plan.type === "dlc" ? (plan.parent ?? undefined) : undefined,
    mustownapptopurchase: plan.type === "dlc" ? (plan.parent ?? undefined) : undefined,
    playtest_type: plan.type === "beta" ? plan.appid % 2 : undefined,
    state: random.chance(0.1) ? "eStateAvailable" : undefined,
  };
}

/** Steam cuts the list at 64 entries. Few apps have that many; the ids added to them here are of no app. */
function listOfDlc({ dlc }: AppPlan, random: Random): string {
  const others = random.chance(0.03)
    ? Array.from({ length: 64 - dlc.length }, (_, index) => 2_000_000_000 + index)
    : [];
  return [...dlc, ...others].join(",");
}

function configSection(plan: AppPlan, random: Random): KeyValueBlock {
  const executable = `${plan.name.replace(/[^A-Za-z]+/g, "")}.exe`;
  const launch: KeyValueBlock = {};
  const launchCount = random.int(1, plan.type === "game" ? 4 : 1);
  for (let i = 0; i < launchCount; i += 1) {
    launch[String(i)] = {
      executable: `Binaries\\${executable}`,
      arguments: random.chance(0.2) ? '-profile "default"' : undefined,
      type: i === 0 ? "default" : `option${i}`,
      config: { oslist: random.pick(["windows", "macos", "linux"]), osarch: "64" },
    };
  }
  return { contenttype: 3, installdir: plan.name, launch: plan.type === "dlc" ? undefined : launch };
}

function depotsSection(plan: AppPlan, fixed: Random, moving: Random, updated: number): KeyValueBlock {
  // A few apps keep dozens of branches, which is where the longest real texts come from.
  const branchCount = fixed.chance(0.025) ? fixed.int(30, 120) : fixed.chance(0.3) ? fixed.int(1, 10) : 0;
  const names = ["public", ...Array.from({ length: branchCount }, (_, index) => `branch-${index}`)];
  const manifest = (random: Random): KeyValueBlock => ({
    gid: `${random.int(1, 9)}${String(random.int(0, 999_999_999)).padStart(9, "0")}${random.int(100_000_000, 999_999_999)}`,
    size: random.int(1_000_000, 80_000_000_000),
    download: random.int(1_000_000, 40_000_000_000),
  });
  const depotCount = plan.type === "game" ? fixed.int(1, 5) : 1;
  const depots: KeyValueBlock = {};
  for (let i = 1; i <= depotCount; i += 1) {
    const manifests: KeyValueBlock = {};
    for (const name of names) manifests[name] = manifest(name === "public" ? moving : fixed);
    const dlcappid =
      plan.dlc.length > 0 && fixed.chance(0.2) ? (fixed.chance(0.5) ? plan.dlc[0] : plan.appid + 1_000_003) : undefined;
    depots[String(plan.appid + i)] = { dlcappid, config: { oslist: fixed.pick(["windows", "linux"]) }, manifests };
  }
  const branches: KeyValueBlock = {};
  for (const name of names) {
    branches[name] = {
      buildid: name === "public" ? moving.int(1_000_000, 22_000_000) : fixed.int(1_000_000, 22_000_000),
      description: name === "public" ? undefined : "Frozen for old saves",
      timeupdated: updated,
      // The build is older than the last edit of the branch.
      timebuildupdated: fixed.chance(0.5) ? updated - fixed.int(0, 400) * day : undefined,
    };
  }
  return [
    ...Object.entries(depots),
    ["baselanguages", fixed.chance(0.3) ? "english,german" : undefined],
    ["workshopdepot", fixed.chance(0.1) ? plan.appid : undefined],
    ["branches", branches],
    ["privatebranches", branchCount > 0 ? 1 : undefined],
  ];
}

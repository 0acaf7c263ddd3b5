/**
 * Examples of the views, for the OpenAPI document; a test validates each against its schema. The app is Reventure as PICS sent it at change
 * number 34841056, with its long lists shortened.
 */

export const time = "2026-11-28T12:00:00+00:00";
export const label = { id: 3964, name: "Pixel Graphics" };
export const appReference = { appid: 400, name: "Portal" };
export const languageSupport = { supported: true, full_audio: false, subtitles: true };

export const deckTest = { display: 4, token: "#SteamDeckVerified_TestResult_InterfaceTextIsLegible" };
export const steamDeck = {
  category: "verified",
  steamos_category: "compatible",
  machine_category: null,
  frame_category: null,
  test_timestamp: "2022-03-18T00:00:00+00:00",
  tested_build_id: "6517070",
};
export const steamDeckReport = {
  ...steamDeck,
  tests: [deckTest],
  steamos_tests: [{ display: 3, token: "#SteamOS_TestResult_GameStartupFunctional" }],
  machine_tests: null,
  frame_tests: null,
  configuration: { supported_input: "gamepad", small_text: "0", recommended_runtime: "proton-stable" },
};

export const steamSpy = {
  owners_estimate: "50,000 .. 100,000",
  owners_doubtful: false,
  positive_reviews: 2_912,
  negative_reviews: 187,
  average_playtime_forever: 0,
  average_playtime_2weeks: 0,
  price: 799,
  last_updated: "2026-11-28T04:12:00+00:00",
};

const head = {
  appid: 900_270,
  name: "Reventure",
  type: "game",
};
const relations = {
  parent: null,
  developers: ["Pixelatto"],
  publishers: ["Pixelatto"],
  tags: [{ id: 21, name: "Adventure" }, { id: 492, name: "Indie" }, label],
  platforms: ["windows"],
};
const facts = {
  is_active: true,
  is_free: false,
  release_state: "released",
  steam_release_date: "2019-06-04T15:57:44+00:00",
  pics_review_score: 8,
  pics_review_percentage: 94,
  last_content_update: "2021-04-09T17:59:44+00:00",
  change_number: 34_841_056,
  synced_at: "2026-11-28T12:00:00+00:00",
  is_pending: false,
  updated_at: "2026-11-02T09:30:00+00:00",
};

export const appSummary = { ...head, ...relations, ...facts, steam_deck: steamDeck };

const storeItems = "https://shared.akamai.steamstatic.com/store_item_assets/steam/apps/900270";
const images = "https://cdn.akamai.steamstatic.com/steamcommunity/public/images/apps/900270";
export const app = {
  ...head,
  ...relations,
  ...facts,
  name_localized: { japanese: "Reventure (レベンチャー)" },
  is_known: true,
  is_listed: true,
  original_release_date: "2019-06-04T07:00:00+00:00",
  must_own_appid: null,
  playtest_type: null,
  dlc: [],
  franchises: [],
  genres: [
    { id: 23, name: "Indie" },
    { id: 25, name: "Adventure" },
  ],
  primary_genre_id: 23,
  categories: [
    { id: 2, name: "Single-player" },
    { id: 22, name: "Steam Achievements" },
  ],
  content_descriptors: [2, 5],
  ai_content: null,
  os_arch: null,
  controller_support: "full",
  vr_support: null,
  steam_deck: steamDeckReport,
  languages: { english: languageSupport, japanese: languageSupport },
  has_workshop: true,
  family_sharing_excluded: false,
  restricted_countries: null,
  pics_review_score_without_bombs: null,
  pics_review_percentage_without_bombs: null,
  metacritic_score: 84,
  metacritic_url: "https://www.metacritic.com/game/pc/reventure?ftag=MCD-06-10aaa1f",
  homepage_url: null,
  app_state: null,
  current_build_id: "6517070",
  install_dir: "Reventure",
  store_asset_mtime: "2024-09-05T09:34:24+00:00",
  assets: {
    header: { english: `${storeItems}/header.jpg` },
    icons: { icon: `${images}/57c6002a51d19bf33511c39d9efdaf8503951080.jpg` },
    library_capsule: { english: `${storeItems}/library_600x900.jpg` },
  },
  store_modified_at: "2026-09-14T13:20:11+00:00",
  price_change_number: 32_341_306,
  steamspy: steamSpy,
  missing_token: false,
  created_at: "2026-10-01T06:00:00+00:00",
};

export const change = {
  id: 48_151,
  appid: 900_270,
  name: "Reventure",
  type: "game",
  change_number: 34_841_056,
  field: "current_build_id",
  old: "6342108",
  new: "6517070",
  detected_at: "2026-11-02T09:30:00+00:00",
};

export const event = {
  id: 3_155_623_936,
  event: "build",
  appid: 900_270,
  name: "Reventure",
  type: "game",
  image: `${storeItems}/header.jpg`,
  subject: "public",
  old: "6342108",
  new: "6517070",
  change_number: 34_841_056,
  change_ids: [48_151],
  detected_at: "2026-11-02T09:30:00+00:00",
};

export const labelCount = { ...label, apps: 16_253 };
export const companyCount = { name: "Pixelatto", apps: 3 };
export const activityMinute = { minute: "2026-11-28T12:00:00+00:00", apps: 9, changes: 14 };
export const namedCount = { name: "game", count: 124_356 };
export const deckCount = { category: "verified", count: 6_412 };
export const catalogSummary = {
  apps: 251_204,
  by_type: [namedCount],
  deck: [deckCount],
  top_tags: [{ name: "Indie", count: 78_411 }],
};

export const branch = {
  branch: "public",
  build_id: "6517070",
  built_at: "2021-04-09T17:59:44+00:00",
  updated_at: "2022-06-06T11:35:11+00:00",
  description: null,
  password_required: false,
};
const depotFacts = {
  os_list: ["windows"],
  os_arch: null,
  language: null,
  dlc_appid: null,
  from_appid: null,
  shared_install: false,
};
export const depotManifest = {
  branch: "public",
  manifest_id: "3102773158792796148",
  size_bytes: 439_586_371,
  download_bytes: 123_313_536,
};
export const depot = { depot_id: 900_271, name: null, ...depotFacts, manifests: [depotManifest] };
export const depotApp = { appid: 900_270, name: "Reventure", type: "game", depot_name: null, ...depotFacts };

export const appInfo = {
  appid: 900_270,
  change_number: 34_841_056,
  sha1: "ed5cf176d123ff68d4916151fbf800411ffa9a14",
  size: 6_427,
  partial: false,
  fetched_at: "2026-11-28T12:00:00+00:00",
  info: {
    appid: "900270",
    common: { name: "Reventure", type: "Game", oslist: "windows" },
    config: { installdir: "Reventure" },
  },
};
export const steamcmdInfo = {
  data: {
    "900270": {
      _change_number: 34_841_056,
      _missing_token: false,
      _sha: "ed5cf176d123ff68d4916151fbf800411ffa9a14",
      _size: 6_427,
      ...appInfo.info,
    },
  },
  status: "success",
};

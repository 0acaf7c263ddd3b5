import { PassThrough } from "node:stream";
import type { AppView } from "../../../src/catalog/views.ts";
import type { StoredApp } from "../../../src/catalog-source/port.ts";
import type { Terminal } from "../../../src/terminal/layout.ts";

/** 2026-11-26 12:00:00 UTC. */
export const now = Date.UTC(2026, 10, 26, 12);
export const ago = (seconds: number) => new Date(now - seconds * 1_000).toISOString();

/** A pipe of 80 columns. */
export const plain: Terminal = { columns: 80, stream: new PassThrough() };
/** A terminal that shows colours. */
export const coloured: Terminal = {
  columns: 80,
  stream: Object.assign(new PassThrough(), { isTTY: true, getColorDepth: () => 4 }),
};

export const portal: AppView = {
  appid: 620,
  name: "Portal 2",
  type: "game",
  name_localized: null,
  is_active: true,
  is_known: true,
  is_listed: true,
  is_free: false,
  release_state: "released",
  steam_release_date: "2011-04-18T17:00:00+00:00",
  original_release_date: null,
  store_asset_mtime: null,
  platforms: ["windows", "linux"],
  controller_support: "full",
  pics_review_score: 9,
  pics_review_percentage: 98,
  metacritic_score: 95,
  metacritic_url: `https://www.metacritic.com/game/pc/${"portal-2-".repeat(9)}`,
  homepage_url: null,
  app_state: null,
  must_own_appid: null,
  playtest_type: null,
  ai_content: null,
  os_arch: null,
  vr_support: null,
  family_sharing_excluded: false,
  restricted_countries: null,
  pics_review_score_without_bombs: null,
  pics_review_percentage_without_bombs: null,
  install_dir: null,
  assets: null,
  store_modified_at: null,
  price_change_number: null,
  steamspy: null,
  last_content_update: "2026-01-02T03:04:05+00:00",
  current_build_id: "19000000",
  content_descriptors: [2, 5],
  languages: {
    english: { supported: true, full_audio: true, subtitles: true },
    french: { supported: false, full_audio: false, subtitles: true },
    thai: { supported: true, full_audio: false, subtitles: false },
  },
  has_workshop: true,
  primary_genre_id: 1,
  parent: { appid: 400, name: "Portal" },
  dlc: [
    { appid: 652, name: null },
    { appid: 323180, name: "Soundtrack" },
  ],
  tags: [
    { id: 1664, name: "Puzzle" },
    { id: 5055, name: null },
  ],
  genres: [
    { id: 1, name: "Action" },
    { id: 25, name: "Adventure" },
  ],
  categories: [{ id: 2, name: "Single-player" }],
  franchises: [],
  developers: ["Valve"],
  publishers: ["Valve"],
  steam_deck: {
    category: "verified",
    steamos_category: "compatible",
    machine_category: "playable",
    frame_category: null,
    test_timestamp: "2024-02-24T00:00:00+00:00",
    tested_build_id: "13439412",
    tests: [{ display: 4, token: "#SteamDeckVerified_TestResult_DefaultConfigurationIsPerformant" }],
    steamos_tests: [{ display: 3, token: "#SteamOS_TestResult_GameStartupFunctional" }],
    machine_tests: [{ display: null, token: "#SteamMachine_TestResult_SomethingNew" }],
    frame_tests: null,
    configuration: null,
  },
  change_number: 36_053_620,
  synced_at: ago(300),
  is_pending: false,
  missing_token: false,
  created_at: ago(864_000),
  updated_at: ago(7_200),
};

export const portalStored: StoredApp = { app: portal, branches: [], depots: [] };

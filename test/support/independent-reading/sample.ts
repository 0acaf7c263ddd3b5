import type { ExpectedRows } from "./rows.ts";

/** A made-up payload with every field, most of them next to an odd value. */
export const sampleText = String.raw`
"appinfo"
{
  "appid" "620"
  "common"
  {
    "name" " Portal \"2\"	"  "type" "Game"  "ReleaseState" "Released"  "releasestate" "prerelease"  "releasestate" "disabled"
    "oslist" "linux, windows,android"  "controller_support" "FULL"
    "steam_release_date" "1303171200"  "original_release_date" "0"  "store_asset_mtime" "253402300800"
    "review_score" "9"  "review_percentage" "101"  "metacritic_score" "095"  "metacritic_url" "pc/portal-2"
    "name_localized" { "japanese" " ポータル "  "french" ""  "german;" "Portal" }
    "osarch" "64"  "openvrsupport" "1"  "review_score_bombs" "8"  "review_percentage_bombs" "-1"
    "aicontenttype" "3"  "restricted_countries" "sa, DE,,de,XYZ"  "exfgls" "3"
    "header_image" { "english" "aa/header.jpg"  "french" "../x.jpg"  "image2x" { "english" "header_2x.jpg" } }
    "library_assets_full"
    {
      "library_hero_blur" { "images" { "english" "blur.jpg" } }
      "library_logo" { "image" { "english" "logo.png" }  "image2x" { "english" "a:b" }  "logo_position" { "width_pct" "50" } }
    }
    "icon" "0123456789abcdef0123456789abcdef01234567"  "logo" ""  "linuxclienticon" "0123456789abcdef0123456789abcdef0123456f"
    "parent" "620"  "workshop_visible" "1"  "primary_genre" "4"
    "store_tags" { "10" "3" "2" "19" "0" "21" "11" "19" "12" "x" }
    "genres" { "0" "25" "1" "4" "3" "4" }
    "category" { "category_30" "0" "category_9" "1" "category_2" "1" "other_5" "1" }
    "content_descriptors" { "0" "5" "1" "2" "2" "5" "3" "-1" }
    "supported_languages"
    {
      "english" { "supported" "true" "full_audio" "1" }
      "french" { "supported" "" "subtitles" "true" }  "polish" { "supported" "" }
      "german;" { "supported" "true" }
      "dutch" "1"
    }
    "languages" { "italian" "1" }
    "associations"
    {
      "0" { "type" "developer" "name" " Valve " }  "1" { "type" "developer" "name" "Valve" }
      "2" { "type" "franchise" "name" "portal" }  "3" { "type" "franchise" "name" "Portal" }  "4" "odd"
    }
    "steam_deck_compatibility"
    {
      "category" "3"  "steamos_compatibility" "2"  "steam_machine_compatibility" "2"  "steam_frame_compatibility" "8"  "test_timestamp" "1643760000"  "tested_build_id" "8"
      "tests" { "10" { "display" "4" "token" "#b" } "9" { "display" "?" "token" "#a" } "11" { "display" "1" } }
      "steamos_tests" { "0" { "display" "4" "token" "#c" } }  "steam_machine_tests" { "0" "#d" }
      "configuration" { "supported_input" "gamepad"  "hdr_support" ""  "small_text" "0" }
    }
  }
  "extended"
  {
    "isfreeapp" "1"  "publisher" "Valve\\Co"  "developer" "unused"  "homepage" ""  "developer_url" "http://a/"
    "listofdlc" "323180, 7,323180,-2"  "dlcforappid" "0"  "demoofappid" "400"  "betaforappid" "500"  "state" "eStateAvailable"
    "mustownapptopurchase" "400"  "playtest_type" "32768"
  }
  "config" { "installdir" " Portal 2 " }
  "depots"
  {
    "621"
    {
      "name" "Content"  "dlcappid" "9"  "depotfromapp" "620"  "sharedinstall" "2"
      "config" { "oslist" "linux,windows"  "osarch" "64"  "language" "english" }
      "manifests"
      {
        "public" { "gid" "18446744073709551615"  "size" "9007199254740991"  "download" "9007199254740992" }
        "beta" "12"  "odd" "AF8A"
      }
      "encryptedmanifests" { "private" { "gid" "AF8A" } }
    }  "622" { "dlcappid" "7" }  "623" "8"
    "branches" { "public" { "buildid" "00123" "timeupdated" "1700000000" "timebuildupdated" "1600000000" } "dlcappid" "10" "beta" { "pwdrequired" "1"  "description" " New " } }
  }
}`;

/** The rows expected for {@link sampleText} with change number 77. */
export const sampleRows: ExpectedRows = {
  partial: false,
  changeNumber: 77,
  apps: {
    appid: 620,
    name: 'Portal "2"',
    type: "game",
    is_known: true,
    is_active: true,
    is_free: true,
    release_state: "released",
    steam_release_date: "2011-04-19T00:00:00.000Z",
    original_release_date: null,
    store_asset_mtime: null,
    platforms: "windows,linux,android",
    controller_support: "full",
    pics_review_score: 9,
    pics_review_percentage: null,
    metacritic_score: 95,
    metacritic_url: "https://www.metacritic.com/game/pc/portal-2",
    parent_appid: 400,
    homepage_url: "http://a/",
    app_state: "eStateAvailable",
    last_content_update: "2020-09-13T12:26:40.000Z",
    current_build_id: "00123",
    content_descriptors: [2, 5],
    languages: {
      english: { supported: true, full_audio: true, subtitles: false },
      french: { supported: false, full_audio: false, subtitles: true },
    },
    has_workshop: true,
    primary_genre_id: 4,
    name_localized: { japanese: "ポータル" },
    os_arch: "64",
    vr_support: "supported",
    pics_review_score_without_bombs: 8,
    pics_review_percentage_without_bombs: null,
    must_own_appid: 400,
    ai_content: ["pre_generated", "live"],
    restricted_countries: ["DE", "SA"],
    family_sharing_excluded: true,
    playtest_type: null,
    install_dir: "Portal 2",
    assets: {
      header: { english: "aa/header.jpg" },
      header_2x: { english: "header_2x.jpg" },
      library_hero_blur: { english: "blur.jpg" },
      library_logo: { english: "logo.png" },
      icons: {
        icon: "0123456789abcdef0123456789abcdef01234567.jpg",
        linuxclienticon: "0123456789abcdef0123456789abcdef0123456f.zip",
      },
    },
  },
  tags: [
    [21, 1],
    [19, 2],
    [3, 3],
  ],
  genres: [
    [4, true],
    [25, false],
  ],
  categories: [2, 9],
  franchises: ["Portal", "portal"],
  developers: ["Valve"],
  publishers: ["Valve\\Co"],
  dlc: [7, 9, 323180],
  steam_deck: {
    category: "verified",
    steamos_category: "compatible",
    machine_category: "playable",
    frame_category: "unknown",
    test_timestamp: "2022-02-02T00:00:00.000Z",
    tested_build_id: "8",
    tests: [
      { display: null, token: "#a" },
      { display: 4, token: "#b" },
    ],
    steamos_tests: [{ display: 4, token: "#c" }],
    machine_tests: null,
    frame_tests: null,
    configuration: { supported_input: "gamepad", small_text: "0" },
  },
  branches: [
    {
      branch: "beta",
      build_id: null,
      built_at: null,
      updated_at: null,
      description: "New",
      password_required: true,
    },
    {
      branch: "public",
      build_id: "00123",
      built_at: "2020-09-13T12:26:40.000Z",
      updated_at: "2023-11-14T22:13:20.000Z",
      description: null,
      password_required: false,
    },
  ],
  depots: [
    {
      depot_id: 621,
      name: "Content",
      os_list: "windows,linux",
      os_arch: "64",
      language: "english",
      dlc_appid: 9,
      from_appid: null,
      shared_install: true,
      manifests: [
        { branch: "beta", manifest_id: "12", size_bytes: null, download_bytes: null },
        {
          branch: "public",
          manifest_id: "18446744073709551615",
          size_bytes: Number.MAX_SAFE_INTEGER,
          download_bytes: null,
        },
      ],
    },
    {
      depot_id: 622,
      name: null,
      os_list: null,
      os_arch: null,
      language: null,
      dlc_appid: 7,
      from_appid: null,
      shared_install: false,
      manifests: [],
    },
  ],
};

import { type KeyValue, type KeyValueBlock, toKeyValues } from "./key-values-writer.ts";

/**
 * Some well-known apps for the demo and for the examples of the documents. Names, types, companies, dates and relations are public facts; builds,
 * depots, reviews and verdicts are made up.
 */
export interface KnownApp {
  appid: number;
  name: string;
  type: "Game" | "DLC" | "Music" | "Demo" | "Tool";
  developer: string;
  publisher?: string;
  franchise?: string;
  /** UTC date. */
  released: string;
  /** Store tags by rank. */
  tags: readonly number[];
  genres: readonly number[];
  categories?: readonly number[];
  /** Of the public branch. */
  buildId: number;
  /** Beside the public branch, with their builds. */
  branches?: Readonly<Record<string, number>>;
  depots?: readonly number[];
  review?: { score: number; percentage: number };
  metacritic?: number;
  /** 1 unsupported, 2 playable, 3 verified. */
  deck?: 1 | 2 | 3;
  platforms?: string;
  controller?: "full" | "partial";
  isFree?: boolean;
  hasWorkshop?: boolean;
  parent?: number;
  dlc?: readonly number[];
  localizedNames?: Readonly<Record<string, string>>;
}

const all = "windows,macos,linux";

export const knownApps: readonly KnownApp[] = [
  {
    ...{ appid: 220, name: "Half-Life 2", type: "Game", developer: "Valve", franchise: "Half-Life" },
    ...{
      released: "2004-11-16",
      tags: [1663, 19, 3942, 4182, 1693],
      genres: [1],
      categories: [2, 22],
      buildId: 15_320_101,
    },
    ...{ depots: [221], review: { score: 9, percentage: 97 }, metacritic: 96, deck: 3, platforms: all },
  },
  {
    ...{ appid: 400, name: "Portal", type: "Game", developer: "Valve", franchise: "Portal" },
    ...{
      released: "2007-10-10",
      tags: [1664, 3839, 4182, 3942],
      genres: [1],
      categories: [2, 22],
      buildId: 15_230_402,
    },
    ...{
      depots: [401],
      review: { score: 9, percentage: 98 },
      metacritic: 90,
      deck: 3,
      platforms: all,
      controller: "partial",
    },
  },
  {
    ...{ appid: 440, name: "Team Fortress 2", type: "Game", developer: "Valve", isFree: true, hasWorkshop: true },
    ...{
      released: "2007-10-10",
      tags: [113, 1663, 3859, 1774, 19],
      genres: [1, 37],
      categories: [1, 22],
      buildId: 19_010_330,
    },
    ...{ branches: { prerelease: 19_044_128 }, depots: [441], review: { score: 8, percentage: 89 }, metacritic: 92 },
    ...{ deck: 2, platforms: "windows,linux", controller: "partial" },
  },
  {
    ...{ appid: 570, name: "Dota 2", type: "Game", developer: "Valve", isFree: true, hasWorkshop: true },
    ...{
      released: "2013-07-09",
      tags: [113, 3859, 9, 19],
      genres: [1, 2, 37],
      categories: [1, 9],
      buildId: 20_120_774,
    },
    ...{ depots: [571], review: { score: 8, percentage: 81 }, metacritic: 90, deck: 2, platforms: all },
    localizedNames: { schinese: "刀塔2" },
  },
  {
    ...{ appid: 620, name: "Portal 2", type: "Game", developer: "Valve", franchise: "Portal", dlc: [323_180] },
    ...{
      released: "2011-04-18",
      tags: [1664, 1685, 3839, 4136, 3942, 4182],
      genres: [1, 25],
      categories: [2, 9, 22, 30],
    },
    ...{
      buildId: 18_234_055,
      branches: { demo_viewer: 4_102_997 },
      depots: [621],
      review: { score: 9, percentage: 98 },
    },
    ...{ metacritic: 95, deck: 3, platforms: all, controller: "full", hasWorkshop: true },
    localizedNames: { japanese: "ポータル2" },
  },
  {
    ...{
      appid: 730,
      name: "Counter-Strike 2",
      type: "Game",
      developer: "Valve",
      franchise: "Counter-Strike",
      isFree: true,
    },
    ...{ released: "2012-08-21", tags: [1663, 1774, 3859, 113, 1708], genres: [1, 37], categories: [1, 22, 30] },
    ...{
      buildId: 20_456_112,
      branches: { animgraph_2_beta: 20_460_873 },
      depots: [731, 2_347_771],
      review: { score: 8, percentage: 86 },
    },
    ...{ deck: 1, platforms: "windows,linux", controller: "partial", hasWorkshop: true },
  },
  {
    ...{ appid: 105_600, name: "Terraria", type: "Game", developer: "Re-Logic", released: "2011-05-16" },
    ...{ tags: [3810, 1662, 3871, 1702], genres: [1, 25, 23, 3], categories: [2, 1, 22], buildId: 17_002_118 },
    ...{
      depots: [105_601],
      review: { score: 9, percentage: 97 },
      metacritic: 83,
      deck: 3,
      platforms: all,
      controller: "full",
    },
  },
  {
    ...{
      appid: 261_570,
      name: "Ori and the Blind Forest",
      type: "Game",
      developer: "Moon Studios",
      publisher: "Xbox Game Studios",
    },
    ...{ released: "2015-03-11", tags: [1628, 1625, 4166, 1756], genres: [1], categories: [2, 22], buildId: 1_022_445 },
    ...{ depots: [261_571], review: { score: 9, percentage: 96 }, metacritic: 88, deck: 2, controller: "full" },
  },
  {
    ...{ appid: 323_180, name: "Portal 2 Soundtrack", type: "Music", developer: "Valve", released: "2014-09-24" },
    ...{ tags: [1756], genres: [], buildId: 312_077, parent: 620, platforms: all },
  },
  {
    ...{ appid: 367_520, name: "Hollow Knight", type: "Game", developer: "Team Cherry", released: "2017-02-24" },
    ...{ tags: [1628, 3871, 1625, 4166, 492], genres: [1, 25, 23], categories: [2, 22], buildId: 15_881_420 },
    ...{
      depots: [367_521],
      review: { score: 9, percentage: 97 },
      metacritic: 87,
      deck: 3,
      platforms: all,
      controller: "full",
    },
    localizedNames: { schinese: "空洞骑士", japanese: "ホロウナイト" },
  },
  {
    ...{
      appid: 387_290,
      name: "Ori and the Blind Forest: Definitive Edition",
      type: "Game",
      developer: "Moon Studios",
    },
    ...{
      publisher: "Xbox Game Studios",
      released: "2016-04-27",
      tags: [1628, 1625, 4166, 1756],
      genres: [1],
      categories: [2, 22],
    },
    ...{
      buildId: 6_510_332,
      depots: [387_291],
      review: { score: 9, percentage: 95 },
      metacritic: 88,
      deck: 3,
      controller: "full",
    },
  },
  {
    ...{ appid: 413_150, name: "Stardew Valley", type: "Game", developer: "ConcernedApe", released: "2016-02-26" },
    ...{ tags: [599, 122, 97_376, 3964, 3859], genres: [23, 122, 28], categories: [2, 1, 9, 22], buildId: 17_011_009 },
    ...{
      depots: [413_151],
      review: { score: 9, percentage: 98 },
      metacritic: 89,
      deck: 3,
      platforms: all,
      controller: "full",
    },
  },
  {
    ...{
      appid: 1_030_300,
      name: "Hollow Knight: Silksong",
      type: "Game",
      developer: "Team Cherry",
      released: "2025-09-04",
    },
    ...{ tags: [1628, 1625, 19, 3871], genres: [1, 25, 23], categories: [2, 22], buildId: 19_934_870 },
    ...{ depots: [1_030_301], review: { score: 8, percentage: 91 }, deck: 3, platforms: all, controller: "full" },
  },
  {
    ...{ appid: 1_145_360, name: "Hades", type: "Game", developer: "Supergiant Games", released: "2020-09-17" },
    ...{ tags: [3959, 19, 122, 492], genres: [1, 23, 3], categories: [2, 22], buildId: 12_290_018 },
    ...{
      depots: [1_145_361],
      review: { score: 9, percentage: 98 },
      metacritic: 93,
      deck: 3,
      platforms: "windows,macos",
      controller: "full",
    },
  },
];

/** The app info of a known app, as Steam would send it; `changes` replaces facts. */
export function knownAppText(known: KnownApp, changes: Partial<KnownApp> = {}): string {
  const app = { ...known, ...changes };
  const unix = Math.floor(Date.parse(`${app.released}T17:00:00Z`) / 1_000);
  const associations = [
    ["developer", app.developer] as const,
    ["publisher", app.publisher ?? app.developer] as const,
    ...(app.franchise ? [["franchise", app.franchise] as const] : []),
  ].map(([type, name]) => ({ type, name }));
  const common: KeyValueBlock = {
    name: app.name,
    type: app.type,
    releasestate: "released",
    oslist: app.platforms ?? "windows",
    controller_support: app.controller,
    metacritic_score: app.metacritic,
    review_score: app.review?.score,
    review_percentage: app.review?.percentage,
    steam_release_date: unix,
    associations: numbered(associations),
    store_tags: numbered(app.tags),
    genres: numbered(app.genres),
    primary_genre: app.genres[0] ?? 0,
    category: Object.fromEntries((app.categories ?? []).map((id) => [`category_${id}`, 1])),
    header_image: { english: "header.jpg" },
    name_localized: app.localizedNames,
    parent: app.parent,
    workshop_visible: app.hasWorkshop ? 1 : undefined,
    supported_languages: {
      english: { supported: "true", full_audio: "true", subtitles: "true" },
      german: { supported: "true" },
    },
    steam_deck_compatibility: app.deck && {
      category: app.deck,
      steamos_compatibility: 2,
      test_timestamp: 1_760_000_000,
      tested_build_id: app.buildId,
      tests: { 0: { display: 4, token: "#SteamDeckVerified_TestResult_DefaultControllerConfigFullyFunctional" } },
    },
  };
  const builds = { public: app.buildId, ...app.branches };
  const depots = (app.depots ?? []).map((id) => [
    id,
    {
      config: { oslist: "windows" },
      manifests: { public: { gid: `${id}${app.buildId}`, size: 12_345_678_901, download: 7_654_321_098 } },
    },
  ]);
  return toKeyValues({
    appinfo: {
      appid: app.appid,
      common,
      extended: {
        isfreeapp: app.isFree ? 1 : undefined,
        listofdlc: app.dlc?.join(","),
        homepage: "https://example.org/",
      },
      config: { installdir: app.name },
      depots: {
        ...Object.fromEntries(depots),
        branches: Object.fromEntries(
          Object.entries(builds).map(([name, id]) => [
            name,
            { buildid: id, timeupdated: 1_795_000_000, timebuildupdated: 1_794_990_000 },
          ]),
        ),
      },
    },
  });
}

const numbered = (values: readonly KeyValue[]): KeyValueBlock =>
  values.map((value, index): [string, KeyValue] => [String(index), value]);

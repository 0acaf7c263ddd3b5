import { type KnownApp, knownApps, knownAppText } from "../steam/known-apps.ts";

/**
 * The apps of the demo with names: those that the documents' examples ask for, more that are well known, and some
 * made-up ones, to which happens what never happened to a real one.
 */
export interface DemoApp extends KnownApp {
  /** Default: released. */
  state?: "prerelease" | "released";
}

const all = "windows,macos,linux";

/** Public facts, as in known-apps.ts; builds, reviews and verdicts are made up. */
const wellKnown: readonly DemoApp[] = [
  {
    ...{ appid: 10, name: "Counter-Strike", type: "Game", developer: "Valve", franchise: "Counter-Strike" },
    ...{ released: "2000-11-01", tags: [19, 1663, 3859, 1774], genres: [1], categories: [1, 36], buildId: 13_101_221 },
    ...{ depots: [11], review: { score: 9, percentage: 97 }, metacritic: 88, deck: 2, platforms: all },
  },
  {
    ...{ appid: 550, name: "Left 4 Dead 2", type: "Game", developer: "Valve", franchise: "Left 4 Dead" },
    ...{ released: "2009-11-16", tags: [1663, 3859, 1685, 1667], genres: [1], categories: [2, 9], buildId: 14_980_533 },
    ...{ depots: [551], review: { score: 9, percentage: 97 }, metacritic: 89, deck: 3, platforms: all },
  },
  {
    ...{ appid: 4_000, name: "Garry's Mod", type: "Game", developer: "Facepunch Studios", publisher: "Valve" },
    ...{ released: "2006-11-29", tags: [3810, 3859, 4136, 599], genres: [23, 28], categories: [1, 30] },
    ...{ buildId: 16_400_912, depots: [4_001], review: { score: 9, percentage: 96 }, deck: 2, platforms: all },
    hasWorkshop: true,
  },
  {
    ...{ appid: 427_520, name: "Factorio", type: "Game", developer: "Wube Software LTD.", released: "2020-08-14" },
    ...{ tags: [7332, 3810, 1702, 9], genres: [4, 23, 28, 2], categories: [2, 1, 22], buildId: 18_820_415 },
    ...{ branches: { experimental: 18_901_733 }, depots: [427_521], review: { score: 9, percentage: 97 } },
    ...{ metacritic: 90, deck: 3, platforms: all, controller: "partial" },
  },
  {
    ...{ appid: 546_560, name: "Half-Life: Alyx", type: "Game", developer: "Valve", franchise: "Half-Life" },
    ...{ released: "2020-03-23", tags: [21978, 1663, 1742, 1667], genres: [1, 25], categories: [2, 22] },
    ...{ buildId: 15_003_188, depots: [546_561], review: { score: 9, percentage: 98 }, metacritic: 93, deck: 1 },
    platforms: "windows,linux",
  },
  {
    ...{ appid: 646_570, name: "Slay the Spire", type: "Game", developer: "Mega Crit", released: "2019-01-23" },
    ...{ tags: [1716, 3871, 4182], genres: [2, 23], categories: [2, 22], buildId: 12_440_096, depots: [646_571] },
    ...{ review: { score: 9, percentage: 97 }, metacritic: 89, deck: 3, platforms: all },
  },
];

const made = { type: "Game", categories: [2, 22], platforms: "windows,linux", controller: "full" } as const;

/** The names are made of syllables, as those of generated apps. */
export const madeUp = {
  lantern: {
    ...{ ...made, appid: 1_150_003, name: "Velmora: Tides of the Lantern", developer: "Moonpenny Workshop" },
    ...{ released: "2026-11-29", tags: [1628, 3871, 4166], genres: [1, 23], buildId: 20_100_101, state: "prerelease" },
  },
  comet: {
    ...{ ...made, appid: 1_150_013, name: "Zorlune's Comet", developer: "Tinhat Softworks" },
    ...{ released: "2026-11-30", tags: [1716, 3959], genres: [1, 23], buildId: 20_200_202, state: "prerelease" },
  },
  orchard: {
    ...{ ...made, appid: 1_150_023, name: "Brynwyn's Orchard", developer: "Foxglove Collective" },
    ...{ released: "2025-03-14", tags: [97_376, 599, 4726], genres: [23, 28], buildId: 20_300_303, deck: 2 },
    review: { score: 8, percentage: 91 },
  },
  railway: {
    ...{ ...made, appid: 1_150_033, name: "The Amber Railway of Kestbel", developer: "Sundial Studio" },
    ...{ released: "2024-08-02", tags: [12_472, 599, 3834], genres: [28, 2], buildId: 20_400_404, deck: 1 },
    review: { score: 7, percentage: 78 },
  },
  archive: {
    ...{ ...made, appid: 1_150_043, name: "Oshgard Archive Simulator", developer: "Gravel Games" },
    ...{ released: "2023-05-19", tags: [599, 1719], genres: [28], buildId: 20_500_505, deck: 2 },
    review: { score: 5, percentage: 61 },
  },
} satisfies Record<string, DemoApp>;

export const demoApps: readonly DemoApp[] = [...knownApps, ...wellKnown, ...Object.values(madeUp)];

/** The app info of an app as Steam would send it; `changes` replaces facts. */
export function demoText(app: DemoApp, changes: Partial<DemoApp> = {}): string {
  const { state = "released" } = { ...app, ...changes };
  return knownAppText(app, changes).replace('"releasestate"\t\t"released"', `"releasestate"\t\t"${state}"`);
}

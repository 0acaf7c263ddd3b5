/**
 * The classifier's patterns of names, measured against Steam's own types: 9,059 real names of `../shared` beside the
 * repository, which are never copied into it. Figures are exact; another set of names changes them.
 */
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { extractApp } from "../../../src/catalog/extract.ts";
import { classify, namePatterns } from "../../../src/library/classify.ts";
import { createIgdb } from "../../../src/library/igdb.ts";
import { matchGames } from "../../../src/library/match.ts";
import { stripTrademarks } from "../../../src/library/names.ts";
import { openWebClient } from "../../support/sync.ts";
import { createSimulatedIgdb, type IgdbEntry, type IgdbExternalGame } from "../../support/web/igdb.ts";
import { loadRealIgdbIds, loadRealLibraries } from "../../support/web/real-libraries.ts";
import { asFetch } from "../../support/web/web-api.ts";
import { libraryGame } from "./samples.ts";

const folder = new URL("../../../../shared/pics/", import.meta.url);

interface NamedApp {
  name: string;
  type: string;
}

/** The apps of both files, each once, that have a type and a name; null when absent. */
function loadApps(): NamedApp[] | null {
  if (!existsSync(folder)) return null;
  const lines = <T>(file: string) =>
    gunzipSync(readFileSync(new URL(file, folder)))
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as T);
  const apps = new Map<number, NamedApp>();
  for (const { appid, common } of lines<{ appid: number; common: Partial<NamedApp> }>("common-2026.jsonl.gz"))
    add(appid, common.type, common.name);
  for (const { appid, text } of lines<{ appid: number; text: string }>("appinfo.jsonl.gz")) {
    const { record } = extractApp(appid, text, false, { withDepots: false });
    add(appid, record.type, record.name);
  }
  return [...apps.values()];

  function add(appid: number, type: string | null = null, name: string | null = null) {
    if (type && name) apps.set(appid, { type: type.toLowerCase(), name });
  }
}

const apps = loadApps();
const isGame = ({ type }: NamedApp) => type === "game" || type === "mod";

/** Per pattern: names of apps that are no games to Steam, and names of games. */
function measured(all: readonly NamedApp[]): Record<string, [nonGames: number, games: number]> {
  const figures: Record<string, [number, number]> = {};
  for (const { what, pattern } of namePatterns) {
    const hits = all.filter(({ name }) => pattern.test(name.trim()));
    figures[what] = [hits.filter((app) => !isGame(app)).length, hits.filter(isGame).length];
  }
  return figures;
}

const byName = (name: string) => classify({ steamType: null, igdbGameType: null, name }).classification;

describe.skipIf(!apps)("the patterns of names, against Steam's types (skipped without ../shared/pics)", () => {
  const all = apps ?? [];

  it("match few games: [apps that are no games, games] per pattern", () => {
    expect([all.length, all.filter(isGame).length]).toEqual([9_059, 8_392]);
    expect(measured(all)).toEqual({
      "multiplayer part": [1, 0],
      DLC: [15, 0],
      "season pass": [0, 0],
      expansion: [1, 0],
      "content pack": [39, 0],
      demo: [14, 0],
      playtest: [15, 0],
      soundtrack: [11, 0],
      server: [284, 2],
      "SDK or tool": [19, 0],
      editor: [6, 1],
      runtime: [12, 0],
    });
  });

  it("find these shares of the apps of a type", () => {
    const found = (type: string) => {
      const named = all.filter((app) => app.type === type);
      return [named.filter(({ name }) => byName(name) !== "GAME").length, named.length];
    };
    const types = ["demo", "beta", "music", "tool", "dlc", "game"];
    expect(Object.fromEntries(types.map((type) => [type, found(type)]))).toEqual({
      demo: [13, 15],
      beta: [15, 16],
      music: [5, 5],
      tool: [317, 350],
      dlc: [64, 174],
      // Two dedicated servers and "Trinity Building Editor", which are games to Steam.
      game: [3, 8_392],
    });
  });
});

const libraries = loadRealLibraries();

it.skipIf(!libraries)(
  "the patterns flag the demos of two real libraries and nothing else (skipped without ../shared/library)",
  () => {
    const flagged = (libraries ?? []).map(({ games }) =>
      games.map(({ name = "" }) => name).filter((name) => byName(name) !== "GAME"),
    );
    expect(flagged.map((names) => names.length)).toEqual([0, 12]);
    expect(flagged.flat().filter((name) => !name.endsWith(" Demo"))).toEqual([]);
  },
);

/** IGDB's names of its game types, in order of their numbers. */
const gameTypes = [
  ...["Main Game", "DLC", "Expansion", "Bundle", "Standalone Expansion", "Mod", "Episode", "Season", "Remake"],
  ...["Remaster", "Expanded Game", "Port", "Fork", "Pack / Addon", "Update"],
];
const ids = loadRealIgdbIds();

describe.skipIf(!libraries || !ids)("the match of two real libraries (skipped without ../shared/library)", () => {
  const pairs = new Map(ids?.games.map((pair) => [pair.appid, pair]));
  const owned = new Map((libraries ?? []).flatMap(({ games }) => games.map(({ appid, name = "" }) => [appid, name])));
  const games = [...owned].filter(([appid]) => pairs.has(appid)).map(([appid, name]) => libraryGame({ appid, name }));

  /**
   * IGDB with the real ids and types, under names derived from Steam's, and for each app, listed before the right game, an
   * older main game, a bundle and a DLC.
   */
  function realIgdb(nameOf: (name: string) => string) {
    const entries = new Map<number, IgdbEntry>();
    const externalGames: IgdbExternalGame[] = [];
    const list = (appid: number, id: number, name: string, game_type: number) => {
      entries.set(id, { id, name, slug: `slug-${id}`, game_type });
      externalGames.push({ id: externalGames.length + 1, uid: `${appid}`, external_game_source: 1, game: id });
    };
    for (const { appid, name } of games) {
      const plain = stripTrademarks(name);
      list(appid, 1_000_000 + appid, `Older game of ${appid}`, gameTypes.indexOf("Main Game"));
      list(appid, 20_000_000 + appid, `${plain} Collection`, gameTypes.indexOf("Bundle"));
      list(appid, 40_000_000 + appid, `${plain}: Extra Hats`, gameTypes.indexOf("DLC"));
      const { igdb_id, game_type } = pairs.get(appid) ?? { igdb_id: 0, game_type: "" };
      list(appid, igdb_id, nameOf(plain), gameTypes.indexOf(game_type));
    }
    return createSimulatedIgdb({ games: [...entries.values()], externalGames, perSecond: Number.POSITIVE_INFINITY });
  }

  async function wrongMatches(nameOf: (name: string) => string): Promise<string[]> {
    const { apis, clientId, clientSecret } = realIgdb(nameOf);
    const tokens = { get: async () => null, put: async () => {} };
    const store = { getCached: async () => new Map(), cache: async () => {}, tokens };
    const web = openWebClient({ fetch: asFetch(...apis) });
    const igdb = createIgdb({ web, store, clientId, clientSecret, signal: new AbortController().signal });
    const known = new Map(games.map(({ appid }) => [appid, { appid, type: "game", name: null, release_year: null }]));
    const matches = await matchGames(games, known, igdb);
    return games
      .filter(({ appid }) => matches.get(appid)?.game?.id !== pairs.get(appid)?.igdb_id)
      .map(({ name }) => name);
  }

  it("finds the right one of four IGDB games for each app where IGDB has Steam's name", async () => {
    expect(games).toHaveLength(48);
    expect(await wrongMatches((name) => name.toUpperCase())).toEqual([]);
  });

  it("finds it where IGDB's name has a subtitle more, unless IGDB calls it a bundle", async () => {
    expect(await wrongMatches((name) => `${name}: A Subtitle`)).toEqual(["Grand Theft Auto V Enhanced"]);
  });
});

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { readRawCsv } from "../../../src/library/csv.ts";
import { ImportRejectedError, SettingRejectedError } from "../../../src/library/errors.ts";
import { createFolderStore } from "../../../src/library/folder-store.ts";
import type { ObjectStore } from "../../../src/library/object-store.ts";
import { steamImport } from "../../../src/library/steam-import.ts";
import { type FakeClock, startFakeClock } from "../../support/fake-clock.ts";
import type { WebFault } from "../../support/web/faults.ts";
import { generateLibrary } from "../../support/web/generate-library.ts";
import {
  createSimulatedOwnedGames,
  type OwnedGame,
  type OwnedLibrary,
  type SimulatedOwnedGames,
} from "../../support/web/owned-games.ts";
import { loadRealLibraries } from "../../support/web/real-libraries.ts";
import { asFetch } from "../../support/web/web-api.ts";
import { createClient, createLog } from "../web/harness.ts";

const apiKey = "0123456789ABCDEF0123456789ABCDEF";
const steamId = "76561197960287930";
const event = { user_id: "u1", steam_id64: steamId };
const never = new AbortController().signal;

let steam: SimulatedOwnedGames;
let clock: FakeClock;
let objects: ObjectStore;
let folder: string;
let log: ReturnType<typeof createLog>;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "spsync-steam-import-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  clock = startFakeClock();
  onTestFinished(clock.restore);
  const store = createFolderStore(folder);
  objects = {
    ...store,
    put: (...object) => clock.real(store.put(...object)),
    get: (location) => clock.real(store.get(location)),
  };
  steam = createSimulatedOwnedGames({ apiKey });
  log = createLog();
});

function run(given: { key?: string | null; signal?: AbortSignal; steam_id64?: string; execution_id?: string } = {}) {
  const { key = apiKey, signal = never, ...rest } = given;
  const web = createClient({ fetch: clock.wrapFetch(asFetch(steam)), logger: log.logger, retryAttempts: 3 });
  return clock.run(steamImport({ ...event, ...rest }, { web, objects, apiKey: key, signal }));
}

/** The games in the raw file of a library. */
async function imported(library: OwnedLibrary) {
  steam.libraries.set(steamId, library);
  const { s3_location, game_count } = await run();
  const games = readRawCsv(await clock.run(objects.get(s3_location)));
  expect(games).toHaveLength(game_count);
  return games;
}

const written = async () => (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".csv"));

async function failure(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => expect.fail("it succeeded"),
    (reason: unknown) => reason as Error,
  );
  const logged = [...log.lines, inspect(error, { depth: 10, showHidden: true })].join("\n");
  expect(logged).not.toContain(apiKey);
  expect(await written()).toEqual([]);
  return error;
}

/** Oracle: the expected rows, computed from Steam's games without the code under test. */
function expectedRows(games: readonly OwnedGame[]) {
  const cleaned = (name: string | undefined) =>
    (name ?? "")
      .split("\u0000")
      .join("")
      .replace(/^\s+|\s+$/g, "");
  return new Map(
    games.map((game) => [
      game.appid,
      {
        appid: game.appid,
        name: cleaned(game.name),
        playtime_forever: game.playtime_forever,
        playtime_windows: game.playtime_windows_forever,
        playtime_mac: game.playtime_mac_forever,
        playtime_linux: game.playtime_linux_forever,
        playtime_deck: game.playtime_deck_forever,
        playtime_2weeks: game.playtime_2weeks ?? 0,
        last_played_at: game.rtime_last_played ? new Date(game.rtime_last_played * 1000).toISOString() : null,
        img_icon_url: game.img_icon_url
          ? `https://media.steampowered.com/steamcommunity/public/images/apps/${game.appid}/${game.img_icon_url}.jpg`
          : null,
      },
    ]),
  );
}

describe("steamImport", () => {
  it("writes every game, whatever its name contains", async () => {
    const library = generateLibrary({ seed: 11, games: 700 });
    const games = await imported(library);
    expect(new Map(games.map((game) => [game.appid, game]))).toEqual(expectedRows(library.games));
    expect(games.filter(({ name }) => name === "").length).toBeGreaterThan(30);
    expect(games.some(({ playtime_deck }) => playtime_deck > 0)).toBe(true);
    expect(games.some(({ name }) => name.startsWith("=") && name.includes('"'))).toBe(true);
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("sorts by playtime, most played first, then by appid", async () => {
    const games = await imported(generateLibrary({ seed: 12, games: 200 }));
    const order = games.map(({ playtime_forever, appid }) => [-playtime_forever, appid] as const);
    expect(order).toEqual(order.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
  });

  it("includes free games and unvetted games", async () => {
    const library = generateLibrary({ seed: 13, games: 50 });
    const [free = [], unvetted = []] = [library.games.slice(0, 5), library.games.slice(5, 9)].map((part) =>
      part.map(({ appid }) => appid),
    );
    expect(await imported({ ...library, free, unvetted })).toHaveLength(50);
  });

  it("imports 5,000 games", async () => {
    expect(await imported(generateLibrary({ seed: 14, games: 5_000 }))).toHaveLength(5_000);
  });

  it("reads invalid and absent numbers as 0 or null", async () => {
    const [game] = generateLibrary({ seed: 15, games: 1 }).games;
    const odd = {
      ...game,
      playtime_forever: -5,
      playtime_2weeks: 1.5,
      rtime_last_played: -1,
      playtime_deck_forever: 2 ** 32,
    };
    const only = { appid: 7 } as OwnedGame;
    const games = await imported({ games: [odd as OwnedGame, only] });
    const none = { playtime_forever: 0, playtime_2weeks: 0, playtime_deck: 0, last_played_at: null };
    expect(games).toMatchObject([{ appid: 7, name: "", img_icon_url: null, ...none }, none]);
  });

  it("leaves out games whose id fits no column", async () => {
    const appids = [0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, 2 ** 31 - 1];
    const games = await imported({ games: appids.map((appid) => ({ appid }) as OwnedGame) });
    expect(games.map(({ appid }) => appid)).toEqual([2 ** 31 - 1]);
  });

  it("writes a file without games for an empty library", async () => {
    expect(await imported({ games: [] })).toEqual([]);
    steam.libraries.set(steamId, { games: [] });
    expect(await run()).toMatchObject({ success: true, user_id: "u1", game_count: 0 });
  });

  const real = loadRealLibraries();
  it("imports real libraries", async (context) => {
    if (real === null) return context.skip("the real libraries are not beside this repository");
    expect(real.map(({ games }) => games.length)).toEqual([129, 350]);
    for (const library of real) {
      const games = await imported(library);
      expect(new Map(games.map((game) => [game.appid, game]))).toEqual(expectedRows(library.games));
    }
  });
});

describe("the raw file of steamImport", () => {
  it("has one key per execution id, and a new key for each run without one", async () => {
    steam.libraries.set(steamId, generateLibrary({ seed: 1, games: 3 }));
    const first = await run({ execution_id: "run-7" });
    expect(first).toEqual({
      success: true,
      user_id: "u1",
      s3_location: expect.stringMatching(/^file:.*\/imports\/u1\/run-7-raw\.csv$/),
      game_count: 3,
    });
    expect(await run({ execution_id: "run-7" })).toEqual(first);
    expect(await written()).toHaveLength(1);
    await run();
    await run();
    expect(await written()).toHaveLength(3);
  });
});

describe("steamImport on a permanent failure", () => {
  it("throws ImportRejectedError for a private profile, after one request", async () => {
    steam.libraries.set(steamId, "private");
    const error = await failure(run());
    expect(error).toBeInstanceOf(ImportRejectedError);
    expect(error.message).toMatch(new RegExp(`^The games of Steam profile ${steamId} are not public`));
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("throws ImportRejectedError for a profile that does not exist, after one request", async () => {
    const error = await failure(run({ steam_id64: "76561190000000000" }));
    expect(error).toEqual(new ImportRejectedError("Steam profile 76561190000000000 does not exist (400)."));
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("throws SettingRejectedError for a key that Steam refuses, after one request", async () => {
    steam = createSimulatedOwnedGames({ apiKey: "another key" });
    expect(await failure(run())).toEqual(new SettingRejectedError("Steam refuses the key in STEAM_API_KEY (401)."));
    steam.faults.add({ fault: { status: 403, html: true } });
    expect(await failure(run())).toEqual(new SettingRejectedError("Steam refuses the key in STEAM_API_KEY (403)."));
    expect(steam.log.counts).toEqual({ owned_games: 2 });
  });

  it("throws SettingRejectedError without a key or for one that is invalid in a header, before any request", async () => {
    expect((await failure(run({ key: null }))).message).toMatch(/set STEAM_API_KEY/);
    const error = await failure(run({ key: `${apiKey}\nx` }));
    expect(error).toBeInstanceOf(ImportRejectedError);
    expect(error.message).toMatch(/malformed in its address or a header/);
    expect(steam.log.counts).toEqual({});
  });
});

describe("steamImport on a transient failure", () => {
  it.each<[string, WebFault]>([
    ["429", { status: 429 }],
    ["a dropped connection", "drop"],
    ["HTML", "html200"],
  ])("retries after %s", async (_, fault) => {
    steam.libraries.set(steamId, generateLibrary({ seed: 2, games: 20 }));
    steam.faults.add({ fault, times: 2 });
    expect(await run()).toMatchObject({ success: true, game_count: 20 });
    expect(steam.log.counts).toEqual({ owned_games: 3 });
  });

  it("throws WebError after the last retry", async () => {
    steam.libraries.set(steamId, generateLibrary({ seed: 2, games: 20 }));
    steam.faults.add({ fault: { status: 500 }, times: 4 });
    const error = await failure(run());
    expect(error).toMatchObject({ name: "WebError", message: expect.stringContaining("(4 attempts)") });
    expect(steam.log.counts).toEqual({ owned_games: 4 });
  });

  it("waits for Retry-After", async () => {
    steam.libraries.set(steamId, generateLibrary({ seed: 2, games: 20 }));
    steam.faults.add({ fault: { status: 429, retryAfter: "40" } });
    await run();
    expect(clock.elapsedMs()).toBeGreaterThanOrEqual(40_000);
  });

  it.each([0, 1, 19, 21])("throws WebError when game_count is %i and 20 games are listed", async (gameCount) => {
    steam.libraries.set(steamId, { ...generateLibrary({ seed: 2, games: 20 }), gameCount });
    const error = await failure(run());
    expect(error).toMatchObject({ name: "WebError", fault: "invalid" });
    expect(error.message).toBe(`Steam announced ${gameCount} games of ${steamId} and listed 20`);
  });

  it("throws WebError when game_count is 5 and no games are listed", async () => {
    steam.libraries.set(steamId, { games: [], gameCount: 5 });
    expect(await failure(run())).toMatchObject({ name: "WebError", message: expect.stringContaining("listed 0") });
  });

  it("throws WebError for an answer of another shape", async () => {
    steam.libraries.set(steamId, { games: [{ name: "no appid" } as OwnedGame] });
    expect(await failure(run())).toMatchObject({ name: "WebError", fault: "invalid" });
  });

  it("stops at once when aborted", async () => {
    const controller = new AbortController();
    steam.faults.add({ fault: { status: 429, retryAfter: "3600" } });
    setTimeout(() => controller.abort(new Error("stopping")), 5_000);
    expect((await failure(run({ signal: controller.signal }))).message).toBe("stopping");
    expect(clock.elapsedMs()).toBe(5_000);
  });
});

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
import { createSimulatedCustomNames, type SimulatedCustomNames } from "../../support/web/custom-names.ts";
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
let names: SimulatedCustomNames;
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
  names = createSimulatedCustomNames({ apiKey });
  log = createLog();
});

function run(given: { key?: string | null; signal?: AbortSignal; steam_id64?: string; execution_id?: string } = {}) {
  const { key = apiKey, signal = never, ...rest } = given;
  const web = createClient({ fetch: clock.wrapFetch(asFetch(steam, names)), logger: log.logger, retryAttempts: 3 });
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
    expect(games.some(({ playtime_deck }) => playtime_deck !== null && playtime_deck > 0)).toBe(true);
    expect(games.some(({ name }) => name.startsWith("=") && name.includes('"'))).toBe(true);
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("sorts by playtime, most played first, then by appid", async () => {
    const games = await imported(generateLibrary({ seed: 12, games: 200 }));
    const order = games.map(({ playtime_forever, appid }) => [-(playtime_forever ?? 0), appid] as const);
    expect(order).toEqual(order.toSorted((a, b) => a[0] - b[0] || a[1] - b[1]));
  });

  it("includes free games and unvetted games", async () => {
    const library = generateLibrary({ seed: 13, games: 50 });
    const [free = [], unvetted = []] = [library.games.slice(0, 5), library.games.slice(5, 9)].map((part) =>
      part.map(({ appid }) => appid),
    );
    expect(await imported({ ...library, free, unvetted })).toHaveLength(50);
  });

  it("imports 20,000 games", async () => {
    expect(await imported(generateLibrary({ seed: 14, games: 20_000 }))).toHaveLength(20_000);
  });

  it("reads absent, null and invalid fields as unknown, each by itself", async () => {
    const none = {
      name: "",
      playtime_forever: null,
      playtime_windows: null,
      playtime_mac: null,
      playtime_linux: null,
      playtime_deck: null,
      last_played_at: null,
      img_icon_url: null,
    };
    const [whole] = generateLibrary({ seed: 15, games: 1 }).games;
    const fields = [...Object.keys(whole ?? {}), "playtime_2weeks"].filter((name) => name !== "appid");
    const all = (value: unknown) => Object.fromEntries(fields.map((name) => [name, value]));
    const odd = [null, -5, 1.5, 2 ** 40, true, {}, [7], "\u0000"].map((value, at) => ({
      ...all(value),
      appid: at + 10,
    }));
    const games = await imported({ games: [{ appid: 7 }, ...odd] as OwnedGame[] });
    expect(games).toEqual([
      { appid: 7, ...none, playtime_2weeks: 0 },
      ...odd.map(({ appid }) => ({ appid, ...none, playtime_2weeks: null })),
    ]);
    // Every other field keeps its value.
    for (const name of fields) {
      const [game = expect.fail("no game")] = await imported({ games: [{ ...whole, [name]: null } as OwnedGame] });
      const lost = Object.values(game).filter((value) => value === null || value === "");
      expect(lost.length).toBeLessThanOrEqual(2);
    }
  });

  it.each([
    [0, null],
    [86_400, null],
    [1, null],
    [1_041_379_199, null],
    [1_041_379_200, "2003-01-01T00:00:00.000Z"],
    [1_700_000_000, "2023-11-14T22:13:20.000Z"],
    [253_402_300_800, null],
  ])("reads rtime_last_played %i as %j", async (rtime_last_played, last_played_at) => {
    const games = await imported({ games: [{ appid: 620, rtime_last_played } as OwnedGame] });
    expect(games).toMatchObject([{ last_played_at }]);
  });

  it("skips, counts and names entries that cannot be stored, and stores the others", async () => {
    const appids = [0, -1, 2 ** 31, Number.MAX_SAFE_INTEGER, 1.5, "620", null, undefined];
    const entries = [
      null,
      7,
      "game",
      [],
      ...appids.map((appid) => ({ appid, name: "Odd\nname" })),
      { appid: 2 ** 31 - 1 },
    ];
    steam.libraries.set(steamId, { games: entries as OwnedGame[] });
    const { s3_location, ...response } = await run();
    expect(response).toMatchObject({ game_count: 1, skipped_count: 12 });
    expect(response.skipped).toHaveLength(10);
    expect(response.skipped[0]).toBe("an entry: it has no appid");
    expect(response.skipped[6]).toBe('app 2147483648 "Odd\\nname": its appid is out of range');
    expect(readRawCsv(await clock.run(objects.get(s3_location)))).toMatchObject([{ appid: 2 ** 31 - 1 }]);
  });

  it("imports an app that is listed twice once, with the longer playtime", async () => {
    const [one, other] = generateLibrary({ seed: 16, games: 2 }).games as [OwnedGame, OwnedGame];
    const longer = { ...one, playtime_forever: one.playtime_forever + 5 };
    const games = await imported({ games: [one, other, longer, { ...one, playtime_forever: 0 }] });
    expect(games).toHaveLength(2);
    expect(games).toContainEqual(
      expect.objectContaining({ appid: one.appid, playtime_forever: longer.playtime_forever }),
    );
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

describe("the profile of steamImport", () => {
  beforeEach(() => {
    steam.libraries.set(steamId, generateLibrary({ seed: 1, games: 3 }));
    names.names.set("gabelogannewell", steamId);
  });

  it.each([`https://steamcommunity.com/profiles/${steamId}/`, "STEAM_0:0:11101", "[U:1:22202]"])(
    "is read from %j without a request",
    async (steam_id64) => {
      expect(await run({ steam_id64 })).toMatchObject({ success: true, steam_id64: steamId, game_count: 3 });
      expect(names.log.counts).toEqual({});
    },
  );

  it.each(["GabeLoganNewell", "https://steamcommunity.com/id/gabelogannewell/games"])(
    "is resolved by Steam for %j",
    async (steam_id64) => {
      expect(await run({ steam_id64 })).toMatchObject({ success: true, steam_id64: steamId, game_count: 3 });
      expect(names.log.counts).toEqual({ custom_name: 1 });
    },
  );

  it("throws ImportRejectedError for a name without a match, and for what is no profile", async () => {
    const error = await failure(run({ steam_id64: "not-taken" }));
    expect(error).toBeInstanceOf(ImportRejectedError);
    expect(error.message).toMatch(/^No Steam profile has the custom name "not-taken"; /);
    expect(await failure(run({ steam_id64: "https://example.org" }))).toBeInstanceOf(ImportRejectedError);
    expect([names.log.counts, steam.log.counts]).toEqual([{ custom_name: 1 }, {}]);
  });

  it("throws SettingRejectedError for a refused key, WebError for a name that Steam answers oddly, and retries", async () => {
    expect(await failure(run({ steam_id64: "gabelogannewell", key: "another key" }))).toBeInstanceOf(
      SettingRejectedError,
    );
    for (const odd of ["", "0", "103582791429521408"]) {
      names.names.set("odd", odd);
      expect(await failure(run({ steam_id64: "odd" }))).toMatchObject({ name: "WebError", fault: "invalid" });
    }
    names.faults.add({ fault: { status: 503 }, times: 2 });
    expect(await run({ steam_id64: "gabelogannewell" })).toMatchObject({ steam_id64: steamId });
  });
});

describe("the raw file of steamImport", () => {
  it("has one key per execution id, and a new key for each run without one", async () => {
    steam.libraries.set(steamId, generateLibrary({ seed: 1, games: 3 }));
    const first = await run({ execution_id: "run-7" });
    expect(first).toEqual({
      success: true,
      user_id: "u1",
      steam_id64: steamId,
      s3_location: expect.stringMatching(/^file:.*\/imports\/u1\/run-7-raw\.csv$/),
      game_count: 3,
      skipped_count: 0,
      skipped: [],
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
    expect(error.message).toMatch(
      new RegExp(`^The games of Steam profile ${steamId} are not public; .*"Game details"`),
    );
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("throws ImportRejectedError when game_count is given without games", async () => {
    steam.libraries.set(steamId, { games: [], gameCount: 5 });
    expect((await failure(run())).message).toMatch(
      /are not public; .*https:\/\/steamcommunity\.com\/my\/edit\/settings/s,
    );
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("throws ImportRejectedError for a profile that does not exist, after one request", async () => {
    const error = await failure(run({ steam_id64: "76561201000000000" }));
    expect(error).toEqual(new ImportRejectedError("Steam profile 76561201000000000 does not exist (400)."));
    expect(steam.log.counts).toEqual({ owned_games: 1 });
  });

  it("throws SettingRejectedError for a key that Steam refuses, after one request", async () => {
    const makeKey = "https://steamcommunity.com/dev/apikey makes one";
    const refused = (status: number) =>
      new SettingRejectedError(`Steam refuses the key in STEAM_API_KEY (${status}); ${makeKey}.`);
    steam = createSimulatedOwnedGames({ apiKey: "another key" });
    expect(await failure(run())).toEqual(refused(401));
    steam.faults.add({ fault: { status: 403, html: true } });
    expect(await failure(run())).toEqual(refused(403));
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

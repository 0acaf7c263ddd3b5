/** The IGDB client with its token and cache in a real database, against a simulated Twitch and IGDB. */

import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import { writeRawCsv } from "../../src/library/csv.ts";
import { igdbEnrichment } from "../../src/library/enrichment.ts";
import { SettingRejectedError } from "../../src/library/errors.ts";
import { createFolderStore } from "../../src/library/folder-store.ts";
import { createIgdb, type IgdbDeps } from "../../src/library/igdb.ts";
import type { IgdbGame } from "../../src/library/rows.ts";
import { createLibraryStore } from "../../src/library/store.ts";
import { defaultLimits } from "../support/collector.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type FakeClock, startFakeClock } from "../support/fake-clock.ts";
import { startInTest } from "../support/steam/in-test.ts";
import { openWebClient } from "../support/sync.ts";
import { silent } from "../support/templates.ts";
import type { WebFault } from "../support/web/faults.ts";
import { generateIgdbGames } from "../support/web/generate-igdb.ts";
import { createSimulatedIgdb, type IgdbDump, type IgdbEntry, type SimulatedIgdb } from "../support/web/igdb.ts";
import { loadRealIgdbIds, loadRealPlatforms } from "../support/web/real-libraries.ts";
import { asFetch, asRoutes } from "../support/web/web-api.ts";
import { libraryGame } from "../unit/library/samples.ts";
import { createLog } from "../unit/web/harness.ts";

const never = new AbortController().signal;

let database: TestDatabase;
beforeAll(async () => {
  database = await openTestDatabase("pglite");
});
afterAll(() => database.close());

let clock: FakeClock;
let igdb: SimulatedIgdb;
let log: ReturnType<typeof createLog>;
beforeEach(async () => {
  await database.sql("truncate igdb_answers, web_tokens, apps cascade");
  log = createLog();
  igdb = createSimulatedIgdb();
  clock = startFakeClock();
  onTestFinished(clock.restore);
});

const storeOf = (db = clock.wrapDatabase(database.db)) =>
  createLibraryStore(db, createDatabaseRetry(db.driver, { logger: silent }));

/** A client as in a new process or Lambda invocation. */
function open(given: Partial<IgdbDeps> = {}, fetch = clock.wrapFetch(asFetch(...igdb.apis))) {
  const web = openWebClient({ fetch, limits: defaultLimits, logger: log.logger });
  const { clientId, clientSecret } = igdb;
  return createIgdb({ web, store: storeOf(), clientId, clientSecret, signal: never, ...given });
}

const serve = (dump: Partial<IgdbDump>) => Object.assign(igdb.dump, dump);
const ids = (count: number, from = 10) => Array.from({ length: count }, (_, i) => from + i * 10);
const find = async (appids: readonly number[], client = open()) =>
  (await clock.run(client.bySteamAppids(appids))).games;
/** The ids of the games found for each appid. */
const idsOf = (found: ReadonlyMap<number, IgdbGame[]>) =>
  [...found].map(([appid, games]) => [appid, games.map(({ id }) => id)]);
const gameWith = (id: number, given: Partial<IgdbEntry> = {}): IgdbEntry => ({
  id,
  name: `Game ${id}`,
  slug: `game-${id}`,
  ...given,
});
const steamRow = (id: number, uid: number, game?: number) => ({
  id,
  uid: String(uid),
  external_game_source: 1,
  ...(game !== undefined && { game }),
});
/** A dump with one game per app; its id is the appid plus 1000. */
const plain = (appids: readonly number[]): IgdbDump => ({
  games: appids.map((appid) => gameWith(appid + 1000)),
  externalGames: appids.map((appid, index) => steamRow(index + 1, appid, appid + 1000)),
});

async function failure(work: Promise<unknown>): Promise<Error> {
  const error = await work.then(
    () => expect.fail("it succeeded"),
    (reason: unknown) => reason as Error,
  );
  hasNoSecrets(inspect(error, { depth: 10, showHidden: true }));
  return error;
}

function hasNoSecrets(...more: string[]): void {
  const written = [...log.lines, ...more].join("\n");
  for (const secret of [igdb.clientSecret, ...igdb.tokens]) expect(written).not.toContain(secret);
}

/** Oracle: the expected games, computed from IGDB's rows without the code under test. */
function expectedGames({ games, externalGames }: IgdbDump, appids: readonly number[]): Map<number, IgdbGame[]> {
  const found = new Map<number, IgdbGame[]>();
  for (const appid of appids) {
    const rows = externalGames.filter((row) => row.external_game_source === 1 && row.uid === `${appid}`);
    const listed = games.filter(({ id }) => rows.some(({ game }) => game === id));
    if (listed.length > 0) found.set(appid, listed.map(expectedGame));
  }
  return found;
}

function expectedGame(game: IgdbEntry): IgdbGame {
  const seconds = game.first_release_date;
  return {
    id: game.id,
    name: game.name.trim(),
    slug: game.slug,
    summary: game.summary ?? null,
    release_date: seconds === undefined ? null : new Date(seconds * 1000).toISOString(),
    cover_url: game.cover ? `https://images.igdb.com/igdb/image/upload/t_cover_big/${game.cover.image_id}.jpg` : null,
    game_type: game.game_type ?? null,
    genres: game.genres ?? [],
    platforms: (game.platforms ?? []).map((platform) => ({
      ...platform,
      abbreviation: platform.abbreviation ?? null,
    })),
  };
}

describe("Igdb.bySteamAppids", () => {
  it("returns IGDB's games with genres, platforms and covers, 400 appids per query", async () => {
    const appids = ids(1_300);
    serve(generateIgdbGames({ seed: 5, appids }));
    const found = await find(appids);
    const expected = expectedGames(igdb.dump, appids);
    expect(found).toEqual(expected);
    expect(expected.size).toBeLessThan(1_300);
    expect([...found.values()].flat().some(({ release_date }) => release_date?.startsWith("19"))).toBe(true);
    expect(igdb.log.counts).toEqual({ token: 1, external_games: 4 });
    expect(igdb.queries.map(({ where }) => where.get("uid")?.length)).toEqual([400, 400, 400, 100]);
    hasNoSecrets();
  });

  it("returns every game of an appid once, by id, and lets two appids share one", async () => {
    serve({
      games: [gameWith(1), gameWith(2)],
      externalGames: [
        steamRow(1, 10),
        steamRow(2, 10, 2),
        steamRow(3, 10, 1),
        steamRow(7, 10, 2),
        steamRow(4, 20, 2),
        steamRow(5, 30),
        { ...steamRow(6, 40, 1), external_game_source: 5 },
      ],
    });
    const found = await find([10, 20, 30, 40, 50]);
    expect(idsOf(found)).toEqual([
      [10, [1, 2]],
      [20, [2]],
    ]);
  });

  it("drops dangling references and invalid values, and keeps the rest of the game", async () => {
    const odd = {
      ...gameWith(1, { first_release_date: 9_999_999_999_999 }),
      cover: 77,
      genres: [5, { id: 2 ** 31, name: "No id", slug: "x" }, { id: 4, name: "Fighting\u0000", slug: "fighting" }],
      platforms: [6, { id: 3, name: "Linux", slug: "linux", abbreviation: "" }],
    } as unknown as IgdbEntry;
    const bare = { id: 2, game_type: -1, summary: null, genres: null } as unknown as IgdbEntry;
    const large = gameWith(2 ** 31);
    serve({
      games: [odd, bare, large],
      externalGames: [steamRow(1, 10, 1), steamRow(2, 20, 2), steamRow(3, 30, 999), steamRow(4, 40, 2 ** 31)],
    });
    const found = await find([10, 20, 30, 40]);
    expect(found.get(10)?.[0]).toMatchObject({
      release_date: null,
      cover_url: null,
      genres: [{ id: 4, name: "Fighting", slug: "fighting" }],
      platforms: [{ id: 3, name: "Linux", slug: "linux", abbreviation: null }],
    });
    expect(found.get(20)?.[0]).toMatchObject({ id: 2, name: "IGDB 2", slug: "igdb-2", game_type: null });
    expect([...found.keys()]).toEqual([10, 20]);
  });

  it.each([
    [499, 1],
    [500, 2],
    [501, 2],
    [1_000, 3],
    [1_001, 3],
  ])("reads all of %i rows in %i requests", async (rows, requests) => {
    const appids = ids(400);
    // The last app's game is in the last row.
    const repeats = Array.from({ length: rows - 400 }, (_, i) => steamRow(i + 1, appids[0] ?? 0));
    const own = appids.map((appid, index) => steamRow(rows - 399 + index, appid, appid + 1_000));
    serve({ games: plain(appids).games, externalGames: [...repeats, ...own] });
    expect((await find(appids)).size).toBe(400);
    expect(igdb.queries.map(({ offset }) => offset)).toEqual(Array.from({ length: requests }, (_, i) => i * 500));
  });

  it("sends no request for an empty list", async () => {
    expect(await find([])).toEqual(new Map());
    expect(igdb.log.counts).toEqual({});
  });

  const real = loadRealIgdbIds();
  it("matches a real library", async (context) => {
    const platforms = loadRealPlatforms();
    if (real === null || platforms === null) return context.skip("the real ids are not beside this repository");
    expect(real.games).toHaveLength(118);
    const games = [...new Set(real.games.map(({ igdb_id }) => igdb_id))].map((id) => gameWith(id, { platforms }));
    serve({ games, externalGames: real.games.map(({ appid, igdb_id }, i) => steamRow(i + 1, appid, igdb_id)) });
    const found = await find([...real.games.map(({ appid }) => appid), ...real.unmapped]);
    expect(idsOf(found)).toEqual(real.games.map((g) => [g.appid, [g.igdb_id]]));
    expect([...found.values()][0]?.[0]?.platforms).toHaveLength(platforms.length);
    expect(igdb.log.counts).toEqual({ token: 1, external_games: 1 });
  });
});

describe("the token of Igdb", () => {
  beforeEach(() => serve(plain(ids(2_000))));

  it("is fetched once and shared with the next process", async () => {
    await find(ids(900));
    await find(ids(900, 10_000));
    expect([igdb.tokens.length, igdb.queries.length]).toEqual([1, 6]);
  });

  it("is renewed during a run, a minute before it expires", async () => {
    const client = open();
    await find([10], client);
    await database.sql("update web_tokens set expires_at = now() + interval '59 seconds'");
    await find([20], client);
    expect(igdb.log.counts).toEqual({ token: 2, external_games: 2 });
  });

  it("is renewed once after a 401 during a run", async () => {
    igdb.revoke({ after: 2 });
    const found = await find(ids(2_000));
    expect(found.size).toBe(2_000);
    expect(igdb.log.counts).toEqual({ token: 2, external_games: 6 });
    await find(ids(10, 50_000));
    expect(igdb.tokens).toHaveLength(2);
    hasNoSecrets();
  });

  it("is reported as SettingRejectedError when Twitch refuses the credentials", async () => {
    const error = await failure(find([10], open({ clientSecret: "wrongwrongwrongwrong" })));
    expect(error).toBeInstanceOf(SettingRejectedError);
    expect((error as Error).message).toMatch(/^Twitch refuses IGDB_CLIENT_ID and IGDB_CLIENT_SECRET \(403\); /);
    expect([...log.lines, error.message].join("\n")).not.toContain("wrongwrong");
    expect(igdb.log.counts).toEqual({ token: 1 });
  });
});

describe("the answer cache of Igdb", () => {
  beforeEach(() => serve(plain(ids(300))));

  it("holds hits and misses, for every process, and only missing uids are queried", async () => {
    const appids = ids(450);
    const first = await find(appids);
    expect([first.size, igdb.log.counts.external_games]).toEqual([300, 2]);
    const client = open();
    for (const again of [client, client, open()]) expect(await find(appids, again)).toEqual(first);
    expect(igdb.log.counts).toEqual({ token: 1, external_games: 2 });
    await find([...appids, 7]);
    expect(igdb.queries.at(-1)?.where.get("uid")).toEqual(["7"]);
  });

  it("queries again what is cached in an unknown shape", async () => {
    await find([10, 20]);
    await database.sql(`update igdb_answers set game = '{"id": "old"}' where uid = '20'`);
    expect([...(await find([10, 20])).keys()].sort()).toEqual([10, 20]);
    expect(igdb.queries.at(-1)?.where.get("uid")).toEqual(["20"]);
  });

  it("keeps the batches that were answered before a failure", async () => {
    igdb.faults.add({ on: { kind: "external_games" }, after: 1, fault: { status: 500 }, times: 5 });
    serve(plain(ids(800)));
    await failure(find(ids(800)));
    igdb.queries.length = 0;
    expect((await find(ids(800))).size).toBe(800);
    expect(igdb.queries).toHaveLength(1);
  });
});

describe("Igdb when IGDB fails", () => {
  beforeEach(() => serve(plain(ids(500))));

  it.each<[string, WebFault]>([
    ["429", { status: 429 }],
    ["a dropped connection", "drop"],
    ["HTML", "html200"],
  ])("retries after %s", async (_, fault) => {
    igdb.faults.add({ on: { kind: "external_games" }, fault, times: 2 });
    expect((await find(ids(500))).size).toBe(500);
    expect(igdb.log.counts).toEqual({ token: 1, external_games: 4 });
    hasNoSecrets();
  });

  it("throws WebError after the last retry and one more query, which asks for a harmless id", async () => {
    igdb.faults.add({ on: { kind: "external_games" }, fault: { status: 500 }, times: Number.POSITIVE_INFINITY });
    const error = await failure(find(ids(500)));
    expect(error).toMatchObject({
      name: "WebError",
      fault: "unreachable",
      message: expect.stringContaining("(4 attempts)"),
    });
    expect(igdb.log.counts).toEqual({ token: 1, external_games: 5 });
    expect(igdb.log.of("external_games").at(-1)).toMatchObject({ appid: 220 });
  });
});

describe("Igdb when IGDB refuses single ids and names", () => {
  it.each([400, 500] as const)(
    "with %i, answers for all others, and asks for them again the next time",
    async (status) => {
      const appids = ids(500);
      serve(plain(appids));
      igdb.rejects.set("40", status).set("4990", status);
      const answers = await clock.run(open().bySteamAppids(appids));
      expect(answers.refused).toEqual(new Set([40, 4_990]));
      expect([...answers.games.keys()]).toEqual(appids.filter((appid) => ![40, 4_990].includes(appid)));
      igdb.rejects.clear();
      igdb.queries.length = 0;
      expect((await find(appids)).size).toBe(500);
      // The refused ones are not cached, all others are.
      expect(igdb.queries.map(({ where }) => where.get("uid"))).toEqual([["40", "4990"]]);

      const names = appids.map((appid) => `Game ${appid + 1_000}`);
      igdb.rejects.set("Game 1100", status);
      const named = await clock.run(open().byNames(names));
      expect(named.refused).toEqual(new Set(["Game 1100"]));
      expect(named.games.size).toBe(499);
      hasNoSecrets();
    },
  );
});

describe("the rate limits of IGDB", () => {
  it("are exceeded by two processes together, which retry after 429 and complete", async () => {
    serve(plain(ids(4_000)));
    const found = await clock.run(
      Promise.all([open().bySteamAppids(ids(2_000)), open().bySteamAppids(ids(2_000, 20_010))]),
    );
    expect(found.map(({ games }) => games.size)).toEqual([2_000, 2_000]);
    expect(igdb.refusedAsTooMany()).toBeGreaterThan(0);
    expect(igdb.queries).toHaveLength(10);
    hasNoSecrets();
  });

  it("let 2,000 games be matched in two seconds", async () => {
    const appids = ids(2_000);
    serve(generateIgdbGames({ seed: 9, appids }));
    await database.sql(
      `insert into apps (appid, name, type, steam_release_date)
       select appid, 'App ' || appid, 'game', '2020-05-05Z' from generate_series(10, 20000, 10) as appid`,
    );
    const folder = await mkdtemp(join(tmpdir(), "spsync-igdb-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const files = createFolderStore(folder);
    const objects: typeof files = {
      ...files,
      put: (...object) => clock.real(files.put(...object)),
      get: (location) => clock.real(files.get(location)),
    };
    const raw = writeRawCsv(appids.map((appid) => libraryGame({ appid, name: `App ${appid}` })));
    const s3_location = await clock.run(objects.put("imports/u1/a-raw.csv", raw, "text/csv"));
    const deps = { objects, igdb: open(), store: storeOf(), signal: never };
    const { stats } = await clock.run(igdbEnrichment({ user_id: "u1", s3_location }, deps));
    expect(stats.processed).toBe(2_000);
    expect(stats.matched + stats.unmatched + stats.filtered).toBe(2_000);
    expect(stats.unmatched).toBeGreaterThan(0);
    // Five queries by appid and, in each step, one by name.
    expect(igdb.log.counts).toEqual({ token: 1, external_games: 5, games: 5 });
    expect(clock.elapsedMs()).toBe(2_000);
    expect(igdb.refusedAsTooMany()).toBe(0);
  });
});

describe("Igdb.byNames", () => {
  const names = ['say "cheese"', "back\\slash", "a; b & c = (d)", "Pokémon: 夜勤事件 🎮", "plain", "\\", '"', '\\"'];

  it("returns the games with exactly these names, whatever characters they contain", async () => {
    serve({ games: [...names, "other"].map((name, index) => gameWith(index + 1, { name })) });
    const { games } = await clock.run(open().byNames(names));
    expect([...games].map(([name, found]) => [name, found.map((game) => game.name)])).toEqual(
      names.map((name) => [name, [name]]),
    );
    expect(igdb.queries.map(({ where }) => where.get("name"))).toEqual([names]);
    expect((await clock.run(open().byNames(["PLAIN", "pla", 'say \\"cheese\\"']))).games.size).toBe(0);
  });

  it("sends 100 names per query and reads all pages", async () => {
    const many = Array.from({ length: 250 }, (_, i) => `Name ${i}`);
    const games = many.flatMap((name, i) =>
      Array.from({ length: i < 100 ? 5 : 1 }, (_, n) => gameWith(i * 5 + n + 1, { name })),
    );
    serve({ games });
    const found = await clock.run(open().byNames(many));
    expect([...found.games.values()].flat()).toHaveLength(650);
    expect(igdb.queries.map(({ where, offset }) => [where.get("name")?.length, offset])).toEqual([
      [100, 0],
      [100, 500],
      [100, 0],
      [50, 0],
    ]);
    expect(await clock.run(open().byNames([]))).toEqual({ games: new Map(), refused: new Set() });
  });

  it("caches hits and misses, beside the answers by appid, and asks for no name that is too long", async () => {
    const long = "x".repeat(201);
    serve({ games: [gameWith(1, { name: "10" })], externalGames: [] });
    for (const client of [open(), open()]) {
      const { games } = await clock.run(client.byNames(["10", "20", long]));
      expect([...games].map(([name, found]) => [name, found.map(({ id }) => id)])).toEqual([["10", [1]]]);
    }
    expect(igdb.queries.map(({ where }) => where.get("name"))).toEqual([["10", "20"]]);
    expect((await find([10])).size).toBe(0);
    await database.sql("update igdb_answers set fetched_at = fetched_at - interval '61 minutes'");
    await clock.run(open().byNames(["20"]));
    expect(igdb.queries.at(-1)?.where.get("name")).toEqual(["20"]);
  });
});

it("Igdb works through TLS and a proxy", async () => {
  clock.restore();
  const appids = ids(500);
  serve(generateIgdbGames({ seed: 6, appids }));
  const steam = await startInTest({ routes: asRoutes(...igdb.apis) });
  onTestFinished(http.setGlobalProxyFromEnv(steam.env));
  const { clientId, clientSecret } = igdb;
  const web = openWebClient({ limits: defaultLimits, logger: log.logger });
  const client = createIgdb({ web, store: storeOf(database.db), clientId, clientSecret, signal: never });
  expect((await client.bySteamAppids(appids)).games).toEqual(expectedGames(igdb.dump, appids));
  igdb.revoke();
  const [name = ""] = igdb.dump.games.map((game) => game.name);
  expect((await client.byNames([name])).games.get(name)?.map((game) => game.name)).toContain(name.trim());
  expect(igdb.log.counts).toEqual({ token: 2, external_games: 2, games: 2 });
  hasNoSecrets();
});

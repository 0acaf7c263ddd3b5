import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { readEnrichedCsv, readRawCsv } from "../../src/library/csv.ts";
import { ImportRejectedError } from "../../src/library/errors.ts";
import { createFolderStore } from "../../src/library/folder-store.ts";
import type { ObjectStore } from "../../src/library/object-store.ts";
import { WebError } from "../../src/process/errors.ts";
import { openTestDatabase, type TestDatabase } from "../support/databases.ts";
import { type Dump, differencesOf } from "../support/dump.ts";
import { type FakeClock, startFakeClock } from "../support/fake-clock.ts";
import {
  composeStages,
  dumpLibrary,
  generateWorld,
  importLibrary,
  type LibraryWeb,
  readLibrary,
  type StageDeps,
  simulateLibraryWeb,
  steamId,
} from "../support/library.ts";
import type { MomentKind, Stage, StageJob } from "../support/library-stage.ts";
import { createRandom } from "../support/steam/random.ts";
import type { WebFault } from "../support/web/faults.ts";

/** Fault injection between Steam, IGDB and the database: a later run always completes the import. */

let database: TestDatabase;
const folder = await mkdtemp(join(tmpdir(), "spsync-imports-"));
beforeAll(async () => {
  database = await openTestDatabase("postgres", { prepare: "select library_create_tables('{}')" });
});
afterAll(async () => {
  await database.close();
  await rm(folder, { recursive: true, force: true });
});

const truncateAll = (sql: TestDatabase["sql"]) =>
  sql(
    'truncate "ImportedGame", "Game", "LibraryItem", "Genre", "Platform", igdb_answers, web_tokens, web_api_usage cascade',
  );

describe("a stage killed at a random moment", () => {
  const world: StageJob["world"] = [21, 1_100];
  const { library, dump } = generateWorld(...world);
  const program = fileURLToPath(new URL("../support/library-stage.ts", import.meta.url));
  const seed = Number(process.env.SEED ?? 1);

  async function runStage(job: Omit<StageJob, "world" | "url" | "folder">) {
    const args = [program, JSON.stringify({ ...job, world, url: database.url, folder })];
    const env = { PATH: process.env.PATH, NODE_COMPILE_CACHE: join(tmpdir(), "spsync-compile-cache") };
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output += chunk;
    });
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (code !== 0 && signal !== "SIGKILL") throw new Error(output);
    return signal ? null : (JSON.parse(output) as { answer: object; passed: Record<MomentKind, number> });
  }

  const key = (stage: Stage) => `imports/u1/run-${stage === "steam_import" ? "raw" : "enriched"}.csv`;
  const location = (stage: Stage) => pathToFileURL(join(folder, key(stage))).href;
  const events: Record<Stage, object> = {
    steam_import: { user_id: "u1", execution_id: "run", steam_id64: steamId },
    igdb_enrichment: { user_id: "u1", execution_id: "run", s3_location: location("steam_import") },
    database_import: { user_id: "u1", execution_id: "run", s3_enriched_location: location("igdb_enrichment") },
  };
  const readers = { steam_import: readRawCsv, igdb_enrichment: readEnrichedCsv };

  /** No existing file is truncated. */
  async function expectCompleteFiles(): Promise<void> {
    for (const stage of ["steam_import", "igdb_enrichment"] as const) {
      const path = join(folder, key(stage));
      if (existsSync(path)) expect(readers[stage](await readFile(path, "utf8"))).toHaveLength(1_100);
    }
  }

  it(`leaves no partial file, and a retry gives the same result as an undisturbed run (SEED=${seed})`, async () => {
    const random = createRandom(seed);
    const undisturbed = {} as Record<Stage, { answer: object; passed: Record<MomentKind, number> }>;
    const files = new Map<string, string>();
    for (const stage of Object.keys(events) as Stage[]) {
      const run = await runStage({ stage, event: events[stage] });
      if (!run) throw new Error(`${stage} was killed without a planned moment`);
      undisturbed[stage] = run;
      files.set(key(stage), await readFile(join(folder, key(stage)), "utf8"));
    }
    const expected = await dumpLibrary(database.sql);
    expect(differencesOf(readLibrary("u1", library, dump), expected)).toEqual([]);

    await truncateAll(database.sql);
    await rm(join(folder, "imports"), { recursive: true });
    for (const stage of Object.keys(events) as Stage[]) {
      const { passed } = undisturbed[stage];
      const kinds = (Object.keys(passed) as MomentKind[]).filter((kind) => passed[kind] > 0);
      for (const kind of kinds) {
        const when = random.pick(["before", "after"] as const);
        const moment = { kind, count: random.int(1, passed[kind]), when };
        // With cached answers this run would send no requests.
        await database.sql("truncate igdb_answers, web_tokens");
        expect(await runStage({ stage, event: events[stage], moment }), JSON.stringify({ stage, moment })).toBeNull();
        await expectCompleteFiles();
      }
      const retried = await runStage({ stage, event: events[stage] });
      if (stage !== "database_import") expect(retried?.answer).toEqual(undisturbed[stage].answer);
      expect(await readFile(join(folder, key(stage)), "utf8")).toBe(files.get(key(stage)));
    }
    expect(differencesOf(expected, await dumpLibrary(database.sql))).toEqual([]);
  });
});

describe("an import whose database loses replies", () => {
  it("writes and counts every row once", async () => {
    const supabase = await openTestDatabase("supabase");
    onTestFinished(() => supabase.close());
    const { library, dump } = generateWorld(51, 300);
    const web = simulateLibraryWeb({ libraries: { [steamId]: library }, dump });
    for (const call of ["library_apply", "library_igdb_keep", "web_token_keep", "web_reserve"]) {
      supabase.api?.faults.dropReply({ call });
    }
    const summary = await importLibrary(composeStages(supabase.db, web, createFolderStore(folder)), "u1");
    expect(supabase.api?.faults.requests.get("library_apply")).toBe(2);
    expect(summary.import).toMatchObject({ imported_games_created: 300, imported_games_updated: 0, games_updated: 0 });
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(supabase.sql))).toEqual([]);
  });
});

describe("an import into the tables of another application", () => {
  it("throws ImportRejectedError for an unknown user, and succeeds once the user exists", async () => {
    const prepare = `select library_create_tables('{}');
      create table "User" (id text primary key);
      alter table "ImportedGame" add foreign key ("userId") references "User" (id)`;
    const owned = await openTestDatabase("postgres", { prepare });
    onTestFinished(() => owned.close());
    const { library, dump } = generateWorld(61, 30);
    const web = simulateLibraryWeb({ libraries: { [steamId]: library }, dump });
    const deps = composeStages(owned.db, web, createFolderStore(folder));
    const refused = await importLibrary(deps, "u9").catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(ImportRejectedError);
    expect(String(refused)).toMatch(/User u9 does not exist/);
    await owned.sql(`insert into "User" values ('u9')`);
    await importLibrary(deps, "u9");
    expect(differencesOf(readLibrary("u9", library, dump), await dumpLibrary(owned.sql))).toEqual([]);
  });
});

describe("an import through failing web APIs", () => {
  const { library, dump } = generateWorld(31, 450);
  let clock: FakeClock;

  function startWorld(change?: (web: LibraryWeb) => void) {
    clock = startFakeClock();
    onTestFinished(clock.restore);
    const web = simulateLibraryWeb({ libraries: { [steamId]: { ...library } }, dump: structuredClone(dump) });
    change?.(web);
    const compose = (retryAttempts = 3): StageDeps =>
      composeStages(
        clock.wrapDatabase(database.db),
        { ...web, fetch: clock.wrapFetch(web.fetch) },
        realTime(createFolderStore(folder)),
        { retryAttempts },
      );
    return { web, compose, run: (user = "u1") => clock.run(importLibrary(compose(), user)) };
  }

  /** File access runs outside of the fake clock. */
  const realTime = (objects: ObjectStore): ObjectStore => ({
    ...objects,
    put: (...args) => clock.real(objects.put(...args)),
    get: (...args) => clock.real(objects.get(...args)),
  });

  async function expectImported(expected: Dump = readLibrary("u1", library, dump)): Promise<void> {
    expect(differencesOf(expected, await dumpLibrary(database.sql))).toEqual([]);
  }

  const failure = (run: Promise<unknown>): Promise<unknown> =>
    run.then(
      () => "it succeeded",
      (error: unknown) => error,
    );

  it.each<[string, WebFault]>([
    ["429 with Retry-After", { status: 429, retryAfter: "120" }],
    ["a dropped connection", "drop"],
  ])(
    "retries Steam and IGDB after %s, throws WebError after the last retry, and succeeds in a later run",
    async (_, fault) => {
      await truncateAll(database.sql);
      const { web, run } = startWorld();
      web.steam.faults.add({ fault, times: 3 });
      web.igdb.faults.add({ on: { kind: "external_games" }, after: 1, fault, times: 3 });
      web.igdb.faults.add({ on: { kind: "token" }, fault, times: 2 });
      await run();
      await expectImported();
      expect(web.steam.log.calls).toHaveLength(4);
      expect(web.igdb.log.of("external_games")).toHaveLength(2 + 3);
      if (typeof fault === "object" && "retryAfter" in fault)
        expect(clock.elapsedMs()).toBeGreaterThanOrEqual(8 * 120_000);

      await truncateAll(database.sql);
      web.steam.faults.add({ fault, times: 4 });
      expect(await failure(run())).toBeInstanceOf(WebError);
      expect(await database.sql('select from "ImportedGame"')).toEqual([]);
      web.igdb.faults.add({ on: { kind: "external_games" }, after: 1, fault, times: 4 });
      expect(await failure(run())).toBeInstanceOf(WebError);
      await run();
      await expectImported();
    },
  );

  it("leaves a game unmatched whose name IGDB refuses, names it, asks again, and throws when IGDB fails", async () => {
    await truncateAll(database.sql);
    const { web, compose, run } = startWorld(({ igdb }) => {
      igdb.dump.externalGames = [];
    });
    const warnings: string[] = [];
    const logger = { warn: (_: unknown, text: string) => warnings.push(text) } as unknown as NonNullable<
      StageDeps["logger"]
    >;
    const [game] = library.games.filter(({ name = "" }) => /^\w[\w ]+\w$/.test(name));
    const name = game?.name ?? "";
    const released = Date.UTC(2019, 0, 5) / 1_000;
    web.igdb.dump.games = [{ id: 5, name, slug: "five", game_type: 0, first_release_date: released }];
    await database.sql(
      `insert into apps (appid, name, type, steam_release_date) values ($1, $2, 'game', '2019-07-01')`,
      [game?.appid, name],
    );
    onTestFinished(async () => {
      await database.sql("delete from apps");
    });
    for (const status of [400, 500] as const) {
      web.igdb.rejects.set(name, status);
      const failed_games = [{ appid: game?.appid, name }];
      const { enrichment } = await clock.run(importLibrary({ ...compose(), logger }, "u1"));
      expect(enrichment).toMatchObject({ matched: 0, failed: 1, failed_games });
      expect(warnings.pop()).toContain(`${name} (${game?.appid})`);
    }
    web.igdb.rejects.clear();
    const restore = web.igdb.faults.add({
      on: { kind: "games" },
      fault: { status: 500 },
      times: Number.POSITIVE_INFINITY,
    });
    expect(await failure(run())).toBeInstanceOf(WebError);
    restore();
    const { enrichment, import: stats } = await run();
    expect([enrichment.matched, stats.imported_games_updated, stats.library_items_created]).toEqual([1, 1, 1]);

    // No answer is no proof against an earlier match.
    await database.sql("truncate igdb_answers");
    web.igdb.rejects.set(name, 500);
    expect((await run()).enrichment).toMatchObject({ matched: 0, failed: 1 });
    const statuses = await database.sql(
      `select "igdbMatchStatus"::text as status from "ImportedGame" where "storefrontGameId" = '${game?.appid}'`,
    );
    expect(statuses).toEqual([{ status: "MATCHED" }]);
  });

  it("imports an empty library, and keeps the rows of an earlier import", async () => {
    await truncateAll(database.sql);
    const { web, run } = startWorld();
    await run();
    web.steam.libraries.set(steamId, { games: [] });
    expect(await run()).toMatchObject({ game_count: 0, enrichment: { processed: 0 } });
    await expectImported();
  });

  it.each([1, 2, 3])("completes after repeated runs with random faults (seed %i)", async (seed) => {
    await truncateAll(database.sql);
    const { web, compose } = startWorld();
    const faults: WebFault[] = [
      { status: 429 },
      { status: 500 },
      { status: 503, html: true },
      "drop",
      "truncated",
      "empty200",
    ];
    for (const api of [web.steam, web.igdb]) api.faults.random({ seed, rate: 0.45, faults });
    let failures = 0;
    for (;;) {
      const outcome = await failure(clock.run(importLibrary(compose(1), "u1")));
      if (!(outcome instanceof Error)) break;
      expect(outcome).toBeInstanceOf(WebError);
      failures += 1;
    }
    expect(failures + Object.keys({ ...web.steam.faults.struck, ...web.igdb.faults.struck }).length).toBeGreaterThan(0);
    await expectImported();
  });
});

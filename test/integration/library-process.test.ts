import { readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { pino } from "pino";
import { describe, expect } from "vitest";
import { serveOwnerSocket } from "../../src/db/owner-socket.ts";
import type { LibraryProgress, LibrarySummary } from "../../src/library/progress.ts";
import type { TestDatabase } from "../support/databases.ts";
import { differencesOf } from "../support/dump.ts";
import { it as given } from "../support/given.ts";
import {
  apiKey,
  customName,
  dumpLibrary,
  generateWorld,
  type LibraryWeb,
  readLibrary,
  simulateLibraryWeb,
  steamId,
} from "../support/library.ts";
import { startS3 } from "../support/s3.ts";
import { type Service, type ServiceOptions, startService } from "../support/service.ts";
import { createCatalog } from "../support/steam/catalog.ts";
import type { WebRoute } from "../support/steam/proxy.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { asRoutes } from "../support/web/web-api.ts";

/** The command `library-import` in a child process: exit codes, logs, files and rows. */

const { library, dump } = generateWorld(41, 420);
/** Steam's types of two apps: a game that IGDB calls an expansion, and a demo that IGDB calls a game. */
const steamTypes = new Map([
  [appidOfType(2), { type: "game" }],
  [appidOfType(0), { type: "demo" }],
]);

/** The first app of the library that IGDB knows as a game of this type alone. */
function appidOfType(gameType: number): number {
  const types = new Map(dump.games.map(({ id, game_type }) => [id, game_type]));
  const found = library.games.find(({ appid }) =>
    dump.externalGames.some(({ uid, game }) => uid === String(appid) && types.get(game ?? 0) === gameType),
  );
  return found?.appid ?? expect.fail(`the library has no app of IGDB's type ${gameType}`);
}

function generateSteam() {
  const catalog = createCatalog();
  for (const [appid, { type }] of steamTypes) {
    catalog.add({
      appid,
      text: `"appinfo" { "appid" "${appid}" "common" { "name" "App ${appid}" "type" "${type}" } }`,
    });
  }
  return catalog;
}

/** Puts the library on the store's list of games, so that the import need not ask Steam: loading its client takes 2 s of CPU. */
async function listAsGames({ sql }: TestDatabase): Promise<void> {
  const appids = library.games.map(({ appid }) => appid);
  await sql(
    `insert into app_list_entries (kind, appid, name, seen_in, is_member)
     select 'games', appid, '', 1, true from unnest($1::int[]) as appid`,
    [appids],
  );
}
const allGames = new Map(library.games.map(({ appid }) => [appid, { type: "game" }]));

const privateId = "76561198000000002";
const wrongKey = "WRONG-KEY-98765432";

interface Web extends LibraryWeb {
  env: Record<string, string>;
  /** Holds the n-th request to a host until `release`; `held` resolves when the request has arrived. */
  hold(host: string, count: number): { held: Promise<void>; release: () => void };
}

interface Given {
  serve: () => Promise<Web>;
  /**
   * Starts an import, by the command unless `args` say otherwise. It is stopped after the test; its output must contain
   * no secret.
   */
  startImport: (options: ServiceOptions & { web: Web }, profile?: string) => Service;
}

const it = given.extend<Given>({
  serve: ({ onTestFinished }, use) =>
    use(async () => {
      const web = simulateLibraryWeb({ libraries: { [steamId]: library, [privateId]: "private" }, dump });
      let before: (host: string) => unknown = () => {};
      const held = (route: WebRoute): WebRoute => ({
        ...route,
        async handle(request, response) {
          await before(request.url.hostname);
          await route.handle(request, response);
        },
      });
      const routes = asRoutes(...web.apis).map(held);
      const steam = await startSimulatedSteam({ catalog: generateSteam(), routes });
      onTestFinished(() => steam.close());
      return {
        ...web,
        env: steam.env,
        hold(wanted, count) {
          const [came, free] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
          let asked = 0;
          before = (host) => {
            if (host !== wanted) return;
            asked += 1;
            if (asked !== count) return;
            came.resolve();
            return free.promise;
          };
          return { held: came.promise, release: free.resolve };
        },
      };
    }),
  startImport: async ({ folder, onTestFinished }, use) => {
    const services: [Service, Web][] = [];
    await use(({ env, web, ...options }, profile = steamId) => {
      const service = startService({
        args: ["library-import", "--user", "u1", "--steam-id", profile],
        ...options,
        steam: web,
        env: {
          DATA_DIR: folder,
          NODE_COMPILE_CACHE: join(tmpdir(), "spsync-compile-cache"),
          STEAM_API_KEY: apiKey,
          IGDB_CLIENT_ID: web.igdb.clientId,
          IGDB_CLIENT_SECRET: web.igdb.clientSecret,
          IGDB_API_LIMIT: "6000/second",
          RETRY_ATTEMPTS: "1",
          LIBRARY_TABLES: "own",
          LOG_LEVEL: "debug",
          ...options.database?.env,
          ...env,
        },
      });
      services.push([service, web]);
      onTestFinished(() => service.stop());
      return service;
    });
    for (const [service, { igdb }] of services) {
      const output = `${JSON.stringify(service.logs)}${service.text}`;
      for (const secret of [apiKey, wrongKey, igdb.clientId, igdb.clientSecret, ...igdb.tokens])
        expect(output).not.toContain(secret);
    }
  },
});

const libraryOf = ({ library: progress }: Record<string, unknown>) => progress as LibraryProgress | null;
/** The line that says why the process ends; a stack at the level debug follows it. */
const lastWords = (service: Service) => service.logs.find(({ level }) => level === "fatal")?.message;
const summaryOf = (service: Service) => service.logs.at(-1)?.summary as LibrarySummary;

async function files(folder: string): Promise<string[]> {
  return (await readdir(join(folder, "imports", "u1")).catch(() => [])).toSorted();
}

describe.concurrent("library-import", () => {
  it("reports progress, logs a summary, writes rows and two files, and is a no-op the second time", async ({
    open,
    serve,
    startImport,
    folder,
    expect,
  }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const second = web.hold("api.igdb.com", 2);
    const service = startImport({ web, database });
    await second.held;
    const status = await service.until("/status", (body) => libraryOf(body)?.done === 400);
    expect(status).toMatchObject({
      mode: "library_import",
      steam: null,
      bulk: null,
      collector: null,
      library: { phase: "igdb_enrichment", done: 400, total: 420 },
    });
    expect(await service.get("/health")).toMatchObject({ status: 200, body: { status: "ok" } });
    expect(await service.get("/ready")).toMatchObject({ status: 200 });
    second.release();
    expect(await service.exited).toEqual({ code: 0, signal: null });
    expect(service.logs.at(-1)).toMatchObject({
      level: "info",
      message: "library import finished",
      summary: { game_count: 420, enrichment: { processed: 420 }, import: { imported_games_created: 420 } },
    });
    expect(differencesOf(readLibrary("u1", library, dump, steamTypes), await dumpLibrary(database.sql))).toEqual([]);
    expect(await files(folder)).toEqual([
      expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}-enriched\.csv$/),
      expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}-raw\.csv$/),
    ]);

    const report = join(folder, "report.csv");
    const args = ["library-import", "--user", "u1", "--steam-id", `https://steamcommunity.com/id/${customName}/`];
    const again = startImport({ web, database, args: [...args, "--report", report] });
    expect(await again.exited).toEqual({ code: 0, signal: null });
    expect(new Set(Object.values(summaryOf(again).import))).toEqual(new Set([0]));
    expect(await files(folder)).toHaveLength(4);
    const { unmatched, ignored, steam_id64 } = summaryOf(again);
    expect(steam_id64).toBe(steamId);
    const rows = parse(await readFile(report, "utf8"), { columns: true }) as Record<string, string>[];
    expect(rows).toHaveLength(420);
    const counted = (status: string) => rows.filter((row) => row.status === status).length;
    expect([unmatched.count, ignored.count]).toEqual([counted("UNMATCHED"), counted("IGNORED")]);
    expect(unmatched.first).toHaveLength(Math.min(10, unmatched.count));
    expect((await stat(report)).mode & 0o777).toBe(0o600);
  });

  it("works with keys alone (embedded database, folder), and completes after a kill, beside the owner of the folder", async ({
    open,
    serve,
    startImport,
    expect,
    onTestFinished,
  }) => {
    const [database, web] = [await open("pglite"), await serve()];
    const folder = database.env.DATA_DIR ?? "";
    await listAsGames(database);
    await database.lend(async () => {
      const second = web.hold("api.igdb.com", 2);
      const killed = startImport({ web, database });
      await second.held;
      killed.kill("SIGKILL");
      expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });
      second.release();
      expect(await files(folder)).toEqual([expect.stringMatching(/-raw\.csv$/)]);
    });
    // This process owns the folder again, and serves its socket as a service would.
    onTestFinished(await serveOwnerSocket(database.db, folder, pino({ level: "silent" })));
    const args = ["library-import", "--user", "u1", "--steam-id", steamId, "--report", "-"];
    const beside = startImport({ web, database, args, env: { LOG_LEVEL: "silent" } });
    expect(await beside.exited).toEqual({ code: 0, signal: null });
    // Logs go to standard error, so that standard output is the report alone.
    expect(parse(beside.text, { columns: true })).toHaveLength(420);
    expect(await files(folder)).toHaveLength(3);
    expect(differencesOf(readLibrary("u1", library, dump, allGames), await dumpLibrary(database.sql))).toEqual([]);
  });

  it("runs by MODE, LIBRARY_USER and LIBRARY_STEAM_ID, and stores its files in S3_BUCKET when set", async ({
    open,
    serve,
    startImport,
    folder,
    expect,
    onTestFinished,
  }) => {
    const [database, web, s3] = [await open("postgres"), await serve(), await startS3("imports")];
    onTestFinished(() => s3.close());
    await listAsGames(database);
    const { AWS_REGION: _, ...variables } = s3.env;
    const env = { ...variables, MODE: "library_import", LIBRARY_USER: "u1", LIBRARY_STEAM_ID: "[U:1:39734273]" };
    const service = startImport({ web, database, args: [], env });
    expect(await service.exited).toEqual({ code: 0, signal: null });
    const { s3_location, s3_enriched_location } = summaryOf(service);
    const locations = (await s3.objects()).map((key) => `s3://imports/${key}`);
    expect(locations.toSorted()).toEqual([s3_location, s3_enriched_location].toSorted());
    expect(await files(folder)).toEqual([]);
    expect(differencesOf(readLibrary("u1", library, dump, allGames), await dumpLibrary(database.sql))).toEqual([]);
  });

  it("exits with 1 for a private profile and with 2 for a refused key, with one sentence", async ({
    open,
    serve,
    startImport,
    folder,
    expect,
  }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const refused = startImport({ web, database }, privateId);
    const wrong = startImport({ web, database, env: { STEAM_API_KEY: wrongKey } });
    expect(await refused.exited).toEqual({ code: 1, signal: null });
    expect(lastWords(refused)).toMatch(
      new RegExp(`^The games of Steam profile ${privateId} are not public; its owner`),
    );
    expect(await wrong.exited).toEqual({ code: 2, signal: null });
    expect(lastWords(wrong)).toMatch(/^Steam refuses the key in STEAM_API_KEY \(401\); .*\/dev\/apikey makes one\.$/);
    expect(await files(folder)).toEqual([]);
  });

  it("exits with 2 and names the missing keys and variables", async ({ serve, startImport, expect }) => {
    const web = await serve();
    const mode = startImport({ web, args: [], env: { MODE: "library_import", LIBRARY_USER: "u1" } });
    const service = startImport({ web, env: { STEAM_API_KEY: "", IGDB_CLIENT_ID: "", IGDB_CLIENT_SECRET: "" } });
    expect(await service.exited).toEqual({ code: 2, signal: null });
    expect(lastWords(service)).toMatch(
      /needs STEAM_API_KEY \(https:.*\), and IGDB_CLIENT_ID and IGDB_CLIENT_SECRET \(https:/,
    );
    expect(await mode.exited).toEqual({ code: 2, signal: null });
    expect(lastWords(mode)).toBe("library-import needs LIBRARY_STEAM_ID (or --steam-id).");
    expect(web.steam.log.calls).toEqual([]);
  });

  it("exits with 2 and names both choices when the library's tables are missing and no owner is chosen", async ({
    open,
    serve,
    startImport,
    expect,
  }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const service = startImport({ web, database, env: { LIBRARY_TABLES: "" } });
    expect(await service.exited).toEqual({ code: 2, signal: null });
    expect(lastWords(service)).toMatch(/tables "Game", .*LIBRARY_TABLES=own .*LIBRARY_TABLES=shared /);
    expect(web.steam.log.calls).toEqual([]);
    expect(await database.sql(`select to_regclass('"ImportedGame"') as name`)).toEqual([{ name: null }]);
  });

  it("exits with 75 when IGDB is unreachable", async ({ open, serve, startImport, expect }) => {
    const [database, web] = [await open("postgres"), await serve()];
    web.igdb.faults.add({ fault: { status: 500 }, on: { kind: "external_games" }, times: Number.POSITIVE_INFINITY });
    await listAsGames(database);
    const service = startImport({ web, database });
    expect(await service.exited).toEqual({ code: 75, signal: null });
    expect(lastWords(service)).toMatch(/igdb: .*answered 500 \(2 attempts\)/);
  });

  it("shuts down cleanly on SIGTERM", async ({ open, serve, startImport, expect }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const first = web.hold("api.igdb.com", 1);
    await listAsGames(database);
    const service = startImport({ web, database });
    await first.held;
    service.kill("SIGTERM");
    expect(await service.exited).toEqual({ code: 143, signal: null });
    first.release();
    expect(service.logs.filter(({ message }) => message.startsWith("shutdown:"))).toEqual([]);
    expect(service.logs.filter(({ level }) => level === "fatal")).toEqual([]);
    expect(await database.sql('select from "ImportedGame"')).toEqual([]);
  });
});

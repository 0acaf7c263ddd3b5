import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect } from "vitest";
import type { LibraryProgress, LibrarySummary } from "../../src/library/progress.ts";
import { differencesOf } from "../support/dump.ts";
import { it as given } from "../support/given.ts";
import {
  apiKey,
  dumpLibrary,
  generateWorld,
  type LibraryWeb,
  readLibrary,
  simulateLibraryWeb,
  steamId,
} from "../support/library.ts";
import { startS3 } from "../support/s3.ts";
import { type Service, type ServiceOptions, startService } from "../support/service.ts";
import { generateCatalog } from "../support/steam/generate.ts";
import type { WebRoute } from "../support/steam/proxy.ts";
import { startSimulatedSteam } from "../support/steam/simulated-steam.ts";
import { asRoutes } from "../support/web/web-api.ts";

/** The command `library-import` in a child process: exit codes, logs, files and rows. */

const { library, dump } = generateWorld(41, 420);
const privateId = "76561198000000002";
const wrongKey = "WRONG-KEY-98765432";

interface Web extends LibraryWeb {
  env: Record<string, string>;
  /** Holds the n-th request to a host until `release`; `held` resolves when the request has arrived. */
  hold(host: string, count: number): { held: Promise<void>; release: () => void };
}

interface Given {
  serve: () => Promise<Web>;
  /** Starts an import, which is stopped after the test; its output must contain no secret. */
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
      const steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 1, count: 1 }), routes });
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
        ...options,
        args: ["library-import", "--user", "u1", "--steam-id", profile],
        steam: web,
        env: {
          DATA_DIR: folder,
          NODE_COMPILE_CACHE: join(tmpdir(), "spsync-compile-cache"),
          STEAM_API_KEY: apiKey,
          IGDB_CLIENT_ID: web.igdb.clientId,
          IGDB_CLIENT_SECRET: web.igdb.clientSecret,
          IGDB_API_LIMIT: "6000/second",
          RETRY_ATTEMPTS: "1",
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
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
    expect(await files(folder)).toEqual([
      expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}-enriched\.csv$/),
      expect.stringMatching(/^\d{8}T\d{9}Z-[0-9a-f]{8}-raw\.csv$/),
    ]);

    const again = startImport({ web, database });
    expect(await again.exited).toEqual({ code: 0, signal: null });
    expect(new Set(Object.values(summaryOf(again).import))).toEqual(new Set([0]));
    expect(await files(folder)).toHaveLength(4);
  });

  it("works with keys alone (embedded database, folder), and completes after a kill", async ({
    open,
    serve,
    startImport,
    expect,
  }) => {
    const [database, web] = [await open("pglite"), await serve()];
    const folder = database.env.DATA_DIR ?? "";
    await database.lend(async () => {
      const second = web.hold("api.igdb.com", 2);
      const killed = startImport({ web, database });
      await second.held;
      killed.kill("SIGKILL");
      expect(await killed.exited).toEqual({ code: null, signal: "SIGKILL" });
      second.release();
      expect(await files(folder)).toEqual([expect.stringMatching(/-raw\.csv$/)]);
      const service = startImport({ web, database });
      expect(await service.exited).toEqual({ code: 0, signal: null });
      expect(summaryOf(service).s3_location).toMatch(/^file:\/\/\/.*\/imports\/u1\/.*-raw\.csv$/);
    });
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
  });

  it("stores its files in S3_BUCKET when set", async ({ open, serve, startImport, folder, expect, onTestFinished }) => {
    const [database, web, s3] = [await open("postgres"), await serve(), await startS3("imports")];
    onTestFinished(() => s3.close());
    const service = startImport({ web, database, env: s3.env });
    expect(await service.exited).toEqual({ code: 0, signal: null });
    const { s3_location, s3_enriched_location } = summaryOf(service);
    const locations = (await s3.objects()).map((key) => `s3://imports/${key}`);
    expect(locations.toSorted()).toEqual([s3_location, s3_enriched_location].toSorted());
    expect(await files(folder)).toEqual([]);
    expect(differencesOf(readLibrary("u1", library, dump), await dumpLibrary(database.sql))).toEqual([]);
  });

  it("exits with 1 for a private profile and with 2 for a refused key", async ({
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
    const sentence = `The games of Steam profile ${privateId} are not public; its owner has to make the game details public.`;
    expect(refused.logs.at(-1)).toMatchObject({ level: "fatal", message: sentence });
    expect(await wrong.exited).toEqual({ code: 2, signal: null });
    expect(lastWords(wrong)).toBe("Steam refuses the key in STEAM_API_KEY (401).");
    expect(await files(folder)).toEqual([]);
  });

  it("exits with 2 and names the missing keys", async ({ serve, startImport, expect }) => {
    const web = await serve();
    const service = startImport({ web, env: { STEAM_API_KEY: "", IGDB_CLIENT_ID: "", IGDB_CLIENT_SECRET: "" } });
    expect(await service.exited).toEqual({ code: 2, signal: null });
    expect(lastWords(service)).toMatch(/needs STEAM_API_KEY, and IGDB_CLIENT_ID and IGDB_CLIENT_SECRET/);
    expect(web.steam.log.calls).toEqual([]);
  });

  it("exits with 75 when IGDB is unreachable", async ({ open, serve, startImport, expect }) => {
    const [database, web] = [await open("postgres"), await serve()];
    web.igdb.faults.add({ fault: { status: 500 }, on: { kind: "external_games" }, times: Number.POSITIVE_INFINITY });
    const service = startImport({ web, database });
    expect(await service.exited).toEqual({ code: 75, signal: null });
    expect(service.logs.at(-1)).toMatchObject({
      level: "fatal",
      message: expect.stringMatching(/igdb: .*answered 500 \(2 attempts\)/),
    });
  });

  it("shuts down cleanly on SIGTERM", async ({ open, serve, startImport, expect }) => {
    const [database, web] = [await open("postgres"), await serve()];
    const first = web.hold("api.igdb.com", 1);
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

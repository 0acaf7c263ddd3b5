import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { readRawCsv } from "../../src/library/csv.ts";
import { createFolderStore } from "../../src/library/folder-store.ts";
import { createIgdb } from "../../src/library/igdb.ts";
import { createS3Store } from "../../src/library/s3-store.ts";
import { steamImport } from "../../src/library/steam-import.ts";
import type { LibraryStore } from "../../src/library/store.ts";
import { openWebClient } from "../support/sync.ts";

if (existsSync(".env.integration")) process.loadEnvFile(".env.integration");
const {
  STEAM_API_KEY = "",
  STEAM_ID64 = "",
  IGDB_CLIENT_ID = "",
  IGDB_CLIENT_SECRET = "",
  S3_BUCKET = "",
} = process.env;
http.setGlobalProxyFromEnv();

const folder = await mkdtemp(join(tmpdir(), "live-library-"));
afterAll(() => rm(folder, { recursive: true, force: true }));
const web = openWebClient({ limits: politeLimits() });
const signal = AbortSignal.timeout(120_000);

it.skipIf(!STEAM_API_KEY || !STEAM_ID64)(
  "steamImport writes a real library to a raw file (skipped without STEAM_API_KEY and STEAM_ID64)",
  async () => {
    const objects = createFolderStore(folder);
    const event = { user_id: "live", steam_id64: STEAM_ID64 };
    const reply = await steamImport(event, { web, objects, apiKey: STEAM_API_KEY, signal });
    const games = readRawCsv(await objects.get(reply.s3_location));
    expect(games.length).toBe(reply.game_count);
    expect(games.length).toBeGreaterThan(0);
  },
);

it.skipIf(!IGDB_CLIENT_ID)(
  "Igdb finds Portal 2 by its appid, with genres and platforms (skipped without IGDB_CLIENT_ID)",
  async () => {
    const igdb = createIgdb({
      web,
      store: withoutCache(),
      clientId: IGDB_CLIENT_ID,
      clientSecret: IGDB_CLIENT_SECRET,
      signal,
    });
    const game = (await igdb.bySteamAppids([620])).games.get(620)?.find(({ game_type }) => game_type === 0);
    expect(game).toMatchObject({ slug: "portal-2" });
    expect(game?.genres.length).toBeGreaterThan(0);
    expect(game?.platforms.length).toBeGreaterThan(0);
    const { games } = await igdb.byNames(["Portal 2"]);
    expect(games.get("Portal 2")?.map(({ slug }) => slug)).toContain("portal-2");
  },
);

it.skipIf(!S3_BUCKET)("the S3 store reads back what it wrote (skipped without S3_BUCKET)", async () => {
  const objects = createS3Store(S3_BUCKET);
  const location = await objects.put("imports/live/check-raw.csv", "é\n", "text/csv; charset=utf-8");
  expect(await objects.get(location)).toBe("é\n");
});

function politeLimits() {
  const second = { count: 1, periodMs: 1_000 };
  return { steamWebApi: second, steamStoreApi: second, steamSpy: second, steamSpyAll: second, igdb: second };
}

function withoutCache(): LibraryStore {
  return {
    knownApps: async () => [],
    getCached: async () => new Map(),
    cache: async () => {},
    tokens: { get: async () => null, put: async () => {} },
    reserve: async ({ block }) => block,
    tables: async () => ({ missing: [], faults: [] }),
    createTables: async () => {},
    apply: async () => {
      throw new Error("apply is not used here");
    },
  };
}

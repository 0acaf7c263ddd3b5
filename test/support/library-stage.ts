/**
 * Child process for crash tests: runs one stage of the library import, and sends itself SIGKILL at a given moment:
 *
 *     node library-stage.ts '{"stage": "igdb_enrichment", "event": {…}, "folder": "…", "url": "postgres://…", "world": [7, 900], "moment": {…}}'
 *
 * Its last line of output is JSON with the response and the number of moments of each kind.
 */
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { pino } from "pino";
import type { Database } from "../../src/db/database.ts";
import { composeStages, generateWorld, simulateLibraryWeb, steamId } from "./library.ts";

export type Stage = "steam_import" | "igdb_enrichment" | "database_import";

/** `web`, `db`: a request or call; `write`: a file is half written; `rename`: a written file gets its final name. */
export type MomentKind = "web" | "db" | "write" | "rename";

export interface StageJob {
  stage: Stage;
  event: object;
  folder: string;
  url: string;
  /** Seed and number of games. */
  world: [number, number];
  /** When to crash: before or after the n-th moment of a kind, from 1. */
  moment?: { kind: MomentKind; count: number; when: "before" | "after" };
}

const [text = "{}"] = process.argv.slice(2);
const { stage, event, folder, url, world, moment } = JSON.parse(text) as StageJob;
const passed: Record<MomentKind, number> = { web: 0, db: 0, write: 0, rename: 0 };

async function crashPoint<T>(kind: MomentKind, work: () => Promise<T>): Promise<T> {
  passed[kind] += 1;
  const isNow = moment?.kind === kind && moment.count === passed[kind];
  if (isNow && moment.when === "before") process.kill(process.pid, "SIGKILL");
  const result = await work();
  if (isNow) process.kill(process.pid, "SIGKILL");
  return result;
}

const { open, rename } = fs;
fs.open = async (...args) => {
  const file = await open(...args);
  const { writeFile } = file;
  file.writeFile = async (data, options) => {
    const bytes = Buffer.from(String(data));
    await file.write(bytes, 0, bytes.length >> 1, 0);
    await crashPoint("write", () => writeFile.call(file, data, options));
  };
  return file;
};
fs.rename = (...args) => crashPoint("rename", () => rename(...args));
syncBuiltinESMExports();

// Imported after the patch, because these modules bind the functions of node:fs at import.
const { createFolderStore } = await import("../../src/library/folder-store.ts");
const { openPostgres } = await import("../../src/db/postgres.ts");
const { steamImport } = await import("../../src/library/steam-import.ts");
const { igdbEnrichment } = await import("../../src/library/enrichment.ts");
const { databaseImport } = await import("../../src/library/database-import.ts");

const { library, dump } = generateWorld(...world);
const web = simulateLibraryWeb({ libraries: { [steamId]: library }, dump });
const real = await openPostgres({ url, logger: pino({ level: "silent" }) });
const db: Database = { ...real, rpc: (...args) => crashPoint("db", () => real.rpc(...args)) };
const fetch: typeof globalThis.fetch = (...args) => crashPoint("web", () => web.fetch(...args));
const deps = composeStages(db, { ...web, fetch }, createFolderStore(folder));

const stages = { steam_import: steamImport, igdb_enrichment: igdbEnrichment, database_import: databaseImport };
const run = stages[stage] as (given: object, context: typeof deps) => Promise<object>;
const answer = await run(event, deps);
await real.close();
process.stdout.write(`${JSON.stringify({ answer, passed })}\n`);

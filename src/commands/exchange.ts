import { rm } from "node:fs/promises";
import { hasDatabase } from "../db/data-folder.ts";
import type { SqlDatabase } from "../db/database.ts";
import { vacuum } from "../db/maintenance.ts";
import { missingMigrations, requiredVersion } from "../db/migrate.ts";
import { openDatabase } from "../db/open.ts";
import { DataDirInUseError } from "../db/owner-lock.ts";
import { copyThroughOwner } from "../db/owner-socket.ts";
import { type ExportProgress, exportCatalog } from "../exchange/export.ts";
import { type ImportProgress, importCatalog } from "../exchange/import.ts";
import { readManifest } from "../exchange/manifest.ts";
import { exportedTables, tablesOf } from "../exchange/tables.ts";
import type { DatabaseConfig } from "../process/config.ts";
import { ConfigError } from "../process/errors.ts";
import { applyProxySettings } from "../process/proxy.ts";
import { sleep } from "../process/time.ts";
import { formatExportLine, formatImportLine } from "../terminal/bars.ts";
import { reportExport, reportImport } from "../terminal/exchange-summary.ts";
import { createProgress } from "../terminal/progress-bar.ts";
import type { App } from "./app.ts";
import { type ExportCommand, packageVersion } from "./args.ts";
import type { Context } from "./context.ts";

/** The commands `export` and `import`. */

const logEveryMs = 5_000;

/** Writes the catalog into files. Changes nothing in the database, and migrates nothing. */
export async function runExport(context: Context, command: ExportCommand): Promise<void> {
  const { logger, lifecycle } = context;
  applyProxySettings();
  const since = command.since === null ? null : await readManifest(command.since);
  const db = await openToRead(context);
  await requireSchema(db);
  const startedAt = performance.now();
  let current: ExportProgress = { tables: 0, tablesTotal: 0, table: "", rows: 0 };
  const progress = startProgress(context, "exporting", {
    line: (width) => formatExportLine(current, width),
    fields: () => ({ export: current }),
  });
  try {
    const manifest = await exportCatalog({
      db,
      folder: command.folder,
      format: command.format,
      tables: command.only === null ? exportedTables : tablesOf(command.only),
      since,
      versions: { program: packageVersion(), schema: await requiredVersion() },
      signal: lifecycle.signal,
      onProgress: (next) => {
        current = next;
      },
    });
    progress.stop();
    const seconds = (performance.now() - startedAt) / 1_000;
    reportExport(manifest, { folder: command.folder, seconds }, context.output, logger);
  } finally {
    progress.stop();
  }
}

/** Seeds the database of the configuration. */
export async function runImport(app: App, folder: string): Promise<void> {
  const { db, logger, lifecycle, output } = app;
  if (!("inTransaction" in db)) throw new ConfigError(needsConnection("import"));
  const startedAt = performance.now();
  let current: ImportProgress = { phase: "verifying", table: "", rows: 0, rowsTotal: 0 };
  const progress = startProgress(app, "importing", {
    line: (width) => formatImportLine(current, width),
    fields: () => ({ import: current }),
  });
  try {
    const manifest = await importCatalog({
      db,
      folder,
      schemaVersion: await requiredVersion(),
      signal: lifecycle.signal,
      onProgress: (next) => {
        current = next;
      },
    });
    await vacuum(db);
    progress.stop();
    reportImport(manifest, { folder, seconds: (performance.now() - startedAt) / 1_000 }, output, logger);
  } finally {
    progress.stop();
  }
}

const needsConnection = (command: string) =>
  `${command} needs a connection to Postgres itself, since all of it is one transaction, which Supabase's REST interface has none of: ` +
  "unset SUPABASE_URL and its key for this command, and set DATABASE_URL to the project's connection string (Connect > Session pooler).";

/** An owner of the embedded database may be starting, or be another command that reads and is soon done. */
const ownerWaitMs = 30_000;
const ownerPollMs = 200;

/**
 * Opens the database to be read in one long transaction. Where a service owns the embedded one, that is a copy which the owner makes, so that
 * the service goes on writing meanwhile. The lifecycle closes the database, and deletes the copy.
 *
 * @throws {ConfigError} where there is no database to read, or it is reached through Supabase's REST interface.
 * @throws DataDirInUseError when the owner does not answer.
 */
async function openToRead({ config: { database }, logger, lifecycle }: Context): Promise<SqlDatabase> {
  if (database.driver === "supabase") throw new ConfigError(needsConnection("export"));
  if (database.driver === "pglite" && !(await hasDatabase(database.dataDir))) {
    throw new ConfigError(`There is no catalog in ${database.dataDir} yet; \`npm start\` makes one.`);
  }
  const open = async (from: DatabaseConfig) => {
    const db = await openDatabase(from, { logger, maxConnections: 1, address: null });
    lifecycle.onShutdown("database", () => db.close());
    if ("inTransaction" in db) return db;
    throw new ConfigError(needsConnection("export"));
  };
  for (const deadline = performance.now() + ownerWaitMs; ; await sleep(ownerPollMs, lifecycle.signal)) {
    try {
      return await open(database);
    } catch (error) {
      if (!(error instanceof DataDirInUseError) || database.driver !== "pglite") throw error;
      const copy = await copyThroughOwner(database.dataDir, lifecycle.signal);
      if (copy !== null) {
        lifecycle.onShutdown("copy of the database", () => rm(copy, { recursive: true, force: true }));
        logger.info(
          { owner: error.owner },
          "the embedded database is in use; its owner has copied it, and the copy is read",
        );
        return await open({ driver: "pglite", dataDir: copy });
      }
      if (performance.now() > deadline) throw error;
    }
  }
}

/** @throws {ConfigError} when the database is older than this program. */
async function requireSchema(db: SqlDatabase): Promise<void> {
  const missing = await missingMigrations(db);
  if (missing.length === 0) return;
  throw new ConfigError(
    `The database lacks migrations (${missing.join(", ")}): \`npm start -- migrate\` applies them.`,
  );
}

function startProgress(
  { output, logger, lifecycle }: Context,
  message: string,
  shown: { line: (width: number) => string; fields: () => object },
) {
  const progress = createProgress({ ...shown, message, linesEveryMs: logEveryMs, output, logger });
  lifecycle.onShutdown("progress", () => progress.stop());
  progress.start();
  return progress;
}

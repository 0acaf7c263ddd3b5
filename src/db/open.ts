import type { Logger } from "pino";
import type { DatabaseConfig } from "../process/config.ts";
import type { Database, SqlDatabase } from "./database.ts";
import { checkSchema, migrate, requiredVersion } from "./migrate.ts";
import { describeOpenTables, findOpenTables } from "./open-tables.ts";
import { openPglite, type PgliteOptions } from "./pglite.ts";
import { openPostgres } from "./postgres.ts";
import type { DatabaseRetry } from "./retry.ts";
import { openSupabase } from "./supabase.ts";

export interface OpenOptions {
  logger: Logger;
  /** Size of the connection pool (Postgres only). */
  maxConnections: number;
  /**
   * Base URL of this process, written into the lock on the data folder (PGlite only), so that read commands can use it;
   * null without HTTP.
   */
  address: string | null;
  /** When a thread that hangs is replaced (PGlite only). */
  supervision?: Pick<PgliteOptions, "hangLimitMs" | "onHopeless">;
}

/**
 * Opens the configured database. Only PGlite does I/O here: it locks and opens its folder. The others connect at the
 * first call.
 */
export function openDatabase(config: DatabaseConfig, options: OpenOptions): Promise<Database | SqlDatabase> {
  const { logger, maxConnections, address, supervision } = options;
  switch (config.driver) {
    case "supabase":
      return openSupabase({ url: config.url, serviceKey: config.serviceKey, logger });
    case "postgres":
      return openPostgres({ url: config.url, maxConnections, logger });
    case "pglite":
      return openPglite({ dataDir: config.dataDir, ownerAddress: address, logger, ...supervision });
  }
}

/**
 * Migrates the schema where plain SQL can be sent; through Supabase's REST interface only checks its version. Waits for an unreachable
 * database.
 *
 * Warns of tables of an older application that are open to the public.
 *
 * @returns the files that were applied now.
 * @throws {ConfigError} when another version of this program created the database.
 * @throws {DatabaseError} `schema` when it is missing or old and cannot be migrated from here.
 */
export async function prepareSchema(
  db: Database | SqlDatabase,
  retry: DatabaseRetry,
  logger: Logger,
): Promise<string[]> {
  if (!("transaction" in db)) {
    const required = await requiredVersion();
    await retry.call(() => checkSchema(db, required));
    await warnOfOpenTables(db, retry, logger);
    return [];
  }
  const onPending = (files: string[]) =>
    logger.info(files.length === 1 ? "applying a migration" : `applying ${files.length} migrations`);
  const { applied } = await retry.call(() => migrate(db, { onPending }));
  if (applied.length > 0) logger.info({ applied }, "database migrated");
  await warnOfOpenTables(db, retry, logger);
  return applied;
}

async function warnOfOpenTables(db: Database, retry: DatabaseRetry, logger: Logger): Promise<void> {
  const open = await retry.call(() => findOpenTables(db));
  if (open.length === 0) return;
  const tables = open.map(({ name }) => name);
  logger.warn({ tables }, `${describeOpenTables(open)}; \`doctor\` lists the statements that close them`);
}

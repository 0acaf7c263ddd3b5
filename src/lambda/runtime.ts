import { getSecret } from "@aws-lambda-powertools/parameters/secrets";
import type { Database } from "../db/database.ts";
import { openPostgres } from "../db/postgres.ts";
import { createDatabaseRetry } from "../db/retry.ts";
import { openSupabase } from "../db/supabase.ts";
import type { ObjectStore } from "../library/object-store.ts";
import { createS3Store } from "../library/s3-store.ts";
import { createLibraryStore, type LibraryStore } from "../library/store.ts";
import { type Config, loadConfig, secretsOf } from "../process/config.ts";
import { ConfigError } from "../process/errors.ts";
import { createLogger, createOutput, type Logger } from "../process/logger.ts";
import { applyProxySettings } from "../process/proxy.ts";
import { createWebClient, type ReserveQuota, type WebClient } from "../web/client.ts";

/** Dependencies of the stages, opened once per execution environment and shared by its invocations. */
export interface Runtime {
  config: Config;
  objects: ObjectStore;
  web: WebClient;
  /** The store of one invocation: calls are retried while the database is unreachable, until `signal` aborts. */
  store(signal?: AbortSignal): LibraryStore;
}

/**
 * Opens the runtime from the environment variables and the secret `SECRET_ARN`, a JSON object of the same variables.
 * Connections are opened lazily.
 *
 * @throws {ConfigError} when the bucket or a database that several processes can share is not configured.
 */
export async function openRuntime(): Promise<Runtime> {
  applyProxySettings();
  const config = loadConfig({ ...process.env, ...(await secretVariables()) });
  if (config.library.s3Bucket === null)
    throw new ConfigError(
      "S3_BUCKET is not set; the stages run in separate functions and need a bucket for their files.",
    );
  const logger = createLogger({ level: config.logLevel, output: createOutput(), secrets: secretsOf(config) });
  const db = await openShared(config, logger);
  const store = (signal?: AbortSignal) =>
    createLibraryStore(db, createDatabaseRetry(db.driver, { logger, ...(signal && { signal }) }));
  // Block size 1: the rest of a larger block would be lost with the execution environment, and many import a single
  // library.
  const reserve: ReserveQuota = (request) => store().reserve({ ...request, block: 1 });
  const web = createWebClient({ ...config.web, reserve, logger });
  return { config, objects: createS3Store(config.library.s3Bucket), web, store };
}

async function openShared({ database }: Config, logger: Logger): Promise<Database> {
  switch (database.driver) {
    case "supabase":
      return openSupabase({ url: database.url, serviceKey: database.serviceKey, logger });
    case "postgres":
      return openPostgres({ url: database.url, maxConnections: 1, logger });
    case "pglite":
      throw new ConfigError(
        "Set SUPABASE_URL and SUPABASE_SERVICE_KEY, or DATABASE_URL; the stages run in separate functions and need a shared database.",
      );
  }
}

async function secretVariables(): Promise<Record<string, string>> {
  const { SECRET_ARN } = process.env;
  if (!SECRET_ARN) return {};
  const secret = await getSecret(SECRET_ARN, { transform: "json" });
  return Object.fromEntries(Object.entries(secret ?? {}).map(([name, value]) => [name, String(value)]));
}

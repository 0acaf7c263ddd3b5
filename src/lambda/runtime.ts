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

/** What the stages need, opened once for all invocations of an execution environment. */
export interface Runtime {
  config: Config;
  objects: ObjectStore;
  web: WebClient;
  /** The database for one invocation: a call that finds it away is repeated until `signal` aborts. */
  store(signal?: AbortSignal): LibraryStore;
}

/**
 * Reads the configuration, from the environment and from the secret that `SECRET_ARN` names (a JSON object of the same variables), and opens
 * the database and the bucket. Connections are made when they are first used.
 *
 * @throws {ConfigError} when there is no database that several processes can share, or no bucket.
 */
export async function openRuntime(): Promise<Runtime> {
  applyProxySettings();
  const config = loadConfig({ ...process.env, ...(await secretVariables()) });
  if (config.library.s3Bucket === null) throw new ConfigError("S3_BUCKET is not set: the stages share no disk.");
  const logger = createLogger({ level: config.logLevel, output: createOutput(), secrets: secretsOf(config) });
  const db = await openShared(config, logger);
  const store = (signal?: AbortSignal) =>
    createLibraryStore(db, createDatabaseRetry(db.driver, { logger, ...(signal && { signal }) }));
  // One by one: what is left of a block is lost with the execution environment, and many serve a single library.
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
      throw new ConfigError("Set SUPABASE_URL and SUPABASE_SERVICE_KEY, or DATABASE_URL: the stages share no disk.");
  }
}

async function secretVariables(): Promise<Record<string, string>> {
  const { SECRET_ARN } = process.env;
  if (!SECRET_ARN) return {};
  const secret = await getSecret(SECRET_ARN, { transform: "json" });
  return Object.fromEntries(Object.entries(secret ?? {}).map(([name, value]) => [name, String(value)]));
}

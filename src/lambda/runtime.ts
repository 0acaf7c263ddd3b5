import { isDeepStrictEqual } from "node:util";
import type { Database } from "../db/database.ts";
import { openPostgres } from "../db/postgres.ts";
import { createDatabaseRetry } from "../db/retry.ts";
import { openSupabase } from "../db/supabase.ts";
import { createThrottles } from "../db/throttles.ts";
import { SettingRejectedError } from "../library/errors.ts";
import type { ObjectStore } from "../library/object-store.ts";
import { createS3Store } from "../library/s3-store.ts";
import { createLibraryStore, type LibraryStore } from "../library/store.ts";
import { type Config, loadConfig, secretsOf } from "../process/config.ts";
import { ConfigError, DatabaseError } from "../process/errors.ts";
import { createLogger, createOutput, type Logger } from "../process/logger.ts";
import { applyProxySettings } from "../process/proxy.ts";
import { createWebClient, type ReserveQuota, type WebClient } from "../web/client.ts";
import { readSecret, type Secret } from "./secret.ts";

/** Dependencies of the stages, opened once per execution environment and shared by its invocations. */
export interface Runtime {
  config: Config;
  objects: ObjectStore;
  web: WebClient;
  logger: Logger;
  /** The store of one invocation: calls are retried while the database is unreachable, until `signal` aborts. */
  store(signal?: AbortSignal): LibraryStore;
  /** The secret that it was opened with. */
  secret: Secret;
  close(): Promise<void>;
}

/** The runtime of this execution environment; warm invocations reuse it. */
let opening: Promise<Runtime> | null = null;

/**
 * Runs `work` with the shared runtime. When a key or password is refused, the secret is read again; if it has been
 * rotated meanwhile, the runtime is opened anew and `work`, which must be idempotent, runs once more.
 */
export async function withRuntime<T>(work: (runtime: Runtime) => Promise<T>): Promise<T> {
  const runtime = await sharedRuntime();
  try {
    return await work(runtime);
  } catch (error) {
    if (!isRefused(error)) throw error;
    const renewed = await renew(runtime);
    if (renewed === null) throw error;
    return await work(renewed);
  }
}

async function sharedRuntime(): Promise<Runtime> {
  opening ??= readSecret().then(openRuntime);
  try {
    return await opening;
  } catch (error) {
    opening = null; // The next invocation retries.
    throw error;
  }
}

/** A runtime with the secret of today in place of `refused`; null when the secret is still the same. */
async function renew(refused: Runtime): Promise<Runtime | null> {
  const secret = await readSecret();
  if (isDeepStrictEqual(secret, refused.secret)) return null;
  const renewed = await openRuntime(secret);
  opening = Promise.resolve(renewed);
  await refused.close().catch(() => {});
  return renewed;
}

/** A key or password is missing or wrong, or the address that it is for: all of them are in the secret. */
function isRefused(error: unknown): boolean {
  if (error instanceof DatabaseError) return error.fault === "denied" || error.fault === "misconfigured";
  return error instanceof SettingRejectedError;
}

/**
 * Opens the runtime from the environment variables and the secret. Connections are opened lazily.
 *
 * @throws {ConfigError} when the bucket or a database that several processes can share is not configured.
 */
async function openRuntime(secret: Secret): Promise<Runtime> {
  applyProxySettings();
  const config = loadConfig({ ...process.env, ...secret });
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
  const throttles = createThrottles(db, createDatabaseRetry(db.driver, { logger }));
  const web = createWebClient({ ...config.web, reserve, throttles, logger });
  return {
    config,
    objects: createS3Store(config.library.s3Bucket),
    web,
    logger,
    store,
    secret,
    close: () => db.close(),
  };
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

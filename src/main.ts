import http from "node:http";
import { getProxyForUrl } from "proxy-from-env";
import { type Command, commandOfMode, parseCommand } from "./cli.ts";
import { type Config, loadConfig, readEnv, secretsOf } from "./config.ts";
import { createCatalogStore } from "./db/catalog-store.ts";
import { openDatabase, prepareSchema } from "./db/open.ts";
import { createPatience } from "./db/patience.ts";
import { ConfigError } from "./errors.ts";
import { buildServer } from "./http/server.ts";
import type { LoopSnapshot, ServiceSnapshot } from "./http/snapshots.ts";
import { createLifecycle, exitCodeOf, exitCodes, type Lifecycle } from "./lifecycle.ts";
import { createLogger, createOutput, type Logger, type Output } from "./logger.ts";
import { createPics } from "./steam/pics.ts";
import { createSteamSession } from "./steam/session.ts";
import { type BulkSync, createBulkSync } from "./sync/bulk-sync.ts";
import { createProgress } from "./sync/progress.ts";
import { reportSummary } from "./sync/summary.ts";
import { startWatch } from "./watch.ts";
import { storeAppids } from "./web/app-list.ts";
import { createHttpClient } from "./web/http-client.ts";

/** The composition root: a command, or MODE, becomes a wired worker. */

/** What is left of the shutdown's 10 s is for logging off and closing the database. */
const workerStopLimitMs = 7_000;

type Work = Exclude<Command, { kind: "text" }>;

async function main(): Promise<void> {
  const output = createOutput();
  let config: Config;
  let command: Command;
  try {
    const parsed = parseCommand(process.argv.slice(2));
    if (parsed?.kind === "text") {
      output.write(parsed.text);
      return;
    }
    config = loadConfig(readEnv());
    command = parsed ?? commandOfMode(config.mode);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = exitCodes.badConfiguration;
    return;
  }
  if (command.kind === "text") return;

  const logger = createLogger({ level: config.logLevel, output, secrets: secretsOf(config) });
  const lifecycle = createLifecycle({ kind: command.kind === "sync" ? "service" : "one-off", logger });
  try {
    await work(command, { config, output, logger, lifecycle });
    await lifecycle.exitWith(exitCodes.done);
  } catch (error) {
    // What fails because the process is stopping has been told already.
    if (!lifecycle.signal.aborted) logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
    await lifecycle.exitWith(exitCodeOf(error), "a fault");
  }
}

interface Context {
  config: Config;
  output: Output;
  logger: Logger;
  lifecycle: Lifecycle;
}

async function work(command: Work, { config, output, logger, lifecycle }: Context): Promise<void> {
  honourProxy();
  const startedAt = new Date().toISOString();
  const patience = createPatience(config.database.driver, { logger, signal: lifecycle.signal });
  const session = createSteamSession({
    proxyUrl: getProxyForUrl("https://api.steampowered.com") || undefined,
    logger,
    reconnectMaxDelayMs: config.reconnectMaxDelayMs,
    requestTimeoutMs: config.bulk.timeoutMs,
  });
  const pics = createPics({
    session,
    logger,
    requestDelayMs: config.bulk.requestDelayMs,
    concurrency: config.bulk.concurrency,
    timeoutMs: config.bulk.timeoutMs,
  });
  let steamNeeded = false;
  let bulk: BulkSync | null = null;
  let bulkState: LoopSnapshot["state"] = "starting";

  const snapshot = (): ServiceSnapshot => ({
    mode: command.kind,
    started_at: startedAt,
    steam: pics.status(),
    database: patience.status(),
    bulk: bulk?.status() ?? null,
    monitor: null,
    loops: [
      {
        name: "bulk_sync",
        state: bulkState,
        last_progress_at: bulk?.lastProgressAt() ?? null,
        // A batch may time out, be retried and time out again before anything moves.
        limit_ms: 5 * config.bulk.timeoutMs + config.bulk.leaseMs,
      },
    ],
  });

  const address =
    command.kind === "migrate" ? null : await serve(snapshot, command, { config, output, logger, lifecycle });
  const db = await openDatabase(config.database, {
    logger,
    maxConnections: config.bulk.concurrency + 2,
    address,
  });
  lifecycle.onShutdown("database", () => db.close());
  lifecycle.onShutdown(
    "watch",
    startWatch({
      snapshot,
      needsSteam: () => steamNeeded,
      watchdogMs: config.watchdogMs,
      giveUpAfterMs: command.kind === "sync" ? null : config.giveUpAfterMs,
      onExit: (code, reason) => {
        logger.fatal(reason);
        void lifecycle.exitWith(code, reason);
      },
    }),
  );

  const applied = await prepareSchema(db, patience, logger);
  if (command.kind === "migrate") {
    logger.info(
      { driver: db.driver, applied },
      applied.length === 0 ? "the database is up to date" : "migrations applied",
    );
    return;
  }

  const store = createCatalogStore(db, patience);
  if (command.kind === "sync" && (await store.state()).bulk_completed_at !== null) {
    logger.info("the catalogue has been loaded; `bulk-sync` makes another pass");
    return;
  }

  session.start();
  steamNeeded = true;
  lifecycle.onShutdown("Steam session", () => session.stop());

  const { steamApiKey } = config;
  bulk = createBulkSync({
    pics,
    store,
    logger,
    appids: command.kind === "bulk_sync" ? command.appids : null,
    full: command.kind === "bulk_sync" && command.full,
    appIdMax: config.bulk.appIdMax,
    appList: steamApiKey === null ? null : (signal) => storeAppids(createHttpClient(), steamApiKey, signal),
    batchSize: Math.min(config.bulk.batchSize, config.bulk.maxQueueSize),
    concurrency: Math.max(
      1,
      Math.min(config.bulk.concurrency, Math.floor(config.bulk.maxQueueSize / config.bulk.batchSize)),
    ),
    upsertBatchSize: config.bulk.upsertBatchSize,
    maxAttempts: config.bulk.maxRetries + 1,
    leaseMs: config.bulk.leaseMs,
    retryMs: 2_000,
    retryMaxMs: 60_000,
    history: config.history,
  });
  const progress = createProgress({ snapshot: bulk.status, output, logger });
  lifecycle.onShutdown("progress", () => progress.stop());
  lifecycle.onShutdown("bulk sync", () => bulk?.stop(), workerStopLimitMs);

  progress.start();
  bulkState = "running";
  const summary = await bulk.run();
  bulkState = "done";
  progress.stop();
  reportSummary(summary, output, logger);
}

/**
 * HTTP listens before anything else, so that a platform sees the process start.
 *
 * @returns where, as seen from this machine; null when the port cannot be used.
 */
async function serve(
  snapshot: () => ServiceSnapshot,
  command: Work,
  { config, logger, lifecycle }: Context,
): Promise<string | null> {
  const server = buildServer({ snapshot, logger });
  try {
    await server.listen({ host: config.host, port: config.port });
    lifecycle.onShutdown("HTTP", () => server.close());
    // With PORT=0 the system chose one.
    const bound = server.server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : config.port;
    return `http://${config.host === "0.0.0.0" ? "127.0.0.1" : config.host}:${port}`;
  } catch (error) {
    // A service that cannot be probed is of no use; a command that somebody started by hand is.
    if (command.kind === "sync") throw error;
    logger.warn({ err: error, port: config.port }, "HTTP is off: the port cannot be used; PORT chooses another");
    return null;
  }
}

/**
 * Makes `fetch` and `http(s)` honour HTTPS_PROXY, HTTP_PROXY and NO_PROXY. App info can come over plain HTTP, so a proxy that is given
 * for HTTPS alone serves both.
 */
function honourProxy(): void {
  const { HTTPS_PROXY, https_proxy, HTTP_PROXY, http_proxy } = process.env;
  const httpsProxy = HTTPS_PROXY ?? https_proxy;
  const httpProxy = HTTP_PROXY ?? http_proxy ?? httpsProxy;
  if (httpsProxy === undefined && httpProxy === undefined) return;
  http.setGlobalProxyFromEnv({ ...process.env, HTTPS_PROXY: httpsProxy, HTTP_PROXY: httpProxy });
}

await main();

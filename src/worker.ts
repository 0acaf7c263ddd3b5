import { randomUUID } from "node:crypto";
import http from "node:http";
import { getProxyForUrl } from "proxy-from-env";
import type { Command } from "./cli.ts";
import type { Config } from "./config.ts";
import { type CatalogStore, createCatalogStore } from "./db/catalog-store.ts";
import { openDatabase, prepareSchema } from "./db/open.ts";
import { createPatience } from "./db/patience.ts";
import { vacuum, vacuumDaily } from "./db/vacuum.ts";
import { buildServer } from "./http/server.ts";
import type { LoopSnapshot, ServiceSnapshot } from "./http/snapshots.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Logger, Output } from "./logger.ts";
import { createPics } from "./steam/pics.ts";
import type { Pics } from "./steam/port.ts";
import { createSteamSession } from "./steam/session.ts";
import { type BulkSync, createBulkSync } from "./sync/bulk-sync.ts";
import { type ChangeMonitor, createChangeMonitor } from "./sync/change-monitor.ts";
import { createProgress } from "./sync/progress.ts";
import { createReporter, type Reporter } from "./sync/reporter.ts";
import { reportSummary } from "./sync/summary.ts";
import { startWatch } from "./watch.ts";
import { storeAppids } from "./web/app-list.ts";
import { createHttpClient } from "./web/http-client.ts";

/** What a command runs, wired from the configuration. */

export type Work = Exclude<Command, { kind: "text" }>;

export interface Context {
  config: Config;
  output: Output;
  logger: Logger;
  lifecycle: Lifecycle;
}

/** A worker runs until it is told to stop; any other command ends by itself. */
export function isService({ kind }: Command): boolean {
  return kind === "sync" || kind === "change_monitor";
}

/** What is left of the shutdown's 10 s is for logging off and closing the database. */
const workerStopLimitMs = 7_000;

/** Runs a command to its end. Throws what no repeating cures. */
export async function runWorker(command: Work, context: Context): Promise<void> {
  const { config, logger, lifecycle } = context;
  honourProxy();
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
  const running: Running = { bulk: null, bulkState: "starting", monitor: null, reporter: null, steamNeeded: false };
  const startedAt = new Date().toISOString();
  const ownSnapshot = (): ServiceSnapshot => ({
    mode: command.kind,
    started_at: startedAt,
    steam: pics.status(),
    database: patience.status(),
    bulk: running.bulk?.status() ?? null,
    monitor: monitorSnapshot(running, config),
    loops: loopSnapshots(running, config),
  });

  const isMigration = command.kind === "migrate";
  const snapshot = () => ({ ...ownSnapshot(), workers: running.reporter?.workers() ?? [] });
  const address = isMigration ? null : await serve(snapshot, command, context);
  const db = await openDatabase(config.database, { logger, maxConnections: config.bulk.concurrency + 3, address });
  lifecycle.onShutdown("database", () => db.close());
  const stopWatch = startWatch({
    snapshot: ownSnapshot,
    needsSteam: () => running.steamNeeded,
    watchdogMs: config.watchdogMs,
    giveUpAfterMs: isService(command) ? null : config.giveUpAfterMs,
    onExit: (code, reason) => {
      logger.fatal(reason);
      void lifecycle.exitWith(code, reason);
    },
  });
  lifecycle.onShutdown("watch", stopWatch);
  const applied = await prepareSchema(db, patience, logger);
  if (isMigration) {
    const done = applied.length === 0 ? "the database is up to date" : "migrations applied";
    logger.info({ driver: db.driver, applied }, done);
    return;
  }
  const store = createCatalogStore(db, patience);

  session.start();
  running.steamNeeded = true;
  lifecycle.onShutdown("Steam session", () => session.stop());

  const workerId = randomUUID();
  const reporter = createReporter({ store, logger, workerId, mode: command.kind, snapshot: ownSnapshot });
  running.reporter = reporter;
  lifecycle.onShutdown("report", () => reporter.stop());
  void reporter.run();

  const parts = { pics, store, running, workerId };
  if (command.kind !== "change_monitor" && !(await isLoaded(command, store, logger))) {
    await runBulkSync(command, parts, context);
    await vacuum(db);
  }
  void vacuumDaily(db, logger, lifecycle.signal);
  if (command.kind !== "bulk_sync") await runChangeMonitor(parts, context);
}

interface Running {
  bulk: BulkSync | null;
  bulkState: LoopSnapshot["state"];
  monitor: ChangeMonitor | null;
  reporter: Reporter | null;
  steamNeeded: boolean;
}

interface Parts {
  pics: Pics;
  store: CatalogStore;
  running: Running;
  workerId: string;
}

/** `sync` loads the catalogue once; later starts go on following Steam from the stored change number. */
async function isLoaded(command: Work, store: CatalogStore, logger: Logger): Promise<boolean> {
  if (command.kind !== "sync") return false;
  const { bulk_completed_at } = await store.state();
  if (bulk_completed_at === null) return false;
  logger.info({ bulk_completed_at }, "the catalogue has been loaded; `bulk-sync` makes another pass");
  return true;
}

async function runBulkSync(command: Work, { pics, store, running }: Parts, context: Context): Promise<void> {
  const { config, output, logger, lifecycle } = context;
  const { steamApiKey } = config;
  const bulk = createBulkSync({
    ...drainSettings(config, config.bulk.batchSize),
    pics,
    store,
    logger,
    appids: command.kind === "bulk_sync" ? command.appids : null,
    full: command.kind === "bulk_sync" && command.full,
    appIdMax: config.bulk.appIdMax,
    appList: steamApiKey === null ? null : (signal) => storeAppids(createHttpClient(), steamApiKey, signal),
    maxAttempts: config.bulk.maxRetries + 1,
    retryMs: 2_000,
    retryMaxMs: 60_000,
  });
  running.bulk = bulk;
  const progress = createProgress({ snapshot: bulk.status, output, logger });
  lifecycle.onShutdown("progress", () => progress.stop());
  lifecycle.onShutdown("bulk sync", () => bulk.stop(), workerStopLimitMs);

  progress.start();
  running.bulkState = "running";
  const summary = await bulk.run();
  running.bulkState = "done";
  progress.stop();
  reportSummary(summary, output, logger);
}

async function runChangeMonitor({ pics, store, running, workerId }: Parts, context: Context): Promise<void> {
  const { config, logger, lifecycle } = context;
  const monitor = createChangeMonitor({
    ...drainSettings(config, config.monitor.processBatchSize),
    pics,
    store,
    logger,
    workerId,
    appIdMax: config.bulk.appIdMax,
    pollIntervalMs: config.monitor.pollIntervalMs,
    reconcileIntervalMs: config.monitor.reconcileIntervalMs,
    drainOnly: config.monitor.drainOnly,
    retryMs: 30_000,
    retryMaxMs: 3_600_000,
  });
  running.monitor = monitor;
  lifecycle.onShutdown("change monitor", () => monitor.stop(), workerStopLimitMs);
  await monitor.run();
}

/** A worker holds at most MAX_QUEUE_SIZE apps, and BULK_CONCURRENCY batches. */
function drainSettings({ bulk, history }: Config, batchSize: number) {
  const { concurrency, maxQueueSize, upsertBatchSize, leaseMs } = bulk;
  return {
    batchSize: Math.min(batchSize, maxQueueSize),
    concurrency: Math.max(1, Math.min(concurrency, Math.floor(maxQueueSize / batchSize))),
    upsertBatchSize,
    leaseMs,
    history,
  };
}

function monitorSnapshot({ monitor, reporter }: Running, config: Config): ServiceSnapshot["monitor"] {
  if (monitor === null) return null;
  const { pending = 0, failing = 0, lag_seconds = null, failing_apps = [] } = reporter?.backlog() ?? {};
  return {
    ...monitor.status(),
    pending,
    failing,
    lag_seconds,
    failing_apps,
    poll_interval_seconds: config.monitor.pollIntervalMs / 1_000,
    drain_only: config.monitor.drainOnly,
  };
}

function loopSnapshots(
  { bulk, bulkState, monitor }: Running,
  { bulk: settings, monitor: { pollIntervalMs, drainOnly } }: Config,
): LoopSnapshot[] {
  // A batch may time out, be tried again and time out again before anything moves.
  const drainLimitMs = 5 * settings.timeoutMs + settings.leaseMs;
  const bulkLoop: LoopSnapshot = {
    name: "bulk_sync",
    state: bulkState,
    last_progress_at: bulk?.lastProgressAt() ?? null,
    limit_ms: drainLimitMs,
  };
  if (monitor === null) return [bulkLoop];
  const { poll, drain } = monitor.progress();
  const loops: LoopSnapshot[] = [{ name: "drain", state: "running", last_progress_at: drain, limit_ms: drainLimitMs }];
  if (!drainOnly) {
    const limitMs = 3 * pollIntervalMs + 2 * settings.timeoutMs;
    loops.push({ name: "poll", state: "running", last_progress_at: poll, limit_ms: limitMs });
  }
  return loops;
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
    if (isService(command)) throw error;
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

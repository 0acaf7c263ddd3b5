import { randomUUID } from "node:crypto";
import { createCollectorStore } from "../collector/store.ts";
import { type CatalogReader, createCatalogReader, readConcurrency } from "../db/catalog-reader.ts";
import { type CatalogStore, createCatalogStore } from "../db/catalog-store.ts";
import { withErrorMetrics } from "../db/observe.ts";
import { openDatabase, prepareSchema } from "../db/open.ts";
import { createDatabaseRetry } from "../db/retry.ts";
import { vacuum, vacuumDaily } from "../db/vacuum.ts";
import type { ServerOptions } from "../http/deps.ts";
import { buildServer } from "../http/server.ts";
import { createLibraryStore } from "../library/store.ts";
import type { Config } from "../process/config.ts";
import type { Logger } from "../process/logger.ts";
import { honourProxy } from "../process/proxy.ts";
import { createHeartbeat, type Heartbeat } from "../status/heartbeat.ts";
import { createMetrics } from "../status/metrics.ts";
import type { ServiceSnapshot } from "../status/snapshot.ts";
import { startWatchdog } from "../status/watchdog.ts";
import { createWebClient } from "../web/client.ts";
import type { Work } from "./args.ts";
import { createCollectorWorker } from "./collect.ts";

import type { Context } from "./context.ts";

/** What a command runs, wired from the configuration. */

/** A worker runs until it is told to stop; any other command ends by itself. */
export function isService({ kind }: Work, { collector }: Config): boolean {
  return kind === "sync" || kind === "change_monitor" || (kind === "collect" && collector.intervalMs > 0);
}

/** Runs a command to its end. Throws what no repeating cures. */
export async function runWorker(command: Work, context: Context): Promise<void> {
  const { config, logger, lifecycle } = context;
  honourProxy();
  const { intervalMs } = config.collector;
  const metrics = createMetrics();
  const retry = createDatabaseRetry(config.database.driver, { logger, signal: lifecycle.signal });
  const needsSteam = command.kind === "sync" || command.kind === "bulk_sync" || command.kind === "change_monitor";
  // steam-user takes longer to load than all the rest together; the AWS SDK is no trifle either.
  const pics = needsSteam ? (await import("./pics.ts")).createPicsWorker(context, metrics) : null;
  const collects = command.kind === "collect" || (command.kind === "sync" && intervalMs > 0);
  const collector = collects ? createCollectorWorker(context) : null;
  const library =
    command.kind === "library_import" ? (await import("./library-import.ts")).createLibraryWorker(context) : null;
  let reporter: Heartbeat | null = null;
  let reader: CatalogReader | null = null;
  let steamNeeded = false;

  const startedAt = new Date().toISOString();
  const ownSnapshot = (): ServiceSnapshot => ({
    mode: command.kind,
    started_at: startedAt,
    steam: pics?.steam() ?? null,
    database: retry.status(),
    bulk: pics?.bulk() ?? null,
    monitor: pics?.monitor(reporter?.backlog() ?? null) ?? null,
    collector: collector?.status() ?? null,
    library: library?.status() ?? null,
    apps_stored: pics?.appsStored() ?? 0,
    failing_apps: reporter?.backlog()?.failing_apps ?? [],
    loops: [...(pics?.loops() ?? []), ...(collector?.loops() ?? []), ...(library?.loops() ?? [])],
  });
  const snapshot = () => ({
    ...ownSnapshot(),
    catalog: reporter?.catalog() ?? null,
    workers: reporter?.workers() ?? [],
  });
  metrics.watch(ownSnapshot);

  const address =
    command.kind === "migrate" ? null : await serve({ snapshot, reader: () => reader, metrics }, command, context);
  const maxConnections = config.bulk.concurrency + 3 + readConcurrency;
  const db = withErrorMetrics(
    await openDatabase(config.database, { logger, maxConnections, address }),
    metrics.databaseFailed,
  );
  lifecycle.onShutdown("database", () => db.close());
  const stopWatch = startWatchdog({
    snapshot: ownSnapshot,
    needsSteam: () => steamNeeded,
    watchdogMs: config.watchdogMs,
    giveUpAfterMs: isService(command, config) ? null : config.giveUpAfterMs,
    onExit: (code, reason) => {
      logger.fatal(reason);
      void lifecycle.exitWith(code, reason);
    },
  });
  lifecycle.onShutdown("watch", stopWatch);
  const applied = await prepareSchema(db, retry, logger);
  if (command.kind === "migrate") {
    const done = applied.length === 0 ? "the database is up to date" : "migrations applied";
    logger.info({ driver: db.driver, applied }, done);
    return;
  }

  const workerId = randomUUID();
  reader = createCatalogReader(db);
  const store = createCatalogStore(db, retry);
  const collectorStore = createCollectorStore(db, retry, workerId);
  const web = createWebClient({ ...config.web, reserve: collectorStore.reserve, logger });
  if (pics) {
    pics.start();
    steamNeeded = true;
  }
  const reporting = createHeartbeat({
    store,
    countState: reader.state,
    logger,
    workerId,
    mode: command.kind,
    snapshot: ownSnapshot,
  });
  reporter = reporting;
  lifecycle.onShutdown("report", () => reporting.stop());
  void reporting.run();

  const picsParts = { store, web, workerId };
  if (pics && command.kind !== "change_monitor" && !(await isLoaded(command, store, logger))) {
    await pics.bulkSync(command.kind === "bulk_sync" ? command : { appids: null, full: false }, picsParts);
    await vacuum(db);
  }
  void vacuumDaily(db, logger, lifecycle.signal);
  if (command.kind === "library_import") {
    await library?.run(command, { store: createLibraryStore(db, retry), web });
    return;
  }
  const collectorParts = { store: collectorStore, web };
  if (command.kind === "collect") {
    const options = { ...command, showProgress: true };
    if (intervalMs > 0) await collector?.every(intervalMs, options, collectorParts);
    else await collector?.once(options, collectorParts);
  } else if (pics && command.kind !== "bulk_sync") {
    await Promise.all([
      pics.follow(picsParts),
      collector?.every(intervalMs, { ...defaultCollect, showProgress: false }, collectorParts),
    ]);
  }
}

const defaultCollect = { fullRefresh: false, updateMetadata: false, batchSize: null, maxDetails: null };

/** `sync` loads the catalog once; later starts go on following Steam from the stored change number. */
async function isLoaded(command: Work, store: CatalogStore, logger: Logger): Promise<boolean> {
  if (command.kind !== "sync") return false;
  const { bulk_completed_at } = await store.state();
  if (bulk_completed_at === null) return false;
  logger.info({ bulk_completed_at }, "the catalog has been loaded; `bulk-sync` makes another pass");
  return true;
}

/**
 * HTTP listens before anything else, so that a platform sees the process start.
 *
 * @returns where, as seen from this machine; null when the port cannot be used.
 */
async function serve(
  parts: Pick<ServerOptions, "snapshot" | "reader" | "metrics">,
  command: Work,
  { config, logger, lifecycle }: Context,
): Promise<string | null> {
  const server = buildServer({ ...parts, settings: config.http, logger });
  try {
    await server.listen({ host: config.host, port: config.port });
    lifecycle.onShutdown("HTTP", () => server.close());
    // With PORT=0 the system chose one.
    const bound = server.server.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : config.port;
    return `http://${hostFromHere(config.host)}:${port}`;
  } catch (error) {
    // A service that cannot be probed is of no use; a command that somebody started by hand is.
    if (isService(command, config)) throw error;
    logger.warn({ err: error, port: config.port }, "HTTP is off: the port cannot be used; PORT chooses another");
    return null;
  }
}

/** Who listens on every address is found on the loopback; an address of IPv6 stands in brackets. */
function hostFromHere(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

import { randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import type { CollectorProgress } from "../collector/progress.ts";
import { type CatalogReader, createCatalogReader, readConcurrency } from "../db/catalog-reader.ts";
import { type CatalogStore, createCatalogStore } from "../db/catalog-store.ts";
import type { Database, SqlDatabase } from "../db/database.ts";
import {
  createLeaderLease,
  createMonitorLease,
  type LeaderLease,
  type LeaderRole,
  type MonitorLease,
} from "../db/leader-lease.ts";
import { runMaintenance } from "../db/maintenance.ts";
import { withErrorMetrics } from "../db/observe.ts";
import { type OpenOptions, openDatabase, prepareSchema } from "../db/open.ts";
import { DataDirInUseError } from "../db/owner-lock.ts";
import { openThroughOwner, serveOwnerSocket } from "../db/owner-socket.ts";
import { createReserve } from "../db/quota.ts";
import { createDatabaseRetry, type DatabaseRetry } from "../db/retry.ts";
import type { Backlog } from "../db/sync-calls.ts";
import { createThrottles } from "../db/throttles.ts";
import type { ServerOptions } from "../http/deps.ts";
import { buildServer } from "../http/server.ts";
import type { LibraryProgress } from "../library/progress.ts";
import { secretsOf } from "../process/config.ts";
import { ConfigError, errorCode } from "../process/errors.ts";
import { exitCodes } from "../process/lifecycle.ts";
import { growHeapSlowlyIfTight } from "../process/memory.ts";
import { applyProxySettings } from "../process/proxy.ts";
import { createRedactor, redactTexts } from "../process/redactor.ts";
import { detectSuspensions, type SuspensionDetector } from "../process/suspensions.ts";
import { sleep } from "../process/time.ts";
import { createHeartbeat, type Heartbeat } from "../status/heartbeat.ts";
import { createMetrics, type Metrics } from "../status/metrics.ts";
import type { LoopSnapshot, MonitorSnapshot, ServiceSnapshot } from "../status/snapshot.ts";
import { startWatchdog } from "../status/watchdog.ts";
import type { SteamStatus } from "../steam/port.ts";
import type { BulkProgress } from "../sync/progress.ts";
import { createWebClient, type WebClient } from "../web/client.ts";
import type { Context } from "./context.ts";
import { httpAddress } from "./start-line.ts";

/** What the commands that work on the catalog share: one database, one web client, one snapshot for HTTP and metrics. */
export interface App extends Context {
  readonly db: Database | SqlDatabase;
  readonly retry: DatabaseRetry;
  readonly store: CatalogStore;
  readonly reader: CatalogReader;
  readonly web: WebClient;
  readonly metrics: Metrics;
  /** Identifies this process among the workers on one database. */
  readonly workerId: string;
  /** The migrations that the start applied. */
  readonly appliedMigrations: readonly string[];
  readonly sources: SnapshotSources;
  leaderLease(role: LeaderRole, leaseMs: number): LeaderLease;
  /** Acquired by heartbeats of this worker. */
  monitorLease(leaseMs: number): MonitorLease;
  /** As of the last heartbeat; null before the first. */
  backlog(): Backlog | null;
  /** Calls `listener` with the backlog at each heartbeat. */
  onBacklog(listener: (backlog: Backlog) => void): void;
}

/** Where the snapshot gets its parts from. A command sets those that it has; all of them return what is in memory. */
export interface SnapshotSources {
  steam: () => SteamStatus | null;
  bulk: () => BulkProgress | null;
  monitor: (backlog: Backlog | null) => MonitorSnapshot | null;
  collector: () => CollectorProgress | null;
  library: () => LibraryProgress | null;
  /** Apps that this process stored. */
  appsStored: () => number;
  /** By worker, so that the change monitor replaces the bulk sync before it. */
  loops: Map<"pics" | "collector" | "library", () => LoopSnapshot[]>;
}

export interface AppOptions {
  /** The command, by the names of `MODE`. */
  mode: string;
  /** Runs until a signal: Steam or the database being away is waited for, and a port in use is a fault. */
  isService: boolean;
  /** Serves HTTP and reports to the other workers; `migrate` does neither. */
  isWorker: boolean;
  /** Where another process owns the embedded database, uses it through that one. */
  runsBesideOwner?: boolean;
  /**
   * Loads modules that the command needs. It blocks the event loop for seconds, so it runs before the process holds a lease or
   * sends a heartbeat, and after the database is open: a start that fails there needs none of them.
   */
  load?: (() => Promise<unknown>) | undefined;
}

/**
 * Opens what a command needs, in this order: HTTP, so that a platform sees the process start; the database; its schema; the heartbeat.
 * Everything is closed by the lifecycle.
 *
 * @throws {ConfigError} for settings that cannot be used; {@link DatabaseError} for what no retry cures.
 */
export async function openApp(context: Context, options: AppOptions): Promise<App> {
  const { config, logger, lifecycle } = context;
  applyProxySettings();
  growHeapSlowlyIfTight();
  const metrics = createMetrics();
  const retry = createDatabaseRetry(config.database.driver, { logger, signal: lifecycle.signal });
  const sources = emptySources();
  const open: Open = { db: null, reader: null, heartbeat: null, suspensions: null };
  // What is served and stored is redacted here, as the log is by its logger: errors quote what gateways and servers say. The
  // reports of other workers are redacted where they are stored.
  const redact = createRedactor(secretsOf(config));
  const readSnapshot = snapshotOf(options.mode, { sources, retry, open });
  const ownSnapshot = () => redactTexts(readSnapshot(), redact);
  const others = () => ({
    catalog: open.heartbeat?.catalog() ?? null,
    workers: open.heartbeat?.workers() ?? [],
  });
  const snapshot = () => ({ ...ownSnapshot(), ...others() });
  // Without texts; the numbers are read one by one.
  metrics.watch(() => ({ ...readSnapshot(), ...others() }));
  const address = options.isWorker
    ? await serve(context, { snapshot, reader: () => open.reader, metrics }, options)
    : null;

  const maxConnections = config.databasePoolSize ?? config.bulk.concurrency + 3 + readConcurrency;
  // Half of the time to notice that the embedded database hangs, the other half for its second attempt.
  const hangLimitMs = Math.max(minHangLimitMs, config.watchdogMs / 2);
  const onHopeless = (reason: string) => void lifecycle.exitWith(exitCodes.unhealthy, reason);
  const openOptions = { logger, maxConnections, address, supervision: { hangLimitMs, onHopeless } };
  const db = withErrorMetrics(await openOwnOrShared(context, options, openOptions), metrics.databaseFailed);
  open.db = db;
  lifecycle.onShutdown("watchdog", watch(context, ownSnapshot, options.isService));
  const appliedMigrations = await prepareSchema(db, retry, logger);
  await options.load?.();
  open.suspensions = detectSuspensions(({ from, until }) =>
    logger.warn({ from, until }, "the process did not run for a while: the machine slept, or the container was paused"),
  );

  const workerId = randomUUID();
  const store = createCatalogStore(db, retry);
  // With few connections, reads leave at least one to the service's own work.
  const reader = createCatalogReader(db, { concurrency: Math.min(readConcurrency, maxConnections - 1) });
  const heartbeat = createHeartbeat({
    store,
    countState: reader.state,
    logger,
    workerId,
    mode: options.mode,
    snapshot: ownSnapshot,
  });
  if (options.isWorker) {
    open.reader = reader;
    open.heartbeat = heartbeat;
    lifecycle.onShutdown("heartbeat", () => heartbeat.stop());
    void heartbeat.run();
    void runMaintenance({ db, store, logger, historyDays: config.historyDays, signal: lifecycle.signal });
  }
  const leaderLease = (role: LeaderRole, leaseMs: number) => createLeaderLease(db, retry, { role, workerId, leaseMs });
  return {
    ...context,
    db,
    retry,
    store,
    reader,
    web: createWebClient({
      ...config.web,
      reserve: createReserve(db, retry),
      throttles: createThrottles(db, retry),
      logger,
    }),
    metrics,
    workerId,
    appliedMigrations,
    sources,
    leaderLease,
    monitorLease: (leaseMs) => createMonitorLease(leaderLease("monitor", leaseMs), heartbeat.beat),
    backlog: heartbeat.backlog,
    onBacklog: heartbeat.onBacklog,
  };
}

/** How long an owner of the embedded database may take to answer on its socket: it may be creating the database. */
const ownerWaitMs = 30_000;
const ownerPollMs = 100;

/**
 * Opens the database. A command that may run beside the owner of the embedded one works through that, and waits for one
 * that is starting, or reads and is soon done.
 */
async function openOwnOrShared(
  context: Context,
  options: AppOptions,
  openOptions: OpenOptions,
): Promise<Database | SqlDatabase> {
  const { config, logger, lifecycle } = context;
  const { database } = config;
  for (const deadline = performance.now() + ownerWaitMs; ; await sleep(ownerPollMs, lifecycle.signal)) {
    try {
      return await openOwn(context, options, openOptions);
    } catch (error) {
      if (!(error instanceof DataDirInUseError) || database.driver !== "pglite" || !options.runsBesideOwner)
        throw error;
      const db = await openThroughOwner(database.dataDir, lifecycle.signal);
      if (db !== null) {
        logger.info({ owner: error.owner }, "the embedded database is in use; this command works through its owner");
        return db;
      }
      if (performance.now() > deadline) throw error;
    }
  }
}

/** Opens the database, and serves the embedded one to other processes. The lifecycle closes both. */
async function openOwn(
  { config: { database }, logger, lifecycle }: Context,
  { isWorker }: AppOptions,
  openOptions: OpenOptions,
): Promise<Database | SqlDatabase> {
  const db = await openDatabase(database, openOptions);
  lifecycle.onShutdown("database", () => db.close());
  if (database.driver === "pglite" && isWorker) {
    lifecycle.onShutdown("database socket", await serveOwnerSocket(db, database.dataDir, logger));
  }
  return db;
}

/** What the snapshot reads once it is open. */
interface Open {
  db: Database | null;
  reader: CatalogReader | null;
  heartbeat: Heartbeat | null;
  /** From when modules are loaded: on a slow machine that blocks the event loop as a suspension would. */
  suspensions: SuspensionDetector | null;
}

/** A statement over a large catalog on a slow machine may take as long. */
const minHangLimitMs = 60_000;

function emptySources(): SnapshotSources {
  const none = () => null;
  return {
    steam: none,
    bulk: none,
    monitor: none,
    collector: none,
    library: none,
    appsStored: () => 0,
    loops: new Map(),
  };
}

/** The snapshot of this process alone, without what other workers say. */
function snapshotOf(
  mode: string,
  from: { sources: SnapshotSources; retry: DatabaseRetry; open: Open },
): () => ServiceSnapshot {
  const startedAt = new Date().toISOString();
  const { sources, retry, open } = from;
  return () => {
    const backlog = open.heartbeat?.backlog() ?? null;
    const database = retry.status();
    return {
      mode,
      started_at: startedAt,
      steam: sources.steam(),
      database: { ...database, fault: open.db?.fault?.() ?? database.fault ?? null },
      bulk: sources.bulk(),
      monitor: sources.monitor(backlog),
      collector: sources.collector(),
      library: sources.library(),
      webhooks: backlog?.webhooks ?? null,
      apps_stored: sources.appsStored(),
      failing_apps: backlog?.failing_apps ?? [],
      loops: [...sources.loops.values()].flatMap((loops) => loops()),
      suspensions: open.suspensions?.recent() ?? [],
    };
  };
}

/** Ends the process when it is beyond help. Returns what stops the watchdog. */
function watch({ config, logger, lifecycle }: Context, snapshot: () => ServiceSnapshot, isService: boolean) {
  return startWatchdog({
    snapshot,
    watchdogMs: config.watchdogMs,
    giveUpAfterMs: isService ? null : config.giveUpAfterMs,
    onExit: (code, reason) => {
      logger.fatal(reason);
      void lifecycle.exitWith(code, reason);
    },
  });
}

/**
 * Serves HTTP.
 *
 * @returns the address as seen from this machine; null when the port cannot be used.
 */
async function serve(
  { config, output, logger, lifecycle }: Context,
  parts: Pick<ServerOptions, "snapshot" | "reader" | "metrics">,
  { isService, runsBesideOwner }: AppOptions,
): Promise<string | null> {
  const { host, port } = config;
  const settings = { ...config.http, keep: config.keep, history: config.history, historyDays: config.historyDays };
  const server = buildServer({ ...parts, settings, logger });
  try {
    await server.listen({ host, port });
  } catch (error) {
    const reason = listenFault(host, port, error);
    if (reason === null) throw error;
    // A service that cannot be probed is of no use; a one-off command goes on without.
    if (isService) throw new ConfigError(reason, { cause: error });
    if (runsBesideOwner && errorCode(error) === "EADDRINUSE") {
      logger.info({ host, port }, "HTTP is off: another process, such as the service, listens on this port");
    } else logger.warn({ host, port }, `HTTP is off: ${reason}`);
    return null;
  }
  lifecycle.onShutdown("HTTP", () => server.close());
  const address = localAddress(host, server.server.address());
  // A terminal has read it in the first line, unless the system chose the port.
  if (!output.isTerminal || port === 0) logger.info(`Server listening at ${address}`);
  return address;
}

/** Why the server cannot listen, and what to do; null for what no setting mends. */
function listenFault(host: string, port: number, error: unknown): string | null {
  const code = errorCode(error);
  switch (code) {
    case "EADDRINUSE":
      return `another process listens on port ${port} (${code}): stop it, or set PORT to another one`;
    case "EACCES":
      return `this user may not listen on port ${port} (${code}): set PORT to 1024 or more`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `HOST=${host} is no address of this machine (${code}): set it to 0.0.0.0 (all addresses) or 127.0.0.1`;
    default:
      return null;
  }
}

/** Where this machine reaches the server: one that listens on every address is on the loopback, and IPv6 stands in brackets. */
function localAddress(host: string, bound: AddressInfo | string | null): string {
  const port = typeof bound === "object" && bound !== null ? bound.port : 0;
  if (host === "0.0.0.0") return httpAddress("127.0.0.1", port);
  return httpAddress(host === "::" ? "::1" : host, port);
}

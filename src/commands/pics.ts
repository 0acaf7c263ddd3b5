import { vacuum } from "../db/maintenance.ts";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import type { Config } from "../process/config.ts";
import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { LoopSnapshot } from "../status/snapshot.ts";
import type { Pics } from "../steam/port.ts";
import type { BatchDeps } from "../sync/apply-batch.ts";
import { type BulkSync, type BulkSyncOptions, createBulkSync } from "../sync/bulk-sync.ts";
import { type ChangeMonitor, createChangeMonitor } from "../sync/change-monitor.ts";
import { maxRounds } from "../sync/metadata-window.ts";
import { formatBulkLine } from "../terminal/bars.ts";
import { reportBulkSummary } from "../terminal/bulk-summary.ts";
import { type Following, formatFollowing, formatNextSteps } from "../terminal/following.ts";
import { createProgress } from "../terminal/progress-bar.ts";
import { storeAppids } from "../web/app-list.ts";
import type { App } from "./app.ts";
import { shownAddress } from "./start-line.ts";
import { poolSettings, startKeyCensus, writeDeps } from "./write-deps.ts";

/** PICS sync as a worker runs it: one Steam session, then a bulk sync, the change monitor, or one after the other. */
export interface PicsWorker {
  /** One pass. Rejects with {@link SteamError} when Steam left it incomplete; another pass resumes it. */
  bulkSync(scope: BulkScope): Promise<void>;
  /** Passes over everything until one is complete. */
  loadCatalog(): Promise<void>;
  /** Runs until the process stops. */
  followChanges(): Promise<void>;
}

export interface BulkScope {
  /** Exactly these apps; null for everything. */
  appids: readonly number[] | null;
  /** Fetch every app, also those whose change number is current. */
  full: boolean;
  /** Believe Steam at once where it no longer knows apps, however many. */
  acceptUnknown: boolean;
}

/** What is left of the shutdown's 10 s is for logging off and closing the database. */
const stopLimitMs = 7_000;
const logEveryMs = 5_000;
/** A pass waits for its failing apps before it ends, so they are retried sooner than the monitor retries its own. */
const bulkAppBackoff: Backoff = { firstMs: 2_000, maxMs: 60_000 };
/** Between two passes of a service. A pass resumes, so a failed one costs the requests of its sweep. */
const passBackoff: Backoff = { firstMs: 30_000, maxMs: 600_000 };

/** Logs on to Steam, and adds the worker's parts to the snapshot. */
export async function startPicsWorker(app: App): Promise<PicsWorker> {
  const { config, metrics, sources } = app;
  // Lazily: the other commands do without steam-user.
  const { openSteam } = await import("./steam.ts");
  const { session, pics } = openSteam(app, {
    concurrency: config.bulk.concurrency,
    onAnswer: metrics.steamAnswered,
  });
  app.logger.info("connecting to Steam");
  session.start();
  sources.steam = () => pics.status();
  return {
    bulkSync: (scope) => runBulkSync(app, pics, scope),
    loadCatalog: () => loadCatalog(app, pics),
    followChanges: () => runMonitor(app, pics),
  };
}

const afterPass = "The catalog is complete as of now; `sync` (what `npm start` runs) keeps it up to date.\n";

async function runBulkSync(app: App, pics: Pics, scope: BulkScope): Promise<void> {
  try {
    await createBulkPasses(app, pics, scope).run();
    if (app.output.isTerminal && scope.appids === null) app.output.write(afterPass);
  } catch (error) {
    if (!(error instanceof SteamError)) throw error;
    const text = `bulk sync is not complete: ${error.message}. Start it again later: it resumes`;
    throw new SteamError(error.fault, text, error.eresult, { cause: error });
  }
}

async function loadCatalog(app: App, pics: Pics): Promise<void> {
  const { logger, lifecycle } = app;
  const passes = createBulkPasses(app, pics, { appids: null, full: false, acceptUnknown: false });
  for (let failures = 0; ; ) {
    try {
      return await passes.run();
    } catch (error) {
      if (!(error instanceof SteamError)) throw error;
      failures += 1;
      const delayMs = backoffMs(failures, passBackoff);
      const next = `the next pass, which resumes it, starts in ${Math.round(delayMs / 1_000)} s`;
      logger.warn({ fault: error.fault }, `bulk sync is not complete: ${error.message}; ${next}`);
      passes.waiting(delayMs);
      await sleep(delayMs, lifecycle.signal);
    }
  }
}

/** Passes of one bulk sync, one after the other, with its progress, snapshot and shutdown. */
function createBulkPasses(app: App, pics: Pics, scope: BulkScope) {
  const { config, output, logger, lifecycle, web, sources } = app;
  const { steamApiKey } = config;
  const census = startKeyCensus(app);
  const options: BulkSyncOptions = {
    ...batchDeps(app, pics, scope),
    census,
    ...poolSettings(config, config.bulk.batchSize),
    ...scope,
    appIdMax: config.bulk.appIdMax,
    appList: steamApiKey === null ? null : (signal) => storeAppids(web, steamApiKey, signal),
    maxAttempts: config.bulk.maxRetries + 1,
    appBackoff: bulkAppBackoff,
  };
  let bulk = createBulkSync(options);
  let loop = bulkLoop(config, bulk);
  const progress = createProgress({
    line: (width) => formatBulkLine(bulk.status(), width),
    fields: () => ({ bulk: bulk.status() }),
    message: "bulk sync in progress",
    linesEveryMs: logEveryMs,
    output,
    logger,
  });
  lifecycle.onShutdown("progress", () => progress.stop());
  lifecycle.onShutdown("bulk sync", () => bulk.stop(), stopLimitMs);
  sources.bulk = () => bulk.status();
  sources.loops.set("pics", () => [loop()]);

  return {
    async run(): Promise<void> {
      bulk = createBulkSync(options);
      loop = bulkLoop(config, bulk);
      progress.start();
      try {
        const summary = await bulk.run();
        const done: LoopSnapshot = { ...loop(), state: "done" };
        loop = () => done;
        progress.stop();
        // The summary is the last line of a pass.
        await census.stop();
        reportBulkSummary(summary, output, logger);
      } finally {
        progress.stop();
        await census.stop();
      }
      // Elsewhere the summary stays the last line of a pass.
      if (output.isTerminal) logger.info("vacuuming the tables");
      await vacuum(app.db);
    },
    /** For the snapshot: no pass runs, and the next one starts after this time. */
    waiting(delayMs: number): void {
      const { name, limit_ms } = loop();
      const last_progress_at = new Date().toISOString();
      loop = () => ({ name, state: "waiting", last_progress_at, limit_ms: limit_ms + delayMs });
    },
  };
}

async function runMonitor(app: App, pics: Pics): Promise<void> {
  const { config, lifecycle, sources, workerId } = app;
  const { pollIntervalMs, reconcileIntervalMs, emptyJumpMax, drainOnly, processBatchSize, appBackoff } = config.monitor;
  const monitor = createChangeMonitor({
    ...batchDeps(app, pics, { acceptUnknown: false }),
    census: startKeyCensus(app),
    ...poolSettings(config, processBatchSize),
    workerId,
    // The lease outlasts a poll that takes long.
    lease: app.monitorLease(Math.max(config.bulk.leaseMs, 3 * pollIntervalMs)),
    appIdMax: config.bulk.appIdMax,
    pollIntervalMs,
    reconcileIntervalMs,
    emptyJumpMax,
    drainOnly,
    appBackoff,
  });
  app.onBacklog(({ due_in_seconds }) => monitor.dueIn(due_in_seconds));
  lifecycle.onShutdown("change monitor", () => monitor.stop(), stopLimitMs);
  sources.monitor = (backlog) => ({
    ...monitor.status(),
    pending: backlog?.pending ?? 0,
    failing: backlog?.failing ?? 0,
    unconfirmed: backlog?.unconfirmed ?? 0,
    mass_unknown_at: backlog?.mass_unknown_at ?? null,
    lag_seconds: backlog?.lag_seconds ?? null,
    poll_interval_seconds: pollIntervalMs / 1_000,
    drain_only: drainOnly,
  });
  sources.loops.set("pics", () => monitorLoops(config, monitor));
  if (app.output.isTerminal) startLiveLine(app);
  await monitor.run();
}

/** Says on a terminal what the reader can do, and shows what happens in one line below the log. */
function startLiveLine({ config, output, logger, lifecycle, sources, retry, backlog }: App): void {
  const { database, host, port, http } = config;
  const isElsewhere = database.driver === "pglite" && database.dataDir !== "./data";
  output.write(
    formatNextSteps({
      address: http.dashboard ? shownAddress(host, port) : null,
      prefix: isElsewhere ? `DATA_DIR='${config.dataDir}' ` : "",
    }),
  );
  const storedBefore = sources.appsStored();
  const line = createProgress({
    line(width) {
      const monitor = sources.monitor(backlog());
      const state: Following = {
        change: monitor?.last_change_number ?? null,
        changed: sources.appsStored() - storedBefore,
        pending: monitor?.pending ?? 0,
        failing: monitor?.failing ?? 0,
        polledAt: monitor?.last_poll_at ?? null,
        isLeading: monitor?.leading ?? false,
        isSweeping: monitor?.sweeping ?? false,
        isSteamConnected: sources.steam()?.connected ?? false,
        isDatabaseReachable: retry.status().reachable,
      };
      return formatFollowing(state, Date.now(), width);
    },
    fields: () => ({}),
    message: "",
    linesEveryMs: null,
    framesPerSecond: 1,
    output,
    logger,
  });
  lifecycle.onShutdown("live line", () => line.stop());
  line.start();
}

function batchDeps(app: App, pics: Pics, rule: { acceptUnknown: boolean }): Omit<BatchDeps, "appBackoff"> {
  return { ...writeDeps(app, rule), pics };
}

/** A batch may time out, be retried and time out again before anything moves. */
function poolLimitMs({ bulk }: Config): number {
  return 5 * bulk.timeoutMs + bulk.leaseMs;
}

/** A pass from now on. Its sweep may wait for a window's every round to time out before anything moves. */
function bulkLoop({ bulk: { timeoutMs, leaseMs } }: Config, bulk: BulkSync): () => LoopSnapshot {
  const startedAt = new Date().toISOString();
  return () => ({
    name: "bulk_sync",
    state: "running",
    last_progress_at: bulk.lastProgressAt() ?? startedAt,
    limit_ms: (maxRounds + 1) * timeoutMs + leaseMs,
  });
}

function monitorLoops(config: Config, monitor: ChangeMonitor): LoopSnapshot[] {
  const { pollIntervalMs, drainOnly } = config.monitor;
  const { poll, drain } = monitor.progress();
  const loops: LoopSnapshot[] = [
    { name: "drain", state: "running", last_progress_at: drain, limit_ms: poolLimitMs(config) },
  ];
  if (drainOnly) return loops;
  const limitMs = 3 * pollIntervalMs + 2 * config.bulk.timeoutMs;
  return [...loops, { name: "poll", state: "running", last_progress_at: poll, limit_ms: limitMs }];
}

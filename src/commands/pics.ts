import { getProxyForUrl } from "proxy-from-env";
import type { Backlog, CatalogStore } from "../db/catalog-store.ts";
import type { LeaderLease } from "../db/leader-lease.ts";
import type { Config } from "../process/config.ts";
import type { Metrics } from "../status/metrics.ts";
import type { LoopSnapshot, MonitorSnapshot } from "../status/snapshot.ts";
import { createPics } from "../steam/pics.ts";
import type { SteamStatus } from "../steam/port.ts";
import { createSteamSession } from "../steam/session.ts";
import type { BatchObserver } from "../sync/apply-batch.ts";
import { type BulkSync, createBulkSync } from "../sync/bulk-sync.ts";
import { type ChangeMonitor, createChangeMonitor } from "../sync/change-monitor.ts";
import type { BulkProgress } from "../sync/progress.ts";
import { formatBar } from "../terminal/bars.ts";
import { reportSummary } from "../terminal/bulk-summary.ts";
import { createProgress } from "../terminal/progress-bar.ts";
import { storeAppids } from "../web/app-list.ts";
import type { WebClient } from "../web/client.ts";
import type { Context } from "./context.ts";

/** PICS sync as a worker runs it: one session with Steam, a bulk sync, a change monitor. */
export interface PicsWorker {
  /** Logs on. */
  start(): void;
  bulkSync(options: { appids: readonly number[] | null; full: boolean }, parts: PicsParts): Promise<void>;
  follow(parts: PicsParts): Promise<void>;
  steam(): SteamStatus;
  bulk(): BulkProgress | null;
  /** Apps stored since the start, by bulk sync and monitor together. */
  appsStored(): number;
  /** `backlog` as last heard from the database. */
  monitor(backlog: Backlog | null): MonitorSnapshot | null;
  loops(): LoopSnapshot[];
}

export interface PicsParts {
  store: CatalogStore;
  web: WebClient;
  workerId: string;
  /** Of the role `monitor`. */
  lease: LeaderLease;
}

/** What is left of the shutdown's 10 s is for logging off and closing the database. */
const stopLimitMs = 7_000;
const linesEveryMs = 5_000;

export function createPicsWorker(
  { config, output, logger, lifecycle }: Context,
  metrics: Pick<Metrics, "steamAnswered" | "batchStep" | "batchOutcome">,
): PicsWorker {
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
    onAnswer: metrics.steamAnswered,
  });
  let appsStored = 0;
  const observe: BatchObserver = {
    step: metrics.batchStep,
    outcome(outcome) {
      appsStored += outcome.stored;
      metrics.batchOutcome(outcome);
    },
  };
  let bulk: BulkSync | null = null;
  let bulkState: LoopSnapshot["state"] = "starting";
  let monitor: ChangeMonitor | null = null;

  return {
    start() {
      session.start();
      lifecycle.onShutdown("Steam session", () => session.stop());
    },

    async bulkSync({ appids, full }, { store, web }) {
      const { steamApiKey } = config;
      const current = createBulkSync({
        ...drainSettings(config, config.bulk.batchSize),
        pics,
        store,
        logger,
        observe,
        appids,
        full,
        appIdMax: config.bulk.appIdMax,
        appList: steamApiKey === null ? null : (signal) => storeAppids(web, steamApiKey, signal),
        maxAttempts: config.bulk.maxRetries + 1,
        appBackoff: { firstMs: 2_000, maxMs: 60_000 },
      });
      bulk = current;
      const progress = createProgress({
        line: (width) => formatBar(current.status(), width),
        fields: () => ({ bulk: current.status() }),
        message: "bulk sync in progress",
        linesEveryMs,
        output,
        logger,
      });
      lifecycle.onShutdown("progress", () => progress.stop());
      lifecycle.onShutdown("bulk sync", () => current.stop(), stopLimitMs);

      progress.start();
      bulkState = "running";
      const summary = await current.run();
      bulkState = "done";
      progress.stop();
      reportSummary(summary, output, logger);
    },

    async follow({ store, workerId, lease }) {
      const current = createChangeMonitor({
        ...drainSettings(config, config.monitor.processBatchSize),
        pics,
        store,
        logger,
        observe,
        workerId,
        lease,
        appIdMax: config.bulk.appIdMax,
        pollIntervalMs: config.monitor.pollIntervalMs,
        reconcileIntervalMs: config.monitor.reconcileIntervalMs,
        drainOnly: config.monitor.drainOnly,
        appBackoff: { firstMs: 30_000, maxMs: 3_600_000 },
      });
      monitor = current;
      lifecycle.onShutdown("change monitor", () => current.stop(), stopLimitMs);
      await current.run();
    },

    steam: () => pics.status(),
    bulk: () => bulk?.status() ?? null,
    appsStored: () => appsStored,

    monitor(backlog) {
      if (monitor === null) return null;
      const { pending = 0, failing = 0, lag_seconds = null } = backlog ?? {};
      return {
        ...monitor.status(),
        pending,
        failing,
        lag_seconds,
        poll_interval_seconds: config.monitor.pollIntervalMs / 1_000,
        drain_only: config.monitor.drainOnly,
      };
    },

    loops() {
      const { bulk: settings, monitor: following } = config;
      // A batch may time out, be tried again and time out again before anything moves.
      const drainLimitMs = 5 * settings.timeoutMs + settings.leaseMs;
      if (monitor === null) {
        const at = bulk?.lastProgressAt() ?? null;
        return [{ name: "bulk_sync", state: bulkState, last_progress_at: at, limit_ms: drainLimitMs }];
      }
      const { poll, drain } = monitor.progress();
      const loops: LoopSnapshot[] = [
        { name: "drain", state: "running", last_progress_at: drain, limit_ms: drainLimitMs },
      ];
      if (!following.drainOnly) {
        const limitMs = 3 * following.pollIntervalMs + 2 * settings.timeoutMs;
        loops.push({ name: "poll", state: "running", last_progress_at: poll, limit_ms: limitMs });
      }
      return loops;
    },
  };
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

import { type Collector, createCollector } from "../collector/collector.ts";
import type { CollectorProgress } from "../collector/progress.ts";
import type { CollectorStore } from "../collector/store.ts";
import type { LeaderLease } from "../db/leader-lease.ts";
import type { Config } from "../process/config.ts";
import { sleep } from "../process/time.ts";
import type { LoopSnapshot } from "../status/snapshot.ts";
import { formatCollectorLine } from "../terminal/bars.ts";
import { reportCollectorSummary } from "../terminal/collector-summary.ts";
import { createProgress, type Progress } from "../terminal/progress-bar.ts";
import type { WebClient } from "../web/client.ts";
import type { Context } from "./context.ts";

/** The collector as a command runs it: once, or every COLLECT_INTERVAL. */
export interface CollectorWorker {
  once(options: CollectOptions): Promise<void>;
  /** Runs until the process stops. A run that fails is logged and followed by the next. */
  every(intervalMs: number, options: CollectOptions): Promise<void>;
  /** Null before the first run. */
  status(): CollectorProgress | null;
  loops(): LoopSnapshot[];
}

export interface CollectOptions {
  fullRefresh: boolean;
  updateMetadata: boolean;
  /** Null for the configured value. */
  batchSize: number | null;
  maxDetails: number | null;
  /** Show progress, as a bar on a terminal and as log lines elsewhere. */
  showProgress: boolean;
}

export interface CollectorDeps {
  store: CollectorStore;
  web: WebClient;
  /** Of the role `collector`. */
  lease: LeaderLease;
}

const stopLimitMs = 7_000;
const logEveryMs = 30_000;
/** A run that failed is retried after this, if COLLECT_INTERVAL is longer. */
const retryAfterMs = 3_600_000;
/** Longest time without progress that is healthy: several time-outs and retries may pass before anything moves. */
const progressLimitMs = 900_000;

export function createCollectorWorker(
  { config, output, logger, lifecycle }: Context,
  deps: CollectorDeps,
): CollectorWorker {
  let collector: Collector | null = null;
  let progress: Progress | null = null;
  let nextRunAt: string | null = null;
  let state: LoopSnapshot["state"] = "starting";

  async function once(options: CollectOptions): Promise<void> {
    const current = createCollector({ ...deps, logger, ...collectorSettings(config, options) });
    if (collector === null) {
      lifecycle.onShutdown("progress", () => progress?.stop());
      lifecycle.onShutdown("collector", () => collector?.stop(), stopLimitMs);
    }
    collector = current;
    nextRunAt = null;
    state = "running";
    progress = createCollectorProgress(current, { output, logger });
    if (options.showProgress) progress.start();
    try {
      reportCollectorSummary(await current.run(), output, logger);
    } finally {
      progress.stop();
    }
  }

  return {
    async once(options) {
      await once(options);
      state = "done";
    },
    async every(intervalMs, options) {
      while (!lifecycle.signal.aborted) {
        const startedAt = Date.now();
        let waitMs = intervalMs;
        try {
          await once(options);
        } catch (error) {
          if (lifecycle.signal.aborted) return;
          waitMs = Math.min(intervalMs, retryAfterMs);
          logger.error(
            { err: error, retryInSeconds: waitMs / 1_000 },
            "the collector's run failed; the next one resumes where it stopped",
          );
        }
        const nextAt = startedAt + waitMs;
        nextRunAt = new Date(nextAt).toISOString();
        await sleep(Math.max(0, nextAt - Date.now()), lifecycle.signal).catch(() => {});
      }
    },
    status() {
      if (collector === null) return null;
      const progress = collector.status();
      return nextRunAt === null ? progress : { ...progress, phase: "idle", next_run_at: nextRunAt };
    },
    loops() {
      if (collector === null) return [];
      const { phase, endpoints } = collector.status();
      // A daily quota may make it wait for a day.
      const isWaiting = nextRunAt !== null || phase === "waiting" || endpoints.some(({ waiting }) => waiting > 0);
      const progressAt = isWaiting ? new Date().toISOString() : collector.lastProgressAt();
      return [
        { name: "collector", state, last_progress_at: progressAt, limit_ms: progressLimitMs, needs: ["database"] },
      ];
    },
  };
}

function collectorSettings({ steamApiKey, collector, maxShrink, history, web }: Config, options: CollectOptions) {
  const { steamSpyAll, steamSpy } = web.limits;
  return {
    apiKey: steamApiKey,
    fullRefresh: options.fullRefresh,
    updateMetadata: options.updateMetadata,
    batchSize: options.batchSize ?? collector.batchSize,
    maxDetails: options.maxDetails ?? collector.maxDetails,
    maxShrink,
    history,
    workers: collector.maxWorkers,
    paceMs: { page: steamSpyAll.periodMs / steamSpyAll.count, details: steamSpy.periodMs / steamSpy.count },
  };
}

function createCollectorProgress(
  collector: Collector,
  { output, logger }: Pick<Context, "output" | "logger">,
): Progress {
  return createProgress({
    line: (width) => formatCollectorLine(collector.status(), width),
    fields: () => ({ collector: collector.status() }),
    message: "collector in progress",
    linesEveryMs: logEveryMs,
    output,
    logger,
  });
}

import { type Collector, createCollector } from "../collector/collector.ts";
import type { CollectorProgress } from "../collector/progress.ts";
import type { CollectorStore } from "../collector/store.ts";
import type { LeaderLease } from "../db/leader-lease.ts";
import { sleep } from "../process/time.ts";
import type { LoopSnapshot } from "../status/snapshot.ts";
import { formatCollectorLine } from "../terminal/bars.ts";
import { reportCollectorSummary } from "../terminal/collector-summary.ts";
import { createProgress, type Progress } from "../terminal/progress-bar.ts";
import type { WebClient } from "../web/client.ts";
import type { Context } from "./context.ts";

/** The collector as a worker runs it: once, or every COLLECT_INTERVAL. */
export interface CollectorWorker {
  once(options: CollectOptions, parts: CollectorParts): Promise<void>;
  /** Until the process is told to stop. A run that fails is told, and followed by the next. */
  every(intervalMs: number, options: CollectOptions, parts: CollectorParts): Promise<void>;
  /** Null before the first run. */
  status(): CollectorProgress | null;
  loops(): LoopSnapshot[];
}

export interface CollectOptions {
  fullRefresh: boolean;
  updateMetadata: boolean;
  /** Null: as configured. */
  batchSize: number | null;
  maxDetails: number | null;
  /** Whether the terminal, or the log, is told how far a run is. */
  showProgress: boolean;
}

export interface CollectorParts {
  store: CollectorStore;
  web: WebClient;
  /** Of the role `collector`. */
  lease: LeaderLease;
}

const stopLimitMs = 7_000;
const linesEveryMs = 30_000;
/** After a run that failed the next one does not wait for the whole interval. */
const retryAfterMs = 3_600_000;
/** Several time-outs and pauses between attempts may pass before anything moves. */
const progressLimitMs = 900_000;

export function createCollectorWorker({ config, output, logger, lifecycle }: Context): CollectorWorker {
  let collector: Collector | null = null;
  let progress: Progress | null = null;
  let nextRunAt: string | null = null;
  let state: LoopSnapshot["state"] = "starting";

  function stopWithTheProcess() {
    lifecycle.onShutdown("progress", () => progress?.stop());
    lifecycle.onShutdown("collector", () => collector?.stop(), stopLimitMs);
  }

  async function once(options: CollectOptions, { store, web, lease }: CollectorParts): Promise<void> {
    const { limits } = config.web;
    const current = createCollector({
      store,
      web,
      lease,
      logger,
      apiKey: config.steamApiKey,
      fullRefresh: options.fullRefresh,
      updateMetadata: options.updateMetadata,
      batchSize: options.batchSize ?? config.collector.batchSize,
      maxDetails: options.maxDetails ?? config.collector.maxDetails,
      maxShrink: config.collector.maxShrink,
      workers: config.collector.maxWorkers,
      paceMs: {
        page: limits.steamSpyAll.periodMs / limits.steamSpyAll.count,
        details: limits.steamSpy.periodMs / limits.steamSpy.count,
      },
    });
    if (collector === null) stopWithTheProcess();
    collector = current;
    nextRunAt = null;
    state = "running";
    progress = createProgress({
      line: (width) => formatCollectorLine(current.status(), width),
      fields: () => ({ collector: current.status() }),
      message: "collector in progress",
      linesEveryMs,
      output,
      logger,
    });
    if (options.showProgress) progress.start();
    try {
      reportCollectorSummary(await current.run(), output, logger);
    } finally {
      progress.stop();
    }
  }

  return {
    async once(options, parts) {
      await once(options, parts);
      state = "done";
    },
    async every(intervalMs, options, parts) {
      while (!lifecycle.signal.aborted) {
        const startedAt = Date.now();
        let waitMs = intervalMs;
        try {
          await once(options, parts);
        } catch (error) {
          if (lifecycle.signal.aborted) return;
          waitMs = Math.min(intervalMs, retryAfterMs);
          logger.error(
            { err: error, retryInSeconds: waitMs / 1_000 },
            "the collector's run failed; the next one goes on where it stopped",
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
      // A limit may ask for a day's patience.
      const isWaiting = nextRunAt !== null || phase === "waiting" || endpoints.some(({ waiting }) => waiting > 0);
      return [
        {
          name: "collector",
          state,
          last_progress_at: isWaiting ? new Date().toISOString() : collector.lastProgressAt(),
          limit_ms: progressLimitMs,
          needs: ["database"],
        },
      ];
    },
  };
}

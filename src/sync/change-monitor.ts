import type { MonitorLease } from "../db/leader-lease.ts";
import type { Backoff } from "../process/backoff.ts";
import type { BatchDeps } from "./apply-batch.ts";
import { createFailureLog } from "./failure-log.ts";
import { createGapSweep } from "./gap-sweep.ts";
import { createLabelNameSchedule } from "./label-names.ts";
import { markSkipped } from "./mark-skipped.ts";
import { createPoller, type PollStatus } from "./poll.ts";
import { createWorkerPool } from "./worker-pool.ts";

/**
 * The change monitor follows Steam's change numbers. It is composed of four parts:
 *
 * - the poll loop (poll.ts): one worker, the leader, asks Steam what changed; each answer becomes durable in the
 *   transaction that moves the cursor;
 * - the worker pool (worker-pool.ts): every worker fetches and stores what is pending;
 * - the gap sweep (gap-sweep.ts): where Steam cannot list what changed, comparing every app finds it, and only then
 *   does the cursor move past the gap;
 * - the names of tags and categories (label-names.ts), once an hour.
 */
export interface MonitorOptions extends BatchDeps {
  pollIntervalMs: number;
  batchSize: number;
  concurrency: number;
  leaseMs: number;
  /** Between two sweeps against silent drift; 0 is never. */
  reconcileIntervalMs: number;
  appIdMax: number | null;
  /** Fetch what other workers announce; never poll, never lead. */
  drainOnly: boolean;
  /** A reply that names nothing although the change number rose by more than this is a gap. */
  emptyJumpMax: number;
  /** Between two rounds of requests for what a sweep was not answered; absent for the sweep's own. */
  sweepBackoff?: Backoff | undefined;
  /** Of the role `monitor`, for `workerId`. */
  lease: MonitorLease;
  workerId: string;
}

export interface MonitorStatus extends PollStatus {
  sweeping: boolean;
  /** Ids that the last sweep lacked or counted as unknown because Steam left them unanswered. */
  unanswered: number;
}

/** Between two claims of an idle pool. Long where this worker polls, since its polls and heartbeats, which follow the leader's, say what is due. */
const idleMs = { polling: 300_000, drainOnly: 5_000 };
/** Longest delay between two sweeps that fail, whatever their number. */
const maxSweepRetryMs = 3_600_000;

export interface ChangeMonitor {
  /** Runs until `stop`; rejects for a fault that a retry does not cure. */
  run(): Promise<void>;
  stop(): Promise<void>;
  status(): MonitorStatus;
  /** Of a heartbeat: until the first pending app may be claimed, 0 for now, null when none is pending. */
  dueIn(seconds: number | null): void;
  /** When the poll loop last came round, and when the worker pool last had an answer from the database; ISO 8601. */
  progress(): { poll: string | null; drain: string | null };
}

export function createChangeMonitor(options: MonitorOptions): ChangeMonitor {
  const { pics, store, logger, concurrency, appIdMax, pollIntervalMs, sweepBackoff, types } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const failureLog = createFailureLog({ logger });
  const pool = createWorkerPool({
    ...options,
    appids: null,
    maxAttempts: null,
    onOutcome: (_claimed, { failures }) => failureLog.add(failures),
    idleMs: options.drainOnly ? idleMs.drainOnly : idleMs.polling,
  });
  const sweep = createGapSweep({
    pics,
    store,
    logger,
    concurrency,
    appIdMax,
    signal,
    retryBackoff: { firstMs: pollIntervalMs, maxMs: maxSweepRetryMs },
    sweepBackoff,
    types,
    onMarked: () => pool.wake(),
  });
  const labelNames = createLabelNameSchedule({ pics, store, logger, signal });
  const poller = createPoller({
    ...options,
    sweep,
    signal,
    onMarked: () => pool.wake(),
    onPolled: () => labelNames.runIfDue(),
  });
  let polling: Promise<void> = Promise.resolve();

  /** Waits until every part has ended. The polls come first: one that is under way may still start a sweep. */
  async function settled(): Promise<void> {
    await Promise.allSettled([pool.stop(), polling]);
    await Promise.all([labelNames.settled(), sweep.settled()]);
  }

  return {
    async run() {
      await markSkipped(options, signal);
      if (!options.drainOnly) polling = poller.run();
      const draining = pool.run();
      try {
        await Promise.all([draining, polling]);
      } finally {
        stopping.abort(new Error("stopped"));
        failureLog.stop();
        await settled();
      }
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await settled();
      failureLog.stop();
      // Only now: a poll that was under way may have acquired the lease.
      if (!options.drainOnly) await options.lease.release();
    },
    dueIn: pool.dueIn,
    status: () => ({ ...poller.status(), sweeping: sweep.state() === "running", unanswered: sweep.unanswered() }),
    progress: () => ({ poll: poller.lastProgressAt(), drain: pool.lastProgressAt() }),
  };
}

import type { ClaimedApp } from "../db/sync-calls.ts";
import { applyBatch, type BatchDeps, type BatchOutcome } from "./apply-batch.ts";
import { createIdleWait } from "./idle-wait.ts";
import { type Lease, startLease } from "./lease.ts";

/**
 * The worker pool fetches and stores whatever is pending. It holds nothing but the batches in work: what waits stays in
 * the database.
 *
 * States of each of its `concurrency` workers:
 * - waiting for Steam: the session is not logged on;
 * - claiming: asks the database for a batch under a new lease;
 * - working: fetches, extracts and writes the batch. While one waits for Steam, others extract and write;
 * - idle: nothing was due. One idle worker looks again at the next due retry or after `idleMs`; the others wait to be woken. A worker that
 *   finds a full batch, or that was the one to look, wakes one of them before it works: it takes what is left, or looks in its place. So
 *   little work takes one claim, much takes as many as there are workers, and a database is not asked by each of them. After full batches
 *   it looks again after 5 s, since a sweep may mark more, and waits twice as long each time that it finds nothing;
 * - ended: the pool was stopped, or `finish` was called and nothing is left.
 */
export interface WorkerPoolOptions extends BatchDeps {
  leaseMs: number;
  /** Apps in one claim. */
  batchSize: number;
  /** Batches in work at the same time. */
  concurrency: number;
  /** Only these apps; null for every pending app. */
  appids: readonly number[] | null;
  /** Apps that failed this often are not claimed again; null for no limit. */
  maxAttempts: number | null;
  onOutcome: (claimed: readonly ClaimedApp[], outcome: BatchOutcome) => void;
  /** Longest wait between two claims, for work that other processes announce and {@link WorkerPool.dueIn} does not. */
  idleMs?: number;
}

export interface WorkerPool {
  /**
   * Resolves when {@link WorkerPool.finish} was called and nothing is left, or after `stop`; rejects when a worker
   * fails.
   */
  run(): Promise<void>;
  /** There is new work: ends the idle wait. */
  wake(): void;
  /**
   * What the database says meanwhile: until the first pending app may be claimed, in seconds, 0 for now; null when none is pending. For an
   * idle pool that is progress, too.
   */
  dueIn(seconds: number | null): void;
  /** No more work will be announced: the pool ends once everything pending is stored or has failed too often. */
  finish(): void;
  /** When the database last answered a claim, or a batch came to its end; ISO 8601. */
  lastProgressAt(): string | null;
  /** Takes no more work, lets what is in flight finish for `graceMs`, then gives it back. */
  stop(graceMs?: number): Promise<void>;
}

/** Of the 7 s that a worker gets to stop; giving back what is left takes the rest. */
const defaultGraceMs = 6_000;
const minIdleMs = 20;
/** First wait after a full batch. */
const afterMuchMs = 5_000;
/** The longest delay of a Node timer: 25 days. */
const untilWoken = 2 ** 31 - 1;

export function createWorkerPool(options: WorkerPoolOptions): WorkerPool {
  const { pics, leaseMs, idleMs = 5_000 } = options;
  const stopping = new AbortController();
  const abandoning = new AbortController();
  const idle = createIdleWait();
  let finishing = false;
  /** When an idle worker claims next, by `performance.now()`; infinity when none is to. */
  let lookAt = Number.POSITIVE_INFINITY;
  /** Longest wait of the idle worker that looks. */
  let lookMs = idleMs;
  let progressAt: string | null = null;
  let ended: Promise<void> = Promise.resolve();

  const progressed = () => {
    progressAt = new Date().toISOString();
  };

  async function worker(): Promise<void> {
    let wasLooking = false;
    while (!stopping.signal.aborted) {
      await pics.ready(stopping.signal);
      // Both are read before the claim, which may not see what is announced while it runs.
      const isLastRound = finishing;
      const idleWait = idle.prepare();
      const lease = startLease(options.store, leaseMs, abandoning.signal);
      let dueMs: number;
      try {
        const claim = await claimBatch(options, lease);
        progressed();
        if (claim.apps.length > 0) {
          const isMuch = mayBeMore(claim.apps, options.batchSize);
          if (isMuch) lookMs = Math.min(afterMuchMs, idleMs);
          if (isMuch || wasLooking) idle.wakeOne();
          wasLooking = false;
          await work(options, lease, claim.apps, abandoning.signal);
          progressed();
          if (finishing) idle.wake(); // The others may be waiting for the last batch to come to an end.
          continue;
        }
        if (claim.waiting === 0 && isLastRound) {
          idle.wake();
          return;
        }
        dueMs = claim.due_in_seconds === null ? idleMs : claim.due_in_seconds * 1_000;
      } finally {
        lease.end();
      }
      const waitMs = Math.min(Math.max(dueMs, minIdleMs), lookMs);
      const at = performance.now() + waitMs;
      wasLooking = at < lookAt;
      if (wasLooking) lookAt = at;
      await idleWait(wasLooking ? waitMs : untilWoken);
      if (wasLooking && lookAt === at) {
        lookAt = Number.POSITIVE_INFINITY;
        if (performance.now() >= at) lookMs = Math.min(2 * lookMs, idleMs);
      }
    }
  }

  return {
    async run() {
      const workers = Array.from({ length: options.concurrency }, () =>
        worker().catch((error: unknown) => {
          if (error === stopping.signal.reason) return;
          stopping.abort(error);
          idle.wake();
          throw error;
        }),
      );
      ended = Promise.allSettled(workers).then(() => {});
      await ended;
      await Promise.all(workers);
    },
    wake: idle.wakeOne,
    dueIn(seconds) {
      if (idle.isAnyWaiting()) progressed();
      if (seconds !== null && seconds <= 0) idle.wakeOne();
    },
    lastProgressAt: () => progressAt,
    finish() {
      finishing = true;
      idle.wake();
    },
    async stop(graceMs = defaultGraceMs) {
      stopping.abort(new Error("stopped"));
      idle.wake();
      const grace = setTimeout(() => abandoning.abort(new Error("stopped")), graceMs);
      await ended;
      clearTimeout(grace);
    },
  };
}

/** Whether other workers may find work, too: retries are claimed in small batches, others in full ones. */
function mayBeMore(claimed: readonly ClaimedApp[], batchSize: number): boolean {
  return claimed.length >= batchSize || claimed.some(({ attempts }) => attempts > 0);
}

function claimBatch({ store, batchSize, leaseMs, appids, maxAttempts }: WorkerPoolOptions, lease: Lease) {
  return store.claim({ leaseId: lease.id, max: batchSize, leaseMs, appids, maxAttempts });
}

/** One batch under its lease. When the lease aborts, the apps are given back: they stay pending. */
async function work(
  options: WorkerPoolOptions,
  lease: Lease,
  claimed: readonly ClaimedApp[],
  abandoned: AbortSignal,
): Promise<void> {
  try {
    options.onOutcome(claimed, await applyBatch(options, lease, claimed));
  } catch (error) {
    if (!lease.signal.aborted) throw error;
    const message = abandoned.aborted
      ? "stopping: batch given back; another worker, or the next start, fetches these apps"
      : "lease expired: batch given back; its apps are fetched again";
    options.logger.info({ apps: claimed.length }, message);
    await options.store.release(lease.id);
  }
}

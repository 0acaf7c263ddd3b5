import type { ClaimedApp } from "../db/catalog-store.ts";
import { applyBatch, type BatchDeps, type BatchOutcome } from "./apply-batch.ts";
import { type Lease, startLease } from "./lease.ts";

/**
 * Drains what is pending: several loops, each of which claims a batch under a lease, fetches, extracts and stores it, and
 * claims the next. While one batch waits for Steam, others are extracted and written; nothing is held but those batches.
 */
export interface DrainOptions extends BatchDeps {
  leaseMs: number;
  /** Apps claimed at once. */
  batchSize: number;
  /** Batches in work at the same time. */
  concurrency: number;
  /** Only these apps; null for whatever is pending. */
  appids: readonly number[] | null;
  /** Apps that failed so often are left alone; null for never. */
  maxAttempts: number | null;
  onOutcome: (claimed: readonly ClaimedApp[], outcome: BatchOutcome) => void;
  /** Longest pause before the database is asked again for work that nobody announced here. */
  idleMs?: number;
}

export interface WorkerPool {
  /** Resolves when {@link WorkerPool.finish} was called and nothing is left, or after `stop`; rejects when a loop dies. */
  run(): Promise<void>;
  /** There is new work. */
  wake(): void;
  /** No more work will be announced: end once everything pending is stored or has failed too often. */
  finish(): void;
  /** When the database last answered a claim, or a batch came to its end; ISO 8601. */
  lastProgressAt(): string | null;
  /** Takes no more work, lets what is in flight finish for `graceMs`, then gives it back. */
  stop(graceMs?: number): Promise<void>;
}

/** Of the 7 s that a worker gets to stop; giving back what is left takes the rest. */
const defaultGraceMs = 6_000;

export function createWorkerPool(options: DrainOptions): WorkerPool {
  const { pics, store, logger, leaseMs, idleMs = 5_000 } = options;
  const stopping = new AbortController();
  const abandoning = new AbortController();
  let finishing = false;
  let progressAt: string | null = null;
  /** Counts the calls of `wake`, so that one that comes during a claim is not slept through. */
  let wakes = 0;
  const napping = new Set<() => void>();
  let ended: Promise<void> = Promise.resolve();

  function wake() {
    wakes += 1;
    for (const end of napping) end();
  }

  function nap(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        napping.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      napping.add(end);
    });
  }

  async function loop(): Promise<void> {
    while (!stopping.signal.aborted) {
      await pics.ready(stopping.signal);
      // Read before the claim: it may not have seen what is announced while it runs.
      const lastRound = finishing;
      const wakesBefore = wakes;
      let due: number | null = null;
      const lease = startLease(store, leaseMs, abandoning.signal);
      try {
        const claim = await store.claim({
          leaseId: lease.id,
          max: options.batchSize,
          leaseMs,
          appids: options.appids,
          maxAttempts: options.maxAttempts,
        });
        progressAt = new Date().toISOString();
        if (claim.apps.length > 0) {
          await work(lease, claim.apps);
          progressAt = new Date().toISOString();
          wake(); // A sibling may be waiting for the last batch to come to an end.
          continue;
        }
        if (claim.waiting === 0 && lastRound) return;
        due = claim.due_in_seconds;
      } finally {
        lease.end();
      }
      const dueMs = due === null ? idleMs : due * 1_000;
      if (wakes === wakesBefore) await nap(Math.min(Math.max(dueMs, 20), idleMs));
    }
  }

  async function work(lease: Lease, claimed: readonly ClaimedApp[]): Promise<void> {
    try {
      options.onOutcome(claimed, await applyBatch(options, lease, claimed));
    } catch (error) {
      if (!lease.signal.aborted) throw error;
      logger.info(
        { apps: claimed.length },
        abandoning.signal.aborted ? "batch given back" : "lease ran out; batch given up",
      );
      await store.release(lease.id);
    }
  }

  return {
    async run() {
      const loops = Array.from({ length: options.concurrency }, () =>
        loop().catch((error: unknown) => {
          if (error === stopping.signal.reason) return;
          stopping.abort(error);
          throw error;
        }),
      );
      ended = Promise.allSettled(loops).then(() => {});
      await ended;
      await Promise.all(loops);
    },
    wake,
    lastProgressAt: () => progressAt,
    finish() {
      finishing = true;
      wake();
    },
    async stop(graceMs = defaultGraceMs) {
      stopping.abort(new Error("stopped"));
      wake();
      const grace = setTimeout(() => abandoning.abort(new Error("stopped")), graceMs);
      await ended;
      clearTimeout(grace);
    },
  };
}

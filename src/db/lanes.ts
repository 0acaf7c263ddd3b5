import { setImmediate } from "node:timers/promises";

/**
 * Weighted two-priority queue that runs one job at a time. Work (the service's own writes) has priority over reads
 * (clients), but while work is waiting reads still get {@link readShare} of the time, so they do not starve. Without
 * waiting work they get all of it. However many clients read, a bulk sync thus loses little of its throughput.
 */
export interface Lanes {
  /** Queues a job; settles as the job does. Jobs of one lane run in the order in which they were added. */
  add<T>(lane: Lane, job: () => Promise<T>): Promise<T>;
}

export type Lane = "work" | "read";

/** Share of the running time that reads get while both lanes have waiting jobs. */
const readShare = 0.08;
/** Cap on the time that reads accumulate while none are waiting. */
const maxCreditMs = 50;

/** @param now a monotonic clock in milliseconds; tests replace it. */
export function createLanes(now: () => number = () => performance.now()): Lanes {
  const waiting: Record<Lane, (() => Promise<void>)[]> = { work: [], read: [] };
  let isRunning = false;
  /**
   * Time that reads may use. Work adds to it; a long read overdraws it, and work runs alone until it is positive again.
   */
  let creditMs = 0;

  function nextLane(): Lane | null {
    if (waiting.work.length === 0) return waiting.read.length === 0 ? null : "read";
    return waiting.read.length > 0 && creditMs > 0 ? "read" : "work";
  }

  async function run(): Promise<void> {
    isRunning = true;
    for (let lane = nextLane(); lane !== null; lane = nextLane()) {
      const isContended = waiting.work.length > 0 && waiting.read.length > 0;
      const startedAt = now();
      await waiting[lane].shift()?.();
      const tookMs = now() - startedAt;
      if (lane === "work") creditMs = Math.min(maxCreditMs, creditMs + tookMs * readShare);
      else if (isContended) creditMs -= tookMs;
      // The next read of read-queue.ts is added when the caller has got this one's result.
      if (lane === "read" && waiting.read.length === 0) await setImmediate();
    }
    isRunning = false;
  }

  return {
    add(lane, job) {
      return new Promise((resolve, reject) => {
        waiting[lane].push(() => job().then(resolve, reject));
        if (!isRunning) void run();
      });
    },
  };
}

/** Something that delays the start of requests: a sliding window, a quota, a pause. Times are those of `performance.now()`. */
export interface Limit {
  /**
   * The earliest start of the next request. A time in the past means now. Infinity means unknown; the limit then calls `recheck` of
   * the rate limiter as soon as it knows. Throws when waiting is useless: the caller of `acquire` gets the error.
   */
  freeAt(now: number): number;
  /** Counts the start of a request. */
  take(now: number): void;
  /** Reported by `/status`: why and until when nothing starts; null while requests may start. */
  paused?(): PauseStatus | null;
}

export interface PauseStatus {
  /** ISO 8601 in UTC. */
  until: string;
  because: string;
}

/** Queue of requests that wait for their limits. Requests with the same limits start in the order of arrival. */
export interface RateLimiter {
  /**
   * Waits until all limits are free, then takes from all of them at once. Taking them one after the other would hold the first while
   * waiting for the second. Throws `signal.reason` as soon as it aborts.
   */
  acquire(limits: readonly Limit[], signal: AbortSignal): Promise<void>;
  /** Evaluates the limits of all waiting requests again. A limit calls it after a change. */
  recheck(): void;
}

interface Waiter {
  limits: readonly Limit[];
  resolve(): void;
  reject(error: unknown): void;
}

/** Longest sleep before the limits are evaluated again: timers drift from the calendar, and end after 24 days at most. */
const maxSleepMs = 3_600_000;

export function createRateLimiter(): RateLimiter {
  let waiters: Waiter[] = [];
  let timer: NodeJS.Timeout | undefined;

  /** Starts every request whose limits are free, and sets the timer for the next one. */
  function recheck() {
    clearTimeout(timer);
    const now = performance.now();
    let nextAt = Number.POSITIVE_INFINITY;
    waiters = waiters.filter((waiter) => {
      try {
        const freeAt = Math.max(...waiter.limits.map((limit) => limit.freeAt(now)));
        if (freeAt > now) {
          nextAt = Math.min(nextAt, freeAt);
          return true;
        }
        for (const limit of waiter.limits) limit.take(now);
        waiter.resolve();
      } catch (error) {
        waiter.reject(error);
      }
      return false;
    });
    if (nextAt < Number.POSITIVE_INFINITY) timer = setTimeout(recheck, Math.min(maxSleepMs, Math.ceil(nextAt - now)));
  }

  async function acquire(limits: readonly Limit[], signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { limits, resolve, reject };
    const cancel = () => {
      waiters = waiters.filter((other) => other !== waiter);
      if (waiters.length === 0) clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", cancel, { once: true });
    waiters.push(waiter);
    recheck();
    try {
      await promise;
    } finally {
      signal.removeEventListener("abort", cancel);
    }
  }

  return { acquire, recheck };
}

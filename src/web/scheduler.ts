/** Something that holds requests back. Its times are those of `performance.now()`. */
export interface Brake {
  /**
   * When the next request may start; a time that is past when at once, Infinity when that is not known yet (then the brake wakes
   * the gate once it is). Throws when waiting is of no use: what it throws goes to the caller.
   */
  freeAt(now: number): number;
  /** A request starts. */
  take(now: number): void;
  /** Why nothing starts for a while; null when that is not so. */
  paused?(): Pause | null;
}

export interface Pause {
  /** ISO 8601 in UTC. */
  until: string;
  because: string;
}

/** Where requests wait until they may start: first come, first served among those that wait for the same brakes. */
export interface Gate {
  /**
   * Waits until every brake is free, then takes from all of them in the same turn: taken one after the other, the first would
   * be held while the second is waited for. Throws `signal.reason` as soon as it aborts.
   */
  enter(brakes: readonly Brake[], signal: AbortSignal): Promise<void>;
  /** A brake says otherwise than before. */
  wake(): void;
}

interface Waiter {
  brakes: readonly Brake[];
  resolve(): void;
  reject(error: unknown): void;
}

/** Timers run on another clock than the calendar, and take no more than 24 days: long waits are looked at again. */
const maxSleepMs = 3_600_000;

export function createGate(): Gate {
  let waiters: Waiter[] = [];
  let timer: NodeJS.Timeout | undefined;

  /** Lets everyone in who may go now, and comes back when the next one may. */
  function wake() {
    clearTimeout(timer);
    const now = performance.now();
    let nextAt = Number.POSITIVE_INFINITY;
    waiters = waiters.filter((waiter) => {
      try {
        const freeAt = Math.max(...waiter.brakes.map((brake) => brake.freeAt(now)));
        if (freeAt > now) {
          nextAt = Math.min(nextAt, freeAt);
          return true;
        }
        for (const brake of waiter.brakes) brake.take(now);
        waiter.resolve();
      } catch (error) {
        waiter.reject(error);
      }
      return false;
    });
    if (nextAt < Number.POSITIVE_INFINITY) timer = setTimeout(wake, Math.min(maxSleepMs, Math.ceil(nextAt - now)));
  }

  return {
    enter(brakes, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const leave = () => signal.removeEventListener("abort", abort);
        const waiter: Waiter = {
          brakes,
          resolve() {
            leave();
            resolve();
          },
          reject(error) {
            leave();
            reject(error);
          },
        };
        const abort = () => {
          waiters = waiters.filter((other) => other !== waiter);
          if (waiters.length === 0) clearTimeout(timer);
          reject(signal.reason);
        };
        signal.addEventListener("abort", abort, { once: true });
        waiters.push(waiter);
        wake();
      });
    },
    wake,
  };
}

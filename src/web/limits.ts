import type { RateLimit } from "../process/config-values.ts";
import { FailedAttempt } from "./attempt.ts";
import type { Limit, PauseStatus } from "./rate-limiter.ts";

/**
 * Sliding window: keeps the start times of the last `count` requests. The next request waits until the oldest of them is `periodMs`
 * ago, so no span [t, t + periodMs) ever holds more than `count` starts.
 */
export function createSlidingWindow({ count, periodMs }: RateLimit): Limit {
  const starts: number[] = [];
  let oldest = 0;
  return {
    freeAt: () => (starts.length < count ? 0 : (starts[oldest] ?? 0) + periodMs),
    take(now) {
      starts[oldest] = now;
      oldest = (oldest + 1) % count;
    },
  };
}

/** The same rate without bursts: two requests are never closer than `periodMs / count`. */
export function paced({ count, periodMs }: RateLimit): RateLimit {
  return { count: 1, periodMs: Math.ceil(periodMs / count) };
}

/** Pause of a whole server, which that server asked for: either requests wait (`Retry-After`), or they fail at once (403). */
export interface Pause extends Limit {
  /** Requests wait for `forMs`. A longer pause stays in force. */
  wait(forMs: number, because: string): void;
  /** Requests fail for `forMs`, waiting ones included. Returns the end in ISO 8601, or null when they fail already. */
  block(forMs: number, because: string): string | null;
}

interface ActivePause extends PauseStatus {
  endsAt: number;
  isBlock: boolean;
}

/** Upper bound of a pause: a longer `Retry-After` is a mistake, and would not fit into a date. */
const maxPauseMs = 365 * 86_400_000;

/** @param recheck of the rate limiter; called when a pause begins. */
export function createPause(recheck: () => void): Pause {
  let active: ActivePause | null = null;

  function current(): ActivePause | null {
    if (active !== null && active.endsAt <= performance.now()) active = null;
    return active;
  }

  function begin(forMs: number, because: string, isBlock: boolean): ActivePause {
    const ms = Math.min(forMs, maxPauseMs);
    active = { endsAt: performance.now() + ms, until: new Date(Date.now() + ms).toISOString(), because, isBlock };
    recheck();
    return active;
  }

  return {
    freeAt() {
      const pause = current();
      if (pause?.isBlock) throw new FailedAttempt("blocked", `is paused until ${pause.until}: ${pause.because}`);
      return pause?.endsAt ?? 0;
    },
    take() {},
    paused: current,
    wait(forMs, because) {
      const pause = current();
      if (pause === null || (!pause.isBlock && performance.now() + forMs > pause.endsAt)) begin(forMs, because, false);
    },
    block(forMs, because) {
      return current()?.isBlock ? null : begin(forMs, because, true).until;
    },
  };
}

import { FailedAttempt } from "./attempt.ts";
import type { RateLimit } from "./endpoints.ts";
import type { Brake } from "./scheduler.ts";

/**
 * A sliding window: the starts of the last `count` requests are kept, and the next one waits until the oldest of them is
 * `periodMs` past. So no span [t, t + periodMs) ever holds more than `count` starts.
 */
export function createWindow({ count, periodMs }: RateLimit): Brake {
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

/** The same limit kept evenly: never two requests closer than `periodMs / count`. */
export function evenly({ count, periodMs }: RateLimit): RateLimit {
  return { count: 1, periodMs: Math.ceil(periodMs / count) };
}

/** Holds back all requests to a server that asked for it. */
export interface Hold extends Brake {
  /** Requests wait so long from now on, unless a longer hold is on already. */
  wait(forMs: number, because: string): void;
  /** Requests fail so long from now on, those that wait as well. The end in ISO 8601; null when they do so already. */
  block(forMs: number, because: string): string | null;
}

interface Held {
  endsAt: number;
  until: string;
  because: string;
  isBlock: boolean;
}

/** A `Retry-After` beyond it is no time that anyone meant, and would not fit into a date. */
const maxHoldMs = 365 * 86_400_000;

export function createHold(wake: () => void): Hold {
  let held: Held | null = null;

  function current(): Held | null {
    if (held !== null && held.endsAt <= performance.now()) held = null;
    return held;
  }

  function hold(forMs: number, because: string, isBlock: boolean): Held {
    const ms = Math.min(forMs, maxHoldMs);
    held = { endsAt: performance.now() + ms, until: new Date(Date.now() + ms).toISOString(), because, isBlock };
    wake();
    return held;
  }

  return {
    freeAt() {
      const now = current();
      if (now?.isBlock) throw new FailedAttempt("blocked", `is not asked until ${now.until}: ${now.because}`);
      return now?.endsAt ?? 0;
    },
    take() {},
    paused: current,
    wait(forMs, because) {
      const now = current();
      if (now === null || (!now.isBlock && performance.now() + forMs > now.endsAt)) hold(forMs, because, false);
    },
    block(forMs, because) {
      return current()?.isBlock ? null : hold(forMs, because, true).until;
    },
  };
}

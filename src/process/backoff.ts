/** Exponential backoff: the ceiling of the first delay, and the one that it never exceeds. */
export interface Backoff {
  firstMs: number;
  maxMs: number;
}

/**
 * The delay before the next attempt, in milliseconds: exponential backoff with equal jitter. `attempt` counts the
 * failures so far, from 1. The ceiling is `firstMs`, doubled by each further failure up to `maxMs`; the delay lies in
 * its upper half, so that processes that failed together do not retry together.
 *
 * @param random 0 ≤ n < 1.
 */
export function backoffMs(attempt: number, backoff: Backoff, random: () => number = Math.random): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** (attempt - 1));
  return Math.round(ceilingMs * (0.5 + 0.5 * random()));
}

/** Delays before the repeats of a call that failed: exponential, up to a maximum. Units: milliseconds. */
export interface Backoff {
  /** Ceiling of the delay after the first failure. It doubles with each further one. */
  firstMs: number;
  /** Ceiling of every delay. */
  maxMs: number;
}

/** Keeps `2 ** n` finite for any number of attempts; every `maxMs` in use is reached long before. */
const maxDoublings = 1_000;

/**
 * Exponential backoff with equal jitter: between half of min(maxMs, firstMs × 2^(attempt − 1)) and all of it.
 *
 * The jitter spreads the repeats of workers that failed together, so that they do not come back together. Half of the delay is fixed,
 * so that no repeat comes at once.
 *
 * @param attempt consecutive failures so far, from 1.
 * @param random uniform in [0, 1); tests replace it.
 * @returns whole milliseconds.
 */
export function backoffMs(attempt: number, backoff: Backoff, random: () => number = Math.random): number {
  const ceilingMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(attempt - 1, maxDoublings));
  return Math.round(ceilingMs * (0.5 + 0.5 * random()));
}

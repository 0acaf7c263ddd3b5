export interface ReconnectLimits {
  minDelayMs: number;
  maxDelayMs: number;
  /** 0 ≤ n < 1. */
  random: () => number;
}

/**
 * The pause after the n-th failure in a row (from 1): within minDelayMs…2 × minDelayMs at first, doubled each time, at
 * most maxDelayMs. Spread over the upper half of that, so that workers dropped together do not come back together.
 */
export function reconnectDelayMs(failures: number, { minDelayMs, maxDelayMs, random }: ReconnectLimits): number {
  const ceilingMs = Math.min(maxDelayMs, minDelayMs * 2 ** failures);
  return Math.round(ceilingMs * (0.5 + 0.5 * random()));
}

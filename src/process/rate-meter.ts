export interface RateMeter {
  add(count: number): void;
  /** Per second, over the window or the time since the start, whichever is shorter. */
  rate(): number;
  /** Seconds until `remaining` more are counted at this rate; null while the rate is 0. */
  etaSeconds(remaining: number): number | null;
}

const defaultWindowMs = 30_000;
/** Resolution of the window; bounds the memory of the meter, whatever the rate. */
const slicesPerWindow = 60;

/** Rate over a sliding window. `now` is a monotonic clock in milliseconds. */
export function createRateMeter(now: () => number = () => performance.now(), windowMs = defaultWindowMs): RateMeter {
  const sliceMs = windowMs / slicesPerWindow;
  const startedAt = now();
  let slices: { at: number; count: number }[] = [];

  function rate(): number {
    const time = now();
    slices = slices.filter(({ at }) => at > time - windowMs);
    const elapsedMs = Math.min(windowMs, Math.max(sliceMs, time - startedAt));
    return (slices.reduce((sum, { count }) => sum + count, 0) / elapsedMs) * 1000;
  }

  return {
    add(count) {
      const at = Math.floor(now() / sliceMs) * sliceMs;
      const last = slices.at(-1);
      if (last?.at === at) last.count += count;
      else slices.push({ at, count });
    },
    rate,
    etaSeconds(remaining) {
      if (remaining <= 0) return 0;
      const perSecond = rate();
      return perSecond > 0 ? Math.round(remaining / perSecond) : null;
    },
  };
}

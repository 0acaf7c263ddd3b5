import type { RateLimit } from "../process/config-values.ts";
import type { Logger } from "../process/logger.ts";
import type { Limit } from "./rate-limiter.ts";

export const dayMs = 86_400_000;

/**
 * Takes requests from a quota that all processes share and that survives a restart.
 *
 * @returns how many were granted, 0 to `block`; 0 when the quota of the period is used up.
 */
export type ReserveQuota = (request: {
  endpoint: string;
  /** The beginning of the period, ISO 8601 in UTC. */
  periodStart: string;
  limit: number;
  block: number;
}) => Promise<number>;

export interface QuotaOptions {
  endpoint: string;
  /** Of a day, or several. Periods are counted from 1970 in UTC. */
  limit: RateLimit;
  reserve: ReserveQuota;
  /** Of the rate limiter; called after each reservation. */
  recheck: () => void;
  logger: Logger;
}

/**
 * Quota per UTC day (or several), reserved in blocks of a thousandth. The rest of a block is lost at the end of its period. Once the
 * quota is used up, requests wait for the next period. If `reserve` throws, the waiting requests fail with its error.
 */
export function createQuota({ endpoint, limit, reserve, recheck, logger }: QuotaOptions): Limit {
  const { count, periodMs } = limit;
  const block = Math.max(1, Math.floor(count / 1000));
  let period = -1;
  let left = 0;
  let usedUp = false;
  let reserving = false;
  let failure: { error: unknown } | null = null;

  const startOf = (index: number) => new Date(index * periodMs).toISOString();

  /** Reserves the next block. All waiting requests share one reservation. */
  async function refill(): Promise<void> {
    const reservedFor = period;
    try {
      const granted = await reserve({ endpoint, periodStart: startOf(reservedFor), limit: count, block });
      // A reply that comes in a later period grants nothing of that period.
      if (reservedFor === period) {
        left = granted;
        usedUp = granted <= 0;
        if (usedUp) {
          const until = startOf(period + 1);
          logger.warn(
            { endpoint, limit: count, until },
            `${endpoint}: the quota is used up; requests wait until ${until}`,
          );
        }
      }
    } catch (error) {
      failure = { error };
    }
    reserving = false;
    recheck();
    failure = null;
  }

  return {
    freeAt(now) {
      if (failure !== null) throw failure.error;
      const today = Math.floor(Date.now() / periodMs);
      if (today !== period) {
        period = today;
        left = 0;
        usedUp = false;
      }
      if (left > 0) return now;
      if (usedUp) return now + (period + 1) * periodMs - Date.now();
      if (!reserving) {
        reserving = true;
        queueMicrotask(refill);
      }
      return Number.POSITIVE_INFINITY;
    },
    take() {
      left -= 1;
    },
    paused() {
      const isOver = Math.floor(Date.now() / periodMs) !== period;
      return usedUp && !isOver ? { until: startOf(period + 1), because: "the quota is used up" } : null;
    },
  };
}

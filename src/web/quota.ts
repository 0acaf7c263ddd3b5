import type { Logger } from "../process/logger.ts";
import type { RateLimit } from "./endpoints.ts";
import type { Brake } from "./scheduler.ts";

export const dayMs = 86_400_000;

/**
 * Takes requests out of a quota that all processes share and a restart does not forget.
 *
 * @returns how many were granted, 0 to `block`; 0 when the period's quota is used up.
 */
export type ReserveQuota = (request: {
  endpoint: string;
  /** When the period began, ISO 8601 in UTC. */
  periodStart: string;
  limit: number;
  block: number;
}) => Promise<number>;

export interface QuotaOptions {
  endpoint: string;
  /** Of a day, or several. Periods are counted from 1970 in UTC. */
  limit: RateLimit;
  reserve: ReserveQuota;
  wake: () => void;
  logger: Logger;
}

/**
 * A quota per UTC day (or several), reserved in blocks of a thousandth. What is left of a block at the end of its period is gone. Once the
 * quota is used up, requests wait for the next period. When `reserve` throws, those that wait for it get its error.
 */
export function createQuota({ endpoint, limit, reserve, wake, logger }: QuotaOptions): Brake {
  const { count, periodMs } = limit;
  const block = Math.max(1, Math.floor(count / 1000));
  let period = -1;
  let left = 0;
  let usedUp = false;
  let reserving = false;
  let failure: { error: unknown } | null = null;

  const startOf = (index: number) => new Date(index * periodMs).toISOString();

  /** Everyone who waits shares one reservation. */
  async function refill(): Promise<void> {
    const asked = period;
    try {
      const granted = await reserve({ endpoint, periodStart: startOf(asked), limit: count, block });
      // The reply may come in a later period, of which it says nothing.
      if (asked === period) {
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
    wake();
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

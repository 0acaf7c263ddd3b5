import type { Logger } from "pino";
import { DatabaseError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { Database } from "./database.ts";

/**
 * How calls of the database outlast its absence: they are repeated with growing, jittered delay for as long as the reason may
 * pass. A database that is away for ten minutes costs nothing but time.
 */
export interface DatabaseRetry {
  /**
   * Repeats `work` until it succeeds, fails for a reason that stays, or `signal` aborts (then the last error is thrown).
   * `work` must be safe to repeat: a reply can be lost after the commit.
   *
   * @param options.splittable the caller answers a time-out by asking for less, so it is thrown.
   */
  call<T>(work: () => Promise<T>, options?: { splittable?: boolean }): Promise<T>;
  status(): DatabaseStatus;
}

export interface DatabaseStatus {
  driver: Database["driver"];
  reachable: boolean;
  /** Since when it has answered again; null before the first answer and while it is away. */
  reachable_since: string | null;
  last_error: string | null;
}

const firstDelayMs = 250;
const maxDelayMs = 15_000;

export function createDatabaseRetry(
  driver: Database["driver"],
  { logger, signal, random = Math.random }: { logger: Logger; signal?: AbortSignal; random?: () => number },
): DatabaseRetry {
  const status: DatabaseStatus = { driver, reachable: false, reachable_since: null, last_error: null };

  function answered() {
    if (!status.reachable && status.last_error !== null) logger.info({ driver }, "the database answers again");
    if (!status.reachable) status.reachable_since = new Date().toISOString();
    status.reachable = true;
  }

  function failed(error: DatabaseError, delayMs: number) {
    status.last_error = `${error.code}: ${error.message}`;
    if (error.fault === "unreachable") {
      status.reachable = false;
      status.reachable_since = null;
    }
    const retryInSeconds = Math.round(delayMs / 100) / 10;
    logger.warn({ driver, fault: error.fault, code: error.code, retryInSeconds }, `database: ${error.message}`);
  }

  return {
    async call(work, { splittable = false } = {}) {
      for (let attempt = 0; ; attempt++) {
        try {
          const result = await work();
          answered();
          return result;
        } catch (error) {
          if (!(error instanceof DatabaseError) || !mayPass(error, splittable) || signal?.aborted) throw error;
          const delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** attempt) * (0.5 + random() / 2);
          failed(error, delayMs);
          try {
            await sleep(delayMs, signal);
          } catch {
            throw error;
          }
        }
      }
    },
    status: () => ({ ...status }),
  };
}

function mayPass(error: DatabaseError, splittable: boolean): boolean {
  if (error.fault === "timeout") return !splittable;
  return error.fault === "unreachable" || error.fault === "retryable";
}

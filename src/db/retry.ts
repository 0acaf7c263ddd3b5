import type { Logger } from "pino";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import { DatabaseError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { Database } from "./database.ts";
import { createRefusals } from "./refusals.ts";

/**
 * Retries database calls with exponential backoff and jitter for as long as the fault is transient. There is no limit
 * of attempts, so an outage of ten minutes costs nothing but time.
 *
 * Once a call has succeeded, the settings are right: whatever fails at the connection afterwards is an outage, even a
 * rejected password or an unknown database. Before that, such a fault is thrown.
 */
export interface DatabaseRetry {
  /**
   * Repeats `work` until it succeeds, fails with a permanent fault, or the service's signal aborts (then the last error
   * is thrown). `work` must be idempotent: a reply can be lost after the commit.
   *
   * @param options.splittable the caller answers a timeout by sending a smaller batch, so a timeout is thrown and not
   *   retried.
   */
  call<T>(work: () => Promise<T>, options?: { splittable?: boolean }): Promise<T>;
  status(): DatabaseStatus;
}

export interface DatabaseStatus {
  driver: Database["driver"];
  reachable: boolean;
  /**
   * Time of the first answer since it was last unreachable or at fault, ISO 8601; null before any answer and while it
   * is unreachable.
   */
  reachable_since: string | null;
  /** It stays when the next call succeeds. */
  last_error: string | null;
  /** ISO 8601. Absent in the reports of older workers, as are the next two. */
  last_error_at?: string | null;
  /** First failure since it last answered; null while it answers, and before any failure. */
  away_since?: string | null;
  /** Of a call that waits for it; null while it answers. */
  next_attempt_at?: string | null;
  /** Why it does not do its work although it is reachable, with the remedy; null or absent while it works. */
  fault?: string | null;
}

const backoff: Backoff = { firstMs: 250, maxMs: 15_000 };

const repeatMs = 60_000;

export function createDatabaseRetry(
  driver: Database["driver"],
  { logger, signal, random = Math.random }: { logger: Logger; signal?: AbortSignal; random?: () => number },
): DatabaseRetry {
  const status: DatabaseStatus = {
    ...{ driver, reachable: false, reachable_since: null },
    ...{ last_error: null, last_error_at: null, away_since: null, next_attempt_at: null },
  };
  const refusals = createRefusals();

  let hasWorked = false;
  /** An outage is logged when it begins and then every {@link repeatMs}, not with every attempt of every call. */
  let logged: { code: string; until: number } | null = null;
  const isOutage = (error: DatabaseError) => error.fault === "unreachable" || (hasWorked && error.atConnection);

  function recordSuccess(call: object) {
    hasWorked = true;
    if (refusals.succeeded(call)) {
      logger.info({ driver }, "the database accepts writes again");
      status.reachable_since = new Date().toISOString();
    }
    recordAnswer();
  }

  function recordAnswer() {
    if (status.reachable) return;
    logged = null;
    if (status.last_error !== null) logger.info({ driver }, "the database answers again");
    status.reachable_since = new Date().toISOString();
    status.reachable = true;
    status.away_since = null;
    status.next_attempt_at = null;
  }

  function recordFailure(call: object, error: DatabaseError, delayMs: number) {
    refusals.failed(call, error);
    // A refusal is an answer, too.
    if (refusals.reason() !== null && !isOutage(error)) recordAnswer();
    const now = Date.now();
    status.last_error = `${error.code}: ${error.message}`;
    status.last_error_at = new Date(now).toISOString();
    if (isOutage(error)) {
      status.reachable = false;
      status.reachable_since = null;
      status.away_since ??= status.last_error_at;
      status.next_attempt_at = new Date(now + delayMs).toISOString();
    }
    const retryInSeconds = Math.round(delayMs / 100) / 10;
    const isRepeated = logged?.code === error.code && performance.now() < logged.until;
    if (!isRepeated) logged = { code: error.code, until: performance.now() + repeatMs };
    const fields = { driver, fault: error.fault, code: error.code, retryInSeconds };
    logger[isRepeated ? "debug" : "warn"](fields, `database: ${error.message}`);
  }

  return {
    async call(work, { splittable = false } = {}) {
      const call = {};
      try {
        for (let attempt = 1; ; attempt++) {
          try {
            const result = await work();
            recordSuccess(call);
            return result;
          } catch (error) {
            if (!(error instanceof DatabaseError) || signal?.aborted) throw error;
            if (!isOutage(error) && !isRetryable(error, splittable)) throw error;
            const delayMs = backoffMs(attempt, backoff, random);
            recordFailure(call, error, delayMs);
            try {
              await sleep(delayMs, signal);
            } catch {
              throw error;
            }
          }
        }
      } finally {
        refusals.ended(call);
      }
    },
    status: () => ({ ...status, fault: refusals.reason() }),
  };
}

function isRetryable({ fault }: DatabaseError, splittable: boolean): boolean {
  return fault === "retryable" || (fault === "timeout" && !splittable);
}

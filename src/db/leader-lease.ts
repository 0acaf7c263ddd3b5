import type { Logger } from "pino";
import { z } from "zod";
import { linkedAbort } from "../process/abort.ts";
import { ExpectedError, isExpected } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { Database } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";
import type { Heard, LeaseRequest, MonitorState } from "./sync-calls.ts";

/**
 * Leader election by a lease in the database: of several workers, one at a time polls Steam (`monitor`), one collects
 * (`collector`) and one delivers events (`webhooks`). The database's clock decides, see `leader_acquire` in SQL.
 */
export interface LeaderLease {
  readonly leaseMs: number;
  /** Acquires the lease, or renews it. `freeInMs` is the time until another worker's lease lapses; null for the leader. */
  acquire(): Promise<{ leading: boolean; freeInMs: number | null }>;
  /** Releases the lease, so that the next leader need not wait for it to lapse. Does nothing for any other worker. */
  release(): Promise<void>;
}

/** The lease of the role `monitor`. Acquiring it, which begins each poll, also returns the state that the poll goes on from. */
export interface MonitorLease extends Omit<LeaderLease, "acquire"> {
  acquire(): Promise<{ leading: boolean; freeInMs: number | null; monitor: MonitorState }>;
}

export type LeaderRole = LeaseRequest["role"];

/** Another worker has acquired the lease after it lapsed. */
export class LeaseLostError extends ExpectedError {
  override readonly name = "LeaseLostError";
}

export interface LeaderLeaseOptions {
  role: LeaderRole;
  workerId: string;
  leaseMs: number;
}

const acquireReply = z.object({ leading: z.boolean(), free_in_seconds: z.number().nullable() });

/** The lease of one role for one worker. Both calls are idempotent, so they may be retried after a lost reply. */
export function createLeaderLease(
  db: Database,
  retry: Pick<DatabaseRetry, "call">,
  { role, workerId, leaseMs }: LeaderLeaseOptions,
): LeaderLease {
  const worker = { role, worker_id: workerId };
  return {
    leaseMs,
    async acquire() {
      const request = { ...worker, lease_seconds: leaseMs / 1_000 };
      const reply = acquireReply.parse(await retry.call(() => db.rpc("leader_acquire", { request })));
      return { leading: reply.leading, freeInMs: inMs(reply.free_in_seconds) };
    },
    async release() {
      await retry.call(() => db.rpc("leader_release", { request: worker }));
    },
  };
}

/** A {@link MonitorLease} that is acquired by a heartbeat of the worker (`report_worker`): one call for both. */
export function createMonitorLease(
  { leaseMs, release }: LeaderLease,
  beat: (lease: LeaseRequest) => Promise<Heard>,
): MonitorLease {
  return {
    leaseMs,
    release,
    async acquire() {
      const { lease, monitor } = await beat({ role: "monitor", leaseMs });
      const { leading, free_in_seconds } = acquireReply.parse(lease);
      return { leading, freeInMs: inMs(free_in_seconds), monitor };
    },
  };
}

const inMs = (seconds: number | null) => (seconds === null ? null : Math.ceil(seconds * 1_000));

const minWaitMs = 100;

/**
 * Runs `work` as the leader: waits for the lease, renews it every third of its length, and releases it at the end. The signal handed to
 * `work` aborts with {@link LeaseLostError} when another worker has taken over, which happens only when this one could not reach the
 * database for a whole lease.
 *
 * @param options.task what the leader does, for the log: "another worker collects".
 */
export async function whileLeading<T>(
  lease: LeaderLease,
  { logger, signal, task = "collects" }: { logger: Logger; signal: AbortSignal; task?: string },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  await waitForLease(lease, { logger, signal, task });
  const { controller: leading, unlink } = linkedAbort(signal);
  const renewing = new AbortController();

  async function renew(): Promise<void> {
    for (;;) {
      await sleep(lease.leaseMs / 3, renewing.signal);
      if (!(await lease.acquire()).leading) throw new LeaseLostError("another worker has taken over");
    }
  }
  const renewal = renew().catch((error: unknown) => {
    if (!renewing.signal.aborted) leading.abort(error);
  });

  try {
    return await work(leading.signal);
  } finally {
    renewing.abort();
    unlink();
    await renewal;
    await lease
      .release()
      .catch((error: unknown) =>
        logger[isExpected(error) ? "debug" : "warn"](
          { err: error },
          "the leader lease could not be released; it lapses",
        ),
      );
  }
}

async function waitForLease(
  lease: LeaderLease,
  { logger, signal, task }: { logger: Logger; signal: AbortSignal; task: string },
): Promise<void> {
  for (let logged = false; ; logged = true) {
    signal.throwIfAborted();
    const { leading, freeInMs } = await lease.acquire();
    if (leading) return;
    if (!logged) logger.info({ freeInMs }, `another worker ${task}, or its lease has not lapsed yet; waiting`);
    await sleep(Math.min(Math.max(freeInMs ?? 0, minWaitMs), lease.leaseMs / 3), signal);
  }
}

import { Worker } from "node:worker_threads";
import { DatabaseError } from "../process/errors.ts";

import type { WorkerAnswer, WorkerError, WorkerJob, WorkerMessage, WorkerSetup } from "./pglite-worker.ts";
import { toDatabaseError } from "./sqlstate.ts";

/** The worker thread that runs PGlite (pglite-worker.ts), as a request-response channel for one request at a time. */
export interface PgliteThread {
  /**
   * Sends a job and returns its rows; null waits for the end of the start. Call it again only after it has settled.
   *
   * @throws {DatabaseError} of the statement, or why the thread has ended.
   */
  request(what: string, job: WorkerJob | null): Promise<unknown[]>;
  /** False once the thread has died or was stopped. */
  isRunning(): boolean;
  /** Ends the thread. The request in flight and every later one fail with `reason`, unless it has died of another. */
  stop(reason: DatabaseError): Promise<void>;
}

/** @param onNotice called after each commit that changes the catalog. */
export function startPgliteThread(setup: WorkerSetup, onNotice: () => void): PgliteThread {
  const worker = new Worker(new URL("./pglite-worker.ts", import.meta.url), { workerData: setup });
  let pending: PromiseWithResolvers<WorkerAnswer> | null = null;
  let endReason: DatabaseError | null = null;

  function end(reason: DatabaseError): void {
    endReason ??= reason;
    pending?.reject(endReason);
    pending = null;
  }
  worker.on("message", (message: WorkerMessage) => {
    if ("notice" in message) return onNotice();
    if ("panic" in message) return end(lost(`the embedded database has failed: ${message.panic}`));
    pending?.resolve(message);
    pending = null;
  });
  worker.on("error", (error) => {
    end(new DatabaseError("fatal", "worker_died", `the embedded database died: ${error.message}`, { cause: error }));
  });
  worker.on("exit", () => end(new DatabaseError("fatal", "worker_died", "the embedded database has ended")));

  return {
    async request(what, job) {
      if (endReason) throw endReason;
      pending = Promise.withResolvers<WorkerAnswer>();
      const { promise } = pending;
      if (job) worker.postMessage(job);
      const answer = await promise;
      if ("error" in answer) throw toDatabaseError("pglite", what, fromWorker(answer.error));
      return answer.rows;
    },
    isRunning: () => endReason === null,
    async stop(reason) {
      end(reason);
      await worker.terminate();
    },
  };
}

const lostCode = "thread_lost";

/**
 * The error of calls that the thread will never answer. They may or may not have been committed, as with a connection that breaks, so
 * they are repeated: every call is idempotent.
 */
export function lost(message: string): DatabaseError {
  return new DatabaseError("unreachable", lostCode, message);
}

export function isLost(error: unknown): error is DatabaseError {
  return error instanceof DatabaseError && error.code === lostCode;
}

function fromWorker({ message, ...fields }: WorkerError): Error {
  return Object.assign(new Error(message), fields);
}

import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Logger } from "pino";
import { DatabaseError } from "../process/errors.ts";
import { sqlCall } from "./call.ts";
import type { RpcOptions, SqlDatabase } from "./database.ts";
import { createLanes } from "./lanes.ts";
import { lockDataDir } from "./owner-lock.ts";
import type { WorkerAnswer, WorkerError, WorkerJob, WorkerSetup } from "./pglite-worker.ts";
import { toDatabaseError } from "./sqlstate.ts";
import { withTimeout } from "./timeout.ts";

export interface PgliteOptions {
  /** The folder of the service's data; the database takes a folder of its own in it. `memory` keeps nothing. */
  dataDir: string | "memory";
  /** Where this process answers HTTP, for others that find the folder in use. */
  ownerAddress?: string | null;
  logger: Logger;
}

const databaseFolder = "pglite";
/** Starting includes recovery after a crash. */
const startTimeoutMs = 120_000;
const scriptTimeoutMs = 600_000;
const closeTimeoutMs = 10_000;

/** Whether a database has been made in the data folder. */
export async function hasPglite(dataDir: string): Promise<boolean> {
  return await access(join(dataDir, databaseFolder, "PG_VERSION")).then(
    () => true,
    () => false,
  );
}

/**
 * The embedded Postgres (PGlite) in a thread of its own, so that a batch of 200 ms keeps neither Steam's heartbeat nor
 * HTTP waiting. Calls run one at a time: work in the order in which it came, reads in theirs beside it (see lanes.ts).
 *
 * PGlite cannot cancel: a call whose time is up, or whose signal aborts, is no longer waited for, but its statement runs
 * to its end and later calls run after it. One that has not begun is never run.
 *
 * @throws {DataDirInUseError} when another process owns the folder.
 * @throws {DatabaseError} of fault `fatal` when the folder cannot be opened, or later when the thread has died or the folder was
 *   taken over by another process.
 */
export async function openPglite(options: PgliteOptions): Promise<SqlDatabase> {
  const { dataDir, logger } = options;
  if (dataDir === "memory") return await startWorker(null, async () => {});

  await mkdir(dataDir, { recursive: true });
  const lost = Promise.withResolvers<void>();
  const lock = await lockDataDir(dataDir, {
    address: options.ownerAddress ?? null,
    onLost() {
      logger.fatal({ dataDir }, "another process took over the data folder; this one stops writing to it");
      lost.resolve();
    },
  });
  try {
    const database = await startWorker(join(dataDir, databaseFolder), () => lock.release());
    void lost.promise.then(() => {
      database.abandon(new DatabaseError("fatal", "lock_lost", "another process took over the data folder"));
    });
    return database;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

type PgliteDatabase = SqlDatabase & {
  /** Stops the thread at once; every call from now on ends with `reason`. */
  abandon(reason: DatabaseError): void;
};

async function startWorker(folder: string | null, release: () => Promise<void>): Promise<PgliteDatabase> {
  const setup: WorkerSetup = { folder };
  const worker = new Worker(new URL("./pglite-worker.ts", import.meta.url), { workerData: setup });
  let waiting: PromiseWithResolvers<WorkerAnswer> | null = null;
  let dead: DatabaseError | null = null;

  function die(reason: DatabaseError): void {
    dead ??= reason;
    waiting?.reject(dead);
    waiting = null;
  }
  worker.on("message", (answer: WorkerAnswer) => {
    waiting?.resolve(answer);
    waiting = null;
  });
  worker.on("error", (error) => {
    die(new DatabaseError("fatal", "worker_died", `the embedded database died: ${error.message}`, { cause: error }));
  });
  worker.on("exit", () => die(new DatabaseError("fatal", "worker_died", "the embedded database has ended")));

  async function next(what: string, job: WorkerJob | null): Promise<unknown[]> {
    if (dead) throw dead;
    waiting = Promise.withResolvers<WorkerAnswer>();
    const { promise } = waiting;
    if (job) worker.postMessage(job);
    const answer = await promise;
    if ("error" in answer) throw toDatabaseError("pglite", what, fromWorker(answer.error));
    return answer.rows;
  }

  /** Jobs queue here and not in the thread, so that one nobody waits for is never sent. */
  const lanes = createLanes();
  function enqueue(what: string, job: WorkerJob | null, options: RpcOptions): Promise<unknown[]> {
    return withTimeout(what, options, "timeout", (givenUp) =>
      lanes.add(options.isRead ? "read" : "work", async () => (givenUp.aborted ? [] : await next(what, job))),
    );
  }

  let closing: Promise<void> | null = null;
  async function close(): Promise<void> {
    try {
      if (!dead) await enqueue("close", { kind: "close" }, { timeoutMs: closeTimeoutMs });
    } catch {
      // A statement that runs on, or a thread that died: what was committed is on disk.
    } finally {
      die(new DatabaseError("fatal", "closed", "the embedded database is closed"));
      await worker.terminate();
      await release();
    }
  }

  try {
    await enqueue("start", null, { timeoutMs: startTimeoutMs });
  } catch (error) {
    await worker.terminate();
    if (!folder || !(error instanceof DatabaseError)) throw error;
    throw new DatabaseError("fatal", error.code, `cannot open the embedded database in ${folder}: ${error.message}`, {
      cause: error,
    });
  }

  return {
    driver: "pglite",
    async rpc(name, args = {}, options = {}) {
      const { sql, params } = sqlCall(name, args);
      const rows = (await enqueue(name, { kind: "call", sql, params }, options)) as { result: unknown }[];
      return rows[0]?.result ?? null;
    },
    async query<Row extends object>(sql: string, params: unknown[] = []) {
      return (await enqueue("query", { kind: "query", sql, params }, {})) as Row[];
    },
    async transaction(script) {
      // Several statements in one message are one transaction to Postgres.
      await enqueue("transaction", { kind: "script", sql: script }, { timeoutMs: scriptTimeoutMs });
    },
    close() {
      closing ??= close();
      return closing;
    },
    abandon(reason) {
      die(reason);
      void worker.terminate();
    },
  };
}

function fromWorker({ message, ...fields }: WorkerError): Error {
  return Object.assign(new Error(message), fields);
}

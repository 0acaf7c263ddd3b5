import { join } from "node:path";
import type { Logger } from "pino";
import { DatabaseError } from "../process/errors.ts";
import { sqlCall } from "./call.ts";
import { checkDatabase, databaseFolder, explainOpening, prepareDataFolder } from "./data-folder.ts";
import type { RpcOptions, SqlDatabase } from "./database.ts";
import { createLanes } from "./lanes.ts";
import { lockDataDir } from "./owner-lock.ts";
import { type PgliteThread, startPgliteThread } from "./pglite-thread.ts";
import type { WorkerJob } from "./pglite-worker.ts";
import { withTimeout } from "./timeout.ts";

export interface PgliteOptions {
  /** The service's data folder, in which the database has a folder of its own; `memory` keeps nothing on disk. */
  dataDir: string | "memory";
  /** Base URL of this process's HTTP server, written into the lock on the folder. */
  ownerAddress?: string | null;
  logger: Logger;
}

/** Includes the recovery after a crash. */
const startTimeoutMs = 120_000;
const scriptTimeoutMs = 600_000;
const closeTimeoutMs = 10_000;

/**
 * Transport to the embedded Postgres (PGlite). It runs in a worker thread, so that a batch of 200 ms delays neither
 * Steam's heartbeat nor HTTP. Calls run one at a time, work before reads (lanes.ts).
 *
 * PGlite cannot cancel a statement. A call that times out or is aborted returns at once, but its statement runs to its
 * end before later calls run. A call that has not begun by then is never run.
 *
 * @throws {DataDirInUseError} when another process owns the folder.
 * @throws {ConfigError} when the folder cannot be used, with what to do about it (data-folder.ts).
 * @throws {DatabaseError} of fault `fatal` when the thread does not start, and from every call once it has died or
 *   another process has taken over the folder.
 */
export async function openPglite(options: PgliteOptions): Promise<SqlDatabase> {
  const { dataDir, logger } = options;
  if (dataDir === "memory") return createDatabase(await startThread(null), async () => {});

  await prepareDataFolder(dataDir);
  const lost = Promise.withResolvers<void>();
  const lock = await lockDataDir(dataDir, {
    address: options.ownerAddress ?? null,
    onLost() {
      logger.fatal({ dataDir }, "another process took over the data folder; this one stops writing to it");
      lost.resolve();
    },
  });
  try {
    await checkDatabase(dataDir);
    const thread = await startThread(join(dataDir, databaseFolder));
    void lost.promise.then(() =>
      thread.stop(new DatabaseError("fatal", "lock_lost", "another process took over the data folder")),
    );
    return createDatabase(thread, () => lock.release());
  } catch (error) {
    await lock.release();
    throw await explainOpening(dataDir, error);
  }
}

/** Starts the thread and waits until the database is open. */
async function startThread(folder: string | null): Promise<PgliteThread> {
  const thread = startPgliteThread({ folder });
  try {
    await withTimeout("start", { timeoutMs: startTimeoutMs }, "timeout", () => thread.request("start", null));
    return thread;
  } catch (error) {
    await thread.stop(new DatabaseError("fatal", "closed", "the embedded database did not start"));
    if (!folder || !(error instanceof DatabaseError)) throw error;
    const message = `cannot open the embedded database in ${folder}: ${error.message}`;
    throw new DatabaseError("fatal", error.code, message, { cause: error });
  }
}

/** The database on a thread that has started. `release` is called once the thread has ended by `close`. */
function createDatabase(thread: PgliteThread, release: () => Promise<void>): SqlDatabase {
  const lanes = createLanes();

  /** Queues here and not in the thread, so that a call that timed out or was aborted meanwhile is never sent. */
  function enqueue(what: string, job: WorkerJob, options: RpcOptions): Promise<unknown[]> {
    return withTimeout(what, options, "timeout", (signal) =>
      lanes.add(options.isRead ? "read" : "work", async () => (signal.aborted ? [] : await thread.request(what, job))),
    );
  }

  async function close(): Promise<void> {
    try {
      if (thread.isRunning()) await enqueue("close", { kind: "close" }, { timeoutMs: closeTimeoutMs });
    } catch {
      // A statement still runs, or the thread has died. What was committed is on disk.
    } finally {
      await thread.stop(new DatabaseError("fatal", "closed", "the embedded database is closed"));
      await release();
    }
  }

  let closing: Promise<void> | null = null;
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
  };
}

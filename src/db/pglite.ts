import { EventEmitter, once } from "node:events";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "pino";
import { DatabaseError, errorCode } from "../process/errors.ts";
import { memoryLimit } from "../process/memory.ts";
import { sqlCall } from "./call.ts";
import { checkDatabase, databaseFolder, explainOpening, prepareDataFolder } from "./data-folder.ts";
import type { RpcOptions, SqlDatabase } from "./database.ts";
import { createLanes } from "./lanes.ts";
import { lockDataDir } from "./owner-lock.ts";
import { type MemoryProfile, profileFor } from "./pglite-memory.ts";
import { type SupervisedThread, superviseThread } from "./pglite-supervisor.ts";
import { lost, type PgliteThread, startPgliteThread } from "./pglite-thread.ts";
import type { WorkerJob, WorkerSetup } from "./pglite-worker.ts";
import { withTimeout } from "./timeout.ts";
import { runTransaction } from "./transaction.ts";
import { vacuumStatement } from "./vacuum.ts";

export interface PgliteOptions {
  /** The service's data folder, in which the database has a folder of its own; `memory` keeps nothing on disk. */
  dataDir: string | "memory";
  /** Base URL of this process's HTTP server, written into the lock on the folder. */
  ownerAddress?: string | null;
  logger: Logger;
  /** A call without an answer for this long means that the thread hangs: it is restarted. Milliseconds. */
  hangLimitMs?: number;
  /** Default: by the memory that this process may use. */
  profile?: MemoryProfile;
  /** The restarted thread does not answer, either: only a new process may help. */
  onHopeless?: (reason: string) => void;
}

/** Includes the recovery after a crash. */
const startTimeoutMs = 120_000;
const scriptTimeoutMs = 600_000;
const defaultHangLimitMs = 300_000;
const closeTimeoutMs = 10_000;

/**
 * Transport to the embedded Postgres (PGlite). It runs in a worker thread, so that a batch of 200 ms delays neither
 * Steam's heartbeat nor HTTP. Calls run one at a time, work before reads (lanes.ts).
 *
 * PGlite cannot cancel a statement. A call that times out or is aborted returns at once, but its statement runs to its
 * end before later calls run. A call that has not begun by then is never run. A thread that hangs is replaced
 * (pglite-supervisor.ts): its calls fail as `unreachable`.
 *
 * @throws {DataDirInUseError} when another process owns the folder.
 * @throws {ConfigError} when the folder cannot be used, with what to do about it (data-folder.ts).
 * @throws {DatabaseError} of fault `fatal` when the thread does not start, and from every call once it has died or
 *   another process has taken over the folder.
 */
export async function openPglite(options: PgliteOptions): Promise<SqlDatabase> {
  const { dataDir, logger } = options;
  const notices = new EventEmitter();
  const onNotice = () => notices.emit("notice");
  if (dataDir === "memory") return createDatabase(await supervise(null, options, onNotice), notices, async () => {});

  await prepareDataFolder(dataDir);
  const taken = Promise.withResolvers<void>();
  const lock = await lockDataDir(dataDir, {
    address: options.ownerAddress ?? null,
    onLost() {
      logger.fatal({ dataDir }, "another process took over the data folder; this one stops writing to it");
      taken.resolve();
    },
  });
  try {
    await checkDatabase(dataDir);
    const thread = await supervise(join(dataDir, databaseFolder), options, onNotice);
    void taken.promise.then(() =>
      thread.stop(new DatabaseError("fatal", "lock_lost", "another process took over the data folder")),
    );
    return createDatabase(thread, notices, () => lock.release());
  } catch (error) {
    await lock.release();
    throw await explainOpening(dataDir, error);
  }
}

/** Starts the thread; from then on replaces it when it hangs. */
function supervise(
  folder: string | null,
  {
    logger,
    hangLimitMs = defaultHangLimitMs,
    onHopeless = () => {},
    profile = profileFor(memoryLimit()),
  }: PgliteOptions,
  onNotice: () => void,
) {
  let starts = 0;
  return superviseThread({
    async start() {
      if (folder === null && starts++ > 0) throw lost("a database in memory ends with its thread");
      return await startThread(folder, { profile, onNotice, logger });
    },
    hangLimitMs,
    scriptLimitMs: Math.max(hangLimitMs, scriptTimeoutMs),
    logger,
    onHopeless,
  });
}

interface StartOptions {
  profile: MemoryProfile;
  onNotice: () => void;
  logger: Logger;
}

/** Starts the thread and waits until the database is open. Creates the database first if the folder has none. */
async function startThread(folder: string | null, { profile, onNotice, logger }: StartOptions): Promise<PgliteThread> {
  if (folder === null) return await openFolder({ folder, profile }, onNotice);
  try {
    if (await isEmpty(folder)) {
      logger.info("creating the embedded database, which takes some seconds");
      await createFolder(folder);
    } else logger.info("opening the embedded database");
    return await openFolder({ folder, profile }, onNotice);
  } catch (error) {
    const message = `cannot open the embedded database in ${folder}: ${error instanceof Error ? error.message : error}`;
    throw new DatabaseError("fatal", errorCode(error) ?? "unknown", message, { cause: error });
  }
}

async function openFolder(setup: WorkerSetup, onNotice = () => {}): Promise<PgliteThread> {
  const thread = startPgliteThread(setup, onNotice);
  try {
    await withTimeout("start", { timeoutMs: startTimeoutMs }, "timeout", () => thread.request("start", null));
    return thread;
  } catch (error) {
    await thread.stop(new DatabaseError("fatal", "closed", "the embedded database did not start"));
    throw error;
  }
}

/**
 * Creates a database. In a thread of its own, since `initdb` needs 400 MB that only the end of the thread gives back,
 * and under another name, so that an interrupted creation leaves no half database.
 */
async function createFolder(folder: string): Promise<void> {
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  // As Postgres' own initdb: the tables hold tokens and libraries.
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  const thread = await openFolder({ folder: unfinished, profile: "small" });
  await thread.request("close", { kind: "close" });
  await thread.stop(new DatabaseError("fatal", "closed", "the embedded database has been created"));
  await rename(unfinished, folder);
}

async function isEmpty(folder: string): Promise<boolean> {
  return await readdir(folder).then(
    (files) => files.length === 0,
    (error: unknown) => {
      if (errorCode(error) === "ENOENT") return true;
      throw error;
    },
  );
}

/** The database on a thread that has started. `release` is called once the thread has ended by `close`. */
function createDatabase(thread: SupervisedThread, notices: EventEmitter, release: () => Promise<void>): SqlDatabase {
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

  const closed = Promise.withResolvers<void>();
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
    async inTransaction(mode, work) {
      // One job: no other call may come between its statements, since all share the one session.
      return await lanes.add("work", () =>
        runTransaction(
          mode,
          (sql, params, rowMode) => thread.request(mode, { kind: "query", sql, params, rowMode }),
          work,
        ),
      );
    },
    async copyTo(dataDir) {
      await prepareDataFolder(dataDir);
      const to = join(dataDir, databaseFolder);
      await enqueue("copy", { kind: "copy", to }, { timeoutMs: scriptTimeoutMs });
    },
    async vacuum(tables) {
      await enqueue("vacuum", { kind: "query", sql: vacuumStatement(tables), params: [] }, {});
    },
    fault: () => thread.fault(),
    async listen({ onListening, onNotice, signal }) {
      notices.on("notice", onNotice);
      onListening();
      await Promise.race([once(signal, "abort"), closed.promise]);
      notices.off("notice", onNotice);
      return true;
    },
    close() {
      closed.resolve();
      closing ??= close();
      return closing;
    },
  };
}

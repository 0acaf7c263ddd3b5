/**
 * Worker thread that runs the embedded database. It answers each message; `pglite-thread.ts` sends the next one only
 * after the answer to the last.
 */
import { constants } from "node:fs";
import { cp } from "node:fs/promises";
import { inspect } from "node:util";
import { parentPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { pg_trgm } from "@electric-sql/pglite/contrib/pg_trgm";
import type { SqlParam } from "./call.ts";
import { newsChannel } from "./news.ts";
import { applyProfile, type MemoryProfile } from "./pglite-memory.ts";

export interface WorkerSetup {
  /** Null keeps the database in memory. */
  folder: string | null;
  profile: MemoryProfile;
}

export type WorkerJob =
  | { kind: "call"; sql: string; params: SqlParam[] }
  | { kind: "query"; sql: string; params: unknown[]; rowMode?: "array" | "object" }
  | { kind: "script"; sql: string }
  | { kind: "copy"; to: string }
  | { kind: "close" };

export type WorkerAnswer = { rows: unknown[] } | { error: WorkerError };

/** A panic is reported unasked: the server then never answers the job in hand. So is a notification. */
export type WorkerMessage = WorkerAnswer | { panic: string } | { notice: string };

/** The fields of a Postgres error that are passed between threads, where an Error would lose them. */
export interface WorkerError {
  message: string;
  code?: string;
  detail?: string;
  hint?: string;
  where?: string;
  position?: string;
}

const voidType = 2278;

if (!parentPort) throw new Error("pglite-worker.ts runs only as a worker thread");
const port = parentPort;
let lastServerError: string | null = null;
const { folder, profile } = workerData as WorkerSetup;
const database = new PGlite({
  ...(folder ? { dataDir: folder } : {}),
  parsers: { [voidType]: () => null },
  extensions: { pg_trgm },
  onStderr: readServerLog,
  startParams: [...PGlite.defaultStartParams, ...applyProfile(profile)],
});

const post = (message: WorkerMessage) => port.postMessage(message);
port.on("message", async (job: WorkerJob) => port.postMessage(await answer(job)));
port.postMessage(await answer(null));

/**
 * Reads a line of Postgres's own log. A panic is reported at once, since PGlite's loop over the job's messages then has no end (seen in
 * 0.5.16). What keeps the server from starting is only there, too.
 */
function readServerLog(line: string): boolean {
  const [, severity, text] = /(PANIC|FATAL|ERROR): +(.*)/.exec(line) ?? [];
  if (text !== undefined) lastServerError = text;
  if (severity === "PANIC" && text !== undefined) post({ panic: text });
  return true;
}

/** Runs a job; null waits until the database has started. */
async function answer(job: WorkerJob | null): Promise<WorkerAnswer> {
  try {
    return { rows: await run(job) };
  } catch (error) {
    const failure = transferable(error);
    if (job === null && lastServerError !== null) failure.message += ` (${lastServerError})`;
    return { error: failure };
  }
}

async function run(job: WorkerJob | null): Promise<unknown[]> {
  if (job?.kind === "call") return (await database.query(job.sql, job.params)).rows;
  if (job?.kind === "query") {
    return (await database.query(job.sql, job.params, { rowMode: job.rowMode ?? "object" })).rows;
  }
  if (job?.kind === "script") await database.exec(job.sql);
  else if (job?.kind === "copy") await copy(job.to);
  else if (job?.kind === "close") await database.close();
  else {
    await database.waitReady;
    await database.listen(newsChannel, () => post({ notice: newsChannel }));
  }
  return [];
}

/**
 * Copies the files of the database. Nothing is written meanwhile, since this thread runs one job at a time, and after a checkpoint they are
 * complete. Where the file system can share blocks between files (Btrfs, XFS, APFS), it takes no time and no space.
 */
async function copy(to: string): Promise<void> {
  if (!folder) throw new Error("a database in memory cannot be copied");
  await database.exec("checkpoint");
  await cp(folder, to, { recursive: true, force: false, errorOnExist: true, mode: constants.COPYFILE_FICLONE });
}

function transferable(error: unknown): WorkerError {
  // A fault of the file system is a plain object with an errno.
  if (!(error instanceof Error)) return { message: inspect(error, { breakLength: Number.POSITIVE_INFINITY }) };
  const kept: WorkerError = { message: error.message };
  const source = error as Error & Partial<WorkerError>;
  for (const key of ["code", "detail", "hint", "where", "position"] as const) {
    const value = source[key];
    if (typeof value === "string") kept[key] = value;
  }
  return kept;
}

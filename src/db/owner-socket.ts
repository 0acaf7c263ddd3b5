import { randomUUID } from "node:crypto";
import { chmod, mkdir, readdir, rm, stat } from "node:fs/promises";
import http from "node:http";
import { join, relative } from "node:path";
import { json } from "node:stream/consumers";
import type { Logger } from "pino";
import { z } from "zod";
import { DatabaseError, type DatabaseFault, errorCode } from "../process/errors.ts";
import type { Database, RpcOptions, SqlDatabase } from "./database.ts";
import { withTimeout } from "./timeout.ts";

/**
 * Unix socket in the data folder, through which another process on this machine calls SQL functions of the embedded
 * database: only its owner can open that. HTTP with JSON carries the calls; who may connect is decided by the file
 * system alone, since the socket lies in a folder of mode 0700, and a user who may enter it may read the database's files
 * as well. Not for Windows, whose pipes have no such folder.
 */
const socketFolder = "run";
const socketFile = "owner.sock";
/** `sockaddr_un.sun_path` with its final zero has 104 bytes on macOS, 108 on Linux. */
const maxPathBytes = 103;
const callPath = "/call";
const copyPath = "/copy";
/** Copies are named `copy-…` in the folder of the socket. The one who asked deletes his; what he left is deleted later. */
const copyPrefix = "copy-";
const copiesKeptMs = 24 * 3_600_000;
const copyTimeoutMs = 600_000;

/** As a call is sent: the arguments of `rpc`. */
const callSchema = z.object({
  name: z.string().regex(/^[a-z_][a-z0-9_]*$/),
  args: z.record(z.string(), z.unknown()),
  timeoutMs: z.number().positive().optional(),
  isRead: z.boolean().optional(),
});

const faults = ["unreachable", "retryable", "timeout", "data", "schema", "denied", "misconfigured", "fatal"] as const;
const replySchema = z.union([
  z.object({ result: z.unknown() }),
  z.object({ fault: z.enum(faults satisfies readonly DatabaseFault[]), code: z.string(), message: z.string() }),
]);

/** Absolute or relative to the working folder, whichever is shorter; null when no path is short enough for a socket. */
function socketPath(dataDir: string): string | null {
  if (process.platform === "win32") return null;
  const whole = join(dataDir, socketFolder, socketFile);
  const [shortest = whole] = [whole, relative("", whole)].sort((a, b) => Buffer.byteLength(a) - Buffer.byteLength(b));
  return Buffer.byteLength(shortest) <= maxPathBytes ? shortest : null;
}

/**
 * Serves the calls of other processes until the returned function closes the socket. Only for the owner of the data
 * folder: it replaces the socket of an owner that was killed. A failure is logged, since the service works without.
 */
export async function serveOwnerSocket(
  db: Database | SqlDatabase,
  dataDir: string,
  logger: Logger,
): Promise<() => Promise<void>> {
  const socket = socketPath(dataDir);
  if (socket === null) return async () => {};
  const server = http.createServer((request, response) => void serve(db, dataDir, request, response));
  try {
    const folder = join(dataDir, socketFolder);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await chmod(folder, 0o700);
    await rm(socket, { force: true });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  } catch (error) {
    logger.warn({ code: errorCode(error) }, "no socket in the data folder: no other process can use this database");
    return async () => {};
  }
  server.unref();
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

async function serve(
  db: Database | SqlDatabase,
  dataDir: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  // A caller that is gone wants no answer: a call that has not begun is then never run.
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const work = request.url === copyPath ? () => copy(db, dataDir) : () => call(db, request, gone.signal);
  const reply = await answer(work);
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(reply));
}

async function answer(work: () => Promise<unknown>): Promise<object> {
  try {
    return { result: await work() };
  } catch (error) {
    if (error instanceof DatabaseError) return { fault: error.fault, code: error.code, message: error.message };
    return { fault: "fatal", code: "call", message: error instanceof Error ? error.message : String(error) };
  }
}

async function call(db: Database, request: http.IncomingMessage, signal: AbortSignal): Promise<unknown> {
  const { name, args, ...options } = callSchema.parse(await json(request));
  return await db.rpc(name, args, { signal, ...options } as RpcOptions);
}

/** The name of a new copy. */
async function copy(db: Database | SqlDatabase, dataDir: string): Promise<string> {
  if (!("copyTo" in db) || !db.copyTo) throw new DatabaseError("fatal", "no_copy", "this database cannot be copied");
  const folder = join(dataDir, socketFolder);
  for (const name of await readdir(folder)) {
    const isOld = name.startsWith(copyPrefix) && Date.now() - (await stat(join(folder, name))).mtimeMs > copiesKeptMs;
    if (isOld) await rm(join(folder, name), { recursive: true, force: true });
  }
  const name = `${copyPrefix}${randomUUID()}`;
  try {
    await db.copyTo(join(folder, name));
    return name;
  } catch (error) {
    await rm(join(folder, name), { recursive: true, force: true });
    throw error;
  }
}

/**
 * Lets the owner copy the embedded database, as it is now. The caller opens the copy like any data folder, and deletes it.
 *
 * @returns the data folder of the copy; null while the owner does not answer on its socket.
 * @throws {DatabaseError} when it cannot be made, such as on a full disk.
 */
export async function copyThroughOwner(dataDir: string, signal?: AbortSignal): Promise<string | null> {
  const options = { timeoutMs: copyTimeoutMs, ...(signal && { signal }) };
  return await withTimeout("copy", options, "timeout", async (aborted) => {
    try {
      const name = resultOf(await post(dataDir, copyPath, {}, aborted));
      return join(dataDir, socketFolder, z.string().startsWith(copyPrefix).parse(name));
    } catch (error) {
      if (error instanceof DatabaseError && error.fault === "unreachable") return null;
      throw error;
    }
  });
}

/** The embedded database through its owner; null while that does not answer on its socket, or has not created the schema. */
export async function openThroughOwner(dataDir: string, signal?: AbortSignal): Promise<Database | null> {
  const db = createSocketClient(dataDir);
  try {
    await db.rpc("schema_version", {}, { ...(signal && { signal }) });
    return db;
  } catch {
    signal?.throwIfAborted();
    return null;
  }
}

/**
 * The embedded database through the socket of its owner. While the owner does not answer, calls fail as `unreachable`:
 * it may be starting, or be replaced by another one.
 */
function createSocketClient(dataDir: string): Database {
  return {
    driver: "pglite",
    rpc(name, args = {}, options = {}) {
      const { timeoutMs, isRead } = options;
      return withTimeout(name, options, "timeout", async (signal) => {
        return resultOf(await post(dataDir, callPath, { name, args, timeoutMs, isRead }, signal));
      });
    },
    async close() {},
  };
}

function resultOf(reply: unknown): unknown {
  const parsed = replySchema.parse(reply);
  if ("fault" in parsed) throw new DatabaseError(parsed.fault, parsed.code, parsed.message);
  return parsed.result ?? null;
}

/** Each call has a connection of its own, so that none is lost with a connection that the owner has just closed. */
async function post(dataDir: string, path: string, call: object, signal: AbortSignal): Promise<unknown> {
  const socket = socketPath(dataDir);
  if (socket === null) throw unreachable(dataDir, "no_socket");
  try {
    return await new Promise<unknown>((resolve, reject) => {
      const options = { agent: false as const, socketPath: socket, path, method: "POST", signal };
      const request = http.request(options, (response) => json(response).then(resolve, reject));
      request.on("error", reject).end(JSON.stringify(call));
    });
  } catch (error) {
    throw unreachable(dataDir, errorCode(error) ?? "unknown", error);
  }
}

function unreachable(dataDir: string, code: string, cause?: unknown): DatabaseError {
  const text = `the process that owns ${dataDir} does not answer on its socket (${code})`;
  return new DatabaseError("unreachable", code, text, { cause });
}

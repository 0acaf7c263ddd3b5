import { randomUUID } from "node:crypto";
import { readdir, readFile, readlink, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { ExpectedError, errorCode } from "../process/errors.ts";

/**
 * Exclusive lock on the data folder: a file that names the owner, with a heartbeat (its modification time).
 *
 * - **Generations.** The file is `owner.<generation>.lock`, and the newest generation is the lock. Taking over means
 *   creating the next generation exclusively, which one process alone can do, so two processes that take over at the
 *   same time cannot both succeed. A release marks the file and leaves it, so that generations only grow and a late
 *   contender cannot take over an old one.
 * - **Stale after 15 s.** A lock whose heartbeat does not move while a contender watches it is taken over. Only changes
 *   are compared, since the clock of a network volume is not the clock of this machine.
 * - **Same Linux machine.** The owner is looked up in /proc, so that a start after `kill -9` need not wait, and a
 *   command beside a running owner is answered at once. A process id alone proves nothing: in another container it is
 *   another process or none.
 */
const ownerSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.number(),
  /** Boot id and process id namespace; null where there is no /proc. */
  space: z.string().nullable(),
  /** Start time of the process in clock ticks since boot; null where there is no /proc. */
  started: z.string().nullable(),
  /** Base URL of the owner's HTTP server; null without one. */
  address: z.string().nullable(),
  /** Time at which it took the lock, ISO 8601. */
  since: z.string(),
});

export type DataDirOwner = z.infer<typeof ownerSchema>;

export class DataDirInUseError extends ExpectedError {
  override readonly name = "DataDirInUseError";
  /** Null when the owner has not written its name yet. */
  readonly owner: DataDirOwner | null;

  constructor(dataDir: string, owner: DataDirOwner | null) {
    const answers = owner?.address ? `, which answers on ${owner.address}` : "";
    const name = owner ? `process ${owner.pid} on ${owner.host} since ${owner.since}${answers}` : "another process";
    super(
      `the data folder ${dataDir} is in use by ${name}. Stop that process, give this one another DATA_DIR, ` +
        "or let both use one Postgres (DATABASE_URL).",
    );
    this.owner = owner;
  }
}

export interface LockOptions {
  /** Base URL of this process's HTTP server. */
  address: string | null;
  /** Called once when another process has taken over, or the lock file was deleted. */
  onLost: () => void;
  heartbeatMs?: number;
  /** A lock is stale when its heartbeat has not moved for this long. */
  staleMs?: number;
}

export interface DataDirLock {
  /** Idempotent. */
  release(): Promise<void>;
}

const defaultHeartbeatMs = 3_000;
const defaultStaleMs = 15_000;
const pollMs = 50;

/**
 * Locks the data folder. Waits for at most `staleMs`, and only for an owner that cannot be looked up: on another
 * machine, in another container, or without /proc.
 *
 * @throws {DataDirInUseError} when a running process owns it.
 */
export async function lockDataDir(dataDir: string, options: LockOptions): Promise<DataDirLock> {
  const { address, onLost, heartbeatMs = defaultHeartbeatMs, staleMs = defaultStaleMs } = options;
  const owner: DataDirOwner = {
    id: randomUUID(),
    host: hostname(),
    pid: process.pid,
    ...(await identityOf(process.pid)),
    address,
    since: new Date().toISOString(),
  };
  for (;;) {
    const lock = await newestLock(dataDir);
    if (lock && !lock.isReleased && !(await isAbandoned(dataDir, lock, staleMs)))
      throw new DataDirInUseError(dataDir, await readOwner(dataDir));
    const generation = (lock?.generation ?? 0) + 1;
    if (await create(dataDir, generation, owner)) return keepAlive(dataDir, generation, onLost, heartbeatMs);
  }
}

/** The owner of the data folder, running or not; null when it is not locked. */
export async function readOwner(dataDir: string): Promise<DataDirOwner | null> {
  return (await newestLock(dataDir))?.owner ?? null;
}

/** Whether the owner no longer runs. Watches the lock until its heartbeat moves or its owner's name appears, it is replaced, or it is stale. */
async function isAbandoned(dataDir: string, lock: Lock, staleMs: number): Promise<boolean> {
  const isRunning = lock.owner && (await isRunningHere(lock.owner));
  if (isRunning !== null) return !isRunning;
  for (const staleAt = performance.now() + staleMs; performance.now() < staleAt; await delay(pollMs)) {
    const current = await newestLock(dataDir);
    if (current?.generation !== lock.generation || current.isReleased) return true;
    // Creation and name may have the same time, where the file system's clock is coarse.
    if (current.beatAt !== lock.beatAt || current.owner?.id !== lock.owner?.id) return false;
  }
  return true;
}

/** Creates the lock file of a generation and deletes older ones. False when another process was faster. */
async function create(dataDir: string, generation: number, owner: DataDirOwner): Promise<boolean> {
  try {
    await writeFile(lockPath(dataDir, generation), JSON.stringify(owner), { flag: "wx" });
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    // A full disk leaves an empty file, which the next start would take for the lock of a process that begins.
    await rm(lockPath(dataDir, generation), { force: true }).catch(() => {});
    throw error;
  }
  const generations = await generationsIn(dataDir);
  // A late contender may create a generation that has already been taken over and deleted.
  const isLate = generations.at(-1) !== generation;
  const obsolete = isLate ? [generation] : generations.slice(0, -1);
  for (const each of obsolete) await rm(lockPath(dataDir, each), { force: true });
  return !isLate;
}

/** Writes the heartbeat until the lock is released or lost. */
function keepAlive(dataDir: string, generation: number, onLost: () => void, heartbeatMs: number): DataDirLock {
  const path = lockPath(dataDir, generation);
  let isHeld = true;
  function end(): void {
    isHeld = false;
    clearInterval(timer);
  }
  async function beat(): Promise<void> {
    // Fails when another process has taken over and deleted this generation.
    await utimes(path, new Date(), new Date()).catch(() => {});
    if ((await isNewest(dataDir, generation)) || !isHeld) return;
    end();
    onLost();
  }
  const timer = setInterval(() => void beat(), heartbeatMs);
  timer.unref();
  return {
    async release() {
      if (!isHeld) return;
      end();
      if (await isNewest(dataDir, generation)) await writeFile(path, releasedMark);
    },
  };
}

interface Lock {
  generation: number;
  /** Null while the file is being written, and once it is released. */
  owner: DataDirOwner | null;
  isReleased: boolean;
  /** Time of the last heartbeat, by the clock of the file system. */
  beatAt: number;
}

const releasedMark = "released\n";
const lockPath = (dataDir: string, generation: number) => join(dataDir, `owner.${generation}.lock`);

/** The lock of the newest generation; null when there is none. */
async function newestLock(dataDir: string): Promise<Lock | null> {
  const generation = (await generationsIn(dataDir)).at(-1);
  if (generation === undefined) return null;
  const path = lockPath(dataDir, generation);
  try {
    const [text, { mtimeMs }] = [await readFile(path, "utf8"), await stat(path)];
    return { generation, owner: parseOwner(text), isReleased: text === releasedMark, beatAt: mtimeMs };
  } catch (error) {
    // Another process has just taken over.
    if (errorCode(error) === "ENOENT") return await newestLock(dataDir);
    throw error;
  }
}

/**
 * Generations of all lock files, oldest first. There is more than one only while, or if a process died while, it took
 * over.
 */
async function generationsIn(dataDir: string): Promise<number[]> {
  const files = await readdir(dataDir).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return [];
    throw error;
  });
  const generations = files.flatMap((file) => /^owner\.(\d+)\.lock$/.exec(file)?.[1] ?? []);
  return generations.map(Number).sort((a, b) => a - b);
}

/** An I/O error does not mean that the lock is lost. */
async function isNewest(dataDir: string, generation: number): Promise<boolean> {
  const generations = await generationsIn(dataDir).catch(() => [generation]);
  return generations.at(-1) === generation;
}

function parseOwner(text: string): DataDirOwner | null {
  try {
    return ownerSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

/** Whether the owner runs on this machine; null when that cannot be known from here. */
async function isRunningHere(owner: DataDirOwner): Promise<boolean | null> {
  const { space, started } = await identityOf(owner.pid);
  if (owner.host !== hostname() || owner.space === null || owner.space !== space) return null;
  return started !== null && started === owner.started;
}

/**
 * The process id namespace of this process, and the start time of the process `pid` in it: null when that is not
 * running.
 */
async function identityOf(pid: number): Promise<Pick<DataDirOwner, "space" | "started">> {
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const space = `${boot} ${await readlink("/proc/self/ns/pid")}`;
    return { space, started: await startTimeOf(pid) };
  } catch {
    return { space: null, started: null };
  }
}

async function startTimeOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // After the name in brackets: the state is the first field, the start time the twentieth (proc_pid_stat(5)).
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

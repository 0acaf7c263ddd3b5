import { randomUUID } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open, readFile, readlink, rename, rm, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

/**
 * One process at a time owns the data folder, by a file in it that names the owner and that the owner touches every few
 * seconds. A file that was not touched for a while is left over and may be replaced.
 *
 * Waiting is needless where the owner is seen to be dead. A process id alone does not tell: across containers it means
 * another process or none. So the file also names the boot, the process id namespace and the time at which the process
 * started (Linux), and only a reader in the same namespace of the same boot draws conclusions from it.
 */
const ownerSchema = z.object({
  id: z.string(),
  host: z.string(),
  pid: z.number(),
  /** Boot and process id namespace; null where the system does not tell. */
  space: z.string().nullable(),
  /** When the process started, in clock ticks since boot (Linux). */
  started: z.string().nullable(),
  /** Where the owner answers HTTP. */
  address: z.string().nullable(),
  /** Since when, ISO 8601. */
  since: z.string(),
});

export type DataDirOwner = z.infer<typeof ownerSchema>;

export class DataDirInUseError extends Error {
  override readonly name = "DataDirInUseError";
  /** Null when the file could not be read yet. */
  readonly owner: DataDirOwner | null;

  constructor(dataDir: string, owner: DataDirOwner | null) {
    const who = owner
      ? `process ${owner.pid} on ${owner.host} since ${owner.since}${owner.address ? `, which answers on ${owner.address}` : ""}`
      : "another process";
    super(
      `the data folder ${dataDir} is in use by ${who}. Stop that process, give this one another DATA_DIR, ` +
        "or let both use one Postgres (DATABASE_URL).",
    );
    this.owner = owner;
  }
}

export interface LockOptions {
  /** Where this process answers HTTP. */
  address: string | null;
  /** Called once when another process has replaced the lock, or somebody deleted it. */
  onLost: () => void;
  heartbeatMs?: number;
  /** A heartbeat older than this belongs to an owner that is gone. */
  staleMs?: number;
}

export interface DataDirLock {
  owner: DataDirOwner;
  release(): Promise<void>;
}

const lockFile = "owner.lock";
const defaultHeartbeatMs = 3_000;
const defaultStaleMs = 15_000;

/**
 * Takes the data folder. An owner that is seen to be dead is replaced at once; one that can only be judged by its
 * heartbeat is watched until it either beats (refused) or is stale (replaced), so at most `staleMs`.
 *
 * @throws {DataDirInUseError} when a living process owns it.
 */
export async function lockDataDir(dataDir: string, options: LockOptions): Promise<DataDirLock> {
  const { heartbeatMs = defaultHeartbeatMs, staleMs = defaultStaleMs } = options;
  const path = join(dataDir, lockFile);
  const owner: DataDirOwner = {
    id: randomUUID(),
    host: hostname(),
    pid: process.pid,
    ...(await whereAndWhen(process.pid)),
    address: options.address,
    since: new Date().toISOString(),
  };
  const file = await acquire(dataDir, path, owner, staleMs);
  return keep(path, file, owner, options.onLost, heartbeatMs);
}

/** Who owns the data folder, living or not; null when nobody does. */
export async function readOwner(dataDir: string): Promise<DataDirOwner | null> {
  return (await readLock(join(dataDir, lockFile)))?.owner ?? null;
}

async function acquire(dataDir: string, path: string, owner: DataDirOwner, staleMs: number): Promise<FileHandle> {
  let seen: Lock | null = null;
  for (;;) {
    const created = await create(path, owner);
    if (created) return created;
    const lock = await readLock(path);
    if (!lock) continue;
    const life = lock.owner ? await lifeOf(lock.owner) : "unknown";
    if (life === "alive") throw new DataDirInUseError(dataDir, lock.owner);
    if (life === "dead" || (await now(path)) - lock.beatAt > staleMs) {
      const taken = await replace(path, lock, owner, staleMs);
      if (taken) return taken;
      seen = null;
    } else {
      // Same file, later beat: its owner lives.
      if (seen && seen.text === lock.text && lock.beatAt > seen.beatAt)
        throw new DataDirInUseError(dataDir, lock.owner);
      if (seen?.text !== lock.text) seen = lock;
    }
    await delay(50);
  }
}

/** Beats until released or lost. */
function keep(
  path: string,
  file: FileHandle,
  owner: DataDirOwner,
  onLost: () => void,
  heartbeatMs: number,
): DataDirLock {
  let held = true;
  let beating: Promise<void> = Promise.resolve();
  async function beat(): Promise<void> {
    // Written through the open file: a lock that was replaced meanwhile is another file and stays untouched.
    await file.write(contentOf(owner), 0).catch(() => {});
    if (!held || (await isOurs(path, owner))) return;
    stop();
    await file.close();
    onLost();
  }
  const timer = setInterval(() => {
    beating = beating.then(() => (held ? beat() : undefined));
  }, heartbeatMs);
  timer.unref();
  function stop(): void {
    held = false;
    clearInterval(timer);
  }
  return {
    owner,
    async release() {
      if (!held) return;
      stop();
      await beating;
      await file.close();
      if (await isOurs(path, owner)) await rm(path, { force: true });
    },
  };
}

/** An error other than "no such file" does not say that the lock is gone. */
async function isOurs(path: string, owner: DataDirOwner): Promise<boolean> {
  try {
    const lock = await readLock(path);
    return lock?.owner?.id === owner.id;
  } catch {
    return true;
  }
}

interface Lock {
  text: string;
  /** Null while the file is being written. */
  owner: DataDirOwner | null;
  /** The last heartbeat, by the clock of the file system. */
  beatAt: number;
}

async function readLock(path: string): Promise<Lock | null> {
  try {
    const text = await readFile(path, "utf8");
    const { mtimeMs } = await stat(path);
    return { text, owner: ownerSchema.safeParse(parsed(text)).data ?? null, beatAt: mtimeMs };
  } catch (error) {
    if (hasCode(error, "ENOENT")) return null;
    throw error;
  }
}

async function create(path: string, owner: DataDirOwner): Promise<FileHandle | null> {
  try {
    const file = await open(path, "wx");
    await file.write(contentOf(owner), 0);
    return file;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return null;
    throw error;
  }
}

/**
 * Puts our lock in the place of the one judged to be left over; null when somebody else was faster. Only the holder of
 * a second file may replace, and looks again once it holds it; the replacement is one rename, so that at no time there
 * is no lock for a third process to fill in.
 */
async function replace(path: string, judged: Lock, owner: DataDirOwner, staleMs: number): Promise<FileHandle | null> {
  const turn = `${path}.turn`;
  const turnFile = await create(turn, owner);
  if (!turnFile) {
    // Held for an instant; one left over by a process that died in that instant must not block forever.
    const left = await readLock(turn);
    if (left && (await now(path)) - left.beatAt > staleMs) await rm(turn, { force: true });
    return null;
  }
  const fresh = `${path}.${owner.id}`;
  try {
    const current = await readLock(path);
    if (current?.text !== judged.text || current.beatAt !== judged.beatAt) return null;
    const file = await create(fresh, owner);
    if (file) await rename(fresh, path);
    return file;
  } finally {
    await turnFile.close();
    await rm(turn, { force: true });
  }
}

/** The time by the clock that dates the files: on a network volume not ours. */
async function now(path: string): Promise<number> {
  const probe = `${path}.${randomUUID()}`;
  const file = await open(probe, "wx");
  try {
    return (await file.stat()).mtimeMs;
  } finally {
    await file.close();
    await rm(probe, { force: true });
  }
}

/** `dead` and `alive` are certain; `unknown` leaves the judgement to the heartbeat. */
async function lifeOf(owner: DataDirOwner): Promise<"alive" | "dead" | "unknown"> {
  const here = await whereAndWhen(owner.pid);
  if (owner.host !== hostname() || owner.space === null || owner.space !== here.space) return "unknown";
  if (here.started === notTold) return "unknown";
  return here.started !== null && here.started === owner.started ? "alive" : "dead";
}

const notTold = "running";

/** The namespace of this process, and when the process `pid` in it started: null when it is not running. */
async function whereAndWhen(pid: number): Promise<Pick<DataDirOwner, "space" | "started">> {
  // Other systems have no namespaces and tell only whether there is such a process.
  if (process.platform !== "linux") return { space: process.platform, started: isRunning(pid) ? notTold : null };
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const space = `${boot} ${await readlink("/proc/self/ns/pid")}`;
    return { space, started: await startOf(pid) };
  } catch {
    return { space: null, started: null };
  }
}

async function startOf(pid: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, "utf8");
    // After the name in brackets: state is the first field, the start time the twentieth (proc_pid_stat(5)).
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, "ESRCH");
  }
}

function contentOf(owner: DataDirOwner): string {
  return `${JSON.stringify(owner)}\n`;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

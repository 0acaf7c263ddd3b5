import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DataDirLock } from "../../../src/db/owner-lock.ts";
import { DataDirInUseError, lockDataDir, readOwner } from "../../../src/db/owner-lock.ts";

describe("lockDataDir", () => {
  let folder: string;
  let children: ChildProcess[];
  let locks: DataDirLock[];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "spsync-lock-"));
    children = [];
    locks = [];
  });
  afterEach(async () => {
    for (const lock of locks) await lock.release();
    for (const child of children) await kill(child);
    await rm(folder, { recursive: true, force: true });
  });

  /** The default limits are too long for any test to reach. */
  async function take({ heartbeatMs = 60_000, staleMs = 600_000, onLost = () => {} } = {}): Promise<DataDirLock> {
    const lock = await lockDataDir(folder, { address: "http://127.0.0.1:8080", onLost, heartbeatMs, staleMs });
    locks.push(lock);
    return lock;
  }

  /** Another process that tries to take the lock, and whether it did. */
  async function contender(): Promise<{ child: ChildProcess; took: boolean }> {
    const child = fork(new URL("./owner-lock-contender.ts", import.meta.url), [folder], { stdio: "inherit" });
    children.push(child);
    const [took] = (await once(child, "message")) as [boolean];
    return { child, took };
  }

  async function kill(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  const lockFile = (generation: number) => join(folder, `owner.${generation}.lock`);
  const lockFiles = async () => (await readdir(folder)).sort();

  /** Puts the lock of an owner on another machine, or in another container, into the folder. */
  async function foreignLock(generation = 1): Promise<void> {
    const process = { pid: 1, space: "another boot pid:[1]", started: "7" };
    const owner = { id: "foreign", host: "elsewhere", ...process, address: null, since: "2026-01-01T00:00:00Z" };
    await writeFile(lockFile(generation), JSON.stringify(owner));
  }

  test("names the owner until it is released", async () => {
    const lock = await take();
    expect(await readOwner(folder)).toMatchObject({ pid: process.pid, address: "http://127.0.0.1:8080" });
    await lock.release();
    await lock.release();
    expect(await readOwner(folder)).toBeNull();
    await take();
    expect(await lockFiles()).toEqual(["owner.2.lock"]);
  });

  test("rejects at once while the owner runs, and names it and the remedy", async () => {
    const { child, took } = await contender();
    expect(took).toBe(true);
    const started = performance.now();
    const error: unknown = await take().catch((reason: unknown) => reason);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(error).toBeInstanceOf(DataDirInUseError);
    for (const part of [`process ${child.pid}`, "http://127.0.0.1:1234", "DATA_DIR", "DATABASE_URL"])
      expect(String(error)).toContain(part);
  });

  test("rejects a second lock in the same process", async () => {
    await take();
    await expect(take()).rejects.toBeInstanceOf(DataDirInUseError);
  });

  test("gives a new lock to exactly one of several processes", async () => {
    const results = await Promise.all([contender(), contender(), contender()]);
    expect(results.filter(({ took }) => took)).toHaveLength(1);
  });

  test("takes over from a killed owner without waiting, by exactly one of several contenders", async () => {
    const { child } = await contender();
    await kill(child);
    const started = performance.now();
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const rejected = results.filter((result) => result.status === "rejected");
    for (const { reason } of rejected) expect(reason).toBeInstanceOf(DataDirInUseError);
    expect(await lockFiles()).toEqual(["owner.2.lock"]);
    expect(await readOwner(folder)).toMatchObject({ pid: process.pid });
  });

  test("rejects at the next heartbeat of an owner on another machine", async () => {
    await foreignLock();
    const heartbeat = setInterval(() => void utimes(lockFile(1), new Date(), new Date()), 20);
    await expect(take()).rejects.toMatchObject({ owner: { id: "foreign", host: "elsewhere" } });
    clearInterval(heartbeat);
  });

  test("takes a name that appears in the lock file for a heartbeat, whatever the file's time says", async () => {
    await foreignLock();
    const content = await readFile(lockFile(1), "utf8");
    const { mtime } = await stat(lockFile(1));
    await writeFile(lockFile(1), "");
    await utimes(lockFile(1), mtime, mtime);
    const taken = take({ staleMs: 1_000 });
    await sleep(100);
    await writeFile(`${folder}/written`, content);
    await utimes(`${folder}/written`, mtime, mtime);
    await rename(`${folder}/written`, lockFile(1));
    await expect(taken).rejects.toMatchObject({ owner: { id: "foreign" } });
  });

  test("takes over from an owner on another machine once its heartbeat is stale, by exactly one contender", async () => {
    await foreignLock();
    const started = performance.now();
    const results = await Promise.allSettled([1, 2, 3].map(() => take({ staleMs: 300 })));
    expect(performance.now() - started).toBeGreaterThan(290);
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readOwner(folder)).toMatchObject({ pid: process.pid });
  });

  test("takes over after a contender that died while it took over", async () => {
    await foreignLock(1);
    await writeFile(lockFile(2), "");
    await take({ staleMs: 100 });
    expect(await lockFiles()).toEqual(["owner.3.lock"]);
  });

  test("does not take over a generation that others have taken over meanwhile", async () => {
    await foreignLock(1);
    const late = take({ staleMs: 100 });
    // Generation 2 has been created, taken over and deleted by the time at which this contender tries to create it.
    await foreignLock(3);
    await rm(lockFile(1));
    const heartbeat = setInterval(() => void utimes(lockFile(3), new Date(), new Date()), 20);
    await expect(late).rejects.toMatchObject({ owner: { host: "elsewhere" } });
    clearInterval(heartbeat);
    expect(await lockFiles()).toEqual(["owner.3.lock"]);
  });

  test("writes the heartbeat", async () => {
    await take({ heartbeatMs: 20 });
    await utimes(lockFile(1), 0, 0);
    await expect.poll(async () => (await stat(lockFile(1))).mtimeMs).toBeGreaterThan(Date.now() - 10_000);
  });

  test("reports once that the lock was lost, and does not touch the new owner's", async () => {
    const onLost = vi.fn();
    const lock = await take({ heartbeatMs: 20, onLost });
    await foreignLock(2);
    const content = await readFile(lockFile(2), "utf8");
    await expect.poll(() => onLost.mock.calls.length).toBe(1);
    await lock.release();
    expect(await readFile(lockFile(2), "utf8")).toBe(content);
    expect(onLost).toHaveBeenCalledTimes(1);
  });

  test("reports the lock as lost when its file is deleted", async () => {
    const onLost = vi.fn();
    await take({ heartbeatMs: 20, onLost });
    await rm(lockFile(1));
    await expect.poll(() => onLost.mock.calls.length).toBe(1);
  });
});

import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { DataDirLock, DataDirOwner } from "../../../src/db/owner-lock.ts";
import { DataDirInUseError, lockDataDir, readOwner } from "../../../src/db/owner-lock.ts";

describe("the lock on the data folder", () => {
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
    for (const child of children.filter((each) => each.exitCode === null && each.signalCode === null)) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    await rm(folder, { recursive: true, force: true });
  });

  /** Limits that no test reaches unless it asks for shorter ones. */
  async function take({ heartbeatMs = 60_000, staleMs = 600_000, onLost = () => {} } = {}): Promise<DataDirLock> {
    const lock = await lockDataDir(folder, { address: "http://127.0.0.1:8080", onLost, heartbeatMs, staleMs });
    locks.push(lock);
    return lock;
  }

  /** Another process that tries to take the lock and says whether it did. */
  async function contender(): Promise<{ child: ChildProcess; took: boolean }> {
    const child = fork(new URL("./owner-lock-contender.ts", import.meta.url), [folder], { stdio: "inherit" });
    children.push(child);
    const [took] = (await once(child, "message")) as [boolean];
    return { child, took };
  }

  /** What an owner on another machine, or in another container, leaves in the folder. */
  async function foreignOwner(beatAgoMs: number): Promise<DataDirOwner> {
    const lock = await take();
    const owner = { ...lock.owner, id: "foreign", host: "elsewhere", pid: 1, space: "another boot pid:[1]" };
    await lock.release();
    await writeFile(lockPath(), `${JSON.stringify(owner)}\n`);
    await beat(Date.now() - beatAgoMs);
    return owner;
  }
  const lockPath = () => join(folder, "owner.lock");
  const beat = (at: number) => utimes(lockPath(), new Date(at), new Date(at));

  test("names its owner and leaves nothing behind when released", async () => {
    const lock = await take();
    expect(await readOwner(folder)).toMatchObject({ pid: process.pid, address: "http://127.0.0.1:8080" });
    await lock.release();
    await lock.release();
    expect(await readOwner(folder)).toBeNull();
    expect(await readdir(folder)).toEqual([]);
  });

  test("is refused at once while its owner lives, with who that is and what to do", async () => {
    const { child, took } = await contender();
    expect(took).toBe(true);
    const started = performance.now();
    const error: unknown = await take().catch((reason: unknown) => reason);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(error).toBeInstanceOf(DataDirInUseError);
    for (const part of [`process ${child.pid}`, "http://127.0.0.1:1234", "DATA_DIR", "DATABASE_URL"])
      expect(String(error)).toContain(part);
  });

  test("is refused to a second taker in the same process", async () => {
    await take();
    await expect(take()).rejects.toBeInstanceOf(DataDirInUseError);
  });

  test("of a killed owner is taken over at once", async () => {
    const { child } = await contender();
    child.kill("SIGKILL");
    await once(child, "exit");
    const started = performance.now();
    const lock = await take();
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(await readOwner(folder)).toEqual(lock.owner);
    expect(await readdir(folder)).toEqual(["owner.lock"]);
  });

  test("goes to exactly one of several that come at the same time", async () => {
    const fresh = await Promise.all([contender(), contender(), contender()]);
    expect(fresh.filter(({ took }) => took)).toHaveLength(1);
  });

  test("of a killed owner goes to exactly one of several", async () => {
    const { child } = await contender();
    child.kill("SIGKILL");
    await once(child, "exit");
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => take()));
    expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const refused = results.filter((result) => result.status === "rejected");
    for (const { reason } of refused) expect(reason).toBeInstanceOf(DataDirInUseError);
  });

  test("of another machine is refused as soon as its heart beats", async () => {
    const owner = await foreignOwner(1_000);
    const heart = setInterval(() => void beat(Date.now()), 20);
    await expect(take()).rejects.toMatchObject({ owner: { id: owner.id, host: "elsewhere" } });
    clearInterval(heart);
  });

  test("of another machine is taken over when its heart has stopped", async () => {
    await foreignOwner(20_000);
    const lock = await take({ staleMs: 15_000 });
    expect(await readOwner(folder)).toEqual(lock.owner);
  });

  test("of another machine is waited for until it is stale", async () => {
    await foreignOwner(0);
    const started = performance.now();
    await take({ staleMs: 300 });
    expect(performance.now() - started).toBeGreaterThan(200);
  });

  test("is taken over although the one who was about to do so died in the middle", async () => {
    await foreignOwner(20_000);
    await writeFile(`${lockPath()}.turn`, "");
    await utimes(`${lockPath()}.turn`, new Date(0), new Date(0));
    await take({ staleMs: 15_000 });
    expect(await readdir(folder)).toEqual(["owner.lock"]);
  });

  test("beats", async () => {
    await take({ heartbeatMs: 20 });
    await beat(0);
    await expect.poll(async () => (await stat(lockPath())).mtimeMs).toBeGreaterThan(Date.now() - 10_000);
  });

  test("says once that it was lost, and does not touch the other's", async () => {
    const onLost = vi.fn();
    const lock = await take({ heartbeatMs: 20, onLost });
    const others = `${JSON.stringify({ ...lock.owner, id: "another" })}\n`;
    await writeFile(join(folder, "others"), others);
    await rename(join(folder, "others"), lockPath());
    await expect.poll(() => onLost.mock.calls.length).toBe(1);
    await lock.release();
    expect(await readFile(lockPath(), "utf8")).toBe(others);
    expect(onLost).toHaveBeenCalledTimes(1);
  });
});

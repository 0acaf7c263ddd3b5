import { execFile } from "node:child_process";
import { mkdtemp, open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Runs `work` with a folder on a disk of its own, a tmpfs of this size. Needs root. */
export async function withSmallDisk<T>(megabytes: number, work: (disk: string) => Promise<T>): Promise<T> {
  const disk = await mkdtemp(join(tmpdir(), "spsync-disk-"));
  await run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "spsync", disk]);
  try {
    return await work(disk);
  } finally {
    await run("umount", ["-l", disk]);
    await rm(disk, { recursive: true, force: true });
  }
}

/** Writes a file of zeros until the disk has no room at all. */
export async function fill(disk: string, path: string): Promise<void> {
  const file = await open(path, "w");
  const block = Buffer.alloc(64 * 1024);
  try {
    for (;;) await file.write(block);
  } catch {
    const { bavail } = await statfs(disk);
    if (bavail > 16) throw new Error(`${bavail} blocks of the disk are still free`);
  } finally {
    await file.close();
  }
}

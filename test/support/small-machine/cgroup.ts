import { existsSync } from "node:fs";
import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/**
 * A memory cgroup, of version 2 or 1, as containers have one: a process in it that needs more is killed by the kernel. Making one needs
 * root, and for version 2 that the root group delegates its memory controller.
 */
export interface MemoryCgroup {
  /** Prefix of a command line that runs the rest inside the group. */
  enter: readonly string[];
  /** Peak memory in MB (2^20 bytes), the page cache included; the kernel takes that back before it kills. */
  peakMegabytes(): Promise<number>;
  /** Processes that the kernel has killed for want of memory. */
  kills(): Promise<number>;
  /** Removes the group, once its processes have ended. */
  remove(): Promise<void>;
}

const root = "/sys/fs/cgroup";
const megabyte = 2 ** 20;

/** Where the version on this machine keeps what. Swap is forbidden where the kernel counts it. */
const versions = {
  two: {
    parent: root,
    limits: [
      ["memory.max", ""],
      ["memory.swap.max", "0"],
    ],
    peak: "memory.peak",
    events: "memory.events",
  },
  one: {
    parent: join(root, "memory"),
    limits: [
      ["memory.limit_in_bytes", ""],
      ["memory.memsw.limit_in_bytes", ""],
    ],
    peak: "memory.max_usage_in_bytes",
    events: "memory.oom_control",
  },
} as const;

let groups = 0;

/** @throws when this process may not make cgroups: the message says what is needed. */
export async function createMemoryCgroup(megabytes: number): Promise<MemoryCgroup> {
  const version = existsSync(join(root, "cgroup.controllers")) ? versions.two : versions.one;
  groups += 1;
  const path = join(version.parent, `spsync-${process.pid}-${groups}`);
  try {
    await mkdir(path);
    const bytes = String(megabytes * megabyte);
    for (const [file, value] of version.limits) {
      if (existsSync(join(path, file))) await writeFile(join(path, file), value || bytes);
    }
    await readFile(join(path, version.peak));
  } catch (error) {
    throw new Error(`memory cgroups need root and the memory controller: ${(error as Error).message}`);
  }
  const number = async (file: string, pattern: RegExp) =>
    Number(pattern.exec(await readFile(join(path, file), "utf8"))?.[1] ?? 0);
  return {
    enter: ["sh", "-c", `echo $$ > ${path}/cgroup.procs && exec "$@"`, "sh"],
    peakMegabytes: async () => Math.round((await number(version.peak, /^(\d+)/)) / megabyte),
    kills: () => number(version.events, /^oom_kill (\d+)$/m),
    async remove() {
      for (let attempt = 0; attempt < 50; attempt++) {
        const isGone = await rmdir(path).then(
          () => true,
          () => false,
        );
        if (isGone) return;
        await delay(100);
      }
    },
  };
}

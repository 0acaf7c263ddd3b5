import { readdirSync, readFileSync } from "node:fs";

/**
 * CPU time and memory of processes, from Linux's /proc. Other systems return no figures.
 */

const ticksPerSecond = 100;

interface ProcessTimes {
  pid: number;
  parent: number;
  name: string;
  /** Of the process and of its children that have ended. */
  cpuSeconds: number;
}

/** CPU seconds spent so far by the descendants of this process, by the program's name. */
export function cpuByProgram(): Map<string, number> {
  const all = readAll();
  const byParent = Map.groupBy(all, ({ parent }) => parent);
  const spent = new Map<string, number>();
  const visit = (parent: number) => {
    for (const { pid, name, cpuSeconds } of byParent.get(parent) ?? []) {
      spent.set(name, (spent.get(name) ?? 0) + cpuSeconds);
      visit(pid);
    }
  };
  visit(process.pid);
  return spent;
}

/** CPU seconds of one process; null when it has ended. */
export function cpuOf(pid: number): number | null {
  return readTimes(pid)?.cpuSeconds ?? null;
}

/** Resident memory of a process now, in MB (10^6 bytes); null when it has ended. */
export function residentMegabytes(pid: number): number | null {
  return memoryLine(pid, "VmRSS");
}

/** Peak resident memory, in MB (10^6 bytes); null when the process has ended. */
export function peakMegabytes(pid: number): number | null {
  return memoryLine(pid, "VmHWM");
}

function memoryLine(pid: number, key: string): number | null {
  const kibibytes = new RegExp(`^${key}:\\s+(\\d+) kB`, "m").exec(read(`/proc/${pid}/status`))?.[1];
  return kibibytes === undefined ? null : (Number(kibibytes) * 1024) / 1e6;
}

function readAll(): ProcessTimes[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map((pid) => readTimes(Number(pid))).filter((times) => times !== null);
}

function readTimes(pid: number): ProcessTimes | null {
  const found = /^\d+ \((.*)\) (.*)$/s.exec(read(`/proc/${pid}/stat`));
  if (!found) return null;
  const [, name = "", rest = ""] = found;
  const fields = rest.split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0);
  return { pid, parent: Number(fields[1]), name, cpuSeconds: ticks / ticksPerSecond };
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

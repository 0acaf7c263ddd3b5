import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cpuOf, peakMegabytes, residentMegabytes } from "./process-meter.ts";

export interface ProgramRun {
  /** Reported by the program: duration of its work, without the start of the process. */
  seconds: number;
  stored: number;
  /** Last sample before its end. */
  cpuSeconds: number;
  peakMegabytes: number;
  /** Resident memory, sampled four times a second. */
  samplesMegabytes: number[];
}

const sampleIntervalMs = 250;
const quietLevels = ["trace", "debug", "info"];

/**
 * Runs a program (`node …`) as a child process with exactly this environment; `read` extracts the result from its JSON log lines. With
 * `CPU_PROFILE`, a folder, V8 writes a profile of it there, which cpu-profile.ts prints.
 */
export async function runProgram(
  args: readonly string[],
  env: Record<string, string>,
  read: (line: Record<string, unknown>) => { seconds: number; stored: number } | null,
): Promise<ProgramRun> {
  const cwd = await mkdtemp(join(tmpdir(), "spsync-bench-"));
  const { CPU_PROFILE } = process.env;
  const profiling = CPU_PROFILE ? ["--cpu-prof", `--cpu-prof-dir=${resolve(CPU_PROFILE)}`] : [];
  const child = spawn(process.execPath, [...profiling, ...args], {
    cwd,
    env: { PATH: process.env.PATH ?? "", NODE_OPTIONS: process.env.NODE_OPTIONS ?? "", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const run: ProgramRun = { seconds: 0, stored: 0, cpuSeconds: 0, peakMegabytes: 0, samplesMegabytes: [] };
  const pid = child.pid ?? 0;
  const sampling = setInterval(() => {
    run.cpuSeconds = cpuOf(pid) ?? run.cpuSeconds;
    run.peakMegabytes = peakMegabytes(pid) ?? run.peakMegabytes;
    const megabytes = residentMegabytes(pid);
    if (megabytes !== null) run.samplesMegabytes.push(megabytes);
  }, sampleIntervalMs);
  const warnings: string[] = [];
  createInterface(child.stdout).on("line", (line) => {
    const entry = parsed(line);
    const result = entry ? read(entry) : null;
    if (result) Object.assign(run, result, { cpuSeconds: cpuOf(pid) ?? run.cpuSeconds });
    if (!entry || !quietLevels.includes(String(entry.level))) warnings.push(line);
  });
  const [code] = (await once(child, "close")) as [number | null];
  clearInterval(sampling);
  await rm(cwd, { recursive: true, force: true });
  if (code !== 0) throw new Error(`node ${args.join(" ")} ended with code ${code}:\n${warnings.join("\n")}`);
  return run;
}

/** Runs `bulk-sync` with the options of `npm start`, without a delay between requests. */
export async function runBulkSync(env: Record<string, string>, args: readonly string[] = []): Promise<ProgramRun> {
  const { scripts } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
    scripts: { start: string };
  };
  // node [OPTIONS …] src/main.ts
  const options = scripts.start.split(" ").slice(1, -1);
  const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url));
  const settings = { PORT: "0", HOST: "127.0.0.1", BULK_REQUEST_DELAY: "0", ...env };
  return runProgram([...options, main, "bulk-sync", ...args], settings, (line) => {
    const summary = line.summary as { stored: number; duration_seconds: number } | undefined;
    return summary ? { seconds: summary.duration_seconds, stored: summary.stored } : null;
  });
}

function parsed(line: string): Record<string, unknown> | null {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { minPgliteMemory } from "../../../src/db/pglite-memory.ts";
import { type ClusterAddress, startCluster } from "../cluster.ts";
import { openTestDatabase } from "../databases.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../steam/child.ts";
import { createMemoryCgroup } from "./cgroup.ts";

/** The least memory of a worker on Postgres or Supabase, in MB. */
const serverMegabytes = 220;
/** MALLOC_ARENA_MAX as in the Dockerfile. */
const settings = {
  PATH: process.env.PATH,
  MALLOC_ARENA_MAX: "2",
  HOST: "127.0.0.1",
  PORT: "0",
  BULK_REQUEST_DELAY: "0",
};
const megabytesOf = (bytes: number) => bytes / 2 ** 20;

interface Run {
  name: string;
  megabytes: number;
  args: readonly string[];
  env: Record<string, string>;
}

/**
 * The service in memory cgroups of the sizes that the documentation promises, as `npm start` runs it: with the embedded database its first
 * start and later ones, and with Postgres. Each is a bulk sync of `apps` apps at full speed.
 *
 * @returns the violations, in words.
 */
export async function runOnSmallMachines(apps: number, report: (line: string) => void): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const steam = await forkSimulatedSteam({ generate: { seed: 1, count: apps }, keepRequests: false });
  stack.defer(() => steam.close());
  const cluster = await startCluster();
  stack.defer(() => cluster.stop());
  const folder = await mkdtemp(join(tmpdir(), "spsync-small-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));

  const violations: string[] = [];
  for (const run of await runsOf(stack, cluster.address, join(folder, "data"))) {
    violations.push(...(await runLimited(run, folder, steam, report)));
  }
  return violations;
}

async function runsOf(stack: AsyncDisposableStack, cluster: ClusterAddress, dataDir: string): Promise<Run[]> {
  const database = await openTestDatabase("postgres", { cluster });
  stack.defer(() => database.close());
  const embedded = { DATA_DIR: dataDir };
  return [
    {
      name: "embedded, first start",
      megabytes: megabytesOf(minPgliteMemory.first),
      args: ["bulk-sync"],
      env: embedded,
    },
    {
      name: "embedded, later start",
      megabytes: megabytesOf(minPgliteMemory.later),
      args: ["bulk-sync", "--full"],
      env: embedded,
    },
    { name: "Postgres", megabytes: serverMegabytes, args: ["bulk-sync"], env: database.env },
    {
      name: "Postgres, everything again",
      megabytes: serverMegabytes,
      args: ["bulk-sync", "--full"],
      env: database.env,
    },
  ];
}

async function runLimited(run: Run, cwd: string, steam: ForkedSteam, report: (line: string) => void) {
  const cgroup = await createMemoryCgroup(run.megabytes);
  const startedAt = performance.now();
  const [command = "", ...args] = [...cgroup.enter, process.execPath, ...(await startArguments()), ...run.args];
  const child = spawn(command, args, {
    cwd,
    env: { ...settings, ...steam.env, ...run.env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let peakResident = 0;
  const sampling = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    peakResident = Math.max(peakResident, Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024));
  }, 250);
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output = (output + text).slice(-2_000);
  });
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearInterval(sampling);
  const seconds = Math.round((performance.now() - startedAt) / 1_000);
  const [peak, kills] = [await cgroup.peakMegabytes(), await cgroup.kills()];
  await cgroup.remove();
  const what = `${run.name}, ${run.megabytes} MB`;
  report(
    `${what}: exit ${code ?? signal} after ${seconds} s; peak ${peak} MB with page cache, ${peakResident} MB resident`,
  );
  if (code === 0 && kills === 0) return [];
  return [`${what}: exit ${code ?? signal}, killed ${kills} × for want of memory\n${output}`];
}

/** What follows `node` in the start script of package.json: its options, and the entry. */
async function startArguments(): Promise<string[]> {
  const root = new URL("../../../", import.meta.url);
  const { scripts } = JSON.parse(await readFile(new URL("package.json", root), "utf8")) as {
    scripts: { start: string };
  };
  const parts = scripts.start.split(" ").slice(1);
  return [...parts.slice(0, -1), fileURLToPath(new URL(parts.at(-1) ?? "", root))];
}

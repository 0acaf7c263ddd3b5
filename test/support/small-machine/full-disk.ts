import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Service, startService } from "../service.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../steam/child.ts";
import { fill, withSmallDisk } from "./disk.ts";

const diskMegabytes = 160;
/** Long enough for a write to fail, a replaced thread to fail again, and the process to end. */
const fullForMs = 60_000;
const recoverWithinMs = 120_000;
const restartDelayMs = 2_000;

interface HealthReply {
  status: string;
  reasons: string[];
}

interface Progress {
  last_change_number: number;
  pending: number;
  failing: number;
}

/**
 * The service with the embedded database on a small tmpfs (which needs root) that is full for a minute while apps change, then has room
 * again. As on a platform, it is started again whenever it exits. Reports each change of `/health`.
 *
 * @returns the violations, in words.
 */
export async function fillDisk(apps: number, report: (line: string) => void): Promise<string[]> {
  const steam = await forkSimulatedSteam({ generate: { seed: 3, count: apps, maxAppid: 4 * apps } });
  try {
    return await withSmallDisk(diskMegabytes, (disk) => runOnFullDisk(disk, steam, report));
  } finally {
    await steam.close();
  }
}

async function runOnFullDisk(disk: string, steam: ForkedSteam, report: (line: string) => void): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const platform = createPlatform(join(disk, "data"), steam, report);
  stack.defer(() => platform.stop());
  const violations: string[] = [];
  if (!(await platform.reaches("ok", recoverWithinMs))) violations.push("it was never healthy");

  const filler = join(disk, "filler");
  await fill(disk, filler);
  report("the disk is full");
  const fullUntil = Date.now() + fullForMs;
  while (Date.now() < fullUntil) {
    await steam.call("changeRandom", 20);
    await delay(1_000);
  }
  if (!platform.seen().some((status) => status !== "ok"))
    violations.push("/health was ok all the time, on a full disk");

  await rm(filler);
  report("the disk has room again");
  await steam.call("changeRandom", 20);
  if (!(await platform.reaches("ok", recoverWithinMs))) violations.push("it did not recover");
  if (!(await platform.hasStored(await steam.call("stats").then((stats) => stats.currentChangeNumber)))) {
    violations.push("changes were lost");
  }
  return [...violations, ...platform.violations()];
}

/** Starts the service again whenever it exits, and watches its health. */
function createPlatform(dataDir: string, steam: { env: Record<string, string> }, report: (line: string) => void) {
  const env = {
    MODE: "sync",
    DATA_DIR: dataDir,
    POLL_INTERVAL: "1",
    BULK_REQUEST_DELAY: "0",
    WATCHDOG_SECONDS: "30",
    COLLECT_INTERVAL: "0",
  };
  const seen: string[] = [];
  const violations: string[] = [];
  let service: Service | null = null;
  let isStopping = false;

  async function keepRunning(): Promise<void> {
    while (!isStopping) {
      service = startService({ env, steam });
      const { code, signal } = await service.exited;
      if (isStopping) return;
      const last = service.logs.findLast(({ level }) => level === "fatal") ?? service.logs.at(-1);
      report(`exit ${code ?? signal}: ${last?.message}`);
      seen.push(`exit ${code ?? signal}`);
      if (code === null || code === 0) violations.push(`exit ${code ?? signal} on a full disk`);
      await delay(restartDelayMs);
    }
  }

  async function health(): Promise<HealthReply | null> {
    const url = service?.logs.find(({ message }) => message.startsWith("Server listening"))?.message.split(" at ")[1];
    if (!url) return null;
    return await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) })
      .then((reply) => reply.json() as Promise<HealthReply>)
      .catch(() => null);
  }

  async function watch(): Promise<void> {
    let last = "";
    for (; !isStopping; await delay(200)) {
      const now = await health();
      if (now === null || now.status === last) continue;
      last = now.status;
      seen.push(now.status);
      report(`/health ${now.status}${now.reasons.length > 0 ? `: ${now.reasons.join("; ")}` : ""}`);
    }
  }
  const loops = [keepRunning(), watch()];

  async function until(condition: () => Promise<boolean>, limitMs: number): Promise<boolean> {
    const deadline = Date.now() + limitMs;
    for (; Date.now() < deadline; await delay(200)) if (await condition()) return true;
    return false;
  }

  return {
    seen: () => seen,
    violations: () => violations,
    reaches: (status: string, limitMs: number) => until(async () => (await health())?.status === status, limitMs),
    /** Whether everything up to a change is stored. */
    hasStored: (changeNumber: number) =>
      until(async () => {
        const reply = await service?.get("/status").catch(() => null);
        const monitor = reply?.body.monitor as Progress | null | undefined;
        return monitor?.last_change_number === changeNumber && monitor.pending + monitor.failing === 0;
      }, recoverWithinMs),
    async stop() {
      isStopping = true;
      await service?.stop();
      await Promise.all(loops);
    },
  };
}

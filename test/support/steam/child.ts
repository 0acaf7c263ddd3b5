/**
 * The simulated Steam in a process of its own, so that it shares no event loop with its clients:
 *
 *     const steam = await forkSimulatedSteam({ generate: { seed: 1, count: 100_000 }, keepRequests: false });
 *     spawn(process.execPath, ["src/main.ts"], { env: { ...process.env, ...steam.env } });
 *     await steam.call("changeRandom", 50);
 *     await steam.close();
 */
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { catalogDump } from "../web/catalog-dump.ts";
import { createSimulatedSteamSpy } from "../web/steamspy.ts";
import { asRoutes } from "../web/web-api.ts";
import { type AppListKind, fromPayloads, type NewApp } from "./catalog.ts";
import type { Fault, FaultKind } from "./faults.ts";
import { type GenerateOptions, generateCatalog } from "./generate.ts";
import { createRandom } from "./random.ts";
import type { LoggedRequest, SimulatedRequestKind } from "./request-log.ts";
import { type SimulatedSteam, type SimulatedSteamOptions, startSimulatedSteam } from "./simulated-steam.ts";

export interface ForkOptions extends Omit<SimulatedSteamOptions, "catalog" | "routes"> {
  /** Default: 2,000 apps of seed 1. */
  generate?: GenerateOptions;
  /** Instead of generated apps: a gzipped file of JSON lines `{appid, change_number, text}`. */
  payloadFile?: string;
  /** Further apps beside the generated ones, which leave them their appids. */
  apps?: (NewApp & { text: string })[];
  /** SteamSpy is there too, and knows the games of the catalog. */
  steamSpy?: boolean;
  /** Generate every text before the first request (about 4 KB of memory an app). */
  pregenerate?: boolean;
}

/** The methods of {@link ForkedSteam.call}. */
export interface SteamCalls {
  stats(): SteamStats;
  /** Requests in order of arrival; empty with `keepRequests: false`. */
  requests(kind?: SimulatedRequestKind): LoggedRequest[];
  /** Product info requests by app. */
  fetchCounts(): Map<number, number>;
  clearLog(): void;
  /** Changes `count` random apps and returns their new change numbers. */
  changeRandom(count: number): Map<number, number>;
  change(appid: number, newText?: string): number;
  remove(appid: number): number;
  /** Which list of IStoreService/GetAppList names the app from now on; null for none. */
  list(appid: number, kind: AppListKind | null): void;
  appids(): number[];
  /** The current change number of every app. */
  changeNumbers(): Map<number, number>;
  addFault(fault: Fault): void;
  randomFaults(options: { seed: number; rate: number; kinds: FaultKind[] }): void;
  clearFaults(): void;
  disconnectAll(eresult?: number): void;
}

export interface SteamStats {
  /** Apps in the catalog. */
  size: number;
  currentChangeNumber: number;
  sessions: number;
  counts: Record<SimulatedRequestKind, number>;
  struck: Map<FaultKind, number>;
  appsServed: number;
  bytesSent: number;
  /** Resident memory and CPU time of the simulation's process. */
  rssBytes: number;
  cpuMs: number;
}

export interface ForkedSteam extends Pick<SimulatedSteam, "proxyUrl" | "caFile" | "env"> {
  pid: number;
  call<M extends keyof SteamCalls>(method: M, ...args: Parameters<SteamCalls[M]>): Promise<ReturnType<SteamCalls[M]>>;
  close(): Promise<void>;
}

interface Call {
  id: number;
  method: keyof SteamCalls | "start" | "close";
  args: unknown[];
}
type Reply = { id: number; result: unknown } | { id: number; error: string };

export async function forkSimulatedSteam(options: ForkOptions = {}): Promise<ForkedSteam> {
  // The simulation itself goes through no proxy, whatever the environment of this process says.
  const { HTTPS_PROXY: _, HTTP_PROXY: __, NODE_EXTRA_CA_CERTS: ___, ...env } = process.env;
  const child = fork(fileURLToPath(import.meta.url), [], { serialization: "advanced", execArgv: [], env });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let calls = 0;
  child.on("message", (reply: Reply) => {
    const call = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ("error" in reply) call?.reject(new Error(reply.error));
    else call?.resolve(reply.result);
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code) => {
      for (const call of waiting.values()) call.reject(new Error(`The simulated Steam ended with code ${code}.`));
      resolve();
    });
  });
  const ask = (method: Call["method"], args: unknown[]) =>
    new Promise<unknown>((resolve, reject) => {
      calls += 1;
      waiting.set(calls, { resolve, reject });
      child.send({ id: calls, method, args } satisfies Call, (error) => error && reject(error));
    });

  const started = (await ask("start", [options])) as Pick<SimulatedSteam, "proxyUrl" | "caFile" | "env">;
  return {
    ...started,
    pid: child.pid ?? 0,
    call: (method, ...args) => ask(method, args) as Promise<ReturnType<SteamCalls[typeof method]>>,
    async close() {
      if (child.connected) await ask("close", []);
      await exited;
    },
  };
}

/** The calls, as the child process handles them. */
function serve(): void {
  let steam: SimulatedSteam | null = null;
  let calls: SteamCalls | null = null;
  const reply = (message: Reply) => process.send?.(message);
  const stop = async () => {
    await steam?.close();
    process.exit(0);
  };
  process.once("disconnect", stop);
  // A signal to the whole process group (Ctrl+C) is for the parent, which closes the simulation when it is done.
  process.on("SIGINT", () => {});

  process.on("message", async ({ id, method, args }: Call) => {
    try {
      if (method === "start") {
        steam = await start(args[0] as ForkOptions);
        calls = callsOf(steam);
        const { proxyUrl, caFile, env } = steam;
        reply({ id, result: { proxyUrl, caFile, env } });
      } else if (method === "close") {
        process.off("disconnect", stop);
        await steam?.close();
        process.send?.({ id, result: null } satisfies Reply, () => process.exit(0));
      } else {
        const call = calls?.[method] as ((...args: unknown[]) => unknown) | undefined;
        if (!call) throw new Error(`The simulated Steam knows no call ${method}.`);
        reply({ id, result: call(...args) });
      }
    } catch (error) {
      reply({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  });
}

async function start(given: ForkOptions): Promise<SimulatedSteam> {
  const {
    generate = { seed: 1, count: 2_000 },
    payloadFile,
    apps = [],
    steamSpy,
    pregenerate = false,
    ...options
  } = given;
  const catalog = payloadFile
    ? fromPayloads(readPayloads(payloadFile))
    : generateCatalog(apps.length > 0 ? { ...generate, reserved: apps.map(({ appid }) => appid) } : generate);
  for (const app of apps) catalog.add(app);
  if (pregenerate) catalog.pregenerate();
  const routes = steamSpy ? asRoutes(createSimulatedSteamSpy(catalogDump(catalog))) : [];
  return startSimulatedSteam({ ...options, catalog, routes });
}

/** The payloads of a gzipped file of JSON lines `{appid, change_number, text}`. */
export function readPayloads(file: string): { appid: number; changeNumber: number; text: string }[] {
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split("\n");
  return lines.map((line) => {
    const { appid, change_number, text } = JSON.parse(line) as { appid: number; change_number: number; text: string };
    return { appid, changeNumber: change_number, text };
  });
}

function callsOf(steam: SimulatedSteam): SteamCalls {
  const { catalog, log, faults } = steam;
  const random = createRandom(99);
  return {
    stats() {
      const { user, system } = process.cpuUsage();
      return {
        size: catalog.size,
        currentChangeNumber: catalog.currentChangeNumber,
        sessions: steam.sessions,
        counts: { ...log.counts },
        struck: new Map(faults.struck),
        appsServed: log.appsServed,
        bytesSent: log.bytesSent,
        rssBytes: process.memoryUsage.rss(),
        cpuMs: (user + system) / 1000,
      };
    },
    requests: (kind) => (kind ? log.of(kind) : [...log.requests]),
    fetchCounts: () => log.fetchCounts(),
    clearLog: () => log.clear(),
    changeRandom(count) {
      const chosen = random.sample([...catalog.apps.keys()], count);
      return new Map(chosen.map((appid) => [appid, catalog.change(appid)]));
    },
    change: (appid, newText) => catalog.change(appid, newText),
    remove: (appid) => catalog.remove(appid),
    list(appid, kind) {
      const app = catalog.apps.get(appid);
      if (app) app.listKind = kind;
    },
    appids: () => [...catalog.apps.keys()],
    changeNumbers: () => new Map([...catalog.apps.values()].map(({ appid, changeNumber }) => [appid, changeNumber])),
    addFault(fault) {
      faults.add(fault);
    },
    randomFaults: (options) => faults.random(options),
    clearFaults: () => faults.clear(),
    disconnectAll: (eresult) => steam.disconnectAll(eresult),
  };
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) serve();

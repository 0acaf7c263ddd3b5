import { once } from "node:events";
import { Agent } from "node:http";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Logger, pino } from "pino";
import { valveDomains } from "../../../src/process/host-name.ts";
import { createPics, type PicsOptions } from "../../../src/steam/pics.ts";
import type { Pics } from "../../../src/steam/port.ts";
import { createSteamSession, type SteamSession, type SteamSessionOptions } from "../../../src/steam/session.ts";
import { type Catalog, createCatalog } from "../../support/steam/catalog.ts";
import type { Fault } from "../../support/steam/faults.ts";
import { toKeyValues } from "../../support/steam/key-values-writer.ts";
import {
  type SimulatedSteam,
  type SimulatedSteamOptions,
  startSimulatedSteam,
} from "../../support/steam/simulated-steam.ts";

export interface HarnessOptions {
  steam?: SimulatedSteamOptions;
  session?: Partial<SteamSessionOptions>;
  pics?: Partial<PicsOptions>;
  /** In force before the session starts. */
  faults?: Fault[];
}

export interface Harness extends AsyncDisposable {
  steam: SimulatedSteam;
  session: SteamSession;
  pics: Pics;
  /** The same over the same session with a short time limit: for requests that must time out, and no others. */
  impatient: Pics;
  /** Every line logged so far. */
  lines: LogLine[];
  /** What reached the process instead of a caller: always empty. */
  escaped: unknown[];
}

export interface LogLine {
  level: number;
  msg: string;
  retry_in_ms?: number;
  eresult?: number | null;
}

export const warnLevel = 40;

/** A started session over a simulated Steam, with pauses short enough for tests. `await using` stops both. */
export async function startHarness(options: HarnessOptions = {}): Promise<Harness> {
  const steam = await startSimulatedSteam({ catalog: smallCatalog(), ...options.steam });
  const distrust = steam.trustHere();
  const lines: LogLine[] = [];
  const logger = memoryLogger(lines);
  const escaped: unknown[] = [];
  const onEscape = (error: unknown) => escaped.push(error);
  process.on("unhandledRejection", onEscape);
  process.on("uncaughtException", onEscape);
  const session = createSteamSession({
    proxyUrl: steam.proxyUrl,
    logger,
    reconnectMinDelayMs: 5,
    reconnectMaxDelayMs: 40,
    requestTimeoutMs: 5_000,
    ...options.session,
  });
  const picsOptions: PicsOptions = {
    session,
    logger,
    requestDelayMs: 0,
    concurrency: 4,
    timeoutMs: 5_000,
    ...options.pics,
    // The agent of the process takes its proxy from the environment at start; this one takes it as an argument.
    http: {
      hosts: valveDomains,
      agent: new Agent({ proxyEnv: { HTTP_PROXY: steam.proxyUrl } }),
      ...options.pics?.http,
    },
  };
  const pics = createPics(picsOptions);
  const impatient = createPics({ ...picsOptions, timeoutMs: 300 });
  for (const fault of options.faults ?? []) steam.faults.add(fault);
  session.start();
  return {
    steam,
    session,
    pics,
    impatient,
    lines,
    escaped,
    async [Symbol.asyncDispose]() {
      await session.stop();
      await steam.close();
      distrust();
      process.off("unhandledRejection", onEscape);
      process.off("uncaughtException", onEscape);
    },
  };
}

/** Apps 10, 20, … with short texts. */
export function smallCatalog(count = 30): Catalog {
  const catalog = createCatalog();
  for (let i = 1; i <= count; i += 1) catalog.add({ appid: i * 10, text: appText(i * 10) });
  return catalog;
}

export function appText(appid: number): string {
  return toKeyValues({ appinfo: { appid, common: { name: `Größe ${appid} 漢字`, type: "Game" } } });
}

export function memoryLogger(lines: LogLine[]): Logger {
  return pino({ level: "trace" }, { write: (line: string) => lines.push(JSON.parse(line)) });
}

/** A TCP relay to the proxy that can stop passing bytes on, as a half-open connection does. */
export async function startRelay(proxyUrl: string) {
  const { hostname, port } = new URL(proxyUrl);
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Connections that are open now stay open and pass nothing on any more. */
    freeze() {
      for (const socket of sockets) socket.unpipe().pause();
    },
    /** The frozen connections read again, so that they notice when the other side has closed. */
    async thawed() {
      for (const socket of sockets) socket.resume();
      while (sockets.size > 0) await sleep(5);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { asSuperuser, startCluster, urlOf } from "../cluster.ts";
import { connectRaw, type RawClient, type RawOptions } from "../raw-http.ts";
import { type Service, startService } from "../service.ts";
import { forkSimulatedSteam } from "../steam/child.ts";

/** The service as a process, with a Postgres and a simulated Steam, as the target of attacks. */
export interface Target extends AsyncDisposable {
  base: string;
  service: Service;
  sql(text: string): Promise<pg.QueryResult>;
  /** The value of a metric, 0 without one. */
  metric(name: string): Promise<number>;
  /** Resident memory of the service in bytes. */
  memory(): number;
  /** Number and bytes of the lines that it has logged. */
  logged(): { lines: number; bytes: number };
}

export async function startTarget(env: Record<string, string> = {}): Promise<Target> {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster();
  stack.defer(() => cluster.stop());
  const steam = await forkSimulatedSteam({ generate: { seed: 1, count: 200 } });
  stack.defer(() => steam.close());
  await asSuperuser(cluster.address, "postgres", (client) => client.query("create database soak owner postgres"));
  const url = urlOf(cluster.address, "postgres", "soak");
  const service = startService({ args: ["change-monitor"], steam, database: { env: { DATABASE_URL: url } }, env });
  stack.defer(() => service.stop());
  const base = await service.url();
  await service.until("/v1/changes", ({ data }) => Array.isArray(data));
  const owned = stack.move();
  return {
    base,
    service,
    sql: (text) => asSuperuser(cluster.address, "soak", (client) => client.query(text)),
    async metric(name) {
      const text = await (await fetch(`${base}/metrics`)).text();
      const line = text.split("\n").find((each) => each.startsWith(`${name} `));
      return Number(line?.split(" ").at(-1) ?? 0);
    },
    memory: () => 1_024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, "utf8"))?.[1]),
    logged: () => ({ lines: service.logs.length, bytes: JSON.stringify(service.logs).length + service.text.length }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Connects `count` clients, ten from each of as many addresses as that takes, the first 127.0.`net`.1. */
export function connectMany({ base }: Target, count: number, net: number, options: RawOptions): Promise<RawClient[]> {
  return Promise.all(
    Array.from({ length: count }, (_, at) =>
      connectRaw(base, { ...options, localAddress: `127.0.${net}.${1 + Math.floor(at / 10)}` }),
    ),
  );
}

export function leave(clients: readonly RawClient[]): void {
  for (const { socket } of clients) socket.destroy();
}

/** Seconds until `isTrue`; Infinity after the limit. */
export async function secondsUntil(isTrue: () => Promise<boolean>, limitSeconds: number): Promise<number> {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1_000;
  while (seconds() < limitSeconds) {
    if (await isTrue()) return seconds();
    await sleep(200);
  }
  return Number.POSITIVE_INFINITY;
}

/** Requests a path twice a second while an attack runs. */
export function probe(base: string, path: string) {
  const milliseconds: number[] = [];
  const failures: string[] = [];
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      const startedAt = performance.now();
      try {
        const { status } = await fetch(base + path);
        if (status !== 200) failures.push(`${path} answered ${status}`);
      } catch (error) {
        failures.push(`${path}: ${String(error)}`);
      }
      milliseconds.push(performance.now() - startedAt);
      await sleep(500);
    }
  })();
  return {
    /** Ends it. */
    async result() {
      isOver = true;
      await running;
      return { requests: milliseconds.length, slowestMs: Math.round(Math.max(...milliseconds)), failures };
    },
  };
}

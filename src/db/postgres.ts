import pg from "pg";
import type { Logger } from "pino";
import { ConfigError } from "../process/errors.ts";
import { sqlCall } from "./call.ts";
import type { RpcOptions, SqlDatabase } from "./database.ts";
import { toDatabaseError } from "./sqlstate.ts";
import { defaultTimeoutMs, withTimeout } from "./timeout.ts";

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; TLS by its `sslmode`. */
  url: string;
  /** Connections at the same time; further calls wait for a free one. */
  maxConnections?: number;
  logger: Logger;
}

const connectTimeoutMs = 10_000;
const idleTimeoutMs = 30_000;
/** A migration may build indexes over a whole catalog. */
const scriptTimeoutMs = 600_000;
/** How long open connections get to say goodbye. */
const closeTimeoutMs = 2_000;

/**
 * A pool of connections to Postgres 15 or newer. Nothing is connected yet when it returns: a server that is away shows at
 * the first call, and one that comes back is used again.
 *
 * Statements are not prepared by name: behind a transaction pooler (PgBouncer, Supavisor) a name belongs to a session
 * that the next call need not get, and the planning it would save is a thousandth of a batch.
 *
 * @throws {ConfigError} when the URL cannot be read.
 */
export async function openPostgres(options: PostgresOptions): Promise<SqlDatabase> {
  const { logger } = options;
  // pg quotes an unreadable URL, password and all, in its own error.
  if (!/^postgres(ql)?:$/.test(URL.parse(options.url)?.protocol ?? ""))
    throw new ConfigError("DATABASE_URL is not a URL of the form postgres://user:password@host:port/database");

  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections ?? 4,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    application_name: "steam-pics-sync",
    types: { getTypeParser },
  });
  const clients = new Set<pg.PoolClient>();
  const statementTimeouts = new WeakMap<pg.PoolClient, number>();
  pool.on("connect", (client) => {
    clients.add(client);
    // A connection lost while in use also rejects the call that uses it; without a listener it would end the process.
    client.on("error", () => {});
  });
  pool.on("remove", (client) => clients.delete(client));
  pool.on("error", (error) => logger.warn({ err: error }, "an idle Postgres connection was lost"));

  async function checkout(what: string, options: RpcOptions): Promise<pg.PoolClient> {
    const connecting = pool.connect();
    try {
      return await withTimeout(what, options, "unreachable", () => connecting);
    } catch (error) {
      connecting.then(
        (client) => client.release(),
        () => {},
      );
      if (options.signal?.aborted) throw options.signal.reason;
      // The pool's own time-outs have no code.
      throw toDatabaseError("postgres", what, error, error instanceof pg.DatabaseError ? "fatal" : "unreachable");
    }
  }

  /** Lets the server give up a little before the caller, so that the caller's limit passes only when nobody answers. */
  async function limitStatements(client: pg.PoolClient, timeoutMs: number): Promise<void> {
    const statementTimeoutMs = Math.max(1, Math.floor(timeoutMs - Math.min(1_000, timeoutMs / 10)));
    if (statementTimeouts.get(client) === statementTimeoutMs) return;
    await client.query(`set statement_timeout = ${statementTimeoutMs}`);
    statementTimeouts.set(client, statementTimeoutMs);
  }

  async function run<T>(what: string, options: RpcOptions, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const { timeoutMs = defaultTimeoutMs, signal } = options;
    signal?.throwIfAborted();
    const client = await checkout(what, options);
    let broken = true;
    try {
      const result = await withTimeout(what, options, "unreachable", async () => {
        await limitStatements(client, timeoutMs);
        return await work(client);
      });
      broken = false;
      return result;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      // An answer of the server leaves the connection usable, unless it says that the session ends.
      broken = !(error instanceof pg.DatabaseError) || error.severity === "FATAL";
      throw toDatabaseError("postgres", what, error, isConnectionLoss(error) ? "unreachable" : "fatal");
    } finally {
      // A connection that somebody gave up on is ended: its answer may still come and would be taken for the next one's.
      client.release(broken);
    }
  }

  let closing: Promise<void> | null = null;
  return {
    driver: "postgres",
    async rpc(name, args = {}, options = {}) {
      const { sql, params } = sqlCall(name, args);
      const { rows } = await run(name, options, (client) => client.query<{ result: unknown }>(sql, params));
      return rows[0]?.result ?? null;
    },
    async query<Row extends object>(sql: string, params: unknown[] = []) {
      const { rows } = await run("query", {}, (client) => client.query(sql, params));
      return rows as Row[];
    },
    async transaction(script) {
      // Several statements in one message are one transaction to Postgres.
      await run("transaction", { timeoutMs: scriptTimeoutMs }, (client) => client.query(script));
    },
    close() {
      closing ??= closePool(pool, clients);
      return closing;
    },
  };
}

/** The pool's own end does not wait for the connections, which would keep the process alive. */
async function closePool(pool: pg.Pool, clients: Set<pg.PoolClient>): Promise<void> {
  // Not `once` of node:events, which rejects when the connection ends with an error.
  const ended = Array.from(clients, (client) => new Promise<void>((resolve) => client.once("end", () => resolve())));
  // Calls still running get this long, and a half-open connection never confirms its end.
  const timer = setTimeout(() => {
    for (const client of clients) client.connection.stream.destroy();
  }, closeTimeoutMs);
  await pool.end();
  await Promise.all(ended);
  clearTimeout(timer);
}

/** pg reports a lost connection as a plain Error without a code; its own mistakes are TypeErrors and the like. */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
}

const { builtins } = pg.types;

/** As pg reads values, but bigint as a number (ids and counts stay far below 2^53) and void as null. */
function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  if (oid === builtins.INT8) return Number;
  if (oid === 2278) return () => null;
  return pg.types.getTypeParser(oid, format === "binary" ? "text" : format);
}

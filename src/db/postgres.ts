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
  /** Size of the pool, default 4; further calls wait for a free connection. */
  maxConnections?: number;
  logger: Logger;
}

const connectTimeoutMs = 10_000;
const idleTimeoutMs = 30_000;
/** A migration may build indexes over a whole catalog. */
const scriptTimeoutMs = 600_000;
/** How long open connections have to close in order. */
const closeTimeoutMs = 2_000;

/**
 * Transport to Postgres 15 or newer through a connection pool. Connects at the first call, so a server that is down
 * shows there; after an outage the pool connects again.
 *
 * Statements are not prepared by name: behind a transaction pooler (PgBouncer, Supavisor) a name belongs to a session
 * that the next call need not get, and the planning it would save is a thousandth of a batch.
 *
 * @throws {ConfigError} when the URL cannot be parsed.
 */
export async function openPostgres(options: PostgresOptions): Promise<SqlDatabase> {
  const pool = createPool(options);
  let closing: Promise<void> | null = null;
  return {
    driver: "postgres",
    async rpc(name, args = {}, options = {}) {
      const { sql, params } = sqlCall(name, args);
      const { rows } = await run(pool, name, options, (client) => client.query<{ result: unknown }>(sql, params));
      return rows[0]?.result ?? null;
    },
    async query<Row extends object>(sql: string, params: unknown[] = []) {
      const { rows } = await run(pool, "query", {}, (client) => client.query(sql, params));
      return rows as Row[];
    },
    async transaction(script) {
      // Several statements in one message are one transaction to Postgres.
      await run(pool, "transaction", { timeoutMs: scriptTimeoutMs }, (client) => client.query(script));
    },
    close() {
      closing ??= closePool(pool);
      return closing;
    },
  };
}

/** A pool and its open connections, idle or in use. */
interface Pool {
  pool: pg.Pool;
  clients: Set<pg.PoolClient>;
}

function createPool({ url, maxConnections = 4, logger }: PostgresOptions): Pool {
  // pg's own error would repeat the URL, including the password.
  if (!/^postgres(ql)?:$/.test(URL.parse(url)?.protocol ?? ""))
    throw new ConfigError("DATABASE_URL is not a URL of the form postgres://user:password@host:port/database");

  const pool = new pg.Pool({
    connectionString: url,
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    application_name: "steam-pics-sync",
    types: { getTypeParser },
  });
  const clients = new Set<pg.PoolClient>();
  pool.on("connect", (client) => {
    clients.add(client);
    // A connection lost while in use also rejects its call; without this listener the event would end the process.
    client.on("error", () => {});
  });
  pool.on("remove", (client) => clients.delete(client));
  pool.on("error", (error) =>
    logger.warn({ err: error }, "an idle Postgres connection was lost; the pool opens a new one"),
  );
  return { pool, clients };
}

/**
 * Runs `work` on a connection of the pool, with a time limit in the server and one here. Throws {@link DatabaseError}.
 */
async function run<T>(
  { pool }: Pool,
  what: string,
  options: RpcOptions,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const { timeoutMs = defaultTimeoutMs, signal } = options;
  signal?.throwIfAborted();
  const client = await checkout(pool, what, options);
  let isUsable = false;
  try {
    const result = await withTimeout(what, options, "unreachable", async () => {
      await setStatementTimeout(client, timeoutMs);
      return await work(client);
    });
    isUsable = true;
    return result;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    // An error that the server answered leaves the connection usable, unless it ends the session.
    isUsable = error instanceof pg.DatabaseError && error.severity !== "FATAL";
    throw toDatabaseError("postgres", what, error, isConnectionLoss(error) ? "unreachable" : "fatal");
  } finally {
    // After a timeout or an abort the connection is closed: a late answer would be taken for that of its next call.
    client.release(!isUsable);
  }
}

/** Takes a connection out of the pool, within the limits of the call. One that comes too late goes back to the pool. */
async function checkout(pool: pg.Pool, what: string, options: RpcOptions): Promise<pg.PoolClient> {
  const connecting = pool.connect();
  try {
    return await withTimeout(what, options, "unreachable", () => connecting);
  } catch (error) {
    connecting.then(
      (client) => client.release(),
      () => {},
    );
    if (options.signal?.aborted) throw options.signal.reason;
    // A timeout of the pool has no code.
    throw toDatabaseError("postgres", what, error, error instanceof pg.DatabaseError ? "fatal" : "unreachable");
  }
}

/** The statement_timeout that each connection has, so that it is sent only when it changes. */
const statementTimeouts = new WeakMap<pg.PoolClient, number>();

/**
 * Sets the server's time limit a little below the caller's, so that the caller's passes only when the server is
 * unreachable.
 */
async function setStatementTimeout(client: pg.PoolClient, timeoutMs: number): Promise<void> {
  const statementTimeoutMs = Math.max(1, Math.floor(timeoutMs - Math.min(1_000, timeoutMs / 10)));
  if (statementTimeouts.get(client) === statementTimeoutMs) return;
  await client.query(`set statement_timeout = ${statementTimeoutMs}`);
  statementTimeouts.set(client, statementTimeoutMs);
}

/**
 * Closes the pool and waits for its connections, which `pool.end()` alone does not; they would keep the process alive.
 */
async function closePool({ pool, clients }: Pool): Promise<void> {
  // Not `once` of node:events, which rejects when the connection ends with an error.
  const ended = Array.from(clients, (client) => new Promise<void>((resolve) => client.once("end", () => resolve())));
  // Running calls get this long. A half-open connection would never confirm its end.
  const timer = setTimeout(() => {
    for (const client of clients) client.connection.stream.destroy();
  }, closeTimeoutMs);
  await pool.end();
  await Promise.all(ended);
  clearTimeout(timer);
}

/**
 * Whether the connection was lost: pg reports that as a plain Error without a code, and its own bugs as subclasses
 * (TypeError).
 */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
}

const { builtins } = pg.types;
const voidType = 2278;

/** pg's parsers, except that bigint becomes a number (ids and counts stay far below 2^53) and void becomes null. */
function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  if (oid === builtins.INT8) return Number;
  if (oid === voidType) return () => null;
  return pg.types.getTypeParser(oid, format === "binary" ? "text" : format);
}

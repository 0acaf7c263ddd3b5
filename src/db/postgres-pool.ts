import pg from "pg";
import type { Logger } from "pino";
import { DatabaseError } from "../process/errors.ts";
import type { RpcOptions } from "./database.ts";
import { parsePostgresUrl, type Tls } from "./postgres-url.ts";
import { createSlots } from "./slots.ts";
import { toDatabaseError } from "./sqlstate.ts";
import { defaultTimeoutMs, withTimeout } from "./timeout.ts";

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`; see {@link parsePostgresUrl} for `sslmode`. */
  url: string;
  /** Most connections of this pool, default 4; further calls wait for a free one. */
  maxConnections?: number;
  logger: Logger;
}

/** Connections to one Postgres server. They are opened when needed, and again after an outage. */
export interface PostgresPool {
  /** Most connections. */
  readonly size: number;
  /**
   * Waits for a free connection, or opens one.
   *
   * @throws {DatabaseError} `retryable` when none became free within the call's time limit; `signal.reason`.
   */
  acquire(what: string, options: RpcOptions): Promise<pg.PoolClient>;
  /** Puts a connection back. One that is not usable is closed at once: a late answer would be taken for the next call's. */
  release(client: pg.PoolClient, isUsable: boolean): void;
  /** Closes the connections; those in use get two seconds to finish. */
  close(): Promise<void>;
}

const connectTimeoutMs = 10_000;
const idleTimeoutMs = 30_000;
/** How long open connections have to close in order. */
const closeTimeoutMs = 2_000;

/** @throws {ConfigError} when the URL or a file that it names cannot be used. */
export function createPostgresPool({ url, maxConnections = 4, logger }: PostgresOptions): PostgresPool {
  const { connectionString, tls, sslnegotiation } = parsePostgresUrl(url);
  const options: pg.PoolConfig = {
    connectionString,
    ssl: tls[0],
    ...(sslnegotiation && { sslnegotiation }),
    max: maxConnections,
    connectionTimeoutMillis: connectTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    application_name: "steam-pics-sync",
    types: { getTypeParser },
  };
  const pool = new pg.Pool(options);
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

  const connect = createConnect(pool, tls);
  const slots = createSlots(maxConnections);
  return {
    size: maxConnections,
    async acquire(what, options) {
      await waitForSlot(what, options, (signal) => slots.acquire(signal));
      try {
        return await checkout(connect, options);
      } catch (error) {
        slots.release();
        throw error;
      }
    },
    release(client, isUsable) {
      client.release(!isUsable);
      slots.release();
    },
    close: () => closePool(pool, clients),
  };
}

async function waitForSlot(what: string, options: RpcOptions, acquire: (signal: AbortSignal) => Promise<void>) {
  const { timeoutMs = defaultTimeoutMs } = options;
  try {
    await withTimeout(what, options, "retryable", acquire);
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    const message = `${what}: all connections were in use for ${timeoutMs} ms (raise DATABASE_POOL_SIZE)`;
    throw new DatabaseError("retryable", "pool_busy", message, { cause: error });
  }
}

const connecting = "connecting to Postgres";

/** Takes a connection out of the pool, within the limits of the call. One that comes too late goes back to the pool. */
async function checkout(connect: () => Promise<pg.PoolClient>, options: RpcOptions): Promise<pg.PoolClient> {
  const client = connect();
  try {
    return await withTimeout(connecting, options, "unreachable", () => client);
  } catch (error) {
    client.then(
      (late) => late.release(),
      () => {},
    );
    if (options.signal?.aborted) throw options.signal.reason;
    throw toDatabaseError("postgres", connecting, withCode(error), { defaultFault: "unreachable", atConnection: true });
  }
}

/**
 * Opens connections with the kind of encryption that the server accepts: where both are allowed and the server refuses
 * one, the other is tried and kept. An outage never leads to a change.
 */
function createConnect(pool: pg.Pool, tls: readonly [Tls, Tls?]): () => Promise<pg.PoolClient> {
  return async () => {
    const used = pool.options.ssl;
    const other = tls.find((each) => each !== used);
    try {
      return await pool.connect();
    } catch (error) {
      if (other === undefined || !refusesEncryption(error)) throw error;
      pool.options.ssl = other;
      try {
        return await pool.connect();
      } catch (second) {
        // A server without TLS is known for certain; any other refusal may have had another reason.
        if (isWithoutTls(error)) throw second;
        pool.options.ssl = used;
        throw error;
      }
    }
  };
}

/** A server without TLS, one that cannot complete the handshake, or one that admits only the other kind (SQLSTATE 28000). */
function refusesEncryption(error: unknown): boolean {
  if (isWithoutTls(error)) return true;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return code === "28000" || code === "EPROTO" || code.startsWith("ERR_SSL_") || isPoolerWithoutPlain(error);
}

/** Poolers demand TLS with a code of many meanings. */
function isPoolerWithoutPlain(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /ESSLREQUIRED|SSL (connection is )?required/i.test(error.message);
}

function isWithoutTls(error: unknown): boolean {
  return error instanceof Error && error.message === "The server does not support SSL connections";
}

/** Gives the errors that `pg` throws without a code one. */
function withCode(error: unknown): unknown {
  if (!(error instanceof Error) || "code" in error) return error;
  if (isWithoutTls(error)) return Object.assign(error, { code: "no_ssl" });
  if (/^SASL: .*client password must be/.test(error.message)) return Object.assign(error, { code: "no_password" });
  return error.message.startsWith("SASL: ") ? Object.assign(error, { code: "sasl" }) : error;
}

/** Closes the pool and waits for its connections, which `pool.end()` alone does not; they would keep the process alive. */
async function closePool(pool: pg.Pool, clients: Set<pg.PoolClient>): Promise<void> {
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

const { builtins } = pg.types;
const voidType = 2278;

/** pg's parsers, except that bigint becomes a number (ids and counts stay far below 2^53) and void becomes null. */
function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  if (oid === builtins.INT8) return Number;
  if (oid === voidType) return () => null;
  return pg.types.getTypeParser(oid, format === "binary" ? "text" : format);
}

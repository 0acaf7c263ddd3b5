import pg from "pg";
import { sqlCall } from "./call.ts";
import type { RpcOptions, SqlDatabase } from "./database.ts";
import { createPostgresPool, type PostgresOptions, type PostgresPool } from "./postgres-pool.ts";
import { toDatabaseError } from "./sqlstate.ts";
import { defaultTimeoutMs, withTimeout } from "./timeout.ts";

/** A migration may build indexes over a whole catalog. */
const scriptTimeoutMs = 600_000;

/**
 * Transport to Postgres 15 or newer through a connection pool. Connects at the first call, so a server that is down
 * shows there; after an outage the pool connects again.
 *
 * Behind a transaction pooler (PgBouncer, Supavisor) a session belongs to many clients in turn. So nothing is kept in
 * one: statements are not prepared by name (the planning it would save is a thousandth of a batch), the time limit is
 * set for the transaction alone, and locks end with it.
 *
 * @throws {ConfigError} when the URL or a file that it names cannot be used.
 */
export async function openPostgres(options: PostgresOptions): Promise<SqlDatabase> {
  const pool = createPostgresPool(options);
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
      await run(pool, "transaction", { timeoutMs: scriptTimeoutMs }, (client) => client.query(script));
    },
    close() {
      closing ??= pool.close();
      return closing;
    },
  };
}

/** Runs `work` in a transaction, with a time limit in the server and one here. Throws {@link DatabaseError}. */
async function run<T>(
  pool: PostgresPool,
  what: string,
  options: RpcOptions,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const { timeoutMs = defaultTimeoutMs, signal } = options;
  signal?.throwIfAborted();
  const client = await pool.acquire(what, options);
  let isUsable = false;
  try {
    const result = await withTimeout(what, options, "unreachable", () => inTransaction(client, timeoutMs, work));
    isUsable = true;
    return result;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const isAnswer = error instanceof pg.DatabaseError;
    // An error that the server answered leaves the connection usable, unless it ends the session.
    isUsable = isAnswer && error.severity !== "FATAL";
    const defaultFault = isConnectionLoss(error) ? "unreachable" : "fatal";
    throw toDatabaseError("postgres", what, error, { defaultFault, atConnection: isAnswer && !isUsable });
  } finally {
    pool.release(client, isUsable);
  }
}

/**
 * Runs `work` in a transaction of its own that carries its time limit. All three statements are sent at once (pipeline
 * mode), so that it takes one round trip. The server's limit is a little below the caller's, so that the caller's passes
 * only when the server is unreachable.
 */
async function inTransaction<T>(
  client: pg.PoolClient,
  timeoutMs: number,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const statementTimeoutMs = Math.max(1, Math.floor(timeoutMs - Math.min(1_000, timeoutMs / 10)));
  // The socket gets them in one piece.
  const { stream } = client.connection;
  stream.cork();
  const begun = client.query(`begin; set local statement_timeout = ${statementTimeoutMs}`);
  const done = work(client);
  const committed = client.query("commit");
  stream.uncork();
  const outcomes = await Promise.allSettled([begun, done, committed]);
  const failure = outcomes.find((outcome) => outcome.status === "rejected");
  if (failure) throw failure.reason;
  return await done;
}

/**
 * Whether the connection was lost: pg reports that as a plain Error without a code, and its own bugs as subclasses
 * (TypeError).
 */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
}

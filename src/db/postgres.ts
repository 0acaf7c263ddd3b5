import { once } from "node:events";
import pg from "pg";
import type { DatabaseError } from "../process/errors.ts";
import { sqlCall } from "./call.ts";
import type { ListenOptions, RpcOptions, SqlDatabase } from "./database.ts";
import { newsChannel } from "./news.ts";
import { createPostgresPool, type PostgresOptions, type PostgresPool } from "./postgres-pool.ts";
import { toDatabaseError } from "./sqlstate.ts";
import { defaultTimeoutMs, withTimeout } from "./timeout.ts";
import { runTransaction } from "./transaction.ts";
import { vacuumStatement } from "./vacuum.ts";

/** A migration may build indexes over a whole catalog. */
const scriptTimeoutMs = 600_000;
/** Longer than the server's limit of a statement of a transaction: its passing means that the server is unreachable. */
const statementTimeoutMs = 1_860_000;

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
  const closed = new AbortController();
  let closing: Promise<void> | null = null;
  return {
    driver: "postgres",
    async rpc(name, args = {}, options = {}) {
      const { sql, params } = sqlCall(name, args);
      const { rows } = await run(pool, name, options, (client, timeoutMs) =>
        runLimited<{ result: unknown }>(client, timeoutMs, sql, params),
      );
      return rows[0]?.result ?? null;
    },
    async query<Row extends object>(sql: string, params: unknown[] = []) {
      const { rows } = await run(pool, "query", {}, (client, timeoutMs) => runLimited(client, timeoutMs, sql, params));
      return rows as Row[];
    },
    async transaction(script) {
      await run(pool, "transaction", { timeoutMs: scriptTimeoutMs }, (client, timeoutMs) =>
        runScript(client, timeoutMs, script),
      );
    },
    async inTransaction(mode, work) {
      const client = await pool.acquire(mode, {});
      let isUsable = true;
      const runStatement = async (sql: string, params: unknown[], rowMode: "array" | "object") => {
        try {
          const config = rowMode === "array" ? { text: sql, values: params, rowMode } : { text: sql, values: params };
          const limit = { timeoutMs: statementTimeoutMs };
          return (await withTimeout(mode, limit, "unreachable", () => client.query(config as pg.QueryConfig))).rows;
        } catch (error) {
          const fault = faultOf(mode, error);
          isUsable = isUsable && fault.isUsable;
          throw fault.error;
        }
      };
      try {
        return await runTransaction(mode, runStatement, work);
      } finally {
        pool.release(client, isUsable);
      }
    },
    async vacuum(tables) {
      // Without a limit in the server: setting one makes a transaction, in which VACUUM is refused.
      await run(pool, "vacuum", {}, (client) => client.query(vacuumStatement(tables)));
    },
    listen: (options) => listen(pool, { ...options, signal: AbortSignal.any([options.signal, closed.signal]) }),
    close() {
      closed.abort();
      closing ??= pool.close();
      return closing;
    },
  };
}

/** Runs `work` on a connection of the pool, with a time limit. Throws {@link DatabaseError}. */
async function run<T>(
  pool: PostgresPool,
  what: string,
  options: RpcOptions,
  work: (client: pg.PoolClient, timeoutMs: number) => Promise<T>,
): Promise<T> {
  const { timeoutMs: limitMs = defaultTimeoutMs, signal } = options;
  signal?.throwIfAborted();
  const startedAt = performance.now();
  const client = await pool.acquire(what, options);
  // The time limit includes the wait for a connection.
  const timeoutMs = Math.max(1, Math.round(limitMs - (performance.now() - startedAt)));
  let isUsable = false;
  try {
    const result = await withTimeout(what, { ...options, timeoutMs }, "unreachable", () => work(client, timeoutMs));
    isUsable = true;
    return result;
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    const fault = faultOf(what, error);
    isUsable = fault.isUsable;
    throw fault.error;
  } finally {
    pool.release(client, isUsable);
  }
}

/**
 * Listens on a connection of the pool, which it keeps meanwhile: not where that would leave one for the work alone, nor
 * behind a pooler, where the session is not this client's. There the process id that the server sent at the start is
 * the pooler's own.
 */
async function listen(pool: PostgresPool, { onListening, onNotice, signal }: ListenOptions): Promise<boolean> {
  if (pool.size < minPoolToListen) return false;
  const client = await pool.acquire("listen", { signal });
  let isUsable = false;
  try {
    const [session] = (await client.query<{ pid: number }>("select pg_backend_pid() as pid")).rows;
    if (session?.pid !== client.processID) {
      isUsable = true;
      return false;
    }
    client.on("notification", onNotice);
    await client.query(`listen ${newsChannel}`);
    onListening();
    if (!signal.aborted) await Promise.race([once(signal, "abort"), once(client, "end")]);
    return true;
  } finally {
    client.off("notification", onNotice);
    pool.release(client, isUsable);
  }
}

const minPoolToListen = 3;

declare module "pg" {
  interface ClientBase {
    /** Of the session, as the server sent it at the start; the types leave it out. */
    readonly processID: number | null;
  }
}

/** Classifies an error, and says whether the connection can be used again: after an error that the server answered, unless that ends the session. */
function faultOf(what: string, error: unknown): { error: DatabaseError; isUsable: boolean } {
  const isAnswer = error instanceof pg.DatabaseError;
  const isUsable = isAnswer && error.severity !== "FATAL";
  const defaultFault = isConnectionLoss(error) ? "unreachable" : "fatal";
  const atConnection = isAnswer && !isUsable;
  return { error: toDatabaseError("postgres", what, error, { defaultFault, atConnection }), isUsable };
}

/** The server's limit, a little below the caller's, so that the caller's passes only when the server is unreachable. */
function serverTimeoutMs(timeoutMs: number): number {
  return Math.max(1, Math.floor(timeoutMs - Math.min(1_000, timeoutMs / 10)));
}

/** The part of `pg` that its types leave out. */
interface Preparable {
  prepare(connection: pg.Connection): void;
}

/**
 * Runs one statement with a time limit in the server. The limit is set by a statement of its own, sent before the same
 * Sync: both are one implicit transaction, with which the limit ends, and one round trip. Several Syncs without waiting
 * (pg's pipeline mode) would not do: Supavisor hands the connection to another client after the first
 * (github.com/supabase/supavisor/issues/1061).
 */
async function runLimited<Row extends pg.QueryResultRow>(
  client: pg.PoolClient,
  timeoutMs: number,
  sql: string,
  params: unknown[],
): Promise<pg.QueryResult<Row>> {
  const limit = `select from pg_catalog.set_config('statement_timeout', '${serverTimeoutMs(timeoutMs)}', true)`;
  const results = await new Promise<pg.QueryResult<Row>[]>((resolve, reject) => {
    const done = (error: Error | undefined, answer: unknown) =>
      error ? reject(error) : resolve(answer as pg.QueryResult<Row>[]);
    // Extended although there may be no parameters.
    const config: pg.QueryConfig & { queryMode: "extended" } = { text: sql, values: params, queryMode: "extended" };
    const query = new pg.Query(config, done) as pg.Query & Preparable;
    const prepare = query.prepare.bind(query);
    query.prepare = (connection) => {
      connection.parse({ name: "", text: limit, types: [] }, true);
      connection.bind({}, true);
      connection.execute(null, true);
      prepare(connection);
    };
    client.query(query);
  });
  return results[1] as pg.QueryResult<Row>;
}

/** Runs a script in a transaction that carries its time limit. */
async function runScript(client: pg.PoolClient, timeoutMs: number, script: string): Promise<void> {
  await client.query(`begin; set local statement_timeout = ${serverTimeoutMs(timeoutMs)}`);
  try {
    await client.query(script);
    await client.query("commit");
  } catch (error) {
    // Fails when the connection is lost, which the first error says.
    await client.query("rollback").catch(() => {});
    throw error;
  }
}

/**
 * Whether the connection was lost: pg reports that as a plain Error without a code, and its own bugs as subclasses
 * (TypeError).
 */
function isConnectionLoss(error: unknown): boolean {
  return error instanceof Error && Object.getPrototypeOf(error) === Error.prototype;
}

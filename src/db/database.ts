/**
 * The port to the database: named SQL functions in, one JSON value out.
 *
 * Everything that is written or claimed is a function in `supabase/migrations`, so the three transports (PGlite in a
 * worker thread, Postgres through `pg`, Supabase through PostgREST) have nothing to agree on but this call.
 */
export interface Database {
  readonly driver: "pglite" | "postgres" | "supabase";

  /**
   * Calls `public.<name>` with named arguments and returns its one value.
   *
   * Objects and arrays travel as jsonb. The call has its own time limit (`timeoutMs`, default 30 s; a half-open socket
   * counts as away) and ends early when `signal` aborts. It is never repeated here: a reply can be lost after the commit,
   * and only the caller knows whether the request carries an id that makes a repeat harmless.
   *
   * @throws {DatabaseError} classified by SQLSTATE, PostgREST code or system error code; `signal.reason` when aborted.
   */
  rpc(name: string, args?: Record<string, unknown>, options?: RpcOptions): Promise<unknown>;

  /** Ends connections, the worker thread and the lock on the data folder. Safe to call twice. */
  close(): Promise<void>;
}

export interface RpcOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  /** Somebody only wants to know. Where calls run one at a time, the service's own work goes first. */
  isRead?: boolean;
}

/** A database that also takes plain SQL, which migrations need. Supabase through PostgREST is none. */
export interface SqlDatabase extends Database {
  /** One statement with parameters; rows as objects. Throws {@link DatabaseError}. */
  query<Row extends object = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** A script of several statements in one transaction: all of it or nothing. Throws {@link DatabaseError}. */
  transaction(script: string): Promise<void>;
}

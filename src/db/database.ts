/**
 * Port to the database: calls a named SQL function and returns one JSON value.
 *
 * Every write and every claim is a function in `supabase/routines`, so this call is all that the three transports
 * (PGlite in a worker thread, Postgres through `pg`, Supabase through PostgREST) have in common.
 */
export interface Database {
  readonly driver: "pglite" | "postgres" | "supabase";

  /**
   * Calls `public.<name>` with named arguments and returns its one value.
   *
   * Objects and arrays are sent as jsonb. The call has its own time limit (`timeoutMs`, default 30 s; a half-open
   * connection counts as unreachable) and ends early when `signal` aborts. It is not retried here: a reply can be lost
   * after the commit, and only the caller knows whether the request is idempotent.
   *
   * @throws {DatabaseError} classified by SQLSTATE, PostgREST code or system error code; `signal.reason` when aborted.
   */
  rpc(name: string, args?: Record<string, unknown>, options?: RpcOptions): Promise<unknown>;

  /**
   * Why the database does no work at present, for operators; null while it does. Only the embedded one knows: of a
   * server, the outcome of the calls shows it (retry.ts).
   */
  fault?(): string | null;

  /**
   * Calls `onNotice` after each commit that changes the catalog (news.ts), from `onListening` on until `signal` aborts, the
   * connection is lost or the database is closed; then it resolves, with true. False at once where the connection
   * cannot listen, as behind a pooler. Absent where there is no connection of one's own.
   *
   * @throws {DatabaseError} when it cannot connect.
   */
  listen?(options: ListenOptions): Promise<boolean>;

  /** Closes connections, ends the worker thread and releases the lock on the data folder. Idempotent. */
  close(): Promise<void>;
}

export interface ListenOptions {
  onListening: () => void;
  onNotice: () => void;
  signal: AbortSignal;
}

export interface RpcOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  /** A read for a client. Where calls run one at a time (PGlite), the service's own work has priority. */
  isRead?: boolean;
}

/** A database that also runs plain SQL, which migrations need. Supabase through PostgREST does not. */
export interface SqlDatabase extends Database {
  /** Runs one statement with parameters; returns rows as objects. Throws {@link DatabaseError}. */
  query<Row extends object = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Runs a script of several statements in one transaction. Throws {@link DatabaseError}. */
  transaction(script: string): Promise<void>;
  /**
   * Runs `work` in one transaction, for hours if need be: it is committed when `work` resolves, and rolled back when it
   * rejects. Other calls of the embedded database wait meanwhile.
   *
   * @param mode `snapshot`: reads only, and sees the database as of its first statement, whatever others commit since.
   * @throws {DatabaseError} of a statement; what `work` throws.
   */
  inTransaction<T>(mode: TransactionMode, work: (transaction: Transaction) => Promise<T>): Promise<T>;
  /**
   * Copies the database, as of now, into another data folder, which must not exist. Only of the embedded one, whose
   * files this process owns: calls wait for as long as copying the files takes. The copy can be opened like any other.
   *
   * @throws {DatabaseError} such as for a full disk.
   */
  copyTo?(dataDir: string): Promise<void>;
  /**
   * Makes the space of dead rows reusable, without waiting for a table that is being vacuumed already.
   *
   * @throws {DatabaseError} as `query`.
   */
  vacuum(tables: readonly string[]): Promise<void>;
}

export type TransactionMode = "snapshot" | "write";

/** One statement at a time. Times are read and shown as UTC. */
export interface Transaction {
  /** Rows as objects. Throws {@link DatabaseError}. */
  query<Row extends object = Record<string, unknown>>(sql: string, params?: unknown[]): Promise<Row[]>;
  /** Rows as arrays, in the order of the columns. Throws {@link DatabaseError}. */
  rows(sql: string, params?: unknown[]): Promise<unknown[][]>;
}

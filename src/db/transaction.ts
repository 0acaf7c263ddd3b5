import type { Transaction, TransactionMode } from "./database.ts";

/** Runs one statement on the connection of a transaction. */
export type RunStatement = (sql: string, params: unknown[], rowMode: "array" | "object") => Promise<unknown[]>;

const begin: Record<TransactionMode, string> = {
  snapshot: "begin isolation level repeatable read read only",
  write: "begin",
};
/** An index over a large table may take as long. */
const statementTimeoutMs = 1_800_000;

/** The part of {@link SqlDatabase.inTransaction} that its transports share. A failed rollback means that the connection is lost. */
export async function runTransaction<T>(
  mode: TransactionMode,
  run: RunStatement,
  work: (transaction: Transaction) => Promise<T>,
): Promise<T> {
  await run(begin[mode], [], "array");
  try {
    await run(`set local statement_timeout = ${statementTimeoutMs}`, [], "array");
    await run("set local idle_in_transaction_session_timeout = 0", [], "array");
    await run("set local time zone 'UTC'", [], "array");
    const result = await work({
      query: async <Row extends object>(sql: string, params: unknown[] = []) =>
        (await run(sql, params, "object")) as Row[],
      rows: async (sql, params = []) => (await run(sql, params, "array")) as unknown[][],
    });
    await run("commit", [], "array");
    return result;
  } catch (error) {
    await run("rollback", [], "array").catch(() => {});
    throw error;
  }
}

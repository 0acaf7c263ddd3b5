import type { Transaction } from "../db/database.ts";
import { ConfigError } from "../process/errors.ts";
import type { ExportedState, Manifest, Position } from "./manifest.ts";
import type { ExportedTable } from "./tables.ts";

/** The moment at which a snapshot sees a database, and what was written since another one. */
export interface Moment {
  changeNumber: number | null;
  extractorVersion: number | null;
  state: ExportedState;
  position: Position;
  /** The transaction that begins next. */
  nextTransaction: string;
}

/** Reads the moment; the first statement of a snapshot. */
export async function readMoment(tx: Transaction): Promise<Moment> {
  const [state] = await tx.query<{
    change_number: number | null;
    extractor_version: number | null;
    state: ExportedState;
  }>(`
    select s.last_change_number::double precision as change_number,
      (select max(extractor_version) from public.sync_status) as extractor_version,
      jsonb_build_object(
        'bulk_started_at', s.bulk_started_at, 'bulk_completed_at', s.bulk_completed_at, 'last_verified_at', s.last_verified_at,
        'last_reconciled_at', s.last_reconciled_at, 'installed_at', s.installed_at,
        'changes_deleted_up_to', s.changes_deleted_up_to
      ) as state
    from public.pics_sync_state s where s.id = 1`);
  if (!state) throw new ConfigError("The database has no row of pics_sync_state: it is damaged.");
  const [at] = await tx.query<{ database: string; oldest: string; next: string }>(`
    select oid::text as database, pg_snapshot_xmin(pg_current_snapshot())::text as oldest,
      pg_snapshot_xmax(pg_current_snapshot())::text as next
    from pg_database where datname = current_database()`);
  return {
    changeNumber: state.change_number,
    extractorVersion: state.extractor_version,
    state: state.state,
    position: { database: `${await serverOf(tx)}/${at?.database}`, transaction: at?.oldest ?? "0" },
    nextTransaction: at?.next ?? "0",
  };
}

/**
 * Identifies the data of the server: a copy that has been written to since, such as a promoted standby or a restored backup, has another
 * timeline. `unknown` where this role may not read it.
 */
async function serverOf(tx: Transaction): Promise<string> {
  const [allowed] = await tx.query<{ may: boolean }>(`
    select has_function_privilege('pg_control_system()', 'execute') and has_function_privilege('pg_control_checkpoint()', 'execute') as may`);
  if (!allowed?.may) return "unknown";
  const [server] = await tx.query<{ id: string }>(
    "select system_identifier || '.' || timeline_id as id from pg_control_system(), pg_control_checkpoint()",
  );
  return server?.id ?? "unknown";
}

/** @throws {ConfigError} when the other export is of another database, or later than this moment. */
export function checkContinues({ position, nextTransaction }: Moment, since: Manifest): void {
  if (position.database === since.position.database && BigInt(since.position.transaction) <= BigInt(nextTransaction))
    return;
  throw new ConfigError(
    "The manifest is of another database than this one, or of one that was restored since: what changed since cannot be known. " +
      "Export without --since.",
  );
}

/**
 * The condition on a table `t` for its rows of an export that continues another one. Rows are recognised by the transaction that wrote them, so
 * that none is missed whatever wrote it; a few that have not changed may be among them.
 */
export function writtenSince({ increment }: ExportedTable, since: Manifest, { nextTransaction }: Moment): string {
  const isNew = (alias: string) => isWrittenSince(alias, since.position.transaction, nextTransaction);
  switch (increment) {
    case "all":
      return "true";
    case "rows":
      return isNew("t");
    case "apps":
      // Whatever writes a relation of an app writes its row in sync_status as well, to release its lease.
      return `t.appid in (
        select a.appid from public.apps a where ${isNew("a")} union select s.appid from public.sync_status s where ${isNew("s")}
      )`;
  }
}

/** Rows have the lower 32 bits of the number; 1 and 2 are rows that are older than all. Subtransactions have numbers of their own, higher ones. */
function isWrittenSince(alias: string, transaction: string, next: string): string {
  const low = `${alias}.xmin::text::bigint`;
  return `(${low} > 2 and ${BigInt(next)} - ((${BigInt(next)} - ${low}) & 4294967295) >= ${BigInt(transaction)})`;
}

import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { SqlDatabase, Transaction } from "../db/database.ts";
import { ConfigError } from "../process/errors.ts";
import { beginLoad } from "./bulk-load.ts";
import { sha256Of } from "./file-sink.ts";
import { formats } from "./formats.ts";
import { type Manifest, type ManifestTable, readManifest } from "./manifest.ts";
import { describeTables, quoted, type StoredTable } from "./schema.ts";
import { type ExportedTable, exportedTables } from "./tables.ts";

export interface ImportOptions {
  db: SqlDatabase;
  folder: string;
  /** Version of the newest migration of this program. */
  schemaVersion: string;
  onProgress?: (progress: ImportProgress) => void;
  signal?: AbortSignal;
}

export interface ImportProgress {
  phase: "verifying" | "loading" | "finishing";
  table: string;
  rows: number;
  rowsTotal: number;
}

/** Rows of one statement: the fewer of these. */
const batchRows = 5_000;
const batchBytes = 4 * 2 ** 20;

/**
 * Seeds a migrated database without apps from an export: tables, derived columns, the change number up to which it is current. All of it is one
 * transaction, so an import that fails leaves the database as it was.
 *
 * @throws {ConfigError} when the export is incomplete, damaged or of another version, or the database holds apps; before anything is written.
 */
export async function importCatalog(options: ImportOptions): Promise<Manifest> {
  const { db, folder } = options;
  const manifest = await readManifest(folder);
  checkManifest(manifest, options.schemaVersion);
  await verifyFiles(manifest, options);
  await db.inTransaction("write", async (tx) => {
    await lockEmpty(tx);
    // Apps come last: their labels are made from the relations.
    const order = manifest.tables.toSorted((a, b) => Number(a.name === "apps") - Number(b.name === "apps"));
    const stored = await storedTables(tx, order);
    const hasEvents = order.some(({ name }) => name === "app_events");
    const load = await beginLoad(
      tx,
      order.map(({ name }) => name),
      { deriving: hasEvents ? [] : ["app_changes"] },
    );
    let done = 0;
    for (const table of order) {
      // The relations of a batch of apps are found by their indexes, whatever the planner thinks of a long list of appids.
      if (table.name === "apps") await tx.query("set local enable_seqscan = off");
      await loadTable(tx, table, stored, done, manifest, options);
      await tx.query("set local enable_seqscan = on");
      done += table.rows;
      await load.finishTable(table.name);
    }
    options.onProgress?.({ phase: "finishing", table: "", rows: done, rowsTotal: done });
    await load.finish();
    await setState(tx, manifest, stored);
  });
  return manifest;
}

function checkManifest(manifest: Manifest, schemaVersion: string): void {
  if (manifest.since !== null) {
    throw new ConfigError(
      "The export holds only what changed since another one; a database is seeded from a whole one.",
    );
  }
  if (manifest.schema_version > schemaVersion) {
    throw new ConfigError(
      `The export was made by a newer version of this program (${manifest.program_version}, schema ${manifest.schema_version}; ` +
        `this one has ${schemaVersion}): import it with that version.`,
    );
  }
  const names = new Set(manifest.tables.map(({ name }) => name));
  const missing = exportedTables.filter(({ name, isRequired }) => isRequired && !names.has(name));
  if (missing.length > 0) {
    throw new ConfigError(
      `The export lacks ${missing.map(({ name }) => name).join(", ")}: export again without --only.`,
    );
  }
}

/** Compares every file with its size and checksum. */
async function verifyFiles({ tables }: Manifest, { folder, onProgress, signal }: ImportOptions): Promise<void> {
  const rowsTotal = tables.reduce((sum, { rows }) => sum + rows, 0);
  let rows = 0;
  for (const table of tables) {
    onProgress?.({ phase: "verifying", table: table.name, rows, rowsTotal });
    const path = join(folder, table.file);
    const found = await stat(path).catch(() => null);
    if (found === null) throw new ConfigError(`${path} is missing: the export was not copied whole.`);
    if (found.size !== table.bytes || (await sha256Of(path, signal)) !== table.sha256) {
      throw new ConfigError(
        `${path} is not the file that the manifest describes (its SHA-256 differs): copy the export again.`,
      );
    }
    rows += table.rows;
  }
}

/** Keeps others from writing until the end. @throws {ConfigError} when the database holds apps. */
async function lockEmpty(tx: Transaction): Promise<void> {
  await tx.query("lock table public.apps, public.sync_status, public.app_changes in access exclusive mode");
  const [held] = await tx.query<{ apps: boolean }>(`
    select exists (select from public.apps) or exists (select from public.sync_status) or exists (select from public.app_changes) as apps`);
  if (held?.apps) {
    throw new ConfigError("The database holds apps already; an export seeds a database without any. Name a new one.");
  }
}

/** The tables of the manifest as they are in this database. @throws {ConfigError} for one, or a column, that it does not have. */
async function storedTables(tx: Transaction, wanted: readonly ManifestTable[]): Promise<Map<string, StoredTable>> {
  const tables: ExportedTable[] = wanted.map(({ name, key, columns }) => {
    const known = exportedTables.find((each) => each.name === name);
    if (!known) throw new ConfigError(`The export has a table ${name}, which this program does not know.`);
    return { ...known, key, columns: columns.map((column) => column.name) };
  });
  const stored = new Map((await describeTables(tx, tables)).map((each) => [each.table.name, each]));
  for (const { name, columns } of wanted) {
    const has = new Set(stored.get(name)?.columns.map((column) => column.name));
    const missing = columns.filter((column) => !has.has(column.name));
    if (missing.length > 0) {
      throw new ConfigError(`The database has no ${missing.map((column) => `${name}.${column.name}`).join(", ")}.`);
    }
  }
  return stored;
}

async function loadTable(
  tx: Transaction,
  { name, file, rows, columns }: ManifestTable,
  stored: ReadonlyMap<string, StoredTable>,
  done: number,
  manifest: Manifest,
  { folder, onProgress, signal }: ImportOptions,
): Promise<void> {
  const table = stored.get(name);
  if (!table) return;
  const insert = insertStatement(table);
  const rowsTotal = manifest.tables.reduce((sum, each) => sum + each.rows, 0);
  let loaded = 0;
  let batch: string[] = [];
  let bytes = 0;
  async function flush() {
    signal?.throwIfAborted();
    if (batch.length > 0) await tx.query(insert, [`[${batch.join(",")}]`]);
    loaded += batch.length;
    batch = [];
    bytes = 0;
    onProgress?.({ phase: "loading", table: name, rows: done + loaded, rowsTotal });
  }
  // What migrations seed is in the export, too.
  await tx.query(`delete from public.${quoted(name)}`);
  for await (const line of formats[manifest.file_format].read(join(folder, file), columns)) {
    batch.push(line);
    bytes += line.length;
    if (batch.length >= batchRows || bytes >= batchBytes) await flush();
  }
  await flush();
  if (loaded !== rows) throw new Error(`${file} has ${loaded} rows, the manifest says ${rows}`);
}

/** Inserts the objects of one JSON array. */
function insertStatement({ table, columns: all }: StoredTable): string {
  const columns = all.filter(({ isGenerated }) => !isGenerated);
  const names = columns.map(({ name }) => quoted(name)).join(", ");
  const typed = columns.map(({ name, sqlType }) => `${quoted(name)} ${sqlType}`).join(", ");
  const rows = `jsonb_to_recordset($1::jsonb) as r(${typed})`;
  if (table.name === "apps") {
    const values = columns.map(({ name }) => `r.${quoted(name)}`).join(", ");
    const appids = "array(select (e ->> 'appid')::integer from jsonb_array_elements($1::jsonb) as e)";
    return `insert into public.apps (${names}, labels) select ${values}, l.labels from ${rows} join public.pics_labels(${appids}) l on l.appid = r.appid`;
  }
  const overriding = columns.some(({ isIdentity }) => isIdentity) ? "overriding system value " : "";
  return `insert into public.${quoted(table.name)} (${names}) ${overriding}select ${names} from ${rows}`;
}

/** Moves identities past the imported ones, and the database to the moment of the export. */
async function setState(tx: Transaction, { state, change_number }: Manifest, stored: ReadonlyMap<string, StoredTable>) {
  for (const { table, columns } of stored.values()) {
    const identity = columns.find(({ isIdentity }) => isIdentity)?.name;
    if (identity === undefined) continue;
    // Ids of changes that were deleted for their age are not given out again.
    const least = table.name === "app_changes" ? state.changes_deleted_up_to : 0;
    const [name, column] = [quoted(table.name), quoted(identity)];
    await tx.query(
      `select setval(pg_get_serial_sequence('public.${name}', $1), greatest(1, last), last > 0)
       from (select greatest($2::bigint, coalesce(max(${column}), 0)) as last from public.${name}) as given`,
      [identity, least],
    );
  }
  await tx.query("update public.sync_status set pending_since = now() where pics_pending_change is not null");
  await tx.query(
    `update public.pics_sync_state set last_change_number = $1, bulk_started_at = s.bulk_started_at, bulk_completed_at = s.bulk_completed_at,
       last_verified_at = s.last_verified_at, last_reconciled_at = s.last_reconciled_at,
       installed_at = least(pics_sync_state.installed_at, s.installed_at), changes_deleted_up_to = s.changes_deleted_up_to, updated_at = now()
     from jsonb_to_record($2::jsonb) as s(bulk_started_at timestamptz, bulk_completed_at timestamptz, last_verified_at timestamptz,
       last_reconciled_at timestamptz, installed_at timestamptz, changes_deleted_up_to bigint)
     where id = 1`,
    [change_number, JSON.stringify(state)],
  );
}

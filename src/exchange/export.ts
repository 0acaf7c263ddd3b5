import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { SqlDatabase, Transaction } from "../db/database.ts";
import { ConfigError } from "../process/errors.ts";
import { decodeRow } from "./cells.ts";
import { createFileSink } from "./file-sink.ts";
import { formats } from "./formats.ts";
import { type FileFormat, type Manifest, type ManifestTable, manifestFile, writeManifest } from "./manifest.ts";
import { checkContinues, type Moment, readMoment, writtenSince } from "./position.ts";
import { describeTables, type StoredTable, selectRows } from "./schema.ts";
import { type ExportedTable, exportedTables } from "./tables.ts";

export interface ExportOptions {
  db: SqlDatabase;
  folder: string;
  format: FileFormat;
  tables: readonly ExportedTable[];
  /** Only what was written since that export. */
  since: Manifest | null;
  versions: { program: string; schema: string };
  /** Called as rows are written. */
  onProgress?: (progress: ExportProgress) => void;
  signal?: AbortSignal;
  /** Rows that are read at a time. */
  pageRows?: number;
}

export interface ExportProgress {
  /** Tables that are written. */
  tables: number;
  tablesTotal: number;
  table: string;
  rows: number;
}

const defaultPageRows = 2_000;

/**
 * Writes a snapshot of the catalog into a folder: one file per table, and `manifest.json` last. All of it is read in one transaction, so it is
 * the database as of one moment, whatever is stored meanwhile; rows pass through, so memory does not grow with the tables.
 *
 * @throws {ConfigError} when the folder holds anything else than an unfinished export, or `since` is of another database.
 * @throws DatabaseError of the database; system errors of the disk. The folder then has no manifest.
 */
export async function exportCatalog(options: ExportOptions): Promise<Manifest> {
  const { db, folder, format, since, versions } = options;
  await prepareFolder(folder);
  return await db.inTransaction("snapshot", async (tx) => {
    const moment = await readMoment(tx);
    if (since !== null) checkContinues(moment, since);
    const tables = await writeTables(tx, moment, options);
    const manifest: Manifest = {
      format: "steam-pics-sync export",
      format_version: 1,
      program_version: versions.program,
      schema_version: versions.schema,
      made_at: new Date().toISOString(),
      file_format: format,
      change_number: moment.changeNumber,
      extractor_version: moment.extractorVersion,
      state: moment.state,
      position: moment.position,
      since: since && { made_at: since.made_at, change_number: since.change_number },
      tables,
    };
    await writeManifest(folder, manifest);
    return manifest;
  });
}

/** Creates the folder, or empties it of an export that was not finished. */
async function prepareFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const files = await readdir(folder);
  if (files.includes(manifestFile)) {
    throw new ConfigError(`${folder} holds an export already; name another folder, or remove it.`);
  }
  const foreign = files.filter((file) => !isOwnFile(file));
  if (foreign.length > 0) throw new ConfigError(`${folder} is not empty (${foreign[0]}); name a folder of its own.`);
  for (const file of files) await rm(join(folder, file));
}

function isOwnFile(file: string): boolean {
  const [name, extension = ""] = file.split(".");
  return (
    file === `${manifestFile}.unfinished` || (extension in formats && exportedTables.some((each) => each.name === name))
  );
}

async function writeTables(tx: Transaction, moment: Moment, options: ExportOptions): Promise<ManifestTable[]> {
  const { since, onProgress } = options;
  const tables = await describeTables(tx, options.tables);
  const written: ManifestTable[] = [];
  let rows = 0;
  for (const stored of tables) {
    const { table } = stored;
    const report = () => onProgress?.({ tables: written.length, tablesTotal: tables.length, table: table.name, rows });
    report();
    const condition = since === null ? "true" : writtenSince(table, since, moment);
    const file = await writeTable(tx, stored, condition, options, (more) => {
      rows += more;
      report();
    });
    written.push({
      name: table.name,
      description: stored.description,
      ...file,
      key: [...table.key],
      contents: since === null ? "all" : table.increment,
      columns: stored.columns.map(({ name, type, description }) => ({ name, type, description })),
    });
  }
  return written;
}

async function writeTable(
  tx: Transaction,
  stored: StoredTable,
  condition: string,
  { folder, format, signal, pageRows = defaultPageRows }: ExportOptions,
  onRows: (rows: number) => void,
): Promise<Pick<ManifestTable, "file" | "rows" | "bytes" | "sha256">> {
  const file = `${stored.table.name}.${format}`;
  const types = stored.columns.map(({ type }) => type);
  const sink = await createFileSink(join(folder, file));
  try {
    const writer = formats[format].write(stored.columns, sink);
    let rows = 0;
    await tx.query(`declare exported no scroll cursor for ${selectRows(stored, condition)}`);
    for (;;) {
      signal?.throwIfAborted();
      const page = await tx.rows(`fetch ${pageRows} from exported`);
      if (page.length === 0) break;
      await writer.write(page.map((row) => decodeRow(types, row)));
      rows += page.length;
      onRows(page.length);
    }
    await tx.query("close exported");
    await writer.end();
    return { file, rows, ...(await sink.finish()) };
  } finally {
    await sink.close();
  }
}

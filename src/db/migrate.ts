import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { ConfigError, DatabaseError } from "../process/errors.ts";
import type { Database, SqlDatabase } from "./database.ts";
import { schemaRemedy } from "./sqlstate.ts";

/** The folder of the migrations, which the Supabase CLI reads, too. */
export const migrationsDir = fileURLToPath(new URL("../../supabase/migrations/", import.meta.url));

export interface Migration {
  /** 14 digits. */
  version: string;
  name: string;
  file: string;
  sql: string;
}

/** History table as the Supabase CLI (3.1.0) creates it, so that `supabase db push` and this program share one history. */
const historyTable = `
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
`;

/** Mutual exclusion of processes that migrate the same database. The number is arbitrary and must stay the same. */
const takeTurns = "select pg_advisory_xact_lock(7426110325018);\n";

/** The migrations of a folder, `<14 digits>_<name>.sql`, oldest first. Other files are ignored. */
export async function readMigrations(dir: string = migrationsDir): Promise<Migration[]> {
  const files = (await readdir(dir)).sort();
  const migrations: Migration[] = [];
  for (const file of files) {
    const [, version, name] = /^(\d{14})_(.*)\.sql$/.exec(file) ?? [];
    if (version && name) migrations.push({ version, name, file, sql: await readFile(join(dir, file), "utf8") });
  }
  return migrations;
}

/**
 * Applies the migrations that the database's history table does not list yet, each file in one transaction together with its row there.
 * May run in several processes at once: one applies, the others wait. `onPending` is called before the first file is applied, if any is to be.
 *
 * @returns The files that were applied now, and those that had been before.
 * @throws {ConfigError} for a history of another version of this program; nothing is changed then.
 * @throws {DatabaseError} that names the file and line of a statement that failed; the files before it stay applied.
 */
export async function migrate(
  db: SqlDatabase,
  { dir = migrationsDir, onPending }: { dir?: string; onPending?: (files: string[]) => void } = {},
): Promise<{ applied: string[]; already: string[] }> {
  const migrations = await readMigrations(dir);
  if (!(await hasHistory(db))) await db.transaction(takeTurns + historyTable);

  const history = await readHistory(db);
  checkHistory(history, migrations);
  const pending = migrations.filter(({ version }) => !history.has(version)).map(({ file }) => file);
  if (pending.length > 0) onPending?.(pending);
  const applied: string[] = [];
  const already: string[] = [];
  for (const migration of migrations) {
    if (!history.has(migration.version) && (await apply(db, migration))) applied.push(migration.file);
    else already.push(migration.file);
  }
  // PostgREST, if one serves this database, does not know the new functions before it reloads its schema cache.
  if (applied.length > 0) await db.transaction("notify pgrst, 'reload schema'");
  return { applied, already };
}

/** The version that a database must have for this program: that of the newest migration. */
export async function requiredVersion(dir: string = migrationsDir): Promise<string> {
  return (await readMigrations(dir)).at(-1)?.version ?? "";
}

/**
 * Checks the version of a database without a SQL connection, by `schema_version()`, which the newest migration redefines.
 *
 * @throws {ConfigError} when the schema is newer than this program.
 * @throws {DatabaseError} of fault `schema` when it is missing or older, with what to do about it.
 */
export async function checkSchema(db: Database, required: string): Promise<void> {
  const version = await db.rpc("schema_version");
  if (version === required) return;
  if (typeof version === "string" && version > required) throw foreignHistory(`version ${version}`);
  throw new DatabaseError(
    "schema",
    "schema_version",
    `the database is at ${version}, needed is ${required}: ${schemaRemedy(db.driver)}`,
  );
}

/**
 * The files that {@link migrate} would apply, or `supabase db push`. Changes nothing.
 *
 * @throws {ConfigError} for a history of another version of this program.
 */
export async function missingMigrations(
  db: Database | SqlDatabase,
  { dir = migrationsDir }: { dir?: string } = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir);
  if ("query" in db) {
    const history = (await hasHistory(db)) ? await readHistory(db) : new Map();
    checkHistory(history, migrations);
    return migrations.filter(({ version }) => !history.has(version)).map(({ file }) => file);
  }
  const current = await schemaVersion(db);
  if (current !== null && current > (migrations.at(-1)?.version ?? "")) throw foreignHistory(`version ${current}`);
  return migrations.filter(({ version }) => current === null || version > current).map(({ file }) => file);
}

/** Null without the function: an empty database. */
async function schemaVersion(db: Database): Promise<string | null> {
  try {
    return String(await db.rpc("schema_version"));
  } catch (error) {
    if (error instanceof DatabaseError && error.fault === "schema") return null;
    throw error;
  }
}

/** False when another process was faster. */
async function apply(db: SqlDatabase, { version, name, file, sql }: Migration): Promise<boolean> {
  // The row comes first: its primary key ends the transaction of a second process before it changes anything.
  const values = [version, name].map((value) => pg.escapeLiteral(value)).join(", ");
  const prefix = `${takeTurns}insert into supabase_migrations.schema_migrations (version, name, statements) values (${values}, array[${pg.escapeLiteral(sql)}]);\n`;
  try {
    await db.transaction(prefix + sql);
    return true;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    if (error.fault === "data" && (await readHistory(db)).has(version)) return false;
    throw located(error, file, Array.from(prefix).length, sql);
  }
}

async function hasHistory(db: SqlDatabase): Promise<boolean> {
  const [row] = await db.query<{ columns: number }>(
    `select count(*)::int as columns from information_schema.columns
     where table_schema = 'supabase_migrations' and table_name = 'schema_migrations' and column_name in ('version', 'statements', 'name')`,
  );
  return row?.columns === 3;
}

/**
 * The applied versions, each with the checksum of the file's text; null where there is none to compare. {@link migrate} stores the text as
 * one element of `statements`. The CLI stores the file split into statements, which is several: every migration here has several.
 */
async function readHistory(db: SqlDatabase): Promise<Map<string, string | null>> {
  const rows = await db.query<{ version: string; checksum: string | null }>(
    `select version, case when cardinality(statements) = 1 then encode(sha256(convert_to(statements[1], 'UTF8')), 'hex') end as checksum
     from supabase_migrations.schema_migrations`,
  );
  return new Map(rows.map(({ version, checksum }) => [version, checksum]));
}

/** @throws {ConfigError} when the history lists a version that this program does not have, or has with another text. */
function checkHistory(history: ReadonlyMap<string, string | null>, migrations: readonly Migration[]): void {
  const texts = new Map(migrations.map(({ version, sql }) => [version, sql]));
  const unknown = [...history.keys()].filter((version) => !texts.has(version)).sort();
  if (unknown.length > 0) throw foreignHistory(`migrations ${unknown.join(", ")}, which this program does not have`);
  const changed = [...history].filter(
    ([version, checksum]) => checksum && checksum !== sha256(texts.get(version) ?? ""),
  );
  if (changed.length > 0) {
    throw foreignHistory(
      `migrations ${changed.map(([version]) => version).join(", ")} with another text than this program's`,
    );
  }
}

function foreignHistory(what: string): ConfigError {
  return new ConfigError(
    `The database has ${what}: another version of this program, newer or a pre-release, created it. Run that version, or create the database anew.`,
  );
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The error with its line in the file. Postgres counts characters from 1, in the whole script that was sent. */
function located(error: DatabaseError, file: string, prefixLength: number, sql: string): DatabaseError {
  const cause = error.cause as { message?: string; position?: string; where?: string } | undefined;
  const characters = Number(cause?.position ?? 0) - 1 - prefixLength;
  const before = characters >= 0 ? Array.from(sql).slice(0, characters).join("") : null;
  const place = before === null ? file : `${file}:${before.split("\n").length}`;
  const where = before === null && cause?.where ? ` (${cause.where})` : "";
  return new DatabaseError(error.fault, error.code, `${place}: ${cause?.message ?? error.message}${where}`, {
    cause: error,
  });
}

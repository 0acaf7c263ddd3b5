import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { DatabaseError } from "../process/errors.ts";
import type { Database, SqlDatabase } from "./database.ts";
import { schemaRemedy } from "./sqlstate.ts";

/** The folder that the Supabase CLI reads, too. */
export const migrationsDir = fileURLToPath(new URL("../../supabase/migrations/", import.meta.url));

export interface Migration {
  /** 14 digits. */
  version: string;
  name: string;
  file: string;
  sql: string;
}

/** As the Supabase CLI (3.1.0) creates it, so that `supabase db push` and this program see each other's work. */
const historyTable = `
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
`;

/** Two processes that migrate the same database take turns. The number means nothing; it must only stay the same. */
const takeTurns = "select pg_advisory_xact_lock(7426110325018);\n";

/** The migrations of a folder, `<14 digits>_<name>.sql`, oldest first. Other files are not looked at. */
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
 * Applies what the database's history table does not list yet, each file in one transaction together with its row there.
 * May run in several processes at once: one applies, the others wait.
 *
 * @returns The files that were applied now, and those that had been before.
 * @throws {DatabaseError} that names the file and line of a statement that failed; the files before it stay applied.
 */
export async function migrate(
  db: SqlDatabase,
  { dir = migrationsDir }: { dir?: string } = {},
): Promise<{ applied: string[]; already: string[] }> {
  const migrations = await readMigrations(dir);
  if (!(await hasHistory(db))) await db.transaction(takeTurns + historyTable);

  const done = await appliedVersions(db);
  const applied: string[] = [];
  const already: string[] = [];
  for (const migration of migrations) {
    if (!done.has(migration.version) && (await apply(db, migration))) applied.push(migration.file);
    else already.push(migration.file);
  }
  return { applied, already };
}

/** The version that a database must have for this program: that of the newest migration. */
export async function requiredVersion(dir: string = migrationsDir): Promise<string> {
  return (await readMigrations(dir)).at(-1)?.version ?? "";
}

/**
 * Asks the database for its version through `schema_version()`, which every migration redefines: the way for a database
 * without a SQL connection.
 *
 * @throws {DatabaseError} of fault `schema` when it is missing or older, with what to do about it.
 */
export async function checkSchema(db: Database, required: string): Promise<void> {
  const version = await db.rpc("schema_version");
  if (typeof version === "string" && version >= required) return;
  throw new DatabaseError(
    "schema",
    "schema_version",
    `the database is at ${version}, needed is ${required}: ${schemaRemedy(db.driver)}`,
  );
}

/** The files that {@link migrate} would apply, or `supabase db push`. Changes nothing. */
export async function missingMigrations(
  db: Database | SqlDatabase,
  { dir = migrationsDir }: { dir?: string } = {},
): Promise<string[]> {
  const migrations = await readMigrations(dir);
  if ("query" in db) {
    const done = (await hasHistory(db)) ? await appliedVersions(db) : new Set();
    return migrations.filter(({ version }) => !done.has(version)).map(({ file }) => file);
  }
  const current = await schemaVersion(db);
  return migrations.filter(({ version }) => current === null || version > current).map(({ file }) => file);
}

/** Null where not even the function is there. */
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
  // The row first: its primary key ends the transaction of a process that came second before it does anything.
  const values = [version, name].map((value) => pg.escapeLiteral(value)).join(", ");
  const prefix = `${takeTurns}insert into supabase_migrations.schema_migrations (version, name, statements) values (${values}, array[${pg.escapeLiteral(sql)}]);\n`;
  try {
    await db.transaction(prefix + sql);
    return true;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    if (error.fault === "data" && (await appliedVersions(db)).has(version)) return false;
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

async function appliedVersions(db: SqlDatabase): Promise<Set<string>> {
  const rows = await db.query<{ version: string }>("select version from supabase_migrations.schema_migrations");
  return new Set(rows.map((row) => row.version));
}

/** The error with its place in the file. Postgres counts characters from 1, in all that was sent. */
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

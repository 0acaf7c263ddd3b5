import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Migration, readMigrations } from "../src/db/migrate.ts";

/**
 * Generates the migration of the SQL routines from their one home, `supabase/routines`.
 *
 *     npm run migration -- NAME
 *
 * While the migrations are not frozen, it regenerates `…_routines.sql` in place, whole. They are frozen by the file
 * `supabase/migrations.sha256` (format of sha256sum): then it writes a new migration with only the routines that differ from their last
 * definition, and appends the checksums of the migrations that are not listed yet. Tables are changed by migrations written by hand;
 * the generated one comes after them, because it sets `schema_version()`.
 */

/** In the order in which they are created: a function in `language sql` needs those that it calls. */
export const homes = [
  "pics",
  "events",
  "webhooks",
  "collector",
  "library-tables",
  "library",
  "read",
  "lists",
  "security",
];

interface Statement {
  /** `function public.f`, `trigger t`, or the statement itself where it defines neither. */
  key: string;
  /** What `create or replace` cannot change: arguments and result of a function. */
  signature: string;
  /** What removes it; null for a statement that defines nothing. */
  drop: string | null;
  sql: string;
  /** The comment lines directly above. */
  comment: string;
}

/** @returns the file that was written, or null when no routine differs from the migrations. */
export async function makeMigration(
  supabaseDir: string,
  name: string | undefined,
  now = new Date(),
): Promise<string | null> {
  const migrationsDir = join(supabaseDir, "migrations");
  const checksumFile = join(supabaseDir, "migrations.sha256");
  const routines = await readRoutines(supabaseDir);
  const migrations = await readMigrations(migrationsDir);

  if (!existsSync(checksumFile)) {
    const current = migrations.at(-1);
    if (current?.name !== "routines")
      throw new Error("the newest migration is not …_routines.sql: rename it to be that");
    await writeFile(join(migrationsDir, current.file), wholeMigration(current.version, routines));
    return current.file;
  }

  if (!/^[a-z0-9_]+$/.test(name ?? "")) throw new Error("usage: npm run migration -- NAME (a-z, 0-9 and _)");
  const version = nextVersion(now, migrations.at(-1)?.version ?? "");
  const sql = differingRoutines(version, routines, migrations);
  if (sql === null) return null;
  const file = `${version}_${name}.sql`;
  await writeFile(join(migrationsDir, file), sql);
  const listed = await readFile(checksumFile, "utf8");
  const unlisted = (await readMigrations(migrationsDir)).filter(
    (migration) => !listed.includes(`  ${migration.file}\n`),
  );
  await appendFile(checksumFile, unlisted.map(checksumLine).join(""));
  return file;
}

/** The texts of `supabase/routines`, in order. */
export async function readRoutines(supabaseDir: string): Promise<string[]> {
  return await Promise.all(homes.map((home) => readFile(join(supabaseDir, "routines", `${home}.sql`), "utf8")));
}

/** A migration with all routines. */
export function wholeMigration(version: string, routines: readonly string[]): string {
  const header = "-- Generated from supabase/routines by `npm run migration`. Do not edit: edit the routines.\n";
  return [header, schemaVersion(version), ...routines].join("\n");
}

/** A line of `migrations.sha256`. */
export function checksumLine({ file, sql }: Pick<Migration, "file" | "sql">): string {
  return `${createHash("sha256").update(sql).digest("hex")}  ${file}\n`;
}

/** A migration with the routines that differ from their last definition in `migrations`; null when none does. */
function differingRoutines(
  version: string,
  routines: readonly string[],
  migrations: readonly Migration[],
): string | null {
  const defined = lastDefinitions(migrations);
  const wanted = statementsOf(routines.join("\n"));
  const names = new Set(wanted.map(({ key }) => key));
  const changed = wanted.filter(({ key, sql, drop }) => drop !== null && defined.get(key)?.sql !== sql);
  const drops = [...defined.values()].filter(
    ({ key, signature }) => !names.has(key) || changed.some((each) => each.key === key && each.signature !== signature),
  );
  const isNewest = defined.get("function public.schema_version")?.sql.includes(migrations.at(-1)?.version ?? "");
  defined.delete("function public.schema_version");
  const gone = drops.filter(({ key }) => key !== "function public.schema_version");
  if (changed.length === 0 && gone.length === 0 && isNewest) return null;
  return [
    "-- Generated from supabase/routines by `npm run migration`: only what differs from the migrations before.\n",
    schemaVersion(version),
    ...gone.map(({ drop }) => `${drop}\n`),
    ...changed.map(({ comment, sql }) => `${comment}${sql}`),
    // Statements that define nothing: the call that sets the privileges of functions.
    ...wanted.filter(({ drop }) => drop === null).map(({ sql }) => sql),
  ].join("\n");
}

/** The version of the newest migration, for clients without a SQL connection to read the history table. */
function schemaVersion(version: string): string {
  return `create or replace function public.schema_version() returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$ select '${version}' $$;
`;
}

function lastDefinitions(migrations: readonly Migration[]): Map<string, Statement> {
  const defined = new Map<string, Statement>();
  for (const statement of migrations.flatMap(({ sql }) => statementsOf(sql))) {
    if (statement.drop !== null) defined.set(statement.key, statement);
    const [, kind, name] = /^drop (function|trigger) if exists ([\w.]+)/.exec(statement.sql) ?? [];
    if (kind) defined.delete(`${kind} ${name}`);
  }
  return defined;
}

/** The statements of a file. Each ends with a semicolon at the end of a line, outside of `$$ … $$`. */
function statementsOf(text: string): Statement[] {
  const statements: Statement[] = [];
  let comment = "";
  let sql = "";
  for (const line of text.split("\n")) {
    if (sql === "" && (line === "" || line.startsWith("--"))) {
      comment = line === "" ? "" : `${comment}${line}\n`;
      continue;
    }
    sql += `${line}\n`;
    if (line.trimEnd().endsWith(";") && !line.trimStart().startsWith("--") && sql.split("$$").length % 2 === 1) {
      statements.push({ ...definitionOf(sql), sql, comment });
      sql = "";
      comment = "";
    }
  }
  return statements;
}

function definitionOf(sql: string): Pick<Statement, "key" | "signature" | "drop"> {
  const [, name, args, result] =
    /^create or replace function (\S+?)\(([\s\S]*?)\)(?:\s+returns ([\s\S]*?))?\nlanguage /.exec(sql) ?? [];
  if (name) {
    return {
      key: `function ${name}`,
      signature: `${args} ${result ?? ""}`.replace(/\s+/g, " "),
      drop: `drop function if exists ${name}(${args});`,
    };
  }
  const [, trigger, table] = /^create or replace trigger (\S+) .*? on (\S+)/.exec(sql) ?? [];
  if (trigger) {
    return { key: `trigger ${trigger}`, signature: "", drop: `drop trigger if exists ${trigger} on ${table};` };
  }
  return { key: sql, signature: "", drop: null };
}

function nextVersion(now: Date, last: string): string {
  const version = now.toISOString().replace(/\D/g, "").slice(0, 14);
  return version > last ? version : String(BigInt(last) + 1n);
}

if (import.meta.main) {
  const file = await makeMigration(fileURLToPath(new URL("../supabase", import.meta.url)), process.argv[2]);
  console.log(file ? `wrote supabase/migrations/${file}` : "no routine differs from the migrations");
}

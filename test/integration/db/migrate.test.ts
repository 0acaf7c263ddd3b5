import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { SqlDatabase } from "../../../src/db/database.ts";
import { checkSchema, migrate, missingMigrations, readMigrations } from "../../../src/db/migrate.ts";
import { openPostgres } from "../../../src/db/postgres.ts";
import { ConfigError, DatabaseError } from "../../../src/process/errors.ts";
import type { TestDatabase } from "../../support/databases.ts";
import { forEachDatabase, openTestDatabase } from "../../support/databases.ts";
import { isFull, onlyFull } from "../../support/full.ts";
import type { CliProject } from "../../support/supabase-cli.ts";
import { createCliProject } from "../../support/supabase-cli.ts";
import { silent } from "../../support/templates.ts";

const one = "create table public.one (a int);\nselect 1; -- two statements, a comment at the end and no line break";
const two = `create function public.f() returns text language plpgsql as $$ begin return 'it''s; \\ 😀'; end $$;
grant execute on function public.f() to public;
`;
const versions = "select version, name from supabase_migrations.schema_migrations order by version";

/** The test's own SQL connection, which the Supabase transport is none of. */
function sqlOf(database: TestDatabase): SqlDatabase {
  return database.db as SqlDatabase;
}

forEachDatabase(
  "migrate",
  (open) => {
    let dir: string;
    let database: TestDatabase;
    const write = (file: string, sql: string) => writeFile(join(dir, file), sql);
    beforeAll(async () => {
      database = await open({ migrated: false });
    });
    beforeEach(async () => {
      dir = await mkdtemp(join(tmpdir(), "spsync-migrations-"));
      await database.sql("drop schema if exists supabase_migrations cascade");
      await database.sql("drop schema public cascade");
      await database.sql("create schema public authorization pg_database_owner");
      await database.sql("grant usage on schema public to public");
    });
    afterEach(() => rm(dir, { recursive: true, force: true }));

    test("applies missing migrations once, in order", async () => {
      await write("20260101000002_two.sql", two);
      await write("20260101000001_one.sql", one);
      await write("notes.txt", "not a migration");
      const files = ["20260101000001_one.sql", "20260101000002_two.sql"];
      expect(await missingMigrations(database.db, { dir })).toEqual(files);
      // To look leaves no history behind.
      expect(await database.sql("select from pg_namespace where nspname = 'supabase_migrations'")).toEqual([]);
      expect(await migrate(sqlOf(database), { dir })).toEqual({ applied: files, already: [] });
      expect(await missingMigrations(database.db, { dir })).toEqual([]);
      expect(await migrate(sqlOf(database), { dir })).toEqual({ applied: [], already: files });

      await write("20260101000003_three.sql", "alter table public.one add column b int;");
      expect(await missingMigrations(database.db, { dir })).toEqual(["20260101000003_three.sql"]);
      expect(await migrate(sqlOf(database), { dir })).toEqual({
        applied: ["20260101000003_three.sql"],
        already: files,
      });
      expect(await database.sql(versions)).toEqual([
        { version: "20260101000001", name: "one" },
        { version: "20260101000002", name: "two" },
        { version: "20260101000003", name: "three" },
      ]);
      expect(
        await database.sql("select statements from supabase_migrations.schema_migrations where name = 'two'"),
      ).toEqual([{ statements: [two] }]);
      expect(await database.sql("select public.f()")).toEqual([{ f: "it's; \\ 😀" }]);
    });

    test("rolls back a file that fails, reports its line, and resumes with the corrected file", async () => {
      await write("20260101000001_one.sql", one);
      const failing = "-- 😀\ncreate table public.kept_not (a int);\ninsert into public.kept_not values (1);\n";
      await write("20260101000002_two.sql", `${failing}\n  select nonsense from public.one;\n`);
      const error: unknown = await migrate(sqlOf(database), { dir }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(DatabaseError);
      expect(String(error)).toContain('20260101000002_two.sql:5: column "nonsense" does not exist');
      expect(await database.sql("select to_regclass('public.kept_not') as it")).toEqual([{ it: null }]);
      expect(await database.sql(versions)).toHaveLength(1);

      await write("20260101000002_two.sql", failing);
      expect(await migrate(sqlOf(database), { dir })).toMatchObject({ applied: ["20260101000002_two.sql"] });
      expect(await database.sql("select a from public.kept_not")).toEqual([{ a: 1 }]);
    });

    test("reports a unique violation inside a file as a fault, not as another process's work", async () => {
      await write("20260101000001_one.sql", "create table t (a int primary key);\ninsert into t values (1), (1);\n");
      await expect(migrate(sqlOf(database), { dir })).rejects.toMatchObject({ fault: "data", code: "23505" });
    });

    test("rejects a history with versions that this program does not have, and applies nothing", async () => {
      await write("20260101000001_one.sql", one);
      await migrate(sqlOf(database), { dir });
      await database.sql(
        "insert into supabase_migrations.schema_migrations (version) values ('20990101000001'), ('20250101000001')",
      );
      await write("20260101000002_two.sql", two);
      const message = expect.stringMatching(/migrations 20250101000001, 20990101000001, .* create the database anew/);
      for (const attempt of [migrate, missingMigrations]) {
        const error: unknown = await attempt(sqlOf(database), { dir }).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(ConfigError);
        expect(error).toMatchObject({ message });
      }
      expect(await database.sql("select to_regproc('public.f') as f")).toEqual([{ f: null }]);
    });

    test("rejects an applied file whose text differs, but not one that the CLI applied", async () => {
      await write("20260101000001_one.sql", one);
      await migrate(sqlOf(database), { dir });
      await write("20260101000001_one.sql", `${one}\nselect 2;`);
      const error: unknown = await migrate(sqlOf(database), { dir }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(ConfigError);
      expect(error).toMatchObject({ message: expect.stringContaining("20260101000001 with another text") });

      await database.sql(
        "update supabase_migrations.schema_migrations set statements = array['create table public.one (a int)', 'select 1']",
      );
      expect(await migrate(sqlOf(database), { dir })).toMatchObject({ applied: [] });
      await database.sql("update supabase_migrations.schema_migrations set statements = null");
      expect(await migrate(sqlOf(database), { dir })).toMatchObject({ applied: [] });
    });
  },
  ["pglite", "postgres"],
);

test("migrate applies each file once when several processes run it at the same time", async () => {
  const dir = await mkdtemp(join(tmpdir(), "spsync-migrations-"));
  const database = await openTestDatabase("postgres", { migrated: false });
  const others = await Promise.all([1, 2, 3].map(() => openPostgres({ url: database.url ?? "", logger: silent })));
  await writeFile(join(dir, "20260101000001_one.sql"), "create table public.one (a int); select pg_sleep(0.2);");
  await writeFile(join(dir, "20260101000002_two.sql"), "create table public.two (a int); select pg_sleep(0.1);");
  const results = await Promise.all(others.map((other) => migrate(other, { dir })));
  expect(results.flatMap(({ applied }) => applied).sort()).toEqual([
    "20260101000001_one.sql",
    "20260101000002_two.sql",
  ]);
  expect(results.flatMap(({ already }) => already)).toHaveLength(4);
  for (const other of [...others, database]) await other.close();
  await rm(dir, { recursive: true, force: true });
});

describe("migrate and the Supabase CLI's db push", () => {
  let project: CliProject;
  let database: TestDatabase;
  let sql: SqlDatabase;
  beforeEach(async () => {
    project = await createCliProject();
    await project.write("20260101000001_one.sql", one);
    await project.write("20260101000002_two.sql", two);
    database = await openTestDatabase("supabase", { migrated: false });
    sql = await openPostgres({ url: database.url ?? "", logger: silent });
  });
  afterEach(async () => {
    await sql.close();
    await database.close();
    await project.remove();
  });
  const push = () => project.push(database.url ?? "");

  test.skipIf(!isFull)(`agree when migrate runs first${onlyFull}`, async () => {
    await migrate(sql, { dir: project.migrationsDir });
    expect(await push()).toContain("up to date");
    await project.write("20260101000003_three.sql", "alter table public.one add column b int;");
    const output = await push();
    expect(output).toContain("Applying migration 20260101000003_three.sql");
    expect(output).not.toContain("20260101000002_two.sql");
  });

  test("agree when the CLI runs first", async () => {
    const output = await push();
    expect(output).toContain("Applying migration 20260101000001_one.sql");
    expect(await migrate(sql, { dir: project.migrationsDir })).toMatchObject({ applied: [] });
    await project.write("20260101000003_three.sql", "alter table public.one add column b int;");
    expect(await migrate(sql, { dir: project.migrationsDir })).toMatchObject({ applied: ["20260101000003_three.sql"] });
    expect(await push()).toContain("up to date");
  });

  test.skipIf(!isFull)(`create the same history table${onlyFull}`, async () => {
    const columns = `select column_name, data_type, is_nullable, column_default from information_schema.columns
      where table_schema = 'supabase_migrations' and table_name = 'schema_migrations' order by column_name`;
    await push();
    const byCli = await database.sql(columns);
    await sql.transaction("drop schema supabase_migrations cascade; drop table public.one; drop function public.f();");
    await migrate(sql, { dir: project.migrationsDir });
    expect(await database.sql(columns)).toEqual(byCli);
    expect(byCli).toHaveLength(3);
  });
});

describe("the project's own migrations", () => {
  test("are complete for migrate after the Supabase CLI applied them", async () => {
    const project = await createCliProject();
    for (const { file, sql } of await readMigrations()) await project.write(file, sql);
    const database = await openTestDatabase("supabase", { migrated: false });
    await project.push(database.url ?? "");
    const sql = await openPostgres({ url: database.url ?? "", logger: silent });
    expect((await migrate(sql)).applied).toEqual([]);
    await sql.close();
    await database.close();
    await project.remove();
  });

  test("change nothing in a migrated database", async () => {
    const database = await openTestDatabase("postgres");
    const files = (await readMigrations()).map(({ file }) => file);
    expect(await migrate(sqlOf(database))).toEqual({ applied: [], already: files });
    await database.close();
  });
});

describe("checkSchema", () => {
  const version = "create function public.schema_version() returns text language sql as $$ select '20260101000002' $$";

  test("accepts the version needed, rejects older and newer ones", async () => {
    const database = await openTestDatabase("supabase", { migrated: false, prepare: version });
    await checkSchema(database.db, "20260101000002");
    const newer = await checkSchema(database.db, "20260101000001").catch((reason: unknown) => reason);
    expect(newer).toBeInstanceOf(ConfigError);
    expect(newer).toMatchObject({
      message: expect.stringMatching(/version 20260101000002: .* create the database anew/),
    });
    expect(await missingMigrations(database.db)).toEqual((await readMigrations()).map(({ file }) => file));
    await expect(checkSchema(database.db, "20260101000003")).rejects.toMatchObject({
      fault: "schema",
      message: expect.stringContaining("supabase db push"),
    });
    await database.close();
  });

  test("says what to do when there is no schema", async () => {
    const database = await openTestDatabase("supabase", { migrated: false });
    expect(await missingMigrations(database.db)).toEqual((await readMigrations()).map(({ file }) => file));
    await expect(checkSchema(database.db, "20260101000003")).rejects.toMatchObject({
      fault: "schema",
      message: expect.stringContaining("supabase db push"),
    });
    await database.close();
  });
});

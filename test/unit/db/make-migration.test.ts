import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { checksumLine, homes, makeMigration, readRoutines, wholeMigration } from "../../../.ci/make-migration.ts";
import { readMigrations } from "../../../src/db/migrate.ts";

const supabaseDir = fileURLToPath(new URL("../../../supabase", import.meta.url));
const now = new Date("2027-01-02T03:04:05Z");

describe("supabase/migrations", () => {
  it("has the routines of supabase/routines: else run `npm run migration`", async () => {
    const routines = await readRoutines(supabaseDir);
    if (existsSync(join(supabaseDir, "migrations.sha256"))) {
      const copy = await mkdtemp(join(tmpdir(), "spsync-supabase-"));
      onTestFinished(() => rm(copy, { recursive: true }));
      await cp(supabaseDir, copy, { recursive: true });
      expect(await makeMigration(copy, "name")).toBeNull();
    } else {
      const newest = (await readMigrations()).at(-1);
      expect(newest?.sql).toBe(wholeMigration(newest?.version ?? "", routines));
    }
  });

  it("has the checksums of migrations.sha256, once that file exists", async () => {
    const file = join(supabaseDir, "migrations.sha256");
    if (existsSync(file))
      expect(await readFile(file, "utf8")).toBe((await readMigrations()).map(checksumLine).join(""));
  });
});

describe("supabase/routines", () => {
  it("qualifies every table and function of public", async () => {
    const migrations = (await readMigrations()).map(({ sql }) => sql).join("\n");
    const namesOf = (pattern: RegExp) => [...migrations.matchAll(pattern)].map(([, name]) => name).join("|");
    const tables = namesOf(/create table if not exists public\.("?\w+"?)/g);
    const functions = namesOf(/create or replace function public\.(\w+)/g);
    const code = (await readRoutines(supabaseDir)).join("\n").replace(/^\s*--.*$/gm, "");
    const unqualified = new RegExp(
      `\\b(?:from|join|into|update|using)\\s+(?:${tables}|%\\d\\$I)(?![\\w.])|(?<![\\w.])(?:${functions})\\(`,
      "g",
    );
    expect(code.match(unqualified)).toBeNull();
    expect("delete from apps where pics_failing('{}')".match(unqualified)).toHaveLength(2);
  });
});

describe("makeMigration", () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "spsync-supabase-"));
    onTestFinished(() => rm(dir, { recursive: true }));
    await mkdir(join(dir, "migrations"));
    await mkdir(join(dir, "routines"));
    for (const home of homes) await writeRoutines(home, "");
    await writeRoutines("security", "select public.pics_secure_functions();\n");
    await writeFile(join(dir, "migrations", "20260101000001_tables.sql"), "create table public.t (a int);\n");
    await writeFile(join(dir, "migrations", "20260101000002_routines.sql"), "");
  });
  const writeRoutines = (home: string, sql: string) => writeFile(join(dir, "routines", `${home}.sql`), sql);
  const readMigration = (file: string | null) => readFile(join(dir, "migrations", file ?? ""), "utf8");
  const define = (name: string, args: string, body: string) =>
    `-- About ${name}.\ncreate or replace function public.${name}(${args}) returns int\nlanguage sql\nas $$\n  select ${body};\n$$;\n`;

  it("regenerates the routines' migration in place while nothing is frozen", async () => {
    await writeRoutines("pics", define("f", "", "1"));
    expect(await makeMigration(dir, undefined, now)).toBe("20260101000002_routines.sql");
    const sql = await readMigration("20260101000002_routines.sql");
    expect(sql).toMatch(/^-- Generated/);
    expect(sql).toContain("select '20260101000002'");
    expect(sql).toContain(define("f", "", "1"));
    expect(sql).toMatch(/select public\.pics_secure_functions\(\);\n$/);
    expect((await readMigrations(join(dir, "migrations"))).map(({ file }) => file)).toHaveLength(2);

    await writeFile(join(dir, "migrations", "20260101000003_more_tables.sql"), "create table public.u (a int);\n");
    await expect(makeMigration(dir, undefined, now)).rejects.toThrow("is not …_routines.sql");
  });

  describe("once the migrations are frozen", () => {
    beforeEach(async () => {
      await writeRoutines(
        "pics",
        define("kept", "", "1") + define("changed", "a int", "1") + define("gone", "b int", "1"),
      );
      await writeRoutines("read", define("widened", "a int", "1"));
      await makeMigration(dir, undefined, now);
      const lines = (await readMigrations(join(dir, "migrations"))).map(checksumLine);
      await writeFile(join(dir, "migrations.sha256"), lines.join(""));
    });

    it("writes nothing when no routine differs", async () => {
      expect(await makeMigration(dir, "nothing", now)).toBeNull();
      await writeRoutines(
        "pics",
        `-- Another comment.\n\n${await readFile(join(dir, "routines", "pics.sql"), "utf8")}`,
      );
      expect(await makeMigration(dir, "nothing", now)).toBeNull();
      await expect(makeMigration(dir, "No Name", now)).rejects.toThrow("usage");
    });

    it("writes what differs into a new migration and appends its checksum", async () => {
      const before = await readFile(join(dir, "migrations.sha256"), "utf8");
      await writeFile(join(dir, "migrations", "20260101000003_by_hand.sql"), "create table public.u (a int);\n");
      await writeRoutines("pics", define("kept", "", "1") + define("changed", "a int", "2") + define("added", "", "1"));
      await writeRoutines("read", define("widened", "a int, b int", "1"));
      const file = await makeMigration(dir, "second", now);
      expect(file).toBe("20270102030405_second.sql");

      const sql = await readMigration(file);
      expect(sql).toContain("select '20270102030405'");
      expect(sql).toContain("drop function if exists public.gone(b int);");
      expect(sql).toContain("drop function if exists public.widened(a int);");
      expect(sql.match(/-- About \w+/g)).toEqual(["-- About changed", "-- About added", "-- About widened"]);
      expect(sql).not.toContain("kept");
      expect(sql).toMatch(/select public\.pics_secure_functions\(\);\n$/);

      const checksums = await readFile(join(dir, "migrations.sha256"), "utf8");
      expect(checksums.startsWith(before)).toBe(true);
      expect(checksums).toBe((await readMigrations(join(dir, "migrations"))).map(checksumLine).join(""));
      expect(await makeMigration(dir, "third", now)).toBeNull();
    });

    it("drops a function whose output parameters change", async () => {
      const parts = (args: string) =>
        `create or replace function public.parts(${args})\nlanguage sql\nas $$\n  select 1, 2;\n$$;\n`;
      await writeRoutines("read", parts("a int, out b int"));
      expect(await readMigration(await makeMigration(dir, "first", now))).toContain(parts("a int, out b int"));
      expect(await makeMigration(dir, "nothing", now)).toBeNull();
      await writeRoutines("read", parts("a int, out b int, out c int"));
      const sql = await readMigration(await makeMigration(dir, "second", now));
      expect(sql).toContain("drop function if exists public.parts(a int, out b int);");
    });

    it("sets the schema's version after a migration of tables alone", async () => {
      await writeFile(join(dir, "migrations", "20270102030405_by_hand.sql"), "create table public.u (a int);\n");
      const file = await makeMigration(dir, "version", now);
      expect(file).toBe("20270102030406_version.sql");
      expect(await readMigration(file)).toContain("select '20270102030406'");
    });
  });
});

import { beforeAll, expect, test } from "vitest";
import type { CatalogSource } from "../../src/catalog-source/port.ts";
import type { Database, SqlDatabase } from "../../src/db/database.ts";
import { migrate, readMigrations } from "../../src/db/migrate.ts";
import { prepareSchema } from "../../src/db/open.ts";
import { findOpenTables } from "../../src/db/open-tables.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import type { StoredRecord } from "../../src/db/sync-calls.ts";
import { runChecks } from "../../src/doctor/check.ts";
import { databaseChecks } from "../../src/doctor/database.ts";
import { loadConfig } from "../../src/process/config.ts";
import type { Logger } from "../../src/process/logger.ts";
import { forEachDatabase, oneOf, type TestDatabase } from "../support/databases.ts";
import { silent } from "../support/templates.ts";
import { applied, type Catalog, catalogOf, fullRecord } from "./sql/catalog.ts";

/** An older application's schema: types, limits, constraints and columns that this one does not have. */
const olderTables = `
  create type app_type as enum ('game', 'dlc', 'demo', 'tool');
  create table apps (
    appid integer primary key,
    name text not null,
    type app_type not null default 'game',
    is_free boolean not null default false,
    release_state varchar(12) default 'released',
    platforms varchar(30) not null default '',
    controller_support varchar(7),
    pics_review_score integer,
    pics_review_percentage numeric(5, 2),
    steam_release_date timestamp,
    store_asset_mtime date,
    has_workshop boolean not null default false,
    is_active boolean not null default true,
    current_build_id varchar(8),
    price_cents integer not null default 0,
    notes text not null default '',
    tags text[],
    developers text,
    -- Named like a list of a record, of a type that cannot hold one.
    categories integer,
    dlc boolean,
    created_at timestamptz default now(),
    updated_at timestamptz default now()
  );
  create index apps_type on apps (type);
  create view cheap_apps as select appid, price_cents, notes from apps where price_cents < 500 and is_active;
  alter table apps enable row level security;
  create policy "priced apps only" on apps for select using (price_cents >= 0);
  grant select on apps to public;

  create table sync_status (
    appid integer primary key references apps (appid) on delete cascade,
    last_pics_sync timestamptz not null default now(),
    pics_change_number integer not null default 0,
    last_error varchar(20) not null default '',
    attempts integer,
    last_steamspy_sync timestamptz,
    priority smallint not null default 5,
    locked_by text
  );
  grant all on sync_status to public;
`;

const olderRows = `
  insert into apps (appid, name, type, release_state, controller_support, pics_review_percentage, steam_release_date,
                    store_asset_mtime, is_active, current_build_id, price_cents, notes, tags, developers)
  select i * 10, 'Old ' || i, (array['game', 'dlc', 'demo', 'tool'])[1 + i % 4]::app_type, 'prerelease',
         case when i % 2 = 0 then 'full' end, i % 100 + 0.5, '2015-01-01'::timestamp + i * interval '1 hour', '2016-02-03',
         i % 3 > 0, 'b' || i, i, 'by hand', array['indie', 'tag ' || i], 'A & B'
  from generate_series(1, 1000) i;
  insert into sync_status (appid, last_pics_sync, pics_change_number, attempts, priority, locked_by)
  select i * 10, now() - i * interval '1 minute', 1000000 + i, i % 3, i % 7, 'worker ' || i % 4 from generate_series(1, 900) i;
`;

forEachDatabase(
  "an older application's database",
  (open) => {
    let database: TestDatabase;
    let catalog: Catalog;
    let before: Awaited<ReturnType<typeof snapshot>>;

    const openOlder = () => open({ migrated: false, prepare: olderTables + olderRows });

    beforeAll(async () => {
      database = await openOlder();
      catalog = catalogOf(() => database);
      await database.sql("create table older_apps as select appid, to_jsonb(a) as content from apps a");
      await database.sql("create table older_sync_status as select appid, to_jsonb(s) as content from sync_status s");
      before = await snapshot(database);
      expect((await migrateIn(database)).applied).toHaveLength((await readMigrations()).length);
    });

    /** Rows in which an older column is missing or has another value. */
    async function changedRows(table: "apps" | "sync_status") {
      return await database.sql(
        `select before.appid from older_${table} before left join ${table} after on after.appid = before.appid
         where before.content is distinct from
           (select jsonb_object_agg(key, to_jsonb(after) -> key) from jsonb_object_keys(before.content) key)`,
      );
    }

    test("keeps every row and every column with its value", async () => {
      expect(await changedRows("apps")).toEqual([]);
      expect(await changedRows("sync_status")).toEqual([]);
      expect(
        await database.sql("select (select count(*) from apps), (select count(*) from sync_status) as synced"),
      ).toEqual([{ count: 1_000, synced: 900 }]);
      expect(await database.sql("select count(*) from cheap_apps")).toEqual([{ count: 333 }]);
    });

    test("keeps policies and grants of its tables", async () => {
      expect((await snapshot(database)).access).toEqual(before.access);
    });

    test("gains missing columns, and columns that would reject Steam's data are loosened", async () => {
      const after = await snapshot(database);
      expect(after.tables).toEqual(
        expect.arrayContaining(["app_steam_tags", "app_steam_deck", "pics_sync_state", "workers", "game_metadata"]),
      );
      expect(after.columns).toMatchObject({
        "apps.is_known": "boolean not null",
        "apps.parent_appid": "integer",
        "apps.languages": "jsonb",
        "apps.name": "text",
        "apps.type": "text",
        "apps.platforms": "text",
        "apps.controller_support": "text",
        "apps.current_build_id": "text",
        "apps.is_free": "boolean",
        "apps.notes": "text not null",
        "apps.tags": "text[]",
        "sync_status.pics_pending_change": "bigint",
        "sync_status.lease_id": "uuid",
        "sync_status.last_pics_sync": "timestamp with time zone",
        "sync_status.last_error": "text",
        "sync_status.priority": "smallint not null",
      });
      const [row] = await database.sql(
        "insert into apps (appid) values (7) returning type, release_state, platforms, notes",
      );
      expect(row).toEqual({ type: "game", release_state: "released", platforms: "", notes: "" });
      await database.sql("delete from apps where appid = 7");
    });

    test("is migrated once, and a repeat is idempotent", async () => {
      expect((await migrateIn(database)).applied).toEqual([]);
      const after = await snapshot(database);
      await database.sql("delete from supabase_migrations.schema_migrations");
      expect((await migrateIn(database)).applied).toHaveLength((await readMigrations()).length);
      expect(await snapshot(database)).toEqual(after);
      expect(await changedRows("apps")).toEqual([]);
      expect(await changedRows("sync_status")).toEqual([]);
    });

    test("is synced: its rows are fetched again, and every record of Steam is stored", async () => {
      const { mark, claim, apply, app, status, relations, sql } = catalog;
      // Rows that the older application synced count as not stored.
      const announced = Array.from({ length: 1_000 }, (_, i): [number, number] => [(i + 1) * 10, 1_000_000 + i]);
      expect(await mark([...announced, [5, 2_000_000], [15, 2_000_000]])).toMatchObject({ marked: 1_002 });
      const special: Record<number, Partial<StoredRecord>> = {
        10: { type: "music", release_state: "disabled by its publisher" },
        20: { name: null, type: null, platforms: null, is_free: null as never },
        5: { current_build_id: "123456789012345", name: "New" },
      };
      for (let left = 1_002; left > 0; ) {
        const { lease, apps } = await claim({ max: 334 });
        const records = apps.map(({ appid, change_number }) =>
          appid === 30
            ? { appid, change_number, partial: true, missing_token: true, lacks: [], name: "Partial" }
            : fullRecord(appid, change_number, special[appid]),
        );
        const longError = { appid: 15, error: `refused: ${"x".repeat(300)}` };
        const failed = records.some(({ appid }) => appid === 15) ? [longError] : [];
        const apps_ = records.filter(({ appid }) => appid !== 15);
        expect(await apply(lease, { apps: apps_, failed })).toEqual(
          applied({ stored: apps_.length, failed: failed.length }),
        );
        left -= apps.length;
      }

      expect(await app(10)).toMatchObject({
        type: "music",
        release_state: "disabled by its publisher",
        is_active: true,
      });
      expect(await app(20)).toMatchObject({ name: null, type: null, platforms: null, is_free: null });
      expect(await app(5)).toMatchObject({ name: "New", current_build_id: "123456789012345", notes: "" });
      expect(await relations(40)).toMatchObject({ tags: [492, 19, 21], developers: ["Valve"] });
      // Its own columns of the same names are neither read nor written for a partial record.
      expect(await app(30)).toMatchObject({
        name: "Partial",
        type: "tool",
        tags: ["indie", "tag 3"],
        developers: "A & B",
      });
      expect(await relations(30)).toMatchObject({ tags: [], developers: [] });
      expect(await status(15)).toMatchObject({ attempts: 1, last_error: expect.stringMatching(/^refused: x{300}$/) });
      expect(await status(10)).toMatchObject({ pics_change_number: 1_000_000, priority: 1, locked_by: "worker 1" });
      expect(
        await sql(
          `select count(*) from apps where notes = 'by hand' and price_cents * 10 = appid and tags[2] = 'tag ' || price_cents`,
        ),
      ).toEqual([{ count: 1_000 }]);

      expect(await mark(announced)).toMatchObject({ marked: 0 });
      const rows = await sql("select appid, xmin::text from apps order by appid");
      await mark([[40, 3_000_000]]);
      await apply((await claim()).lease, { apps: [fullRecord(40, 3_000_000)] });
      expect(await sql("select appid, xmin::text from apps order by appid")).toEqual(rows);
    });

    test("an app unknown to Steam keeps its row and becomes inactive", async () => {
      const { mark, claim, apply, app } = catalog;
      await mark([], { unknown: [50, 51] });
      const { lease, appids } = await claim();
      expect(appids).toEqual([50]);
      await apply(lease, { unknown: [50], confirmSeconds: 0 });
      expect(await app(50)).toMatchObject({ is_known: false, is_active: false, notes: "by hand" });
    });

    test("is unchanged when a column has an incompatible type, and the error names the column", async () => {
      const refused = await openOlder();
      const impossible = [
        ["apps.languages is text[]", "apps", "languages text[]"],
        ["apps.metacritic_score is text", "apps", "metacritic_score text"],
        ["apps.metacritic_url is jsonb", "apps", "metacritic_url jsonb"],
        ["sync_status.lease_until is integer", "sync_status", "lease_until integer"],
        ["sync_status.pics_pending_change is text", "sync_status", "pics_pending_change text"],
      ] as const;
      for (const [what, table, column] of impossible) {
        await refused.sql(`alter table ${table} add ${column}`);
        const untouched = await snapshot(refused);
        const message = expect.stringContaining(`column ${what}, which`);
        await expect(migrateIn(refused)).rejects.toMatchObject({ code: "42804", message });
        expect(await snapshot(refused)).toEqual(untouched);
        await refused.sql(`alter table ${table} drop ${column.split(" ")[0]}`);
      }
      expect((await migrateIn(refused)).applied).toHaveLength((await readMigrations()).length);
    });

    // The last one on this database: it closes what the others find open.
    test("warns of its tables that Supabase's roles reach, and knows the statements that close them", async () => {
      const { db, sql, kind } = database;
      await sql("alter table apps disable row level security");
      const lines: string[] = [];
      const logger = { info() {}, warn: (_fields: object, text: string) => lines.push(text) } as unknown as Logger;
      await prepareSchema(db, createDatabaseRetry(db.driver, { logger: silent }), logger);
      const [rowSecurity] = (
        await runChecks(doctorChecks(db), { signal: new AbortController().signal, onOutcome() {} })
      ).filter(({ name }) => name === "row security");
      const all = "DELETE, INSERT, SELECT, TRUNCATE, UPDATE";
      // Reading the catalog is allowed.
      const open = `sync_status (anon: ${all}; authenticated: ${all})`;
      expect(lines).toEqual([expect.stringContaining(`off: ${open}; \`doctor\` lists the statements`)]);
      expect(rowSecurity).toMatchObject({ result: "failed", blame: "other" });

      await sql("grant insert, update (name) on apps to anon");
      const found = await findOpenTables(db);
      expect(found.map(({ name, privileges }) => `${name} (${privileges})`)).toEqual([
        "apps (anon: INSERT, UPDATE)",
        open,
      ]);
      const statements = found.flatMap((table) => table.statements);
      expect(statements).toContain("alter table public.sync_status enable row level security;");
      for (const statement of rowSecurity?.summary.split("\n").slice(1) ?? []) expect(statements).toContain(statement);
      for (const statement of statements) await sql(statement);
      expect(await findOpenTables(db)).toEqual([]);
      const access = [
        "anon select apps",
        "anon insert apps",
        "anon select sync_status",
        "service_role delete sync_status",
      ];
      const may = access.map((words) => words.split(" "));
      const rows = await sql<{ may: boolean }>(
        `select has_table_privilege(role, tab, privilege) as may from unnest($1::text[], $2::text[], $3::text[])
           with ordinality as given(role, privilege, tab, n) order by n`,
        [0, 1, 2].map((column) => may.map((words) => words[column])),
      );
      expect(rows.map((row) => row.may)).toEqual([true, false, false, true]);

      // Without these roles the tables need no protection. Of the others, roles belong to the whole server.
      if (kind !== "pglite") return;
      await sql("alter table sync_status disable row level security");
      await sql("grant all on sync_status to anon");
      expect(await findOpenTables(db)).toHaveLength(1);
      await sql("drop owned by anon, authenticated");
      await sql("drop role anon, authenticated");
      expect(await findOpenTables(db)).toEqual([]);
    });
  },
  oneOf("postgres", ["pglite", "postgres"]),
);

/** The checks of `doctor` on an open database. */
function doctorChecks(db: Database) {
  const source: CatalogSource = {
    name: "older",
    db,
    app: async () => null,
    whyNotStored: async () => null,
    status: async () => ({ catalog: null, failing_apps: [], workers: [], webhooks: null }),
    close: async () => {},
  };
  return [{ title: "Database", checks: databaseChecks(loadConfig({}), async () => source) }];
}

async function migrateIn({ db }: TestDatabase) {
  if (!isSqlDatabase(db)) throw new Error("migrations need SQL");
  return await migrate(db);
}

const isSqlDatabase = (db: Database): db is SqlDatabase => "transaction" in db;

/** Columns of every table, and the privileges of the older tables. */
async function snapshot({ sql }: TestDatabase) {
  const columns = await sql<{ name: string; type: string }>(
    `select c.relname || '.' || a.attname as name,
            format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end as type
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v')`,
  );
  const byName = columns.map(({ name, type }): [string, string] => [name, type]).sort();
  return {
    columns: Object.fromEntries(byName),
    tables: [...new Set(byName.map(([name]) => name.split(".")[0]))],
    access: await sql(
      `select c.relname, c.relrowsecurity, c.relacl::text,
              array(select polname::text || pg_get_expr(polqual, polrelid) from pg_policy where polrelid = c.oid) as policies
       from pg_class c where c.relname in ('apps', 'sync_status', 'cheap_apps') order by 1`,
    ),
  };
}

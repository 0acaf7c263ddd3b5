import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, describe, inject } from "vitest";
import type { Database, SqlDatabase } from "../../src/db/database.ts";
import { openPglite } from "../../src/db/pglite.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import { openSupabase } from "../../src/db/supabase.ts";
import type { ClusterAddress } from "./cluster.ts";
import { asSuperuser, superuser, urlOf } from "./cluster.ts";
import { isFull } from "./full.ts";
import type { SupabaseApi } from "./postgrest.ts";
import { startSupabaseApi } from "./postgrest.ts";
import { copyPgliteTemplate, ownerOf, serverTemplate, silent } from "./templates.ts";

export type DatabaseKind = Database["driver"];

export const databaseKinds: readonly DatabaseKind[] = ["pglite", "postgres", "supabase"];

export interface TestDatabaseOptions {
  /** With the project's migrations (the default), or empty. */
  migrated?: boolean;
  /** SQL to run before `db` connects, for functions that only the test needs. */
  prepare?: string;
  /** Server for Postgres and Supabase; by default the one of the test run. */
  cluster?: ClusterAddress;
}

export interface TestDatabase {
  kind: DatabaseKind;
  /** The database through its transport. */
  db: Database;
  /** Runs any SQL as the superuser, for assertions and for states that no function of the service makes. */
  sql<Row extends object = Record<string, unknown>>(query: string, params?: unknown[]): Promise<Row[]>;
  /** Environment of a child process that uses the same database. */
  env: Record<string, string>;
  /**
   * Closes the database (PGlite has one owner) while `work` uses it in another process. Do not use `db` or `sql`
   * meanwhile.
   */
  lend<T>(work: () => Promise<T>): Promise<T>;
  /** Supabase only: the REST interface, its keys and fault injection. */
  api: SupabaseApi | null;
  /** Postgres and Supabase only: URL for the role that owns the database. */
  url: string | null;
  close(): Promise<void>;
}

/** Creates a database for one test or test file, behind one of the three transports. The caller closes it. */
export async function openTestDatabase(kind: DatabaseKind, options: TestDatabaseOptions = {}): Promise<TestDatabase> {
  return kind === "pglite" ? await openPgliteTest(options) : await openServerTest(kind, options);
}

export type OpenDatabase = (options?: TestDatabaseOptions) => Promise<TestDatabase>;

/** One of the databases on which a suite can run, or all of them with `FULL=1`. */
export function oneOf(chosen: DatabaseKind, all: readonly DatabaseKind[] = databaseKinds): readonly DatabaseKind[] {
  return isFull ? all : [chosen];
}

/**
 * Runs the same tests on several databases: by default through PostgREST alone, which differs most from plain SQL. That
 * the three transports are alike is the matter of test/integration/db/transports.test.ts; tests of whole processes,
 * and of rules that SQL alone decides, use Postgres directly. Databases that `open` creates are closed after the tests.
 */
export function forEachDatabase(
  name: string,
  tests: (open: OpenDatabase, kind: DatabaseKind) => void,
  kinds: readonly DatabaseKind[] = oneOf("supabase"),
): void {
  describe.each(kinds)(`${name} (%s)`, (kind) => {
    const opened: TestDatabase[] = [];
    afterAll(async () => {
      for (const database of opened) await database.close();
    });
    tests(async (options) => {
      const database = await openTestDatabase(kind, options);
      opened.push(database);
      return database;
    }, kind);
  });
}

/** Runs the same tests on all three transports, as {@link forEachDatabase} does on one. */
export function forEachTransport(name: string, tests: Parameters<typeof forEachDatabase>[1]): void {
  forEachDatabase(name, tests, databaseKinds);
}

async function openPgliteTest({ migrated = true, prepare }: TestDatabaseOptions): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-data-"));
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, migrated);
  const open = () => openPglite({ dataDir, logger: silent });
  let database: SqlDatabase = await open();
  if (prepare) await database.transaction(prepare);
  return {
    kind: "pglite",
    get db() {
      return database;
    },
    sql: (query, params) => database.query(query, params),
    env: { DATA_DIR: dataDir },
    async lend(work) {
      await database.close();
      try {
        return await work();
      } finally {
        database = await open();
      }
    },
    api: null,
    url: null,
    async close() {
      await database.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function openServerTest(
  kind: "postgres" | "supabase",
  { migrated = true, prepare, cluster = inject("cluster") }: TestDatabaseOptions,
): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const template = await serverTemplate(cluster, kind, migrated);
  await asSuperuser(cluster, "postgres", (client) =>
    client.query(`create database ${name} template ${template} owner ${ownerOf[kind]}`),
  );
  const admin = new pg.Client({ connectionString: urlOf(cluster, superuser, name), types: { getTypeParser } });
  // A test may end every session, including this one; the next query then fails.
  admin.on("error", () => {});
  await admin.connect();
  // As the role that runs the migrations, so that owner and privileges are the same as for their objects.
  const url = urlOf(cluster, ownerOf[kind], name);
  if (prepare) await asOwner(url, (client) => client.query(prepare));

  const api = kind === "supabase" ? await startSupabaseApi(urlOf(cluster, "authenticator", name)) : null;
  const db = api
    ? await openSupabase({ url: api.url, serviceKey: api.serviceKey, logger: silent, schemaCacheWaitMs: 0 })
    : await openPostgres({ url, logger: silent });
  return {
    kind,
    db,
    sql: async <Row extends object>(query: string, params: unknown[] = []) =>
      (await admin.query(query, params)).rows as Row[],
    env: api ? { SUPABASE_URL: api.url, SUPABASE_SERVICE_KEY: api.serviceKey } : { DATABASE_URL: url },
    lend: (work) => work(),
    api,
    url,
    async close() {
      await db.close();
      await api?.stop();
      await admin.end().catch(() => {});
      await asSuperuser(cluster, "postgres", (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
}

async function asOwner(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await work(client).finally(() => client.end());
}

/** Reads bigint as a number, as the transports do. */
function getTypeParser(oid: number, format?: "text" | "binary"): (value: string) => unknown {
  return oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format === "binary" ? "text" : format);
}

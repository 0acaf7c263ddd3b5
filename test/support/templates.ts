import { createHash } from "node:crypto";
import { cp, mkdtemp, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type pg from "pg";
import { pino } from "pino";
import type { SqlDatabase } from "../../src/db/database.ts";
import { migrate, readMigrations } from "../../src/db/migrate.ts";
import { openPglite } from "../../src/db/pglite.ts";
import { openPostgres } from "../../src/db/postgres.ts";
import type { ClusterAddress } from "./cluster.ts";
import { asSuperuser, urlOf } from "./cluster.ts";
import { projectDefaults } from "./supabase-roles.ts";

/**
 * Template databases that tests copy: a new PGlite takes 2 s and its migrations more, a copy 0.1 s. Their names contain
 * a hash of the migrations, so that a changed file makes a new template.
 */

export const silent = pino({ level: "silent" });

const keptForMs = 24 * 60 * 60 * 1_000;

/** The role that owns the databases of a kind and runs the migrations. */
export const ownerOf = { postgres: "app", supabase: "postgres" } as const;

async function fingerprint(migrated: boolean): Promise<string> {
  if (!migrated) return "empty";
  const hash = createHash("sha256");
  for (const { file, sql } of await readMigrations()) hash.update(file).update("\0").update(sql).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** Name of the template in the cluster, for `create database … template …`. Creates it if it is missing. */
export async function serverTemplate(
  cluster: ClusterAddress,
  kind: "postgres" | "supabase",
  migrated: boolean,
): Promise<string> {
  const name = `template_${kind}_${await fingerprint(migrated)}`;
  await asSuperuser(cluster, "postgres", async (client) => {
    await client.query("select pg_advisory_lock(1)");
    const { rowCount } = await client.query("select from pg_database where datname = $1", [name]);
    if (rowCount === 0) await makeServerTemplate(cluster, client, kind, migrated, name);
  });
  return name;
}

async function makeServerTemplate(
  cluster: ClusterAddress,
  client: pg.Client,
  kind: "postgres" | "supabase",
  migrated: boolean,
  name: string,
): Promise<void> {
  const unfinished = `${name}_unfinished`;
  await client.query(`drop database if exists ${unfinished}`);
  await client.query(`create database ${unfinished} owner ${ownerOf[kind]}`);
  if (kind === "supabase") await asSuperuser(cluster, unfinished, (inside) => inside.query(projectDefaults));
  if (migrated) {
    await migrateAndClose(await openPostgres({ url: urlOf(cluster, ownerOf[kind], unfinished), logger: silent }));
  }
  await client.query(`alter database ${unfinished} rename to ${name}`);
}

/** Creates a data folder with a PGlite database, copied from the template. */
export async function copyPgliteTemplate(dataDir: string, migrated: boolean): Promise<void> {
  await cp(await pgliteTemplate(migrated), dataDir, { recursive: true });
}

async function pgliteTemplate(migrated: boolean): Promise<string> {
  const entry = createRequire(import.meta.url).resolve("@electric-sql/pglite");
  const { version } = JSON.parse(await readFile(join(dirname(entry), "../package.json"), "utf8")) as {
    version: string;
  };
  const prefix = "spsync-pglite-";
  const folder = join(tmpdir(), `${prefix}${version}-${await fingerprint(migrated)}`);
  if (await exists(folder)) return folder;
  await removeOld(prefix);
  const unfinished = await mkdtemp(join(tmpdir(), `${prefix}unfinished-`));
  const database = await openPglite({ dataDir: unfinished, logger: silent });
  if (migrated) await migrateAndClose(database);
  else await database.close();
  // Another test file may have made the same template meanwhile.
  await rename(unfinished, folder).catch(() => rm(unfinished, { recursive: true, force: true }));
  return folder;
}

async function migrateAndClose(database: SqlDatabase): Promise<void> {
  try {
    await migrate(database);
  } finally {
    await database.close();
  }
}

async function removeOld(prefix: string): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const path = join(tmpdir(), name);
    const age = name.startsWith(prefix) ? Date.now() - (await stat(path)).mtimeMs : 0;
    if (age > keptForMs) await rm(path, { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

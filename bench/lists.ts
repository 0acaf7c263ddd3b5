import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SqlDatabase } from "../src/db/database.ts";
import { openPglite } from "../src/db/pglite.ts";
import { openPostgres } from "../src/db/postgres.ts";
import { asSuperuser, startCluster, superuser, urlOf } from "../test/support/cluster.ts";
import { fillScript, realNames } from "../test/support/generated-catalog/fill.ts";
import { filtersOf, resolved, type Shape, shapes } from "../test/support/generated-catalog/shapes.ts";
import { copyPgliteTemplate, silent } from "../test/support/templates.ts";
import { median, table } from "./support/figures.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * What each question to `/v1/apps` costs in the database: every sort order with every filter, and typical combinations, as a multiple of a
 * read by primary key (`select * from apps where appid = …` of a random app, through the same connection and in turns with the questions,
 * so that other load on the machine affects both). Generated catalog with real names, warm.
 *
 *     node bench/lists.ts [APPS] [postgres|pglite]
 */
export interface ShapesBench {
  apps: number;
  databases: DatabaseFigures[];
}

interface DatabaseFigures {
  driver: string;
  /** Milliseconds of a read by primary key, median. */
  primaryKeyMs: number;
  /** Each question's least time of three, in reads by primary key; the cheapest first. */
  ratios: { name: string; ratio: number }[];
  /** Bytes per app. */
  indexes: { name: string; bytes: number }[];
}

export type Drivers = readonly ("postgres" | "pglite")[];

const rounds = 3;

export async function benchLists({
  apps = 300_000,
  drivers = ["postgres", "pglite"],
}: {
  apps?: number;
  drivers?: Drivers;
} = {}): Promise<ShapesBench> {
  return await benchShapes(apps, drivers, async (sql) => shapes(await resolved(filtersOf(), sql)));
}

/** Measures questions on a generated catalog in each database. */
export async function benchShapes(
  apps: number,
  drivers: Drivers,
  shapesOf: (sql: (query: string) => Promise<Record<string, unknown>[]>) => Promise<Shape[]>,
): Promise<ShapesBench> {
  const databases: DatabaseFigures[] = [];
  for (const driver of drivers) {
    await using stack = new AsyncDisposableStack();
    const db = driver === "postgres" ? await filledPostgres(apps, stack) : await filledPglite(apps, stack);
    databases.push({
      driver: db.driver,
      ...(await measure(db, await shapesOf((query) => db.query(query)), apps)),
      indexes: await indexesOf(db, apps),
    });
  }
  return { apps, databases };
}

async function filledPostgres(apps: number, stack: AsyncDisposableStack): Promise<SqlDatabase> {
  const cluster = await startCluster({ durable: true, locale: "C.UTF-8" });
  stack.defer(() => cluster.stop());
  const { name } = await freshDatabase(cluster.address, "postgres");
  await asSuperuser(cluster.address, name, async (client) => {
    await client.query(await fillScript(apps, realNames() ?? undefined));
    await client.query("vacuum (analyze)");
  });
  const db = await openPostgres({ url: urlOf(cluster.address, superuser, name), logger: silent, maxConnections: 1 });
  stack.defer(() => db.close());
  return db;
}

async function filledPglite(apps: number, stack: AsyncDisposableStack): Promise<SqlDatabase> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, true);
  const db = await openPglite({ dataDir, logger: silent, hangLimitMs: 1_800_000 });
  stack.defer(() => db.close());
  await db.transaction(await fillScript(apps, realNames() ?? undefined));
  await db.query("vacuum (analyze)");
  return db;
}

async function measure(db: SqlDatabase, asked: readonly Shape[], apps: number) {
  let turn = 0;
  const keyTimes: number[] = [];
  const readByKey = () => {
    turn = (turn + 7_919) % apps;
    return db.query("select * from apps where appid = $1", [10 * (1 + turn)]);
  };
  for (let reads = 0; reads < 500; reads++) await readByKey();
  const times: { name: string; ms: number }[] = [];
  for (const { name, query } of asked) {
    const own: number[] = [];
    for (let round = 0; round < rounds; round++) {
      own.push(await timed(() => db.rpc("catalog_apps", { request: query })));
      keyTimes.push(await timed(readByKey));
    }
    times.push({ name, ms: Math.min(...own) });
  }
  const primaryKeyMs = median(keyTimes);
  return {
    primaryKeyMs,
    ratios: times.map(({ name, ms }) => ({ name, ratio: ms / primaryKeyMs })).sort((a, b) => a.ratio - b.ratio),
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function indexesOf(db: SqlDatabase, apps: number): Promise<{ name: string; bytes: number }[]> {
  const rows = await db.query<{ name: string; bytes: number }>(`
    select c.relname as name, pg_relation_size(c.oid)::float8 as bytes
    from pg_index i join pg_class c on c.oid = i.indexrelid
    where i.indrelid = any (array['apps', 'app_steam_deck', 'developers', 'publishers', 'franchises']::regclass[]) order by 2 desc`);
  return rows.map(({ name, bytes }) => ({ name, bytes: bytes / apps }));
}

/** As Markdown: the spread of the ratios, the dearest questions, bytes of the indexes. */
export function formatShapes({ apps, databases }: ShapesBench): string {
  const at = ({ ratios }: DatabaseFigures, share: number) =>
    ratios[Math.min(ratios.length - 1, Math.floor(ratios.length * share))]?.ratio ?? 0;
  const spread = databases.map((database) => [
    `${database.driver}, ${database.ratios.length} questions`,
    `${database.primaryKeyMs.toFixed(2)} ms`,
    ...[0.5, 0.9, 0.95, 1].map((share) => `${at(database, share).toFixed(0)} ×`),
  ]);
  const dearest = databases.flatMap(({ driver, ratios }) =>
    ratios.slice(-8).map(({ name, ratio }) => [driver, name, `${ratio.toFixed(0)} ×`]),
  );
  const indexes = (databases[0]?.indexes ?? []).map(({ name, bytes }) => [`\`${name}\``, bytes.toFixed(1)]);
  return [
    `${apps.toLocaleString("en-US")} apps, 50 of them a page, in reads by primary key.`,
    "",
    table(["database", "read by key", "p50", "p90", "p95", "most"], spread),
    "",
    table(["database", "dearest", "cost"], dearest),
    "",
    table(["index", "bytes per app"], indexes),
  ].join("\n");
}

if (import.meta.main) {
  const [apps = "300000", driver] = process.argv.slice(2);
  const drivers: Drivers | undefined = driver === "postgres" || driver === "pglite" ? [driver] : undefined;
  console.log(formatShapes(await benchLists({ apps: Number(apps), ...(drivers ? { drivers } : {}) })));
}

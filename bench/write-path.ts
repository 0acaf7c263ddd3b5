import { randomUUID } from "node:crypto";
import pg from "pg";
import { extractorVersion } from "../src/catalog/extract.ts";
import type { CatalogStore } from "../src/db/catalog-store.ts";
import type { StoredRecord } from "../src/db/sync-calls.ts";
import { asSuperuser, type ClusterAddress, startCluster } from "../test/support/cluster.ts";
import { generateRecords } from "../test/support/steam/records.ts";
import { backendCpu } from "./support/backend-cpu.ts";
import { copyFrom, copyTo } from "./support/copy.ts";
import { median, table } from "./support/figures.ts";
import { freshDatabase, openStore } from "./support/servers.ts";

/**
 * Throughput of the write path alone, on Postgres with default settings: `pics_apply` with 500 apps per call into an empty catalog,
 * compared with `COPY` of the finished rows into the same tables, with the same indexes and constraints. The two are compared by time and
 * by the processor time of their backends, which other load on the machine disturbs less.
 *
 *     node bench/write-path.ts [APPS] [ROUNDS]
 */
export interface WritePathBench {
  apps: number;
  rowsPerApp: number;
  ways: {
    way: Way;
    /** Median. */
    appsPerSecond: number;
    /** Throughput relative to COPY: median of the ratios per round, since other load affects both alike. */
    ofCopy: number;
    /** Processor time of the backend in µs per app: the least of all rounds. */
    cpuPerApp: number;
    /** COPY's processor time relative to it. */
    ofCopyCpu: number;
  }[];
}

const ways = {
  apply: "`pics_apply`, 500 apps per call",
  full: "… with `pics_mark` and `pics_claim`",
  copy: "`COPY`, 500 apps per transaction",
  copyWhole: "`COPY`, everything in one transaction",
  applyFree: "`pics_apply` without foreign keys",
  copyFree: "`COPY` without foreign keys",
};
type Way = keyof typeof ways;

const batchSize = 500;
const leaseMs = 600_000;

/** In an order that foreign keys allow. Migrations insert the genres and categories that have a name. */
const references = [
  { table: "steam_tags", key: "tag_id", junction: "app_steam_tags", foreign: "tag_id", where: "" },
  { table: "steam_genres", key: "genre_id", junction: "app_genres", foreign: "genre_id", where: "where name is null" },
  {
    table: "steam_categories",
    key: "category_id",
    junction: "app_categories",
    foreign: "category_id",
    where: "where name is null",
  },
  { table: "franchises", key: "id", junction: "app_franchises", foreign: "franchise_id", where: "" },
  { table: "developers", key: "id", junction: "app_developers", foreign: "developer_id", where: "" },
  { table: "publishers", key: "id", junction: "app_publishers", foreign: "publisher_id", where: "" },
];
/** Only for measuring the cost of foreign keys. */
const dropForeignKeys = `
  do $$
  declare
    key record;
  begin
    for key in select conrelid::regclass as owner, conname as name from pg_constraint where contype = 'f' loop
      execute format('alter table %s drop constraint %I', key.owner, key.name);
    end loop;
  end $$`;

interface Cost {
  seconds: number;
  /** Processor time of the backend in ms. */
  cpuMs: number;
}

type Copies = { table: string; rows: Buffer }[];

export async function benchWritePath({ apps = 10_000, rounds = 5 } = {}): Promise<WritePathBench> {
  const cluster = await startCluster({ durable: true });
  try {
    const batches = recordBatches(apps);
    const finished = await loadByApply(cluster.address, batches, {});
    const copies = await copiesOf(cluster.address, finished.name, batches);
    const whole = joined(copies);
    const rows = copies.flat().reduce((sum, copy) => sum + lines(copy.rows), 0);
    await finished.drop();

    const measures: Record<Way, () => Promise<Cost>> = {
      apply: () => timeApply(cluster.address, batches, {}),
      full: () => timeApply(cluster.address, batches, { timeAll: true }),
      copy: () => loadByCopy(cluster.address, copies),
      copyWhole: () => loadByCopy(cluster.address, [whole]),
      applyFree: () => timeApply(cluster.address, batches, { prepare: dropForeignKeys }),
      copyFree: () => loadByCopy(cluster.address, copies, dropForeignKeys),
    };
    const costs = new Map<Way, Cost[]>();
    const names = Object.keys(measures) as Way[];
    for (let round = 0; round < rounds; round++) {
      for (const way of names) costs.set(way, [...(costs.get(way) ?? []), await measures[way]()]);
    }
    const copyCosts = costs.get("copy") ?? [];
    const leastCpu = (measured: readonly Cost[]) => Math.min(...measured.map(({ cpuMs }) => cpuMs));
    return {
      apps,
      rowsPerApp: rows / apps,
      ways: [...costs].map(([way, measured]) => ({
        way,
        appsPerSecond: apps / median(measured.map(({ seconds }) => seconds)),
        ofCopy: median(measured.map(({ seconds }, round) => (copyCosts[round]?.seconds ?? 0) / seconds)),
        cpuPerApp: (leastCpu(measured) * 1_000) / apps,
        ofCopyCpu: leastCpu(copyCosts) / leastCpu(measured),
      })),
    };
  } finally {
    await cluster.stop();
  }
}

/** Records of the generated catalog, as many as one call stores. */
export const recordBatches = (apps: number): StoredRecord[][] => chunks(generateRecords(apps), batchSize);

async function timeApply(
  cluster: ClusterAddress,
  batches: readonly StoredRecord[][],
  options: ApplyOptions,
): Promise<Cost> {
  const { cost, drop } = await loadByApply(cluster, batches, options);
  await drop();
  return cost;
}

interface ApplyOptions {
  /** Includes marking and claiming in the measured time. */
  timeAll?: boolean;
  prepare?: string;
}

/** Stores batches in a new database, in calls of `pics_apply`, and measures them. */
export async function loadByApply(
  cluster: ClusterAddress,
  batches: readonly StoredRecord[][],
  { timeAll = false, prepare }: ApplyOptions,
) {
  const database = await freshDatabase(cluster, "postgres", prepare);
  const { store, db } = await openStore(database.url);
  await store.state();
  const cpu = await backendCpu(cluster, database.name);
  let startedAt = performance.now();
  let cpuBefore = cpu();
  await store.mark({
    apps: batches.flat().map(({ appid, change_number }) => ({ appid, changeNumber: change_number })),
    unknown: [],
    full: false,
  });
  const leases: string[] = [];
  for (const _ of batches) leases.push(await claimed(store));
  if (!timeAll) [startedAt, cpuBefore] = [performance.now(), cpu()];
  for (const [index, apps] of batches.entries()) {
    const reply = await store.apply({
      leaseId: leases[index] ?? "",
      apps,
      extractorVersion,
      isReextract: false,
      unknown: [],
      failed: [],
      tokens: [],
      appBackoff: { firstMs: 1_000, maxMs: 1_000 },
      unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
      history: true,
    });
    if (reply.stored !== apps.length) throw new Error(`stored ${reply.stored} of ${apps.length} apps`);
  }
  const cost: Cost = { seconds: (performance.now() - startedAt) / 1_000, cpuMs: cpu() - cpuBefore };
  await db.close();
  return { ...database, cost };
}

async function claimed(store: CatalogStore): Promise<string> {
  const leaseId = randomUUID();
  await store.claim({ leaseId, max: batchSize, leaseMs, appids: null, maxAttempts: null });
  return leaseId;
}

async function loadByCopy(cluster: ClusterAddress, transactions: readonly Copies[], prepare?: string): Promise<Cost> {
  const database = await freshDatabase(cluster, "postgres", prepare);
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const cpu = await backendCpu(cluster, database.name);
  const cpuBefore = cpu();
  const startedAt = performance.now();
  for (const copies of transactions) {
    await client.query("begin");
    for (const { table, rows } of copies) await copyFrom(client, `copy ${table} from stdin`, rows);
    await client.query("commit");
  }
  const cost: Cost = { seconds: (performance.now() - startedAt) / 1_000, cpuMs: cpu() - cpuBefore };
  await client.end();
  await database.drop();
  return cost;
}

/** The rows that `pics_apply` wrote, as COPY text per batch. A reference row belongs to the batch of the first app that needs it. */
async function copiesOf(cluster: ClusterAddress, name: string, batches: readonly StoredRecord[][]): Promise<Copies[]> {
  return asSuperuser(cluster, name, async (client) => {
    const all: Copies[] = [];
    // COPY takes no generated columns.
    const { rows } = await client.query<{ columns: string }>(
      `select string_agg(attname, ', ' order by attnum) as columns from pg_attribute
       where attrelid = 'public.apps'::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    );
    const written = rows[0]?.columns ?? "";
    const appsCopy = `apps (${written})`;
    // Everything that pics_apply writes: whatever refers to apps.
    const referring = await client.query<{ name: string }>(
      "select conrelid::regclass::text as name from pg_constraint where contype = 'f' and confrelid = 'public.apps'::regclass order by 1",
    );
    const perApp = [...referring.rows.map(({ name }) => name), "sync_status"];
    for (const batch of batches) {
      const appids = batch.map(({ appid }) => appid);
      const range = `between ${Math.min(...appids)} and ${Math.max(...appids)}`;
      const copies: Copies = [];
      const add = async (table: string, select: string) =>
        copies.push({ table, rows: await copyTo(client, `copy (${select}) to stdout`) });
      await add(appsCopy, `select ${written} from apps where appid ${range} order by appid`);
      for (const { table, key, junction, foreign, where } of references) {
        const firstUse = `group by t.${key} having min(r.appid) ${range}`;
        await add(
          table,
          `select t.* from ${table} t join ${junction} r on r.${foreign} = t.${key} ${where} ${firstUse}`,
        );
      }
      for (const table of perApp) await add(table, `select * from ${table} where appid ${range} order by appid`);
      all.push(copies.filter(({ rows }) => rows.length > 0));
    }
    return all;
  });
}

/** Concatenates all batches into one, in the order of tables of the first batch that has them. */
function joined(copies: readonly Copies[]): Copies {
  const batches = new Map<string, Buffer[]>();
  for (const { table, rows } of copies.flat()) batches.set(table, [...(batches.get(table) ?? []), rows]);
  const refersToOthers = (table: string) => Number(table.startsWith("app_") || table === "sync_status");
  return [...batches]
    .sort(([a], [b]) => refersToOthers(a) - refersToOthers(b))
    .map(([table, rows]) => ({ table, rows: Buffer.concat(rows) }));
}

function lines(rows: Buffer): number {
  let count = 0;
  for (const byte of rows) if (byte === 10) count += 1;
  return count;
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, index) =>
    list.slice(index * size, (index + 1) * size),
  );
}

export function formatWritePath({ apps, rowsPerApp, ways: measured }: WritePathBench): string {
  const about = `${apps.toLocaleString("en-US")} apps, ${rowsPerApp.toFixed(1)} rows per app.`;
  const rows = measured.map(({ way, appsPerSecond, ofCopy, cpuPerApp, ofCopyCpu }) => [
    ways[way],
    appsPerSecond,
    ofCopy,
    Math.round(cpuPerApp),
    ofCopyCpu,
  ]);
  return [about, "", table(["way", "apps/s", "of COPY", "processor, µs per app", "of COPY's"], rows)].join("\n");
}

if (import.meta.main) {
  const [apps = 10_000, rounds = 5] = process.argv.slice(2).map(Number);
  console.log(formatWritePath(await benchWritePath({ apps, rounds })));
}

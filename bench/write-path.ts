import { randomUUID } from "node:crypto";
import pg from "pg";
import type { CatalogStore, StoredRecord } from "../src/db/catalog-store.ts";
import { asSuperuser, type ClusterAddress, startCluster } from "../test/support/cluster.ts";
import { copyFrom, copyTo } from "./support/copy.ts";
import { median, table } from "./support/figures.ts";
import { generateRecords } from "./support/records.ts";
import { freshDatabase, openStore } from "./support/servers.ts";

/**
 * The write path alone, on Postgres with its default settings: `pics_apply` with 500 apps a call, into an empty catalogue,
 * against `COPY` of the finished rows into the same tables, with the same indexes and constraints.
 *
 *     node bench/write-path.ts [APPS] [ROUNDS]
 */
export interface WritePathBench {
  apps: number;
  batchSize: number;
  rowsPerApp: number;
  /** Apps a second, medians. */
  apply: number;
  applyWithMarkAndClaim: number;
  copyBatches: number;
  copyWhole: number;
  /** Per round, then the median: the machine is as busy for both. */
  ratio: number;
  ratioWithMarkAndClaim: number;
}

const batchSize = 500;
const leaseMs = 600_000;

/** In an order that foreign keys allow. Genres and categories that have a name are there already. */
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
const perApp = [
  "app_steam_tags",
  "app_genres",
  "app_categories",
  "app_dlc",
  "app_developers",
  "app_publishers",
  "app_franchises",
  "app_steam_deck",
  "sync_status",
];

type Copies = { table: string; rows: Buffer }[];

export async function benchWritePath({ apps = 10_000, rounds = 5 } = {}): Promise<WritePathBench> {
  const cluster = await startCluster({ durable: true });
  try {
    const batches = chunks(generateRecords(apps), batchSize);
    const finished = await loadByApply(cluster.address, batches, true);
    const copies = await copiesOf(cluster.address, finished.name, batches);
    const whole = joined(copies);
    const rows = copies.flat().reduce((sum, copy) => sum + lines(copy.rows), 0);
    await finished.drop();

    const seconds = {
      apply: [] as number[],
      full: [] as number[],
      copyBatches: [] as number[],
      copyWhole: [] as number[],
    };
    for (let round = 0; round < rounds; round++) {
      const apply = await loadByApply(cluster.address, batches, false);
      await apply.drop();
      const copyBatches = await loadByCopy(cluster.address, copies);
      const full = await loadByApply(cluster.address, batches, true);
      await full.drop();
      const copyWhole = await loadByCopy(cluster.address, [whole]);
      seconds.apply.push(apply.seconds);
      seconds.full.push(full.seconds);
      seconds.copyBatches.push(copyBatches);
      seconds.copyWhole.push(copyWhole);
    }
    const ratio = (a: number[], b: number[]) => median(a.map((value, round) => value / (b[round] ?? 0)));
    return {
      apps,
      batchSize,
      rowsPerApp: rows / apps,
      apply: apps / median(seconds.apply),
      applyWithMarkAndClaim: apps / median(seconds.full),
      copyBatches: apps / median(seconds.copyBatches),
      copyWhole: apps / median(seconds.copyWhole),
      ratio: ratio(seconds.copyBatches, seconds.apply),
      ratioWithMarkAndClaim: ratio(seconds.copyBatches, seconds.full),
    };
  } finally {
    await cluster.stop();
  }
}

/** `timeAll` counts marking and claiming, too. */
async function loadByApply(cluster: ClusterAddress, batches: readonly StoredRecord[][], timeAll: boolean) {
  const database = await freshDatabase(cluster, "postgres");
  const { store, db } = await openStore(database.url);
  await store.state();
  let startedAt = performance.now();
  await store.mark({
    apps: batches.flat().map(({ appid, change_number }) => ({ appid, changeNumber: change_number })),
    unknown: [],
    full: false,
  });
  const leases: string[] = [];
  for (const _ of batches) leases.push(await claimed(store));
  if (!timeAll) startedAt = performance.now();
  for (const [index, apps] of batches.entries()) {
    const reply = await store.apply({
      leaseId: leases[index] ?? "",
      apps,
      unknown: [],
      failed: [],
      tokens: [],
      retryMs: 1_000,
      retryMaxMs: 1_000,
      history: true,
    });
    if (reply.stored !== apps.length) throw new Error(`stored ${reply.stored} of ${apps.length} apps`);
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await db.close();
  return { ...database, seconds };
}

async function claimed(store: CatalogStore): Promise<string> {
  const leaseId = randomUUID();
  await store.claim({ leaseId, max: batchSize, leaseMs, appids: null, maxAttempts: null });
  return leaseId;
}

async function loadByCopy(cluster: ClusterAddress, transactions: readonly Copies[]): Promise<number> {
  const database = await freshDatabase(cluster, "postgres");
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  const startedAt = performance.now();
  for (const copies of transactions) {
    await client.query("begin");
    for (const { table, rows } of copies) await copyFrom(client, `copy ${table} from stdin`, rows);
    await client.query("commit");
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await client.end();
  await database.drop();
  return seconds;
}

/** What the product wrote, as the text of COPY, batch by batch: a reference goes with the first app that needs it. */
async function copiesOf(cluster: ClusterAddress, name: string, batches: readonly StoredRecord[][]): Promise<Copies[]> {
  return asSuperuser(cluster, name, async (client) => {
    const all: Copies[] = [];
    for (const batch of batches) {
      const appids = batch.map(({ appid }) => appid);
      const range = `between ${Math.min(...appids)} and ${Math.max(...appids)}`;
      const copies: Copies = [];
      const add = async (table: string, select: string) =>
        copies.push({ table, rows: await copyTo(client, `copy (${select}) to stdout`) });
      await add("apps", `select * from apps where appid ${range} order by appid`);
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

/** All batches as one. */
function joined(copies: readonly Copies[]): Copies {
  return ["apps", ...references.map(({ table }) => table), ...perApp].map((table) => ({
    table,
    rows: Buffer.concat(copies.flat().flatMap((copy) => (copy.table === table ? [copy.rows] : []))),
  }));
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

export function formatWritePath(result: WritePathBench): string {
  const rows = [
    ["`pics_apply`, 500 apps a call", result.apply, result.ratio],
    ["… with `pics_mark` and `pics_claim`", result.applyWithMarkAndClaim, result.ratioWithMarkAndClaim],
    ["`COPY`, 500 apps a transaction", result.copyBatches, 1],
    ["`COPY`, everything in one transaction", result.copyWhole, result.copyWhole / result.copyBatches],
  ];
  const about = `${result.apps.toLocaleString("en-US")} apps, ${result.rowsPerApp.toFixed(1)} rows an app.`;
  return [about, "", table(["way", "apps/s", "of COPY"], rows)].join("\n");
}

if (import.meta.main) {
  const [apps = 10_000, rounds = 5] = process.argv.slice(2).map(Number);
  console.log(formatWritePath(await benchWritePath({ apps, rounds })));
}

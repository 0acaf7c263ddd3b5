import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createCatalogStore } from "../src/db/catalog-store.ts";
import { openPostgres } from "../src/db/postgres.ts";
import { createDatabaseRetry } from "../src/db/retry.ts";
import { compactIndexes } from "../src/sync/compaction.ts";
import type { Keep } from "../src/sync/extract-batch.ts";
import { asSuperuser, type ClusterAddress, startCluster } from "../test/support/cluster.ts";
import { type CommonSection, commonToText } from "../test/support/independent-reading/common-to-text.ts";
import { batchesOf, createWriter, readVersions } from "../test/support/real-versions.ts";
import { fromPayloads } from "../test/support/steam/catalog.ts";
import { startSimulatedSteam } from "../test/support/steam/simulated-steam.ts";
import { startBulk } from "../test/support/sync.ts";
import { silent } from "../test/support/templates.ts";
import { table } from "./support/figures.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * Bytes of all tables and indexes after a first load of real payloads, per app: by table for games without KEEP_*, by type of app, and what
 * KEEP_APP_INFO and KEEP_DEPOTS add; and of the history, per change of an app. What an empty database takes is not counted.
 *
 *     node bench/size.ts [games]
 *
 * Games are the 7,743 of `../shared/pics/common-2026.jsonl.gz`, each once. The other types, and what is kept, are measured with the texts of
 * 2026 in `appinfo.jsonl.gz`, each stored several times under different appids: their names of companies are therefore counted too seldom.
 * The history is that of the versions of 60 apps in `versions.jsonl.gz`, stored one after the other, several times as well.
 */
export interface SizeBench {
  games: number;
  tables: { name: string; heap: number; indexes: Record<string, number> }[];
  perGame: number;
  types: { type: string; apps: number; bytes: number; appInfo: number; depots: number }[];
  history: { steps: number; rows: number; bytesPerStep: number };
}

interface Payload {
  appid: number;
  changeNumber: number;
  text: string;
}

const shared = fileURLToPath(new URL("../../shared/pics/", import.meta.url));
const nothing: Keep = { appInfo: false, depots: false };
/** Fewer apps, and what is measured is the granularity of pages. */
const minApps = 4_000;

export async function benchSize({ gamesOnly = false } = {}): Promise<SizeBench> {
  if (!existsSync(shared)) throw new Error("the real payloads in ../shared/pics are needed");
  const cluster = await startCluster({ durable: true, locale: "C.UTF-8" });
  try {
    const games = readGames();
    const tables = await tablesAfter(cluster.address, games, nothing);
    const types = [];
    for (const [type, payloads] of gamesOnly ? [] : byType(readTexts())) {
      const copies = copied(payloads, Math.ceil(minApps / payloads.length));
      const perApp = async (keep: Keep) => sum(await tablesAfter(cluster.address, copies, keep)) / copies.length;
      const bytes = await perApp(nothing);
      const appInfo = (await perApp({ appInfo: true, depots: false })) - bytes;
      const depots = (await perApp({ appInfo: false, depots: true })) - bytes;
      types.push({ type, apps: payloads.length, bytes, appInfo, depots });
    }
    const history = await historySize(cluster.address);
    return {
      games: games.length,
      tables: perApp(tables, games.length),
      perGame: sum(tables) / games.length,
      types,
      history,
    };
  } finally {
    await cluster.stop();
  }
}

/** Bytes of a table, and of each of its indexes. */
type Size = { name: string; heap: number; indexes: Record<string, number> };

const indexesOf = ({ indexes }: Size) => Object.values(indexes).reduce((total, bytes) => total + bytes, 0);
const sum = (sizes: readonly Size[]) => sizes.reduce((total, size) => total + size.heap + indexesOf(size), 0);

/** Each figure of `size` changed by `change`, which gets the index's name as well. */
function mapped({ name, heap, indexes }: Size, change: (bytes: number, index?: string) => number): Size {
  const changed = Object.entries(indexes).map(([index, bytes]) => [index, change(bytes, index)] as const);
  return { name, heap: change(heap), indexes: Object.fromEntries(changed) };
}

function perApp(sizes: readonly Size[], apps: number): Size[] {
  return sizes.map((size) => mapped(size, (bytes) => bytes / apps));
}

/** Bytes by table after a first load, without those of an empty database. */
async function tablesAfter(cluster: ClusterAddress, payloads: readonly Payload[], keep: Keep): Promise<Size[]> {
  const database = await freshDatabase(cluster, "postgres");
  const before = await readSizes(cluster, database.name);
  const steam = await startSimulatedSteam({ catalog: fromPayloads([...payloads]), keepRequests: false });
  const distrust = steam.trustHere();
  const db = await openPostgres({ url: database.url, logger: silent, maxConnections: 8 });
  const { stored } = await startBulk(db, steam, { appids: payloads.map(({ appid }) => appid), keep }).done;
  // As at the end of a first pass over everything, which would have to sweep millions of ids here.
  const store = createCatalogStore(db, createDatabaseRetry("postgres", { logger: silent }));
  await compactIndexes({ store, logger: silent, signal: new AbortController().signal });
  await db.close();
  distrust();
  await steam.close();
  if (stored !== payloads.length) throw new Error(`stored ${stored} of ${payloads.length} apps`);
  const after = await readSizes(cluster, database.name);
  await database.drop();
  return after
    .map((size) => {
      const empty = before.find(({ name }) => name === size.name);
      return mapped(size, (bytes, index) => bytes - ((index ? empty?.indexes[index] : empty?.heap) ?? 0));
    })
    .sort((a, b) => sum([b]) - sum([a]));
}

const historyTables = ["app_changes", "app_events"];
const historyCopies = 10;

/** What the changes of real apps add to the history, for each new version of an app. */
async function historySize(cluster: ClusterAddress): Promise<SizeBench["history"]> {
  const database = await freshDatabase(cluster, "postgres");
  const db = await openPostgres({ url: database.url, logger: silent, maxConnections: 2 });
  const store = createWriter(db);
  const versions = readVersions();
  for (let copy = 0; copy < historyCopies; copy++) {
    for (const batch of batchesOf(copyOf(versions, copy))) await store(batch);
  }
  const [count] = await db.query<{ rows: number }>("select count(*)::integer as rows from app_changes");
  await db.close();
  const sizes = (await readSizes(cluster, database.name)).filter(({ name }) => historyTables.includes(name));
  await database.drop();
  const steps = historyCopies * (versions.length - new Set(versions.map(({ appid }) => appid)).size);
  return { steps, rows: count?.rows ?? 0, bytesPerStep: sum(sizes) / steps };
}

async function readSizes(cluster: ClusterAddress, database: string): Promise<Size[]> {
  const query = `
    select c.relname as name, pg_table_size(c.oid)::float8 as heap, coalesce((
      select json_object_agg(i.indexrelid::regclass::text, pg_relation_size(i.indexrelid)) from pg_index i where i.indrelid = c.oid
    ), '{}') as indexes
    from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`;
  return await asSuperuser(cluster, database, async (client) => (await client.query<Size>(query)).rows);
}

function lines<T>(file: string): T[] {
  const text = gunzipSync(readFileSync(shared + file)).toString("utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

function readGames(): Payload[] {
  return lines<{ appid: number; common: CommonSection }>("common-2026.jsonl.gz").map(({ appid, common }, index) => ({
    appid,
    changeNumber: 37_000_000 + index,
    text: commonToText(appid, common),
  }));
}

/** About 1 January 2026. */
const firstChangeOf2026 = 33_400_000;

function readTexts(): Payload[] {
  return lines<{ appid: number; change_number: number; text: string }>("appinfo.jsonl.gz")
    .filter(({ change_number }) => change_number > firstChangeOf2026)
    .map(({ appid, change_number, text }) => ({ appid, changeNumber: change_number, text }));
}

/** Of types with at least ten texts. */
function byType(payloads: readonly Payload[]): [string, Payload[]][] {
  const typeOf = ({ text }: Payload) => /\n\t\t"type"\t\t"(\w+)"/.exec(text)?.[1]?.toLowerCase() ?? "none";
  return Object.entries(Object.groupBy(payloads, typeOf))
    .filter((entry): entry is [string, Payload[]] => (entry[1]?.length ?? 0) >= 10)
    .sort(([, a], [, b]) => b.length - a.length);
}

/** Above every appid of the texts. */
const distance = 5_000_000;

function copied(payloads: readonly Payload[], copies: number): Payload[] {
  return Array.from({ length: copies }).flatMap((_, copy) => copyOf(payloads, copy));
}

/** The same under other appids. */
function copyOf<Text extends { appid: number; text: string }>(texts: readonly Text[], copy: number): Text[] {
  return texts.map((each) => ({
    ...each,
    appid: each.appid + copy * distance,
    text: each.text.replace(`"appid"\t\t"${each.appid}"`, `"appid"\t\t"${each.appid + copy * distance}"`),
  }));
}

export function formatSize({ games, tables, perGame, types, history }: SizeBench): string {
  const bytes = (value: number) => Math.round(value).toLocaleString("en-US");
  return [
    `${games.toLocaleString("en-US")} real games, ${bytes(perGame)} bytes each without \`KEEP_*\`.`,
    "",
    table(
      ["table", "bytes a game", "indexes"],
      tables
        .filter((each) => sum([each]) >= 5)
        .map((size) => [`\`${size.name}\``, bytes(size.heap), bytes(indexesOf(size))]),
    ),
    "",
    table(
      ["index", "bytes a game"],
      tables
        .flatMap(({ indexes }) => Object.entries(indexes))
        .filter(([, each]) => each >= 5)
        .sort(([, a], [, b]) => b - a)
        .map(([name, each]) => [`\`${name}\``, bytes(each)]),
    ),
    "",
    table(
      ["type", "texts", "bytes an app", "`KEEP_APP_INFO` adds", "`KEEP_DEPOTS` adds"],
      types.map(({ type, apps, bytes: each, appInfo, depots }) => [
        type,
        bytes(apps),
        bytes(each),
        bytes(appInfo),
        bytes(depots),
      ]),
    ),
    "",
    `History: ${bytes(history.bytesPerStep)} bytes for each of ${bytes(history.steps)} new versions of apps (${bytes(history.rows)} changes of fields).`,
  ].join("\n");
}

if (import.meta.main) console.log(formatSize(await benchSize({ gamesOnly: process.argv[2] === "games" })));

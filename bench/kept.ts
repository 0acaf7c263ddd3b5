import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { createCatalogStore } from "../src/db/catalog-store.ts";
import type { Database } from "../src/db/database.ts";
import { openPostgres } from "../src/db/postgres.ts";
import { createDatabaseRetry } from "../src/db/retry.ts";
import { openSupabase } from "../src/db/supabase.ts";
import type { AppPayload } from "../src/steam/port.ts";
import { storeFetched } from "../src/sync/apply-batch.ts";
import type { Keep } from "../src/sync/extract-batch.ts";
import { startLease } from "../src/sync/lease.ts";
import { createReextract } from "../src/sync/reextract.ts";
import { asSuperuser, type ClusterAddress, startCluster, urlOf } from "../test/support/cluster.ts";
import { startSupabaseApi } from "../test/support/postgrest.ts";
import { silent } from "../test/support/templates.ts";
import { median, table } from "./support/figures.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * What keeping app info and depots costs, on real texts: extraction and writing of a first load through Postgres and through PostgREST,
 * with and without KEEP_APP_INFO and KEEP_DEPOTS; the bytes of each table; `reextract`; and "whose depot is this" in the database's own time.
 *
 *     node bench/kept.ts [COPIES] [ROUNDS]
 *
 * The texts are those of 2026 in `../shared/pics/appinfo.jsonl.gz`, each stored `COPIES` times under different appids.
 */
export interface KeptBench {
  apps: number;
  ways: { driver: Driver; kept: string; appsPerSecond: number; ofNothing: number }[];
  tables: { name: string; bytesPerApp: number; share: number }[];
  reextract: { appsPerSecond: number; ofLoad: number };
  depot: { ms: number; timesPrimaryKey: number };
}

const drivers = ["postgres", "supabase"] as const;
type Driver = (typeof drivers)[number];
const choices: Record<string, Keep> = {
  nothing: { appInfo: false, depots: false },
  depots: { appInfo: false, depots: true },
  "app info": { appInfo: true, depots: false },
  both: { appInfo: true, depots: true },
};
const batchSize = 200;
const leaseMs = 600_000;
/** About 1 January 2026. */
const firstChangeOf2026 = 33_400_000;

export async function benchKept({ copies = 5, rounds = 3 } = {}): Promise<KeptBench> {
  const payloads = realPayloads(copies);
  const cluster = await startCluster({ durable: true });
  try {
    const seconds = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const driver of drivers) {
        for (const [kept, keep] of Object.entries(choices)) {
          const loaded = await load(cluster.address, driver, payloads, keep);
          await loaded.drop();
          const key = `${driver} ${kept}`;
          seconds.set(key, [...(seconds.get(key) ?? []), loaded.seconds]);
        }
      }
    }
    const ratio = (key: string, base: string) =>
      median((seconds.get(key) ?? []).map((value, round) => (seconds.get(base)?.[round] ?? 0) / value));
    const ways = drivers.flatMap((driver) =>
      Object.keys(choices).map((kept) => ({
        driver,
        kept,
        appsPerSecond: payloads.length / median(seconds.get(`${driver} ${kept}`) ?? []),
        ofNothing: ratio(`${driver} ${kept}`, `${driver} nothing`),
      })),
    );
    return { apps: payloads.length, ways, ...(await measureLoaded(cluster.address, payloads)) };
  } finally {
    await cluster.stop();
  }
}

/** One loaded database: its sizes, reading it again, and the lookup of a depot. */
async function measureLoaded(cluster: ClusterAddress, payloads: readonly AppPayload[]) {
  const loaded = await load(cluster, "postgres", payloads, { appInfo: true, depots: true });
  const superuser = <T>(query: string) =>
    asSuperuser(cluster, loaded.name, async (client) => (await client.query(query)).rows as T[]);
  await superuser("vacuum (full, analyze)");
  const tables = await superuser<{ name: string; bytes: string }>(
    `select relname as name, pg_total_relation_size(oid) as bytes from pg_class
     where relnamespace = 'public'::regnamespace and relkind = 'r' order by 2 desc`,
  );
  const whole = tables.reduce((sum, { bytes }) => sum + Number(bytes), 0);
  await superuser(lookups);
  const depot = await superuser<{ ms: number; key_ms: number }>("select * from measured");

  await superuser("update sync_status set extractor_version = extractor_version - 1");
  const db = await openPostgres({ url: loaded.url, logger: silent, maxConnections: 4 });
  const reextract = createReextract({
    ...writeDeps(db, { appInfo: true, depots: true }),
    batchSize,
    concurrency: 2,
    leaseMs,
  });
  const { stored, duration_seconds } = await reextract.run();
  await db.close();
  await loaded.drop();
  if (stored !== payloads.length) throw new Error(`read ${stored} of ${payloads.length} apps again`);
  const [lookup = { ms: 0, key_ms: 1 }] = depot;
  return {
    tables: tables
      .filter(({ bytes }) => Number(bytes) / payloads.length >= 20)
      .map(({ name, bytes }) => ({ name, bytesPerApp: Number(bytes) / payloads.length, share: Number(bytes) / whole })),
    reextract: { appsPerSecond: stored / duration_seconds, ofLoad: loaded.seconds / duration_seconds },
    depot: { ms: Number(lookup.ms), timesPrimaryKey: Number(lookup.ms) / Number(lookup.key_ms) },
  };
}

/** Mean of 300 calls of each, by the database's clock, warm, in one session. */
const lookups = `
  create temporary table lookup as
  select depot_id, appid from app_depots order by md5(depot_id::text || appid) limit 300;
  do $$
  declare started timestamptz; picked record; depot_ms double precision; key_ms double precision;
  begin
    for round in 1..2 loop
      started := clock_timestamp();
      for picked in select * from lookup loop
        perform public.catalog_depot(jsonb_build_object('depot_id', picked.depot_id, 'max', 50));
      end loop;
      depot_ms := extract(epoch from clock_timestamp() - started) * 1000 / 300;
      started := clock_timestamp();
      for picked in select * from lookup loop
        perform to_jsonb(a) from public.apps a where a.appid = picked.appid;
      end loop;
      key_ms := extract(epoch from clock_timestamp() - started) * 1000 / 300;
    end loop;
    create table measured as select depot_ms as ms, key_ms;
  end $$`;

async function load(cluster: ClusterAddress, driver: Driver, payloads: readonly AppPayload[], keep: Keep) {
  const database = await freshDatabase(cluster, driver);
  const api = driver === "supabase" ? await startSupabaseApi(urlOf(cluster, "authenticator", database.name)) : null;
  const db = api
    ? await openSupabase({ url: api.url, serviceKey: api.serviceKey, logger: silent })
    : await openPostgres({ url: database.url, logger: silent, maxConnections: 1 });
  const deps = writeDeps(db, keep);
  await deps.store.mark({ apps: payloads, unknown: [], full: false });
  const batches = [];
  for (let start = 0; start < payloads.length; start += batchSize) {
    const apps = payloads.slice(start, start + batchSize);
    const lease = startLease(deps.store, leaseMs, new AbortController().signal);
    const appids = apps.map(({ appid }) => appid);
    await deps.store.claim({ leaseId: lease.id, max: batchSize, leaseMs, appids, maxAttempts: null });
    batches.push({ lease, apps });
  }
  const startedAt = performance.now();
  for (const { lease, apps } of batches) {
    const fetched = { apps, unknown: [], failed: [], tokens: [] };
    const { stored } = await storeFetched(deps, lease, fetched, { isReextract: false });
    if (stored !== apps.length) throw new Error(`stored ${stored} of ${apps.length} apps`);
    lease.end();
  }
  const seconds = (performance.now() - startedAt) / 1_000;
  await db.close();
  await api?.stop();
  return { ...database, seconds };
}

function writeDeps(db: Database, keep: Keep) {
  return {
    store: createCatalogStore(db, createDatabaseRetry("postgres", { logger: silent })),
    logger: silent,
    upsertBatchSize: 500,
    appBackoff: { firstMs: 1_000, maxMs: 1_000 },
    unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
    keep,
    history: true,
  };
}

function realPayloads(copies: number): AppPayload[] {
  const file = fileURLToPath(new URL("../../shared/pics/appinfo.jsonl.gz", import.meta.url));
  const lines = gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n");
  const texts = lines.map((line) => JSON.parse(line) as { appid: number; change_number: number; text: string });
  const recent = texts.filter(({ change_number }) => change_number > firstChangeOf2026);
  const distance = 100_000_000;
  return Array.from({ length: copies }).flatMap((_, copy) =>
    recent.map((app) => {
      const appid = app.appid + copy * distance;
      const text = app.text.replace(`"appid"\t\t"${app.appid}"`, `"appid"\t\t"${appid}"`);
      const bytes = Buffer.from(text);
      return {
        appid,
        changeNumber: app.change_number,
        missingToken: false,
        onlyPublic: false,
        text,
        bytes,
        error: null,
      };
    }),
  );
}

export function formatKept({ apps, ways, tables, reextract, depot }: KeptBench): string {
  const count = (value: number) => Math.round(value).toLocaleString("en-US");
  return [
    `${count(apps)} apps: real texts of 2026, 200 a call, extraction included.`,
    "",
    table(
      ["driver", "kept", "apps/s", "of nothing kept"],
      ways.map(({ driver, kept, appsPerSecond, ofNothing }) => [driver, kept, appsPerSecond, ofNothing]),
    ),
    "",
    table(
      ["table, indexes included", "bytes an app", "share"],
      tables.map(({ name, bytesPerApp, share }) => [
        `\`${name}\``,
        count(bytesPerApp),
        `${(share * 100).toFixed(1)} %`,
      ]),
    ),
    "",
    `\`reextract\`: ${count(reextract.appsPerSecond)} apps/s, ${reextract.ofLoad.toFixed(2)} of the first load without Steam.`,
    "",
    `Depot → apps (\`catalog_depot\`): ${depot.ms.toFixed(3)} ms in the database, ${depot.timesPrimaryKey.toFixed(1)} times a read of \`apps\` by key.`,
  ].join("\n");
}

if (import.meta.main) {
  const [copies = 5, rounds = 3] = process.argv.slice(2).map(Number);
  console.log(formatKept(await benchKept({ copies, rounds })));
}

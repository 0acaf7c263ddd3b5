import { hash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { asSuperuser, type ClusterAddress, startCluster, urlOf } from "../test/support/cluster.ts";
import { startSupabaseApi } from "../test/support/postgrest.ts";
import { type ForkedSteam, type ForkOptions, forkSimulatedSteam } from "../test/support/steam/child.ts";
import { median, table } from "./support/figures.ts";
import { cpuByProgram } from "./support/process-meter.ts";
import { type ProgramRun, runBulkSync, runProgram } from "./support/product.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * End-to-end throughput, from Steam's replies to the tables: the service's `bulk-sync` without a delay between requests, as a process of
 * its own, on each database, and the baseline (bench/plain) through the same PostgREST. The simulated Steam is a separate process. All
 * processes share the machine's CPU. Texts and depots (`KEEP_APP_INFO`, `KEEP_DEPOTS`) are kept where the way says so.
 *
 *     node bench/wire.ts [APPS] [ROUNDS] [WAY …]
 */
export const ways = [
  "pglite",
  "postgres",
  "supabase",
  "supabase, given the appids",
  "plain",
  "plain, tables side by side",
  "supabase, given the appids, kept",
  "plain, kept",
  "plain, tables side by side, kept",
] as const;
export type Way = (typeof ways)[number];

export interface WireBench {
  apps: number;
  results: WayResult[];
  comparisons: Comparison[];
}

/** The service through PostgREST and a plain program that keeps the same. */
export interface Comparison {
  product: Way;
  plain: Way;
  /** Speedup: median over the rounds. */
  times: number;
  /** Apps whose stored data differ. */
  differingApps: number;
}

export interface WayResult {
  way: Way;
  appsPerSecond: number;
  bestAppsPerSecond: number;
  /** CPU in milliseconds per app, by program: medians. */
  cpu: Record<Program, number>;
  peakMegabytes: number;
}

type Program = "worker" | "postgres" | "postgrest" | "steam" | "gateway";

interface Measured extends ProgramRun {
  cpu: Record<Program, number>;
  facts: Map<number, string> | null;
}

export async function benchWire({
  apps = 8_000,
  rounds = 3,
  only = ways,
  steam: steamOptions = { generate: { seed: 1, count: apps }, pregenerate: true },
}: {
  apps?: number;
  rounds?: number;
  only?: readonly Way[];
  steam?: ForkOptions;
} = {}): Promise<WireBench> {
  const cluster = await startCluster({ durable: true });
  const steam = await forkSimulatedSteam({ keepRequests: false, ...steamOptions });
  const folder = await mkdtemp(join(tmpdir(), "spsync-bench-"));
  try {
    const appids = await steam.call("appids");
    const appidFile = join(folder, "appids.json");
    await writeFile(appidFile, appids.join(","));

    const runs = new Map<Way, Measured[]>(only.map((way) => [way, []]));
    for (let round = 0; round < rounds; round++) {
      for (const way of only) {
        const run = await measure(way, { cluster: cluster.address, steam, appidFile, withFacts: round === 0 });
        if (run.stored !== appids.length) throw new Error(`${way}: stored ${run.stored} of ${appids.length} apps`);
        runs.get(way)?.push(run);
      }
    }
    return {
      apps: appids.length,
      results: only.map((way) => resultOf(way, runs.get(way) ?? [], appids.length)),
      comparisons: pairs(only).map(([product, plain]) => compare(product, plain, runs)),
    };
  } finally {
    await steam.close();
    await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const isKept = (way: Way) => way.endsWith(", kept");

function pairs(only: readonly Way[]): [product: Way, plain: Way][] {
  const plain = only.filter((way) => way.startsWith("plain"));
  return only
    .filter((way) => way.startsWith("supabase"))
    .flatMap((product) =>
      plain.filter((way) => isKept(way) === isKept(product)).map((way): [Way, Way] => [product, way]),
    );
}

interface Setup {
  cluster: ClusterAddress;
  steam: ForkedSteam;
  appidFile: string;
  withFacts: boolean;
}

async function measure(way: Way, { cluster, steam, appidFile, withFacts }: Setup): Promise<Measured> {
  if (way === "pglite") {
    const folder = await mkdtemp(join(tmpdir(), "spsync-bench-"));
    try {
      return await metered(steam, async () => ({
        ...(await runBulkSync({ ...steam.env, DATA_DIR: folder, KEEP_APP_INFO: "off", KEEP_DEPOTS: "off" })),
        facts: null,
      }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
  const database = await freshDatabase(cluster, way === "postgres" ? "postgres" : "supabase");
  const api = way === "postgres" ? null : await startSupabaseApi(urlOf(cluster, "authenticator", database.name));
  const connection: Record<string, string> = api
    ? { SUPABASE_URL: api.url, SUPABASE_SERVICE_KEY: api.serviceKey }
    : { DATABASE_URL: database.url };
  const keep = isKept(way) ? "on" : "off";
  const env = { ...steam.env, ...connection, KEEP_APP_INFO: keep, KEEP_DEPOTS: keep };
  try {
    const run = await metered(steam, () => {
      if (way.startsWith("supabase, given the appids")) return runBulkSync(env, ["--app-ids", `@${appidFile}`]);
      if (!way.startsWith("plain")) return runBulkSync(env);
      const plain = fileURLToPath(new URL("./plain/main.ts", import.meta.url));
      const options = [...(way.includes("side by side") ? ["--side-by-side"] : []), ...(isKept(way) ? ["--keep"] : [])];
      const args = [plain, appidFile, ...options];
      return runProgram(args, env, (line) => line as { seconds: number; stored: number });
    });
    return { ...run, facts: withFacts ? await factsIn(cluster, database.name) : null };
  } finally {
    await api?.stop();
    await database.drop();
  }
}

/** Runs `work` and adds the CPU time that the other processes used meanwhile. */
async function metered(steam: ForkedSteam, work: () => Promise<ProgramRun>): Promise<Measured> {
  const before = cpuByProgram();
  const steamBefore = (await steam.call("stats")).cpuMs;
  const ownBefore = process.cpuUsage();
  const run = await work();
  const own = process.cpuUsage(ownBefore);
  const after = cpuByProgram();
  const spent = (name: string) => (after.get(name) ?? 0) - (before.get(name) ?? 0);
  return {
    ...run,
    facts: null,
    cpu: {
      worker: run.cpuSeconds,
      postgres: spent("postgres"),
      postgrest: spent("postgrest"),
      steam: ((await steam.call("stats")).cpuMs - steamBefore) / 1_000,
      gateway: (own.user + own.system) / 1e6,
    },
  };
}

/**
 * Digest of all stored data of each app, with names in place of generated ids. A kept text counts as text: steam-user's parser replaces bytes
 * that are not UTF-8.
 */
async function factsIn(cluster: ClusterAddress, name: string): Promise<Map<number, string>> {
  const names = (kind: string, id: string) =>
    `(select array_agg(n.name order by n.name) from app_${kind} r join ${kind} n on n.id = r.${id} where r.appid = a.appid)`;
  const related = (table: string) => `(select array_agg(r order by r) from app_${table} r where r.appid = a.appid)`;
  const plainRelations = ["steam_tags", "genres", "categories", "dlc", "branches", "depots", "depot_manifests"];
  return await asSuperuser(cluster, name, async (client) => {
    const { rows: texts } = await client.query<KeptRow>("select appid, sha1, size, data from app_info");
    const digests = new Map(texts.map((row) => [row.appid, digestOfText(row)]));
    const { rows } = await client.query<{ appid: number; digest: string }>(`
      select a.appid, md5(jsonb_build_array(
        to_jsonb(a) - 'created_at' - 'updated_at' - 'labels',
        ${plainRelations.map(related)},
        ${names("developers", "developer_id")}, ${names("publishers", "publisher_id")}, ${names("franchises", "franchise_id")},
        (select to_jsonb(d) - 'updated_at' from app_steam_deck d where d.appid = a.appid),
        (select jsonb_build_array(i.change_number, i.partial) from app_info i where i.appid = a.appid),
        (select jsonb_build_array(s.pics_change_number, s.missing_token) from sync_status s where s.appid = a.appid)
      )::text) as digest
      from apps a`);
    return new Map(rows.map(({ appid, digest }) => [appid, `${digest} ${digests.get(appid)}`]));
  });
}

interface KeptRow {
  appid: number;
  sha1: string;
  size: number;
  data: Buffer;
}

function digestOfText({ appid, sha1, size, data }: KeptRow): string {
  const bytes = inflateSync(data);
  if (bytes.length !== size || hash("sha1", bytes) !== sha1)
    throw new Error(`the kept text of app ${appid} is damaged`);
  return hash("sha1", bytes.toString("utf8"));
}

function compare(product: Way, plain: Way, runs: ReadonlyMap<Way, readonly Measured[]>): Comparison {
  const [one = [], other = []] = [runs.get(product), runs.get(plain)];
  const digests = other[0]?.facts;
  return {
    product,
    plain,
    times: median(one.map((run, round) => (other[round]?.seconds ?? 0) / run.seconds)),
    differingApps: [...(one[0]?.facts ?? [])].filter(([appid, digest]) => digests?.get(appid) !== digest).length,
  };
}

function resultOf(way: Way, runs: readonly Measured[], apps: number): WayResult {
  const milliseconds = (program: Program) => (median(runs.map(({ cpu }) => cpu[program])) / apps) * 1_000;
  return {
    way,
    appsPerSecond: apps / median(runs.map(({ seconds }) => seconds)),
    bestAppsPerSecond: apps / Math.min(...runs.map(({ seconds }) => seconds)),
    cpu: {
      worker: milliseconds("worker"),
      postgres: milliseconds("postgres"),
      postgrest: milliseconds("postgrest"),
      steam: milliseconds("steam"),
      gateway: milliseconds("gateway"),
    },
    peakMegabytes: median(runs.map(({ peakMegabytes }) => peakMegabytes)),
  };
}

export function formatWire({ apps, results, comparisons }: WireBench): string {
  const rows = results.map(({ way, appsPerSecond, bestAppsPerSecond, cpu, peakMegabytes }) => [
    way,
    appsPerSecond,
    bestAppsPerSecond,
    cpu.worker,
    cpu.postgres,
    cpu.postgrest,
    cpu.steam,
    cpu.gateway,
    peakMegabytes,
  ]);
  const header = ["way", "apps/s", "best", "worker", "Postgres", "PostgREST", "Steam", "gateway", "peak MB"];
  const lines = [
    `${apps.toLocaleString("en-US")} apps; CPU in ms per app, including the start of the worker.`,
    "",
    table(header, rows),
    "",
  ];
  const times = comparisons.map(({ product, plain, times, differingApps }) => [
    product,
    plain,
    times,
    String(differingApps),
  ]);
  if (times.length > 0)
    lines.push(table(["product", "compared with", "times as fast", "apps stored differently"], times));
  return lines.join("\n");
}

if (import.meta.main) {
  const [apps = 8_000, rounds = 3] = process.argv.slice(2, 4).map(Number);
  const only = process.argv.slice(4) as Way[];
  console.log(formatWire(await benchWire({ apps, rounds, ...(only.length > 0 && { only }) })));
}

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
 * processes share the machine's CPU.
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
] as const;
export type Way = (typeof ways)[number];

export interface WireBench {
  apps: number;
  results: WayResult[];
  /** Speedup of the service through PostgREST over the plain program: medians over the rounds. */
  comparisons: { product: Way; plain: Way; times: number }[];
  /** Apps whose stored data differ between service and plain program; null when one of them did not run. */
  differingApps: number | null;
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
      comparisons: only
        .filter((way) => way.startsWith("supabase"))
        .flatMap((product) =>
          only
            .filter((way) => way.startsWith("plain"))
            .map((plain) => ({ product, plain, times: timesFaster(runs.get(product), runs.get(plain)) })),
        ),
      differingApps: differing(runs.get("supabase")?.[0]?.facts, runs.get("plain")?.[0]?.facts),
    };
  } finally {
    await steam.close();
    await cluster.stop();
    await rm(folder, { recursive: true, force: true });
  }
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
        ...(await runBulkSync({ ...steam.env, DATA_DIR: folder })),
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
  const env = { ...steam.env, ...connection };
  try {
    const run = await metered(steam, () => {
      if (way === "supabase, given the appids") return runBulkSync(env, ["--app-ids", `@${appidFile}`]);
      if (!way.startsWith("plain")) return runBulkSync(env);
      const plain = fileURLToPath(new URL("./plain/main.ts", import.meta.url));
      const args = [plain, appidFile, ...(way === "plain" ? [] : ["--side-by-side"])];
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

/** Digest of all stored data of each app, with names in place of generated ids. */
async function factsIn(cluster: ClusterAddress, name: string): Promise<Map<number, string>> {
  const names = (kind: string, id: string) =>
    `(select array_agg(n.name order by n.name) from app_${kind} r join ${kind} n on n.id = r.${id} where r.appid = a.appid)`;
  const related = (table: string) => `(select array_agg(r order by r) from ${table} r where r.appid = a.appid)`;
  const { rows } = await asSuperuser(cluster, name, (client) =>
    client.query<{ appid: number; digest: string }>(`
      select a.appid, md5(jsonb_build_array(
        to_jsonb(a) - 'created_at' - 'updated_at',
        ${related("app_steam_tags")}, ${related("app_genres")}, ${related("app_categories")}, ${related("app_dlc")},
        ${names("developers", "developer_id")}, ${names("publishers", "publisher_id")}, ${names("franchises", "franchise_id")},
        (select to_jsonb(d) - 'updated_at' from app_steam_deck d where d.appid = a.appid),
        (select jsonb_build_array(s.pics_change_number, s.missing_token) from sync_status s where s.appid = a.appid)
      )::text) as digest
      from apps a`),
  );
  return new Map(rows.map(({ appid, digest }) => [appid, digest]));
}

function differing(one?: Map<number, string> | null, other?: Map<number, string> | null): number | null {
  if (!one || !other) return null;
  return [...one].filter(([appid, digest]) => other.get(appid) !== digest).length;
}

function timesFaster(product: readonly Measured[] = [], plain: readonly Measured[] = []): number {
  return median(product.map((run, round) => (plain[round]?.seconds ?? 0) / run.seconds));
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

export function formatWire({ apps, results, comparisons, differingApps }: WireBench): string {
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
  const times = comparisons.map(({ product, plain, times }) => [product, plain, times]);
  if (times.length > 0) lines.push(table(["product", "compared with", "times as fast"], times), "");
  if (differingApps !== null) lines.push(`Apps whose stored data differ: ${differingApps}.`);
  return lines.join("\n");
}

if (import.meta.main) {
  const [apps = 8_000, rounds = 3] = process.argv.slice(2, 4).map(Number);
  const only = process.argv.slice(4) as Way[];
  console.log(formatWire(await benchWire({ apps, rounds, ...(only.length > 0 && { only }) })));
}

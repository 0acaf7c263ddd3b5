import { readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { FileFormat, Manifest } from "../src/exchange/manifest.ts";
import { fileFormats } from "../src/exchange/manifest.ts";
import { asSuperuser, type Cluster, startCluster } from "../test/support/cluster.ts";
import { fillScript, realNames } from "../test/support/generated-catalog/fill.ts";
import { table } from "./support/figures.ts";
import { type ProgramRun, runProgram } from "./support/product.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * Exports of a generated catalog by format, from Postgres, and databases seeded from them: `export` and `import` as an operator runs them.
 *
 *     node bench/export.ts [APPS] [parquet,ndjson,csv]
 */
export interface ExportBench {
  apps: number;
  rows: number;
  formats: Map<FileFormat, FormatFigures>;
  /** Rows and bytes in the first of the formats, the largest tables first. */
  tables: { name: string; rows: number; bytes: number }[];
}

export interface FormatFigures {
  export: ProgramRun;
  import: ProgramRun;
  bytes: number;
}

/** What fill.sql leaves out: branches, depots with manifests, SteamSpy's numbers. Shares as in app info of 2026. */
const more = `
  insert into app_branches (appid, branch, build_id, built_at, updated_at)
  select appid, branch, (appid + 7000000)::text, updated_at, updated_at from apps, unnest(array['public', 'beta']) as branch
  where type in ('game', 'demo', 'beta', 'tool') and (branch = 'public' or appid % 3 = 0);
  insert into app_depots (appid, depot_id, name, os_list)
  select appid, appid + i, name, case when i = 1 then 'windows' end from apps, generate_series(1, 2) as i where type in ('game', 'demo', 'tool');
  insert into app_depot_manifests (appid, depot_id, branch, manifest_id, size_bytes, download_bytes)
  select d.appid, d.depot_id, b.branch, (hashint8extended(d.depot_id, 1) & 9223372036854775807)::text, d.depot_id * 1000::bigint, d.depot_id * 700::bigint
  from app_depots d join app_branches b using (appid);
  insert into game_metadata (appid, developer, publisher, owners_estimate, positive_reviews, negative_reviews, average_playtime_forever, price, last_updated)
  select appid, 'Studio ' || appid % 9000, 'Publisher ' || appid % 5000, '0 .. 20,000', appid % 5000, appid % 700, appid % 900, 999, updated_at
  from apps where type = 'game';
  update pics_sync_state set last_change_number = 30000000, bulk_completed_at = now();
  analyze`;

export async function benchExport({
  apps = 300_000,
  only = fileFormats,
}: {
  apps?: number;
  only?: readonly FileFormat[];
} = {}): Promise<ExportBench> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-bench-export-"));
  const cluster = await startCluster({ durable: true });
  try {
    const source = await freshDatabase(cluster.address, "postgres");
    await asSuperuser(cluster.address, source.name, async (client) => {
      await client.query(await fillScript(apps, realNames() ?? undefined));
      await client.query(more);
    });
    const formats: ExportBench["formats"] = new Map();
    let manifest: Manifest | null = null;
    for (const format of only) {
      const out = join(folder, format);
      const exported = await runCommand(source.url, ["export", "--format", format, "--out", out]);
      const written = JSON.parse(readFileSync(join(out, "manifest.json"), "utf8")) as Manifest;
      formats.set(format, { export: exported, import: await importInto(cluster, out), bytes: bytesOf(written) });
      manifest ??= written;
      rmSync(out, { recursive: true });
    }
    const tables = (manifest?.tables ?? []).toSorted((a, b) => b.bytes - a.bytes);
    return { apps, rows: tables.reduce((sum, { rows }) => sum + rows, 0), formats, tables };
  } finally {
    await cluster.stop();
    await rm(folder, { recursive: true });
  }
}

const bytesOf = ({ tables }: Manifest) => tables.reduce((sum, { bytes }) => sum + bytes, 0);

async function importInto(cluster: Cluster, folder: string): Promise<ProgramRun> {
  const target = await freshDatabase(cluster.address, "postgres");
  const run = await runCommand(target.url, ["import", folder]);
  await target.drop();
  return run;
}

/** With the options of `npm start`. */
async function runCommand(url: string, args: string[]): Promise<ProgramRun> {
  const { scripts } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const options = String(scripts.start).split(" ").slice(1, -1);
  const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
  return await runProgram([...options, main, ...args], { DATABASE_URL: url }, (line) => {
    const summary = line.summary as { rows: number; duration_seconds: number } | undefined;
    return summary ? { seconds: summary.duration_seconds, stored: summary.rows } : null;
  });
}

export function formatExport({ apps, rows, formats, tables }: ExportBench): string {
  const megabytes = (bytes: number) => bytes / 1e6;
  const lines = [...formats].map(([format, { export: out, import: back, bytes }]) => {
    const figures = [out.seconds, out.cpuSeconds, out.peakMegabytes, megabytes(bytes)];
    return [format, ...figures, back.seconds, back.cpuSeconds, back.peakMegabytes];
  });
  const header = ["format", "export s", "CPU s", "peak MB", "files MB", "import s", "CPU s", "peak MB"];
  const largest = tables.slice(0, 8).map(({ name, rows, bytes }) => [name, rows, megabytes(bytes)]);
  return [
    `${apps.toLocaleString("en-US")} apps, ${rows.toLocaleString("en-US")} rows. CPU of the command alone, without Postgres.`,
    "",
    table(header, lines),
    "",
    table([`largest in ${[...formats.keys()][0]}`, "rows", "MB"], largest),
  ].join("\n");
}

if (import.meta.main) {
  const [apps = "300000", only = fileFormats.join()] = process.argv.slice(2);
  const formats = fileFormats.filter((format) => only.split(",").includes(format));
  console.log(formatExport(await benchExport({ apps: Number(apps), only: formats })));
}

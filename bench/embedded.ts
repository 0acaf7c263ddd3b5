import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { extractorVersion } from "../src/catalog/extract.ts";
import { createCatalogStore } from "../src/db/catalog-store.ts";
import { openPglite } from "../src/db/pglite.ts";
import type { MemoryProfile } from "../src/db/pglite-memory.ts";
import { createDatabaseRetry } from "../src/db/retry.ts";
import { generateRecords } from "../test/support/steam/records.ts";
import { copyPgliteTemplate, silent } from "../test/support/templates.ts";
import { median, table } from "./support/figures.ts";
import { peakMegabytes } from "./support/process-meter.ts";

/**
 * The embedded database with plenty of memory and on a small machine (pglite-memory.ts): `pics_claim` and `pics_apply` of 200 apps per call
 * into a new catalog. Each run is a process of its own; both take turns.
 *
 *     node bench/embedded.ts [APPS] [ROUNDS]
 */
export interface EmbeddedBench {
  apps: number;
  profiles: { profile: MemoryProfile; appsPerSecond: number; cpuMsPerApp: number; peakMegabytes: number }[];
}

type Run = Omit<EmbeddedBench["profiles"][number], "profile">;

const profiles: MemoryProfile[] = ["roomy", "small"];
const batchSize = 200;

export async function benchEmbedded({ apps = 6_000, rounds = 3 } = {}): Promise<EmbeddedBench> {
  const runs: Record<MemoryProfile, Run[]> = { roomy: [], small: [] };
  for (let round = 0; round < rounds; round++) {
    for (const profile of profiles) {
      const args = [fileURLToPath(import.meta.url), String(apps), "1", profile];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      runs[profile].push(JSON.parse(stdout) as Run);
    }
  }
  const of = (profile: MemoryProfile, figure: keyof Run) => median(runs[profile].map((run) => run[figure]));
  return {
    apps,
    profiles: profiles.map((profile) => ({
      profile,
      appsPerSecond: of(profile, "appsPerSecond"),
      cpuMsPerApp: of(profile, "cpuMsPerApp"),
      peakMegabytes: of(profile, "peakMegabytes"),
    })),
  };
}

async function measure(apps: number, profile: MemoryProfile): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "spsync-bench-"));
  const dataDir = join(folder, "data");
  await copyPgliteTemplate(dataDir, true);
  const records = generateRecords(apps);
  const db = await openPglite({ dataDir, logger: silent, profile });
  const store = createCatalogStore(db, createDatabaseRetry("pglite", { logger: silent }));
  const announced = records.map(({ appid, change_number }) => ({ appid, changeNumber: change_number }));
  await store.mark({ apps: announced, unknown: [], full: false });
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  for (let first = 0; first < records.length; first += batchSize) {
    const leaseId = randomUUID();
    await store.claim({ leaseId, max: batchSize, leaseMs: 600_000, appids: null, maxAttempts: null });
    await store.apply({
      leaseId,
      apps: records.slice(first, first + batchSize),
      extractorVersion,
      isReextract: false,
      unknown: [],
      failed: [],
      tokens: [],
      appBackoff: { firstMs: 1_000, maxMs: 1_000 },
      unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
      history: true,
    });
  }
  const { user, system } = process.cpuUsage(cpu);
  const appsPerSecond = (1_000 * apps) / (performance.now() - startedAt);
  const peak = peakMegabytes(process.pid) ?? 0;
  await db.close();
  await rm(folder, { recursive: true, force: true });
  return { appsPerSecond, cpuMsPerApp: (user + system) / 1_000 / apps, peakMegabytes: peak };
}

export function formatEmbedded({ apps, profiles: measured }: EmbeddedBench): string {
  const rows = measured.map((run) => [run.profile, run.appsPerSecond, run.cpuMsPerApp, run.peakMegabytes]);
  const about = `${apps.toLocaleString("en-US")} apps; the peak includes the apps themselves and the benchmark.`;
  return [about, "", table(["profile", "apps/s", "CPU ms per app", "peak MB"], rows)].join("\n");
}

if (import.meta.main) {
  const [apps = 6_000, rounds = 3] = process.argv.slice(2, 4).map(Number);
  const profile = profiles.find((name) => name === process.argv[4]);
  console.log(
    profile ? JSON.stringify(await measure(apps, profile)) : formatEmbedded(await benchEmbedded({ apps, rounds })),
  );
}

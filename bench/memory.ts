import { startCluster } from "../test/support/cluster.ts";
import { forkSimulatedSteam } from "../test/support/steam/child.ts";
import { table } from "./support/figures.ts";
import { runBulkSync } from "./support/product.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * Resident memory of a bulk sync of 100,000 apps into Postgres, started with the options of `npm start`.
 *
 *     node bench/memory.ts [APPS]
 */
export interface MemoryBench {
  apps: number;
  seconds: number;
  appsPerSecond: number;
  peakMegabytes: number;
  /** At 10 %, 20 %, … 100 % of the time from the start of the process to its end. */
  megabytes: number[];
}

export async function benchMemory({ apps = 100_000 } = {}): Promise<MemoryBench> {
  const cluster = await startCluster({ durable: true });
  const steam = await forkSimulatedSteam({
    generate: { seed: 1, count: apps },
    pregenerate: true,
    keepRequests: false,
  });
  try {
    const database = await freshDatabase(cluster.address, "postgres");
    const run = await runBulkSync({ ...steam.env, DATABASE_URL: database.url });
    if (run.stored !== apps) throw new Error(`stored ${run.stored} of ${apps} apps`);
    const samples = run.samplesMegabytes;
    return {
      apps,
      seconds: run.seconds,
      appsPerSecond: apps / run.seconds,
      peakMegabytes: run.peakMegabytes,
      megabytes: Array.from(
        { length: 10 },
        (_, tenth) => samples[Math.ceil(((tenth + 1) * samples.length) / 10) - 1] ?? 0,
      ),
    };
  } finally {
    await steam.close();
    await cluster.stop();
  }
}

export function formatMemory({ apps, seconds, appsPerSecond, peakMegabytes, megabytes }: MemoryBench): string {
  const header = ["", ...megabytes.map((_, tenth) => `${tenth + 1}0 %`), "peak"];
  return [
    `${apps.toLocaleString("en-US")} apps in ${Math.round(seconds)} s, ${Math.round(appsPerSecond).toLocaleString("en-US")} apps/s.`,
    "",
    table(header, [["resident MB", ...megabytes, peakMegabytes]]),
  ].join("\n");
}

if (import.meta.main) {
  const [apps = 100_000] = process.argv.slice(2).map(Number);
  console.log(formatMemory(await benchMemory({ apps })));
}

/**
 * Soak tests: runs that are too long for the test suite. Each prints its seed and its results.
 *
 *     npm run soak [-- SCENARIO …]        all scenarios unless some are named
 *     npm run soak -- memory                                      (root; the least memory, in cgroups)
 *     npm run soak -- disk                                        (root; a disk that is full for a minute)
 *     npm run soak -- http                                        (slow, greedy and hostile clients; 25 minutes)
 *     SEED=7 KILLS=40 npm run soak -- interruption
 *     KILLS=200 CHANGES=50000 RATE=24 npm run soak -- monitor     (its defaults; 40 minutes)
 *
 * Exit code 0 when every invariant held, 1 for violations, 2 for an unknown scenario.
 */
import { startCluster } from "./support/cluster.ts";
import { outOfFiles } from "./support/http-soak/files.ts";
import { hostileBesideHonest } from "./support/http-soak/hostile.ts";
import { slowClients } from "./support/http-soak/slow-clients.ts";
import { catalogFor, interruptBulkSync, runUninterrupted } from "./support/interruption/bulk-sync.ts";
import {
  collectUndisturbed,
  createWorld,
  interruptCollector,
  killsInAll,
  startCollectorWeb,
} from "./support/interruption/collector.ts";
import type { InterruptedDriver } from "./support/interruption/targets.ts";
import { type MonitorSoakOptions, soakMonitor } from "./support/monitor-soak/run.ts";
import { fillDisk } from "./support/small-machine/full-disk.ts";
import { fillLog } from "./support/small-machine/full-log.ts";
import { runOnSmallMachines } from "./support/small-machine/run.ts";
import { forkSimulatedSteam } from "./support/steam/child.ts";

interface Soak {
  seed: number;
  report: (line: string) => void;
}

/** Scenarios by name; each resolves with the violations, in words. */
const scenarios: Record<string, (soak: Soak) => Promise<string[]>> = {
  ...{ interruption, collector, monitor, memory, disk },
  http,
};

const drivers: InterruptedDriver[] = ["postgres", "pglite"];

/** A bulk sync killed at random moments, on both databases, with and without faults of Steam. */
async function interruption({ seed, report }: Soak): Promise<string[]> {
  const kills = Number(process.env.KILLS ?? 20);
  const catalog = catalogFor(kills, seed);
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster();
  stack.defer(() => cluster.stop());
  const steam = await forkSimulatedSteam({ generate: catalog, latencyMs: 20 });
  stack.defer(() => steam.close());
  const uninterrupted = await runUninterrupted(cluster.address, steam);

  const violations: string[] = [];
  for (const faults of [false, true]) {
    for (const driver of drivers) {
      const name = `${driver}${faults ? " with faults of Steam" : ""}`;
      report(`${name}: ${kills} kills, ${catalog.count} apps`);
      const run = { driver, cluster: cluster.address, steam, uninterrupted, seed, kills, faults };
      const result = await interruptBulkSync({ ...run, report: (line) => report(`  ${line}`) });
      report(`  ${result.killsMidway} kills left some apps stored and others not`);
      report(`  ${result.appsFetchedAgain} apps were in flight at a kill and fetched again`);
      report(`  the last start took ${(result.restartMs / 1000).toFixed(1)} s; ${result.violations.length} violations`);
      violations.push(...result.violations.map((text) => `${name}: ${text}`));
    }
  }
  return violations;
}

/** A collector killed at random moments, KILLS times on each database, in rounds of three days each. */
async function collector({ seed, report }: Soak): Promise<string[]> {
  const rounds = Math.ceil(Number(process.env.KILLS ?? 60) / killsInAll);
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster();
  stack.defer(() => cluster.stop());
  const web = await startCollectorWeb();
  stack.defer(() => web.close());

  const violations: string[] = [];
  for (let round = 0; round < rounds; round++) {
    const days = createWorld(seed + round, 3_000);
    const undisturbed = await collectUndisturbed(cluster.address, web, days);
    for (const driver of drivers) {
      report(`${driver}, SEED=${seed + round}: ${killsInAll} kills`);
      const run = { driver, cluster: cluster.address, web, days, undisturbed, seed: seed + round };
      const result = await interruptCollector({ ...run, report: (line) => report(`  ${line}`) });
      violations.push(...result.violations.map((text) => `${driver}: ${text}`));
    }
  }
  return violations;
}

/** Shares of all changes and of all kills: a single worker needs some time between two kills to make progress. */
const monitorRuns: { driver: MonitorSoakOptions["driver"]; workers: number; ofChanges: number; ofKills: number }[] = [
  { driver: "postgres", workers: 3, ofChanges: 0.4, ofKills: 0.45 },
  { driver: "supabase", workers: 3, ofChanges: 0.4, ofKills: 0.45 },
  { driver: "postgres", workers: 1, ofChanges: 0.2, ofKills: 0.1 },
];

/**
 * The change monitor under kills, faults and outages at once: three workers, one of which only drains, on Postgres and
 * through PostgREST, and one worker alone. CHANGES of apps are announced at RATE a second, and workers are killed
 * (`kill -9`) KILLS times.
 */
async function monitor({ seed, report }: Soak): Promise<string[]> {
  const kills = Number(process.env.KILLS ?? 200);
  const changes = Number(process.env.CHANGES ?? 50_000);
  const changesPerSecond = Number(process.env.RATE ?? 24);
  const violations: string[] = [];
  const total = { changes: 0, kills: 0 };
  for (const { driver, workers, ofChanges, ofKills } of monitorRuns) {
    const name = `${driver}, ${workers === 1 ? "one worker" : `${workers} workers`}`;
    report(`${name}:`);
    const cluster = await startCluster();
    try {
      const share = { changes: Math.ceil(ofChanges * changes), kills: Math.ceil(ofKills * kills) };
      const size = { apps: 2_000, ...share, changesPerSecond };
      const say = (line: string) => report(`  ${line}`);
      const result = await soakMonitor({ cluster, driver, workers, seed, ...size, report: say });
      for (const line of result.story) say(line);
      for (const violation of result.violations) say(`violated: ${violation}`);
      total.changes += result.changes;
      total.kills += result.kills;
      violations.push(...result.violations.map((text) => `${name}: ${text}`));
    } finally {
      await cluster.stop();
    }
  }
  report(`in all ${total.changes} changes and ${total.kills} × kill -9`);
  return violations;
}

/** The least memory that the documentation promises, in memory cgroups; needs root. A bulk sync of APPS apps each. */
function memory({ report }: Soak): Promise<string[]> {
  return runOnSmallMachines(Number(process.env.APPS ?? 10_000), report);
}

/** The embedded database on a full disk: its log alone, then the service with APPS apps; needs root, to mount a tmpfs. */
async function disk({ report }: Soak): Promise<string[]> {
  return [...(await fillLog(report)), ...(await fillDisk(Number(process.env.APPS ?? 1_000), report))];
}

/**
 * Clients that stall, trickle and flood, against the service as a process; then one hostile client beside ten honest ones, on catalogs of
 * APPS apps (120,000) and a quarter of that. Each attack returns its violations.
 */
async function http({ report }: Soak): Promise<string[]> {
  const violations: string[] = [];
  for (const attack of [outOfFiles, slowClients, hostileBesideHonest]) violations.push(...(await attack(report)));
  return violations;
}

const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
const chosen = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(scenarios);
const say = (line: string) => process.stdout.write(`${line}\n`);

for (const name of chosen) {
  const scenario = scenarios[name];
  if (!scenario) {
    process.stderr.write(`There is no scenario ${name}; there are: ${Object.keys(scenarios).join(", ")}\n`);
    process.exitCode = 2;
    break;
  }
  say(`${name}, SEED=${seed}`);
  const startedAt = performance.now();
  const violations = await scenario({ seed, report: (line) => say(`  ${line}`) });
  for (const violation of violations) say(`  VIOLATED: ${violation}`);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  say(`${name}: ${violations.length === 0 ? "everything held" : `${violations.length} violations`} (${seconds} s)`);
  if (violations.length > 0) process.exitCode = 1;
}

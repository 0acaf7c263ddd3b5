import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { gameDetails } from "../src/collector/steamspy.ts";
import type { Database, SqlDatabase } from "../src/db/database.ts";
import { openPostgres } from "../src/db/postgres.ts";
import type { RateLimit } from "../src/process/config-values.ts";
import type { WebLimits } from "../src/web/client.ts";
import { type ClusterAddress, startCluster } from "../test/support/cluster.ts";
import { defaultLimits, listsOf, simulateWeb, startCollector } from "../test/support/collector.ts";
import { generateCatalog } from "../test/support/steam/generate.ts";
import { startSimulatedSteam } from "../test/support/steam/simulated-steam.ts";
import { openWebClient } from "../test/support/sync.ts";
import { silent } from "../test/support/templates.ts";
import { generateSteamSpy } from "../test/support/web/generate-steamspy.ts";
import type { SteamSpyDump } from "../test/support/web/steamspy.ts";
import { asRoutes } from "../test/support/web/web-api.ts";
import { copyFrom, copyTo } from "./support/copy.ts";
import { table } from "./support/figures.ts";
import { runProgram } from "./support/product.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * Benchmark of the collector on Postgres: requests for all games and their duration at SteamSpy's rate limits, compared with one request
 * per game; write rate without rate limits; memory.
 *
 * The hours are computed from the counted requests. The client is measured with all rate limits shortened by one factor, and one request
 * per game by a sample through the same client.
 *
 *     node bench/collector.ts [GAMES] [APPS]
 */
export interface CollectorBench {
  games: number;
  apps: number;
  appListRequests: number;
  ways: WayResult[];
  /** Without limits and details, from the first request to the last row. */
  unlimitedSeconds: number;
  writes: WriteResult[];
  memory: MemoryResult[];
}

export interface WayResult {
  way: string;
  /** To SteamSpy. */
  requests: number;
  /** At SteamSpy's rate limits: a page a minute, a game a second. */
  hours: number;
  /** What it took under the shortened limits, lengthened again; one request a game from the sample's mean. Own work is lengthened, too. */
  measuredHours: number;
}

export interface WriteResult {
  /** Of the function. */
  name: string;
  rows: number;
  rowsPerSecond: number;
  /** Its speed over that of COPY, 500 rows a transaction, of the rows that it leaves behind. */
  ofCopy: number;
}

export interface MemoryResult {
  apps: number;
  games: number;
  seconds: number;
  peakMegabytes: number;
}

/** A page every 240 ms, a game every 4 ms: timers are late by most of a millisecond, and with less that would be most of what is measured. */
const shortenedBy = 250;
const maxDetails = 3_000;
const sampledGames = 1_000;
const callers = 3;
const batchSize = 500;
const hourMs = 3_600_000;

export async function benchCollector({ games = 80_000, apps = 250_000 } = {}): Promise<CollectorBench> {
  const cluster = await startCluster({ durable: true });
  try {
    const dump = generateSteamSpy({ seed: 1, games });
    const memory: MemoryResult[] = [];
    for (const share of [0.1, 0.5, 1]) {
      memory.push(await measureMemory(cluster.address, Math.round(games * share), Math.round(apps * share)));
    }
    const unlimited = await collectUnlimited(cluster.address, dump, apps - games);
    const ways = await countRequests(cluster.address, dump, games);
    return { games, apps, ways, ...unlimited, memory };
  } finally {
    await cluster.stop();
  }
}

/** All numbers and the details of some games under shortened rate limits, then a sample of one request per game. */
async function countRequests(cluster: ClusterAddress, dump: SteamSpyDump, games: number): Promise<WayResult[]> {
  const { url, drop } = await freshDatabase(cluster, "postgres");
  const db = await openPostgres({ url, logger: silent });
  const limits = shortened(defaultLimits);
  const { spy, fetch } = simulateWeb(dump);
  const { details } = await startCollector(db, { fetch, limits, maxDetails, workers: callers, apiKey: null }).done;
  const [stored] = await db.query(
    "select count(*)::integer as games from game_metadata where last_updated is not null",
  );
  await db.close();
  await drop();
  if (stored?.games !== games || details.success + details.not_found !== maxDetails) {
    throw new Error(`numbers of ${stored?.games} games, details ${JSON.stringify(details)}`);
  }
  const pages = spy.log.of("all").map(({ at }) => at);
  const single = spy.log.of("appdetails").map(({ at }) => at);

  spy.log.clear();
  await oneByOne(openWebClient({ fetch, limits }), [...dump.details.keys()].slice(0, sampledGames));
  const sample = spy.log.of("appdetails").map(({ at }) => at);

  const { steamSpy, steamSpyAll } = defaultLimits;
  const allowedMs = (requests: number, { count, periodMs }: RateLimit) => (requests * periodMs) / count;
  const pagesAllowedMs = allowedMs(pages.length, steamSpyAll);
  const pagesMs = meanGapMs(pages) * pages.length;
  const detailsMs = (single.at(-1) ?? 0) - (pages.at(-1) ?? 0);
  const result = (way: string, requests: number, ms: number, measuredMs: number): WayResult => ({
    way,
    requests,
    hours: ms / hourMs,
    measuredHours: (measuredMs * shortenedBy) / hourMs,
  });
  return [
    result("one request a game", games, allowedMs(games, steamSpy), meanGapMs(sample) * games),
    result("numbers of all games", pages.length, pagesAllowedMs, pagesMs),
    result(
      `… and details of ${single.length.toLocaleString("en-US")}`,
      pages.length + single.length,
      pagesAllowedMs + allowedMs(single.length, steamSpy),
      pagesMs + detailsMs,
    ),
  ];
}

/** Baseline: several callers fetch one game after the other. Nothing is written. */
async function oneByOne(web: ReturnType<typeof openWebClient>, appids: number[]): Promise<void> {
  const { signal } = new AbortController();
  const waiting = appids.values();
  const call = async () => {
    for (const appid of waiting) await gameDetails(web, { appid, listed: false }, signal);
  };
  await Promise.all(Array.from({ length: callers }, call));
}

function shortened(limits: WebLimits): WebLimits {
  const by = ({ count, periodMs }: RateLimit) => ({ count, periodMs: periodMs / shortenedBy });
  return { ...limits, steamSpy: by(limits.steamSpy), steamSpyAll: by(limits.steamSpyAll) };
}

function meanGapMs(starts: readonly number[]): number {
  return ((starts.at(-1) ?? 0) - (starts[0] ?? 0)) / (starts.length - 1);
}

/** The app list and all numbers without effective rate limits; the time spent in each SQL function. */
async function collectUnlimited(cluster: ClusterAddress, dump: SteamSpyDump, otherApps: number) {
  const { url, drop } = await freshDatabase(cluster, "postgres");
  const db = await openPostgres({ url, logger: silent });
  const calls = timed(db);
  const { fetch, list } = simulateWeb(dump, { lists: listsOf(dump, otherApps) });
  const summary = await startCollector(calls.db, { fetch, batchSize, maxDetails: 0 }).done;
  await db.close();
  const copy = await copyAgain(cluster, url);
  await drop();

  const applied = summary.list?.applied ?? 0;
  const speed = (name: string, rows: number, copyPerSecond: number): WriteResult => {
    const rowsPerSecond = (rows / (calls.ms.get(name) ?? 0)) * 1_000;
    return { name, rows, rowsPerSecond, ofCopy: rowsPerSecond / copyPerSecond };
  };
  const writes = [
    speed("collector_save_list", applied, copy.entries),
    speed("collector_apply_list", applied, copy.apps),
    speed("collector_save_page", summary.pass?.games ?? 0, copy.games),
  ];
  return { appListRequests: list.log.calls.length, unlimitedSeconds: summary.duration_seconds, writes };
}

/** The database with the milliseconds spent in each function. */
function timed(db: SqlDatabase): { db: Database; ms: Map<string, number> } {
  const ms = new Map<string, number>();
  return {
    ms,
    db: {
      driver: db.driver,
      async rpc(name, args, options) {
        const startedAt = performance.now();
        const reply = await db.rpc(name, args, options);
        ms.set(name, (ms.get(name) ?? 0) + performance.now() - startedAt);
        return reply;
      },
      close: () => db.close(),
    },
  };
}

/** Copies the collected rows into an empty database: rows per second of list entries, apps and games. */
async function copyAgain(cluster: ClusterAddress, url: string) {
  const target = await freshDatabase(cluster, "postgres");
  const from = new pg.Client({ connectionString: url });
  const into = new pg.Client({ connectionString: target.url });
  await Promise.all([from.connect(), into.connect()]);

  async function copy(name: string, columns = "*"): Promise<{ seconds: number; rows: number }> {
    const text = await copyTo(from, `copy (select ${columns} from ${name} order by appid) to stdout`);
    const lines = text.toString().trimEnd().split("\n");
    const startedAt = performance.now();
    for (let start = 0; start < lines.length; start += batchSize) {
      const part = Buffer.from(`${lines.slice(start, start + batchSize).join("\n")}\n`);
      await copyFrom(into, `copy ${name}${columns === "*" ? "" : ` (${columns})`} from stdin`, part);
    }
    return { seconds: (performance.now() - startedAt) / 1_000, rows: lines.length };
  }

  const entries = await copy("app_list_entries");
  const apps = await copy("apps");
  const pending = await copy("game_metadata", "appid");
  await into.query("truncate game_metadata");
  const games = await copy("game_metadata");
  await Promise.all([from.end(), into.end()]);
  await target.drop();
  return {
    entries: entries.rows / entries.seconds,
    apps: apps.rows / (apps.seconds + pending.seconds),
    games: games.rows / games.seconds,
  };
}

/** The app list and all numbers by the service as a process of its own, started as `npm start` does it; the web APIs are in this one. */
async function measureMemory(cluster: ClusterAddress, games: number, apps: number): Promise<MemoryResult> {
  const dump = generateSteamSpy({ seed: 1, games });
  const { spy, list } = simulateWeb(dump, { lists: listsOf(dump, apps - games) });
  const steam = await startSimulatedSteam({
    catalog: generateCatalog({ seed: 1, count: 1 }),
    routes: asRoutes(spy, list),
  });
  const { url, drop } = await freshDatabase(cluster, "postgres");
  try {
    const manifest = await readFile(new URL("../package.json", import.meta.url), "utf8");
    const { scripts } = JSON.parse(manifest) as { scripts: { start: string } };
    // node [OPTIONS …] src/main.ts
    const options = scripts.start.split(" ").slice(1, -1);
    const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
    const env = {
      ...steam.env,
      DATABASE_URL: url,
      PORT: "0",
      HOST: "127.0.0.1",
      STEAM_API_KEY: randomBytes(16).toString("hex"),
      STEAMSPY_API_LIMIT: "1000/second",
      STEAMSPY_ALL_LIMIT: "1000/second",
    };
    const run = await runProgram([...options, main, "collect", "--max-details", "0"], env, ({ summary }) => {
      const said = summary as { list: { applied: number }; duration_seconds: number } | undefined;
      return said ? { seconds: said.duration_seconds, stored: said.list.applied } : null;
    });
    if (run.stored !== apps) throw new Error(`applied ${run.stored} of ${apps} apps`);
    return { apps, games, seconds: run.seconds, peakMegabytes: run.peakMegabytes };
  } finally {
    await steam.close();
    await drop();
  }
}

export function formatCollector(bench: CollectorBench): string {
  const { games, apps, appListRequests, ways, unlimitedSeconds, writes, memory } = bench;
  const [each, all] = ways;
  const ownShare = unlimitedSeconds / ((all?.hours ?? 0) * 3_600);
  const shown = (value: number) => value.toLocaleString("en-US");
  return [
    `${shown(games)} games; limits shortened by ${shortenedBy}, one request a game from a sample of ${shown(sampledGames)}.`,
    "",
    table(
      ["way", "requests", "times fewer", "hours", "times sooner", "measured hours", "of the limits' pace"],
      ways.map(({ way, requests, hours, measuredHours }) => [
        way,
        shown(requests),
        games / requests,
        hours.toFixed(2),
        (each?.hours ?? 0) / hours,
        measuredHours.toFixed(2),
        hours / measuredHours,
      ]),
    ),
    "",
    `App list of ${shown(apps)} apps: ${appListRequests} requests. It and all numbers without limits: ${unlimitedSeconds.toFixed(1)} s, ` +
      `${(100 * ownShare).toFixed(2)} % of the hours that the limits ask for.`,
    "",
    table(
      ["function, 500 rows a call", "rows", "rows/s", "of `COPY`"],
      writes.map(({ name, rows, rowsPerSecond, ofCopy }) => [`\`${name}\``, rows, rowsPerSecond, ofCopy]),
    ),
    "",
    table(
      ["apps in lists", "games", "seconds", "peak MB", "of the least"],
      memory.map(({ apps, games, seconds, peakMegabytes }) => [
        apps,
        games,
        seconds,
        peakMegabytes,
        peakMegabytes / (memory[0]?.peakMegabytes ?? 0),
      ]),
    ),
  ].join("\n");
}

if (import.meta.main) {
  const [games = 80_000, apps = 250_000] = process.argv.slice(2).map(Number);
  console.log(formatCollector(await benchCollector({ games, apps })));
}

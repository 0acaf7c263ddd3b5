import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { startCluster } from "../test/support/cluster.ts";
import { startService } from "../test/support/service.ts";
import { forkSimulatedSteam } from "../test/support/steam/child.ts";
import { realTenShares } from "../test/support/steam/generate.ts";
import type { LoggedRequest } from "../test/support/steam/request-log.ts";
import { table } from "./support/figures.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * A first load at the default pace, in real time: `bulk-sync` as a process on a durable Postgres, against a simulated Steam with the appids
 * of Steam: as dense (350,000 apps up to 5,325,000), and as many multiples of ten of each type. The whole of Steam would take 15 minutes;
 * fewer apps in an id space that is smaller by as much take as much less.
 *
 *     node bench/first-load.ts [APPS]
 */
export interface FirstLoadBench {
  apps: number;
  maxAppid: number;
  games: number;
  /** Seconds from the start of the process until 99.9 % of all games were stored, and until the end of the pass. */
  gamesSeconds: number;
  totalSeconds: number;
  /** The most that {@link gamesSeconds} may be: (apps ÷ 400) + 60. */
  limitSeconds: number;
  tens: Part;
  rest: Part;
  productInfo: Part;
}

/** Requests of one kind. */
interface Part {
  requests: number;
  /** When the first and the last of them arrived, in seconds from the start of the process. */
  from: number;
  to: number;
}

const idsPerApp = 5_325_000 / 350_000;
const latencyMs = 100;
const sampleMs = 250;
const seed = 1;

export async function benchFirstLoad(apps = 24_000): Promise<FirstLoadBench> {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster({ durable: true });
  stack.defer(() => cluster.stop());
  const maxAppid = Math.round(apps * idsPerApp);
  const generate = { seed, count: apps, maxAppid, tenShares: realTenShares };
  const steam = await forkSimulatedSteam({ generate, latencyMs });
  stack.defer(() => steam.close());
  const { url, drop } = await freshDatabase(cluster.address, "postgres");
  stack.defer(drop);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  stack.defer(() => client.end());

  const startedAt = Date.now();
  const service = startService({ args: ["bulk-sync"], steam, database: { env: { DATABASE_URL: url } } });
  stack.defer(() => service.stop());
  const samples: { seconds: number; games: number }[] = [];
  let isRunning = true;
  const exited = service.exited.finally(() => {
    isRunning = false;
  });
  while (isRunning) {
    samples.push({ seconds: (Date.now() - startedAt) / 1_000, games: await gamesIn(client) });
    await Promise.race([delay(sampleMs), exited]);
  }
  if ((await exited).code !== 0) throw new Error(`the bulk sync failed:\n${service.text}`);
  const totalSeconds = (Date.now() - startedAt) / 1_000;
  const games = await gamesIn(client);
  samples.push({ seconds: totalSeconds, games });

  const metadata = await steam.call("requests", "metadata");
  // A request of the multiples of ten spans ten times as many ids as it names; a log entry has the first and the last of them.
  const isTens = ({ count, appids: [first = 0, last = 0] }: LoggedRequest) => last - first > 5 * count;
  const part = (requests: readonly LoggedRequest[]): Part => ({
    requests: requests.length,
    from: ((requests[0]?.at ?? startedAt) - startedAt) / 1_000,
    to: ((requests.at(-1)?.at ?? startedAt) - startedAt) / 1_000,
  });
  return {
    apps,
    maxAppid,
    games,
    gamesSeconds: samples.find((sample) => sample.games >= 0.999 * games)?.seconds ?? totalSeconds,
    totalSeconds,
    limitSeconds: apps / 400 + 60,
    tens: part(metadata.filter(isTens)),
    rest: part(metadata.filter((request) => !isTens(request))),
    productInfo: part(await steam.call("requests", "product_info")),
  };
}

async function gamesIn(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ count: number }>(
    "select count(*)::float8 as count from apps where type = 'game'",
  );
  return rows[0]?.count ?? 0;
}

export function formatFirstLoad(result: FirstLoadBench): string {
  const { apps, maxAppid, games, gamesSeconds, totalSeconds, limitSeconds, tens, rest, productInfo } = result;
  const rows: [string, Part][] = [
    ["metadata of the multiples of ten", tens],
    ["metadata of the ids between", rest],
    ["product info", productInfo],
  ];
  return [
    `${apps.toLocaleString("en-US")} apps, of them ${games.toLocaleString("en-US")} games, with appids up to ${maxAppid.toLocaleString("en-US")}. ` +
      `99.9 % of the games were stored after ${gamesSeconds.toFixed(0)} s (allowed: ${limitSeconds.toFixed(0)} s), everything after ${totalSeconds.toFixed(0)} s.`,
    "",
    table(
      ["requests", "number", "first after, s", "last after, s"],
      rows.map(([name, { requests, from, to }]) => [name, String(requests), from.toFixed(1), to.toFixed(1)]),
    ),
  ].join("\n");
}

if (import.meta.main) console.log(formatFirstLoad(await benchFirstLoad(Number(process.argv[2] ?? 24_000))));

import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { ForkedSteam } from "../test/support/steam/child.ts";
import { createRandom } from "../test/support/steam/random.ts";
import { table } from "./support/figures.ts";
import { openLoaded } from "./support/loaded.ts";

/**
 * Latency of a change from Steam's announcement to the stored row, in real time: the service as one process or several, with default
 * settings except for the poll interval, on Postgres. Single changes arrive at random times (Poisson), at twenty times Steam's rate, so that
 * a few minutes give enough samples: their latency does not depend on the rate as long as they fit into one request. Bursts of 500 arrive
 * at random times between them. At the end 10,000 apps change within 12.5 s.
 *
 *     node bench/freshness.ts [SECONDS] [POLL_INTERVAL] [WORKERS]
 */
export interface FreshnessBench extends FreshnessOptions {
  /** Seconds from the announcement to the stored row. */
  single: number[];
  burst: number[];
  /** Of each burst: from its first row to its last. */
  burstSpread: number[];
  /** 10,000 apps: from the first announcement to the last row. */
  drain: { apps: number; seconds: number };
}

export interface FreshnessOptions {
  seconds: number;
  pollSeconds: number;
  workers: number;
}

/** Steam's rate in 2026: 20,600 changes a day. */
const realChangesPerSecond = 20_600 / 86_400;
const timesReal = 20;
const burstSize = 500;
const burstEverySeconds = 45;
const drainApps = 10_000;
const sampleMs = 40;
const latencyMs = 100;
const seed = 1;

const defaults: FreshnessOptions = { seconds: 150, pollSeconds: 5, workers: 1 };

export async function benchFreshness(options: Partial<FreshnessOptions> = {}): Promise<FreshnessBench> {
  const { seconds, pollSeconds, workers } = { ...defaults, ...options };
  await using stack = new AsyncDisposableStack();
  const loaded = await openLoaded(stack, { apps: 12_000, latencyMs });
  const { steam, url } = loaded;
  const watch = await watchRows(url);
  stack.defer(() => watch.stop());
  for (let started = 0; started < workers; started++) {
    await loaded.startMonitor({ POLL_INTERVAL: String(pollSeconds) });
  }

  const announce = createAnnouncer(steam, watch, await steam.call("appids"));
  const single: Promise<number>[] = [];
  const bursts: Promise<number[]>[] = [];
  const random = createRandom(seed, 1);
  const end = performance.now() + seconds * 1_000;
  const singles = (async () => {
    while (performance.now() < end) {
      await delay((-Math.log(1 - random.next()) / (realChangesPerSecond * timesReal)) * 1_000);
      single.push(...(await announce(1)));
    }
  })();
  const burstLoop = (async () => {
    while (performance.now() + burstEverySeconds * 1_000 < end) {
      await delay((burstEverySeconds + 10 * (random.next() - 0.5)) * 1_000);
      bursts.push(Promise.all(await announce(burstSize)));
    }
  })();
  await Promise.all([singles, burstLoop]);
  const burst = await Promise.all(bursts);
  const figures = {
    single: await Promise.all(single),
    burst: burst.flat(),
    burstSpread: burst.map((seconds) => Math.max(...seconds) - Math.min(...seconds)),
  };

  const startedAt = performance.now();
  const drained: Promise<number>[] = [];
  for (let part = 0; part < 25; part++) {
    drained.push(...(await announce(drainApps / 25)));
    await delay(500 - ((performance.now() - startedAt) % 500));
  }
  await Promise.all(drained);
  const drain = { apps: drainApps, seconds: (performance.now() - startedAt) / 1_000 };
  return { seconds, pollSeconds, workers, ...figures, drain };
}

interface Watch {
  /** Resolves with the seconds from `since` until this change of the app is stored. */
  stored(appid: number, changeNumber: number, since: number): Promise<number>;
  isAwaited(appid: number): boolean;
  stop(): Promise<void>;
}

/** Polls the rows of the awaited changes every {@link sampleMs}. */
async function watchRows(url: string): Promise<Watch> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const awaited = new Map<number, { changeNumber: number; since: number; resolve: (seconds: number) => void }>();
  let stopped = false;
  const loop = async () => {
    while (!stopped) {
      const { rows } = await client.query<{ appid: number; change: string }>(
        "select appid, pics_change_number as change from sync_status where appid = any ($1)",
        [[...awaited.keys()]],
      );
      for (const { appid, change } of rows) {
        const entry = awaited.get(appid);
        if (!entry || Number(change) < entry.changeNumber) continue;
        awaited.delete(appid);
        entry.resolve((performance.now() - entry.since) / 1_000);
      }
      await delay(sampleMs);
    }
  };
  const ended = loop();
  return {
    stored: (appid, changeNumber, since) =>
      new Promise((resolve) => awaited.set(appid, { changeNumber, since, resolve })),
    isAwaited: (appid) => awaited.has(appid),
    async stop() {
      stopped = true;
      await ended;
      await client.end();
    },
  };
}

/** Announces a change of `count` apps that have no change in flight. */
function createAnnouncer(steam: ForkedSteam, watch: Watch, appids: readonly number[]) {
  let next = 0;
  return async (count: number): Promise<Promise<number>[]> => {
    const chosen: number[] = [];
    while (chosen.length < count) {
      const appid = appids[next++ % appids.length] as number;
      if (!watch.isAwaited(appid)) chosen.push(appid);
    }
    const since = performance.now();
    const numbers = await Promise.all(chosen.map((appid) => steam.call("change", appid)));
    return chosen.map((appid, index) => watch.stored(appid, numbers[index] as number, since));
  };
}

export function formatFreshness({
  seconds,
  pollSeconds,
  workers,
  single,
  burst,
  burstSpread,
  drain,
}: FreshnessBench): string {
  const limit = pollSeconds + 2;
  const rows: [string, number[]][] = [
    ["single changes", single],
    ["in bursts of 500", burst],
    ["all", [...single, ...burst]],
  ];
  const cells = rows.map(([name, values]) => {
    const within = values.filter((value) => value <= limit).length / values.length;
    const at = [0.5, 0.9, 0.99, 1].map((share) => quantile(values, share));
    return [name, String(values.length), ...at, `${(100 * within).toFixed(1)} %`];
  });
  return [
    `${seconds} s with a poll every ${pollSeconds} s, workers: ${workers}; Steam's latency is ${latencyMs} ms. Seconds from the announcement to the stored row:`,
    "",
    table(["", "changes", "p50", "p90", "p99", "max", `within ${limit} s`], cells),
    "",
    `From the first row of a burst to its last: median ${quantile(burstSpread, 0.5).toFixed(1)} s, at most ${quantile(burstSpread, 1).toFixed(1)} s.`,
    "",
    `${drain.apps} apps that change within 12.5 s are stored ${drain.seconds.toFixed(0)} s after the first announcement: ` +
      `${Math.round(drain.apps / drain.seconds)} apps/s; the pace of a bulk sync with batches of 100 every 0.5 s is 200 apps/s.`,
  ].join("\n");
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

if (import.meta.main) {
  const given = process.argv.slice(2).map(Number);
  const [seconds = defaults.seconds, pollSeconds = defaults.pollSeconds, workers = defaults.workers] = given;
  console.log(formatFreshness(await benchFreshness({ seconds, pollSeconds, workers })));
}

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import autocannon from "autocannon";
import { type Service, startService } from "../test/support/service.ts";
import { type ForkedSteam, forkSimulatedSteam } from "../test/support/steam/child.ts";
import { createRandom } from "../test/support/steam/random.ts";
import { table } from "./support/figures.ts";

/**
 * Load test of the read API during a bulk sync on the embedded database: throughput of the sync and latency of the readers. 50 clients
 * in a closed loop (each sends its next request after the answer) read a random single app or a list filtered by tag. The sync fetches a
 * catalog that is already stored (`--full`), first alone, then with readers, then alone again; its throughput with readers is compared
 * with the mean of the other two. Runs at the default pace and at full speed. Measures the latency of `/health` without readers.
 *
 *     node bench/api.ts [APPS] [SECONDS]
 */
export interface ApiBench {
  apps: number;
  clients: number;
  seconds: number;
  paces: PaceFigures[];
}

interface PaceFigures {
  pace: string;
  aloneAppsPerSecond: number;
  withReadersAppsPerSecond: number;
  requests: number;
  requestsPerSecond: number;
  errors: number;
  /** Milliseconds. */
  app: Percentiles;
  list: Percentiles;
  healthAlone: Percentiles;
}

interface Percentiles {
  p50: number;
  p99: number;
  max: number;
}

const clients = 50;
/** Full speed gets a shorter run, because it finishes the apps sooner. */
const paces = [
  { pace: "default (0.5 s between requests)", env: {}, share: 1 },
  { pace: "full speed", env: { BULK_REQUEST_DELAY: "0" }, share: 1 / 3 },
];

export async function benchApi({ apps = 100_000, seconds = 60 } = {}): Promise<ApiBench> {
  await using stack = new AsyncDisposableStack();
  const steam = await forkSimulatedSteam({
    generate: { seed: 1, count: apps },
    pregenerate: true,
    keepRequests: false,
  });
  stack.defer(() => steam.close());
  const folder = await mkdtemp(join(tmpdir(), "spsync-bench-"));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  const database = { env: { DATA_DIR: folder } };
  const first = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
  stack.defer(() => first.stop());
  if ((await first.exited).code !== 0) throw new Error(`the first bulk sync failed: ${first.text}`);

  const figures: PaceFigures[] = [];
  for (const { pace, env, share } of paces) {
    const service = startService({
      args: ["bulk-sync", "--full"],
      steam,
      database,
      env: { ...env, API_RATE_LIMIT: "1000000/second", LOG_LEVEL: "info" },
    });
    stack.defer(() => service.stop());
    figures.push({ pace, ...(await measure(service, steam, seconds * share)) });
    await service.stop();
  }
  return { apps, clients, seconds, paces: figures };
}

async function measure(service: Service, steam: ForkedSteam, seconds: number): Promise<Omit<PaceFigures, "pace">> {
  // Warm-up: skips the first batches.
  await service.until("/status", (status) => doneOf(status) >= 1_000);
  const base = await service.url();
  const half = seconds / 2;
  const [before, health] = await Promise.all([throughput(service, half), measureHealth(base, half)]);
  const [withReaders, app, list] = await Promise.all([
    throughput(service, seconds),
    load(base, await appPaths(steam), seconds),
    load(base, ["/v1/apps?tag=19&limit=50", "/v1/apps?tag=492&type=game&limit=50"], seconds),
  ]);
  const after = await throughput(service, half);
  const requests = app.requests.total + list.requests.total;
  return {
    aloneAppsPerSecond: (before + after) / 2,
    withReadersAppsPerSecond: withReaders,
    requests,
    requestsPerSecond: requests / seconds,
    errors: app.errors + app.non2xx + list.errors + list.non2xx,
    app: { p50: app.latency.p50, p99: app.latency.p99, max: app.latency.max },
    list: { p50: list.latency.p50, p99: list.latency.p99, max: list.latency.max },
    healthAlone: health,
  };
}

const doneOf = ({ bulk }: Record<string, unknown>) => (bulk as { done: number } | null)?.done ?? 0;

/** Apps per second that the sync stores, measured over `seconds`. */
async function throughput(service: Service, seconds: number): Promise<number> {
  const [startedAt, from] = [performance.now(), doneOf((await service.get("/status")).body)];
  await delay(seconds * 1_000);
  const { body } = await service.get("/status");
  if ((body.bulk as { phase: string }).phase === "done")
    throw new Error("the bulk sync ended before the measurement: run with more APPS or fewer SECONDS");
  return ((doneOf(body) - from) / (performance.now() - startedAt)) * 1_000;
}

async function appPaths(steam: ForkedSteam): Promise<string[]> {
  const random = createRandom(1, 1);
  return random.sample(await steam.call("appids"), 5_000).map((appid) => `/v1/apps/${appid}`);
}

/** Closed-loop load by half of the clients. */
function load(url: string, paths: string[], seconds: number): Promise<autocannon.Result> {
  return autocannon({
    url,
    connections: clients / 2,
    duration: seconds,
    timeout: 30,
    requests: paths.map((path) => ({ method: "GET", path })),
  });
}

/** Latency of `/health` at a hundred requests a second on a fixed schedule (open loop): a slow answer delays no other request. */
async function measureHealth(base: string, seconds: number): Promise<Percentiles> {
  const answers: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let request = 0; request < seconds * 100; request++) {
    await delay(Math.max(0, startedAt + request * 10 - performance.now()));
    const sentAt = performance.now();
    answers.push(
      fetch(`${base}/health`).then(async (answer) => {
        await answer.text();
        if (!answer.ok) throw new Error(`/health answered ${answer.status}`);
        return performance.now() - sentAt;
      }),
    );
  }
  const sorted = (await Promise.all(answers)).sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export function formatApi({ apps, clients, seconds, paces }: ApiBench): string {
  const ms = ({ p50, p99, max }: Percentiles) => `${p50.toFixed(0)} / ${p99.toFixed(0)} / ${max.toFixed(0)}`;
  return [
    `PGlite with ${apps.toLocaleString("en-US")} apps, ${clients} clients for ${seconds} s, at full speed for ${Math.round(seconds / 3)} s.`,
    "",
    table(
      ["pace of the sync", "alone, apps/s", "with readers", "kept", "requests/s", "errors"],
      paces.map((row) => [
        row.pace,
        row.aloneAppsPerSecond,
        row.withReadersAppsPerSecond,
        `${((100 * row.withReadersAppsPerSecond) / row.aloneAppsPerSecond).toFixed(1)} %`,
        row.requestsPerSecond,
        String(row.errors),
      ]),
    ),
    "",
    table(
      ["milliseconds, p50 / p99 / max", "one app", "list by tag", "`/health`, no readers"],
      paces.map((row) => [row.pace, ms(row.app), ms(row.list), ms(row.healthAlone)]),
    ),
  ].join("\n");
}

if (import.meta.main) {
  const [apps = 100_000, seconds = 60] = process.argv.slice(2).map(Number);
  console.log(formatApi(await benchApi({ apps, seconds })));
}

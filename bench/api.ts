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
 * What readers cost a bulk sync on the embedded database, and what it costs them: 50 clients, each of which asks again as soon as it
 * has its answer, for a single app (a random one) or a list filtered by tag. The sync fetches a catalog that is stored already
 * (`--full`), first alone, then beside them, then alone again; its pace beside them is compared with the mean of both. At the default pace,
 * and as fast as it can. Without readers, the time that `/health` takes.
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
  besideAppsPerSecond: number;
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
/** The faster one runs out of apps sooner. */
const paces = [
  { pace: "default (0.5 s between requests)", env: {}, share: 1 },
  { pace: "as fast as it can", env: { BULK_REQUEST_DELAY: "0" }, share: 1 / 3 },
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
  // Past the first batches.
  await service.until("/status", (status) => doneOf(status) >= 1_000);
  const base = await service.url();
  const half = seconds / 2;
  const [before, health] = await Promise.all([paceOver(service, half), askHealth(base, half)]);
  const [beside, app, list] = await Promise.all([
    paceOver(service, seconds),
    load(base, await appPaths(steam), seconds),
    load(base, ["/v1/apps?tag=19&limit=50", "/v1/apps?tag=492&type=game&limit=50"], seconds),
  ]);
  const after = await paceOver(service, half);
  const requests = app.requests.total + list.requests.total;
  return {
    aloneAppsPerSecond: (before + after) / 2,
    besideAppsPerSecond: beside,
    requests,
    requestsPerSecond: requests / seconds,
    errors: app.errors + app.non2xx + list.errors + list.non2xx,
    app: { p50: app.latency.p50, p99: app.latency.p99, max: app.latency.max },
    list: { p50: list.latency.p50, p99: list.latency.p99, max: list.latency.max },
    healthAlone: health,
  };
}

const doneOf = ({ bulk }: Record<string, unknown>) => (bulk as { done: number } | null)?.done ?? 0;

/** Apps a second that the sync stores, over so long. */
async function paceOver(service: Service, seconds: number): Promise<number> {
  const [startedAt, from] = [performance.now(), doneOf((await service.get("/status")).body)];
  await delay(seconds * 1_000);
  const { body } = await service.get("/status");
  if ((body.bulk as { phase: string }).phase === "done")
    throw new Error("the bulk sync ended too soon: more apps, or less time");
  return ((doneOf(body) - from) / (performance.now() - startedAt)) * 1_000;
}

async function appPaths(steam: ForkedSteam): Promise<string[]> {
  const random = createRandom(1, 1);
  return random.sample(await steam.call("appids"), 5_000).map((appid) => `/v1/apps/${appid}`);
}

/** Half of the clients, on a thread of their own. */
function load(url: string, paths: string[], seconds: number): Promise<autocannon.Result> {
  return autocannon({
    url,
    connections: clients / 2,
    duration: seconds,
    timeout: 30,
    requests: paths.map((path) => ({ method: "GET", path })),
  });
}

/** `/health`, a hundred times a second, each on its own schedule: one slow answer delays no other question. */
async function askHealth(base: string, seconds: number): Promise<Percentiles> {
  const answers: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let ask = 0; ask < seconds * 100; ask++) {
    await delay(Math.max(0, startedAt + ask * 10 - performance.now()));
    const askedAt = performance.now();
    answers.push(
      fetch(`${base}/health`).then(async (answer) => {
        await answer.text();
        if (!answer.ok) throw new Error(`/health answered ${answer.status}`);
        return performance.now() - askedAt;
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
    `PGlite with ${apps.toLocaleString("en-US")} apps, ${clients} clients for ${seconds} s, at the faster pace for ${Math.round(seconds / 3)} s.`,
    "",
    table(
      ["pace of the sync", "alone, apps/s", "beside readers", "kept", "requests/s", "errors"],
      paces.map((row) => [
        row.pace,
        row.aloneAppsPerSecond,
        row.besideAppsPerSecond,
        `${((100 * row.besideAppsPerSecond) / row.aloneAppsPerSecond).toFixed(1)} %`,
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

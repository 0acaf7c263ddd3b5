import { setTimeout as delay } from "node:timers/promises";
import autocannon from "autocannon";
import pg from "pg";
import { asSuperuser, type ClusterAddress, startCluster, urlOf } from "../test/support/cluster.ts";
import { freePort } from "../test/support/free-port.ts";
import { fillScript, realNames } from "../test/support/generated-catalog/fill.ts";
import { startPostgrest } from "../test/support/postgrest.ts";
import { startService } from "../test/support/service.ts";
import { forkSimulatedSteam } from "../test/support/steam/child.ts";
import { createRandom, type Random } from "../test/support/steam/random.ts";
import { checkSameFacts, type Question, questionsOf } from "./serve/questions.ts";
import { median, table } from "./support/figures.ts";
import { cpuByProgram, cpuOf } from "./support/process-meter.ts";
import { freshDatabase } from "./support/servers.ts";

/**
 * Throughput of the read API beside PostgREST, which answers the same facts from the same database by embedding relations. Both are
 * processes of their own and listen on TCP; 20 keep-alive connections in a closed loop, in alternating blocks of a few seconds. Ratios
 * are of the two blocks of a round. The load generator, both servers and Postgres share the machine's cores.
 *
 *     node bench/serve.ts [APPS] [SECONDS] [ROUNDS]
 */
export interface ServeBench {
  apps: number;
  rows: { name: string; timesRequests: number; service: Block; postgrest: Block }[];
}

/** Requests a second; latency in milliseconds; CPU time in microseconds a request, of the server and of Postgres. */
interface Block {
  requestsPerSecond: number;
  p50: number;
  p99: number;
  serverCpu: number;
  postgresCpu: number;
}

interface Server {
  url: string;
  pathOf: (question: Question) => string;
  /** CPU seconds so far. */
  cpu: () => number;
}

const connections = 20;
/** Questions of each kind whose answers are compared before the measurement. */
const samples = 20;
const commitIntervalMs = 100;
/** Questions of one connection in a block; it starts over after them. */
const questionsOfConnection = 2_000;

export async function benchServe({ apps = 30_000, seconds = 4, rounds = 5 } = {}): Promise<ServeBench> {
  await using stack = new AsyncDisposableStack();
  const cluster = await startCluster({ durable: true });
  stack.defer(() => cluster.stop());
  const database = await filledDatabase(cluster.address, apps);
  const service = await startReader(database.url, stack);
  const postgrest = await startBeside(urlOf(cluster.address, "authenticator", database.name), stack);
  const questions = questionsOf(apps);
  const random = createRandom(1, 1);
  for (const { draw } of questions) {
    for (let sample = 0; sample < samples; sample++) await checkSameFacts(service.url, postgrest.url, draw(random));
  }
  const committer = await startCommitter(database.url, stack);

  const measured = questions.map((kind) => ({ ...kind, service: [] as Block[], postgrest: [] as Block[] }));
  // The first round warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const { draw, withCommits = false, ...blocks } of measured) {
      committer.isOn = withCommits;
      const turns = [["service", service] as const, ["postgrest", postgrest] as const];
      for (const [name, server] of round % 2 === 0 ? turns : turns.toReversed()) {
        const block = await load(server, draw, random, seconds);
        if (round > 0) blocks[name].push(block);
      }
    }
  }
  return {
    apps,
    rows: measured.map(({ name, service, postgrest }) => ({
      name,
      timesRequests: median(
        service.map(({ requestsPerSecond }, at) => requestsPerSecond / (postgrest[at]?.requestsPerSecond ?? 1)),
      ),
      service: medianBlock(service),
      postgrest: medianBlock(postgrest),
    })),
  };
}

async function filledDatabase(cluster: ClusterAddress, apps: number) {
  const database = await freshDatabase(cluster, "supabase");
  const names = realNames() ?? undefined;
  await asSuperuser(cluster, database.name, async (client) => {
    await client.query(await fillScript(apps, names));
    await client.query(
      "insert into public.app_dlc (appid, dlc_appid) select parent_appid, appid from public.apps where type = 'dlc' and parent_appid is not null",
    );
    await client.query("vacuum (analyze)");
  });
  return database;
}

/** The service with its defaults, except for the rate limit. It drains only, so that it leaves the catalog as it is. */
async function startReader(url: string, stack: AsyncDisposableStack): Promise<Server> {
  const steam = await forkSimulatedSteam({ generate: { seed: 1, count: 10 }, keepRequests: false });
  stack.defer(() => steam.close());
  const service = startService({
    args: ["change-monitor"],
    steam,
    database: { env: { DATABASE_URL: url } },
    env: { DRAIN_ONLY: "true", API_RATE_LIMIT: "1000000/second" },
  });
  stack.defer(() => service.stop());
  await service.until("/health", ({ status }) => status === "ok");
  return { url: await service.url(), pathOf: ({ service }) => service, cpu: () => cpuOf(service.pid) ?? 0 };
}

async function startBeside(url: string, stack: AsyncDisposableStack): Promise<Server> {
  const port = await freePort();
  const stop = await startPostgrest(url, { port });
  stack.defer(stop);
  return {
    url: `http://127.0.0.1:${port}`,
    pathOf: ({ postgrest }) => postgrest,
    cpu: () => cpuByProgram().get("postgrest") ?? 0,
  };
}

/** Another client of the database, whose commits change no row. */
async function startCommitter(url: string, stack: AsyncDisposableStack): Promise<{ isOn: boolean }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  stack.defer(() => client.end());
  const state = { isOn: false };
  let isRunning = false;
  const timer = setInterval(async () => {
    if (!state.isOn || isRunning) return;
    isRunning = true;
    await client.query("select pg_current_xact_id()");
    isRunning = false;
  }, commitIntervalMs);
  stack.defer(() => clearInterval(timer));
  return state;
}

async function load(
  { url, pathOf, cpu }: Server,
  draw: (random: Random) => Question,
  random: Random,
  seconds: number,
): Promise<Block> {
  const postgresCpu = () => cpuByProgram().get("postgres") ?? 0;
  const before = { server: cpu(), postgres: postgresCpu() };
  const result = await autocannon({
    url,
    connections,
    duration: seconds,
    timeout: 30,
    // Each connection has questions of its own.
    setupClient(client) {
      const own = Array.from({ length: questionsOfConnection }, () => draw(random));
      client.setRequests(own.map((question) => ({ method: "GET", path: pathOf(question) })));
    },
  });
  const { total } = result.requests;
  if (result.errors + result.non2xx > 0) throw new Error(`${url}: ${result.errors} errors, ${result.non2xx} faults`);
  const perRequest = (cpuSeconds: number) => (cpuSeconds * 1e6) / total;
  const block = {
    requestsPerSecond: total / result.duration,
    p50: result.latency.p50,
    p99: result.latency.p99,
    serverCpu: perRequest(cpu() - before.server),
    postgresCpu: perRequest(postgresCpu() - before.postgres),
  };
  await delay(200);
  return block;
}

function medianBlock(blocks: readonly Block[]): Block {
  const of = (key: keyof Block) => median(blocks.map((block) => block[key]));
  return {
    requestsPerSecond: of("requestsPerSecond"),
    p50: of("p50"),
    p99: of("p99"),
    serverCpu: of("serverCpu"),
    postgresCpu: of("postgresCpu"),
  };
}

export function formatServe({ apps, rows }: ServeBench): string {
  const cells = (name: string, { requestsPerSecond, p50, p99, serverCpu, postgresCpu }: Block) => [
    name,
    Math.round(requestsPerSecond),
    `${p50} / ${p99}`,
    Math.round(serverCpu),
    Math.round(postgresCpu),
  ];
  return [
    `${apps.toLocaleString("en-US")} apps, ${connections} connections; CPU in microseconds a request.`,
    "",
    table(
      ["request", "server", "requests/s", "p50 / p99, ms", "CPU of the server", "CPU of Postgres", "times PostgREST"],
      rows.flatMap(({ name, timesRequests, service, postgrest }) => [
        [name, ...cells("service", service), timesRequests],
        [name, ...cells("PostgREST", postgrest), ""],
      ]),
    ),
  ].join("\n");
}

if (import.meta.main) {
  const [apps = 30_000, seconds = 4, rounds = 5] = process.argv.slice(2).map(Number);
  console.log(formatServe(await benchServe({ apps, seconds, rounds })));
}

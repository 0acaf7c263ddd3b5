import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { asSuperuser, startCluster, urlOf } from "../cluster.ts";
import { startService } from "../service.ts";
import { forkSimulatedSteam } from "../steam/child.ts";
import { ownerOf, serverTemplate } from "../templates.ts";
import { type Answer, type Client, createClient, percentile, requestAtOnce, requestAtRate, statuses } from "./load.ts";

/**
 * One hostile client beside ten honest ones. Alone, the honest clients show what is normal; then an address asks the most expensive questions
 * as fast as its connections and the rate limit permit. The honest clients' p99 must stay below ten times its value alone, and none of their
 * requests may fail.
 */

type Driver = "postgres" | "pglite";

const honestClients = 10;
const honestRate = { perSecond: 5, seconds: 30 };
const hostileConnections = 50;
const maxFactor = 10;

/** Runs the load on both kinds of database; returns the violations, in words. */
export async function hostileBesideHonest(report: (line: string) => void): Promise<string[]> {
  const apps = Number(process.env.APPS ?? 120_000);
  return [
    ...(await loadOf("postgres", apps, report)),
    // The embedded database runs one statement at a time.
    ...(await loadOf("pglite", apps / 4, report)),
  ];
}

async function loadOf(driver: Driver, apps: number, report: (line: string) => void): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  report(`${driver} with ${apps} apps`);
  const steam = await forkSimulatedSteam({
    generate: { seed: 1, count: apps },
    pregenerate: true,
    keepRequests: false,
  });
  stack.defer(() => steam.close());
  const database = { env: await databaseOf(driver, stack) };
  const fill = startService({ args: ["bulk-sync"], steam, database, env: { BULK_REQUEST_DELAY: "0" } });
  stack.defer(() => fill.stop());
  if ((await fill.exited).code !== 0) throw new Error(`the bulk sync failed: ${fill.text}`);
  const service = startService({ args: ["change-monitor"], steam, database });
  stack.defer(() => service.stop());
  await service.until("/v1/apps?limit=1", ({ data }) => Array.isArray(data));
  return (await measureLoad(await service.url(), report)).map((violation) => `${driver}: ${violation}`);
}

async function databaseOf(driver: Driver, stack: AsyncDisposableStack): Promise<Record<string, string>> {
  if (driver === "pglite") {
    const folder = await mkdtemp(join(tmpdir(), "spsync-soak-"));
    stack.defer(() => rm(folder, { recursive: true, force: true }));
    return { DATA_DIR: folder };
  }
  const { address, stop } = await startCluster();
  stack.defer(stop);
  const template = await serverTemplate(address, "postgres", true);
  await asSuperuser(address, "postgres", (client) =>
    client.query(`create database soak template ${template} owner ${ownerOf.postgres}`),
  );
  return { DATABASE_URL: urlOf(address, ownerOf.postgres, "soak") };
}

/** The load against a service with a filled catalog. */
export async function measureLoad(base: string, report: (line: string) => void): Promise<string[]> {
  await using stack = new AsyncDisposableStack();
  const connect = (address: string, maxSockets: number): Client => {
    const client = createClient(base, address, maxSockets);
    stack.defer(() => client.close());
    return client;
  };
  const honest = Array.from({ length: honestClients }, (_, index) => connect(`127.0.0.${10 + index}`, 6));
  const { honestPaths, hostilePaths } = await pathsOf(connect("127.0.0.9", 1));
  const askHonestly = async () =>
    (await Promise.all(honest.map((client) => requestAtRate(client, cycle(honestPaths), honestRate)))).flat();

  // Fills caches and opens connections.
  await Promise.all(honest.map((client) => requestAtRate(client, cycle(honestPaths), { perSecond: 5, seconds: 3 })));
  const alone = await askHonestly();
  const leave = new AbortController();
  const attack = requestAtOnce(connect("127.0.0.66", hostileConnections), cycle(hostilePaths), {
    connections: hostileConnections,
    signal: leave.signal,
  });
  const beside = await askHonestly();
  leave.abort();
  const hostile = await attack;

  report(`  honest alone: ${figures(alone)}`);
  report(`  honest beside: ${figures(beside)}`);
  report(`  hostile: ${figures(hostile)}`);
  return violationsOf(alone, beside);
}

function violationsOf(alone: Answer[], beside: Answer[]): string[] {
  const failed = beside.filter(({ status }) => status !== 200);
  const factor = percentile(beside, 0.99) / percentile(alone, 0.99);
  return [
    ...(failed.length > 0 ? [`${failed.length} requests of honest clients failed: ${statuses(failed)}`] : []),
    ...(factor >= maxFactor ? [`the p99 of honest clients was ${factor.toFixed(1)} times its value alone`] : []),
  ];
}

function figures(answers: readonly Answer[]): string {
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => `${Math.round(percentile(answers, share))}`);
  return `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms; ${statuses(answers)}`;
}

function cycle(paths: readonly string[]): () => string {
  let next = Math.floor(Math.random() * paths.length);
  return () => paths[next++ % paths.length] ?? "/v1";
}

/** Requests of both sides, made of apps and tags of the catalog. */
async function pathsOf(client: Client): Promise<{ honestPaths: string[]; hostilePaths: string[] }> {
  async function listOf<T>(path: string): Promise<T[]> {
    const { status, body } = await client.get(path);
    if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
    return (JSON.parse(body) as { data: T[] }).data;
  }
  const apps = await listOf<{ appid: number; name: string }>("/v1/apps?limit=200&type=game");
  const tags = (await listOf<{ id: number }>("/v1/tags")).map(({ id }) => id);
  return { honestPaths: honestPathsOf(apps, tags), hostilePaths: hostilePathsOf(tags) };
}

/** What programs and people ask: mostly single apps, then lists by tag, changes, and now and then a search. */
function honestPathsOf(apps: readonly { appid: number; name: string }[], tags: readonly number[]): string[] {
  const lists = [
    `/v1/apps?tag=${tags[0]}&limit=50`,
    `/v1/apps?tag=${tags[5]}&type=game&limit=50`,
    "/v1/changes?limit=50",
    "/v1/tags",
  ];
  return apps.flatMap(({ appid, name }, index) => [
    `/v1/apps/${appid}`,
    `/v1/apps/${appid}/changes`,
    index % 8 === 0 ? `/v1/apps?q=${encodeURIComponent(name.split(" ", 3).join(" "))}` : `/v1/apps/${appid}/depots`,
    lists[index % lists.length] ?? "",
  ]);
}

/** The most expensive questions known, of each kind. */
function hostilePathsOf(tags: readonly number[]): string[] {
  const list = "/v1/apps?limit=200";
  const everyTag = tags.slice(0, 10).map((tag) => `tag=${tag}`);
  const everyVerdict = ["deck", "machine", "frame"].map((of) => `${of}=unknown,unsupported,playable,verified`);
  return [
    `${list}&sort=-reviews&q=a+e+i+o+u+r+s+t`,
    `${list}&sort=name&q=zzqx+qqzj+xxvk+jjqz+vvkq+kkzx+wwqj+yyqv`,
    `${list}&sort=-reviews`,
    `${list}&sort=-release_date&changed_since=2000-01-01`,
    [`${list}&sort=name`, ...everyTag].join("&"),
    [`${list}&sort=name`, ...everyTag.slice(0, 3)].join("&"),
    [`${list}&sort=-updated&ai=none,any&platform=windows,macos,linux&q=zzq`, ...everyVerdict].join("&"),
    `${list}&sort=name&platform=windows,macos,linux&released_since=1990-01-01&free=false&q=the`,
    `${list}&sort=-reviews&parent=2147483647&active=false`,
    "/v1/apps?type=gime",
    "/v1/apps?platform=amiga",
    "/v1/developers?limit=500&q=a+e+i+o+u+r+s+t",
    "/v1/franchises?limit=500",
  ];
}

/**
 * Runs every command, request and query of README.md in a fresh clone, as a reader would, and compares the answers that
 * the document shows. Steam is simulated; what needs an account or Docker (`by-hand`) is listed and not run.
 *
 *     node test/readme.ts            some minutes: `npm ci` (from the registry), the demo, the service on two databases
 *     node test/readme.ts --all      with `npm test`
 *
 * Needs git, curl and the port 8080. Exit code 1 when something is not as README.md says.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { asSuperuser, startCluster, superuser, urlOf } from "./support/cluster.ts";
import { type Block, commandsOf, readBlocks } from "./support/documents/blocks.ts";
import { differences, matches, withoutFigures } from "./support/documents/compare.ts";
import { knownChangeTexts } from "./support/documents/known-catalog.ts";
import { psql } from "./support/documents/query.ts";
import { forkSimulatedSteam } from "./support/steam/child.ts";
import { knownApps, knownAppText } from "./support/steam/known-apps.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const base = "http://localhost:8080";
const readyLimitMs = 180_000;
const isAll = process.argv.includes("--all");
/** The address in README.md that stands for the reader's own database, and an id in place of what Discord gives. */
const shownDatabase = "postgres://user:password@localhost:5432/catalog";
const shownWebhook = "https://discord.com/api/webhooks/…";

await using stack = new AsyncDisposableStack();
const folder = await mkdtemp(join(tmpdir(), "spsync-readme-"));
stack.defer(() => rm(folder, { recursive: true, force: true }));
const clone = join(folder, "clone");
const cluster = await startCluster({ locale: "C.UTF-8" });
stack.defer(() => cluster.stop());
const databaseUrl = urlOf(cluster.address, superuser, "catalog");
await asSuperuser(cluster.address, "postgres", (client) => client.query("create database catalog"));
// Apps without tags in between, since a sweep ends where Steam's ids seem to end.
const fillers = Array.from({ length: 300 }, (_, index) => {
  const none = { developer: "Unknown Studio", released: "2020-01-01", tags: [], genres: [], buildId: 1 };
  return { ...none, appid: 4_001 * (index + 1), name: `Tool ${index + 1}`, type: "Tool" } as const;
});
const steam = await forkSimulatedSteam({
  generate: { seed: 1, count: 1 },
  apps: [...knownApps, ...fillers].map((app) => ({ appid: app.appid, name: app.name, text: knownAppText(app) })),
});
stack.defer(() => steam.close());

/** A reader's environment: the host's Node, no settings. Steam's simulation is reached as a proxy. */
const path = (process.env.PATH ?? "").split(delimiter).filter((entry) => !entry.includes("node_modules"));
const plain = { PATH: path.join(delimiter), HOME: process.env.HOME, CI: "1" };
const besideSteam = { ...plain, ...steam.env, BULK_REQUEST_DELAY: "0.05", POLL_INTERVAL: "1" };
const faults: string[] = [];
let service: { child: ChildProcess; env: Record<string, string> } | null = null;
stack.defer(stopService);

await shell(`git clone --quiet ${root} ${clone}`, { ...plain }, folder);
const blocks = readBlocks(await readFile(join(clone, "README.md"), "utf8"));
for (const [index, block] of blocks.entries()) {
  const next = blocks[index + 1];
  await check(block, next?.check === "answer" ? next.text : null);
}
report(faults.length === 0 ? "Everything is as README.md says." : `${faults.length} faults:\n${faults.join("\n")}`);
process.exitCode = faults.length === 0 ? 0 : 1;

async function check({ check, text, line }: Block, answer: string | null): Promise<void> {
  if (check === "by-hand") return report(`(by hand) ${text.split("\n")[0]}`);
  const startedAt = performance.now();
  const wrong: string[] = [];
  if (check === "query") {
    report(text);
    const table = await psql(databaseUrl, text);
    if (answer !== null && !matches(answer, table)) wrong.push(`the answer is\n${table}`);
  } else if (check === "run" || check === "api") {
    for (const command of commandsOf(text)) wrong.push(...(await run(command, check, answer)));
  } else return;
  for (const fault of wrong) report(`  ✗ ${fault}`);
  faults.push(...wrong.map((fault) => `README.md:${line}: ${fault}`));
  report(`  ${((performance.now() - startedAt) / 1_000).toFixed(1)} s\n`);
}

/** @returns what is not as shown. */
async function run(command: string, check: "run" | "api", answer: string | null): Promise<string[]> {
  const isLong = command.endsWith("npm test") && !isAll;
  report(isLong ? `(--all) ${command}` : `$ ${command}`);
  if (isLong) return [];
  if (command.endsWith("npm start")) {
    await startService(command);
    return [];
  }
  const isOfService = command.startsWith("npx steam-pics-sync") || check === "api";
  const given = command
    .replace(shownWebhook, "https://discord.com/api/webhooks/1234567890/word")
    .replace(/^curl/, "curl --fail-with-body --silent --show-error");
  const { code, output } = await shell(given, isOfService ? { ...besideSteam, ...service?.env } : plain);
  if (code !== 0) return [`${command} ended with ${code}:\n${output}`];
  report(output.replaceAll(/^(?=.)/gm, "  "));
  if (answer === null) return [];
  if (check === "api") return differences(answer, JSON.parse(output));
  return matches(withoutFigures(answer), withoutFigures(output)) ? [] : [`${command} printed another text`];
}

/** Starts the service in place of the one that runs, and waits until it is ready and has told some changes. */
async function startService(command: string): Promise<void> {
  await stopService();
  const env: Record<string, string> = command.startsWith("DATABASE_URL=") ? { DATABASE_URL: databaseUrl } : {};
  const given = command.replace(shownDatabase, databaseUrl);
  const child = spawn("bash", ["-c", given], { cwd: clone, env: besideSteam, detached: true, stdio: "ignore" });
  service = { child, env };
  await until(`${given} is ready`, async () => (await fetch(`${base}/ready`)).ok);
  await until("tags have names", async () => (await (await fetch(`${base}/v1/tags`)).text()).includes("Metroidvania"));
  if (!env.DATABASE_URL) return;
  for (const [appid, text] of knownChangeTexts()) {
    const changeNumber = await steam.call("change", appid, text);
    await until(`app ${appid} is stored`, async () => {
      const app = (await (await fetch(`${base}/v1/apps/${appid}`)).json()) as { change_number: number };
      return app.change_number === changeNumber;
    });
  }
}

async function stopService(): Promise<void> {
  const { child } = service ?? {};
  service = null;
  if (!child?.pid || child.exitCode !== null) return;
  const exited = once(child, "exit");
  // The whole group: a shell, npm and the service.
  process.kill(-child.pid, "SIGTERM");
  await exited;
  await until("the port is free", () =>
    fetch(base).then(
      () => false,
      () => true,
    ),
  );
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + readyLimitMs; Date.now() < deadline; await delay(200)) {
    if (await isSo().catch(() => false)) return;
  }
  throw new Error(`${what}: not within ${readyLimitMs / 1_000} s`);
}

async function shell(
  command: string,
  env: NodeJS.ProcessEnv,
  cwd = clone,
): Promise<{ code: number | null; output: string }> {
  const child = spawn("bash", ["-c", command], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const [code] = await once(child, "close");
  return { code, output };
}

function report(text: string): void {
  process.stdout.write(`${text}\n`);
}

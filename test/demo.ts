/**
 * The demo, without a network: the unmodified service, talking through steam-user to a simulated Steam, loads a
 * generated catalog into an embedded database that is thrown away afterwards.
 *
 *     npm run demo [-- APPS] [--keep]
 *
 * With `--keep` it then follows changes at the simulated Steam, with the dashboard and the API at PORT (8080), until
 * Ctrl-C.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { BulkSummary } from "../src/sync/progress.ts";
import { formatBulkSummary } from "../src/terminal/bulk-summary.ts";
import { forkSimulatedSteam } from "./support/steam/child.ts";

const usage = "npm run demo [-- APPS] [--keep]: a number of apps from 1 to 100000; --keep goes on until Ctrl-C\n";
const { apps, keep } = readArguments();
const port = process.env.PORT ?? "8080";

process.stdout.write(
  `A simulated Steam with ${apps.toLocaleString("en-US")} generated apps, and the service beside it.\n\n`,
);
const steam = await forkSimulatedSteam({ generate: { seed: 1, count: apps }, latencyMs: 50, keepRequests: false });
const dataDir = await mkdtemp(join(tmpdir(), "steam-pics-demo-"));
const isTerminal = process.stdout.isTTY === true;
const command = keep ? "sync" : "bulk-sync";
const service = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url)), command], {
  stdio: ["inherit", isTerminal ? "inherit" : "pipe", "inherit"],
  // Settings of the environment for real databases, keys or rate limits do not apply to the demo.
  env: {
    PATH: process.env.PATH,
    TERM: process.env.TERM,
    LOG_LEVEL: "info",
    PORT: keep ? port : "0",
    DATA_DIR: dataDir,
    BULK_REQUEST_DELAY: "0.1",
    POLL_INTERVAL: "2",
    ...steam.env,
  },
  cwd: dataDir,
});
const exited = once(service, "exit");
// Ctrl-C reaches the service too, which shuts down first.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => service.kill("SIGTERM"));
if (keep) {
  process.stdout.write(`The dashboard is at http://localhost:${port}; Ctrl-C ends all of it.\n\n`);
  const traffic = setInterval(() => void steam.call("changeRandom", 2).catch(() => {}), 1_500);
  void exited.then(() => clearInterval(traffic));
}
// Without a terminal the service writes a JSON object a line; its summary is shown as a terminal would have it.
if (service.stdout) {
  for await (const line of createInterface(service.stdout)) {
    const { summary, message } = JSON.parse(line) as { summary?: BulkSummary; message: string };
    process.stdout.write(summary ? formatBulkSummary(summary) : `${line}\n`);
    if (summary) process.stdout.write(`${message}\n`);
  }
}
const [code] = await exited;
await steam.close();
await rm(dataDir, { recursive: true, force: true });
process.exitCode = code ?? 1;

function readArguments(): { apps: number; keep: boolean } {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { keep: { type: "boolean" } } });
    const [apps, ...more] = positionals.length > 0 ? positionals.map(Number) : [3_000];
    const isRight = more.length === 0 && Number.isInteger(apps) && Number(apps) >= 1 && Number(apps) <= 100_000;
    if (isRight) return { apps: Number(apps), keep: values.keep ?? false };
  } catch {
    // An unknown option.
  }
  process.stderr.write(usage);
  process.exit(2);
}

/**
 * The main job without a network: the service as it is, talking through steam-user to a simulated Steam, loads a generated catalogue into
 * an embedded database that is thrown away afterwards.
 *
 *     npm run demo [-- APPS]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { type BulkSummary, formatSummary } from "../src/sync/summary.ts";
import { forkSimulatedSteam } from "./support/steam/child.ts";

const apps = Number(process.argv[2] ?? 3_000);
if (!Number.isInteger(apps) || apps < 1 || apps > 100_000) {
  process.stderr.write("npm run demo [-- APPS]: a number of apps from 1 to 100000\n");
  process.exit(2);
}

process.stdout.write(
  `A simulated Steam with ${apps.toLocaleString("en-US")} generated apps, and the service beside it.\n\n`,
);
const steam = await forkSimulatedSteam({ generate: { seed: 1, count: apps }, latencyMs: 50, keepRequests: false });
const dataDir = await mkdtemp(join(tmpdir(), "steam-pics-demo-"));
const isTerminal = process.stdout.isTTY === true;
const service = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url)), "bulk-sync"], {
  stdio: ["inherit", isTerminal ? "inherit" : "pipe", "inherit"],
  // What the environment says of real databases, keys or pace is not for a demo.
  env: {
    PATH: process.env.PATH,
    TERM: process.env.TERM,
    LOG_LEVEL: "info",
    PORT: "0",
    DATA_DIR: dataDir,
    BULK_REQUEST_DELAY: "0.1",
    ...steam.env,
  },
  cwd: dataDir,
});
const exited = once(service, "exit");
// Ctrl-C reaches the service too; it ends in order, and then this does.
process.on("SIGINT", () => {});
// Without a terminal the service writes a JSON object a line; its summary is shown as a terminal would have it.
if (service.stdout) {
  for await (const line of createInterface(service.stdout)) {
    const { summary, message } = JSON.parse(line) as { summary?: BulkSummary; message: string };
    process.stdout.write(summary ? formatSummary(summary) : `${line}\n`);
    if (summary) process.stdout.write(`${message}\n`);
  }
}
const [code] = await exited;
await steam.close();
await rm(dataDir, { recursive: true, force: true });
process.exitCode = code ?? 1;

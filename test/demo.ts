/**
 * The main job without a network: the service as it is, talking through steam-user to a simulated Steam, loads a generated catalogue into
 * an embedded database that is thrown away afterwards.
 *
 *     npm run demo [-- APPS]
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
const service = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url)), "bulk-sync"], {
  stdio: "inherit",
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
// Ctrl-C reaches the service too; it ends in order, and then this does.
process.on("SIGINT", () => {});
const [code] = await new Promise<[number | null]>((resolve) => service.once("exit", (exitCode) => resolve([exitCode])));
await steam.close();
await rm(dataDir, { recursive: true, force: true });
process.exitCode = code ?? 1;

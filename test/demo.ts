/**
 * The demo, without a network: the unmodified service, talking through steam-user to a simulated Steam, loads a catalog
 * into an embedded database. Well-known apps are in it under their appids, the others are generated.
 *
 *     npm run demo [NUMBER] [keep] [failing] [outage]        (words in any order; see support/demo/arguments.ts)
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { demoUsage, readDemoWords } from "./support/demo/arguments.ts";

const options = readDemoWords(process.argv.slice(2), process.env);
if (options === "help") {
  process.stdout.write(demoUsage);
  process.exit();
}
if ("fault" in options) {
  process.stderr.write(`${options.fault}\n\n${demoUsage}`);
  process.exit(2);
}
const { apps, keep, failing, outage } = options;
process.stdout.write(
  `Starting a simulated Steam with ${apps.toLocaleString("en-US")} apps, and the service beside it.\n\n`,
);

// Only now, since loading them takes a moment.
const { startDemoSteam } = await import("./support/demo/steam.ts");
const { emptyDataDir, portFor } = await import("./support/demo/place.ts");
const { endText, followingText, pipedLine } = await import("./support/demo/words.ts");
const steam = await startDemoSteam(apps);
const dataDir = await emptyDataDir();
const port = await portFor(Number(process.env.PORT) || 8080);
const url = `http://localhost:${port}`;
const isTerminal = process.stdout.isTTY === true;
const service = spawn(
  process.execPath,
  [fileURLToPath(new URL("../src/main.ts", import.meta.url)), keep ? "sync" : "bulk-sync"],
  {
    stdio: ["inherit", isTerminal ? "inherit" : "pipe", "inherit"],
    // Settings of the environment for real databases, keys or rate limits do not apply to the demo.
    env: {
      ...{ PATH: process.env.PATH, TERM: process.env.TERM, NO_COLOR: process.env.NO_COLOR },
      ...{ LOG_LEVEL: "info", PORT: String(port), DATA_DIR: dataDir },
      // Faster than one is with the real Steam.
      ...{ BULK_REQUEST_DELAY: "0.1", METADATA_REQUEST_DELAY: "0.02", POLL_INTERVAL: "2", RECONNECT_MAX_DELAY: "10" },
      ...(failing && { BULK_MAX_RETRIES: "1" }),
      // The app list, for delistings. SteamSpy is simulated, too.
      ...{ STEAM_API_KEY: "0123456789ABCDEF0123456789ABCDEF", COLLECT_INTERVAL: "60", MAX_DETAILS: "0" },
      ...{ STEAMSPY_ALL_LIMIT: "60/minute" },
      ...steam.env,
    },
    cwd: dataDir,
  },
);
const exited = once(service, "exit");
// Ctrl-C reaches the service too, which takes the second signal for an echo of the first.
process.on("SIGINT", () => service.kill("SIGINT"));
process.on("SIGTERM", () => service.kill("SIGTERM"));
const happenings = new AbortController();
void exited.then(() => happenings.abort());
if (failing) await steam.failApps();
if (outage && !keep) void steam.outageDuringLoad(happenings.signal);
if (keep) void follow().catch((error) => happenings.signal.aborted || console.error(error));

// Without a terminal the service writes a JSON object a line; its summary is shown as a terminal would have it.
if (service.stdout) {
  for await (const line of createInterface(service.stdout)) process.stdout.write(pipedLine(line));
}
const [code] = await exited;
await steam.close();
process.stdout.write(endText(dataDir, { keep, code }));
process.exitCode = code ?? 1;

/** Waits for the catalog, says where it is, and then lets things happen. */
async function follow(): Promise<void> {
  await steam.untilReady(`${url}/ready`, happenings.signal);
  process.stdout.write(followingText({ dataDir, url, steamEnv: steam.env }, process.cwd()));
  await Promise.all([
    steam.changes(happenings.signal),
    outage && steam.outages(happenings.signal, (text) => process.stdout.write(text)),
  ]);
}

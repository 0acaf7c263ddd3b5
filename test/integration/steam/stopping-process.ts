/** Starts a session, stops it, and prints how long the stop took and how long the process lived afterwards. */
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { createSteamSession } from "../../../src/steam/session.ts";

const [proxyUrl, state] = process.argv.slice(2);
const session = createSteamSession({
  proxyUrl,
  logger: pino({ level: "silent" }),
  reconnectMaxDelayMs: 60_000,
  requestTimeoutMs: 60_000,
});
session.start();
if (state === "reconnecting") {
  while (session.status().last_error === null) await sleep(10);
} else {
  await session.ready();
  session.request({ request: 8901, reply: 8902 }, { since_change_number: 0 }).catch(() => {});
}
const stopping = performance.now();
await session.stop();
const stopped = performance.now();
process.on("exit", () => {
  const stoppedAfterMs = Math.round(stopped - stopping);
  process.stdout.write(JSON.stringify({ stoppedAfterMs, endedAfterMs: Math.round(performance.now() - stopped) }));
});

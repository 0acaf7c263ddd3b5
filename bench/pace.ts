import { readFileSync } from "node:fs";
import tls from "node:tls";
import { createPics } from "../src/steam/pics.ts";
import { createSteamSession } from "../src/steam/session.ts";
import { forkSimulatedSteam } from "../test/support/steam/child.ts";
import { silent } from "../test/support/templates.ts";

/**
 * Rate of requests to Steam in real time: 100 batches of 200 apps, one every 0.5 s, with a latency of 400 ms. Overlapping requests
 * take 50 s; sequential ones would take 90 s.
 *
 *     node bench/pace.ts
 */
export interface PaceBench {
  batches: number;
  seconds: number;
}

const batches = 100;
const batchSize = 200;
const requestDelayMs = 500;
const latencyMs = 400;
const timeoutMs = 60_000;

export async function benchPace(): Promise<PaceBench> {
  const apps = batches * batchSize;
  const steam = await forkSimulatedSteam({ generate: { seed: 1, count: apps }, latencyMs, keepRequests: false });
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), readFileSync(steam.caFile, "utf8")]);
  const session = createSteamSession({
    proxyUrl: steam.proxyUrl,
    logger: silent,
    reconnectMaxDelayMs: timeoutMs,
    requestTimeoutMs: timeoutMs,
  });
  const pics = createPics({ session, logger: silent, requestDelayMs, concurrency: 4, timeoutMs });
  try {
    const appids = await steam.call("appids");
    session.start();
    await pics.ready();
    const startedAt = performance.now();
    const requests = Array.from({ length: batches }, (_, batch) =>
      pics.productInfo(appids.slice(batch * batchSize, (batch + 1) * batchSize).map((appid) => ({ appid }))),
    );
    await Promise.all(requests);
    return { batches, seconds: (performance.now() - startedAt) / 1_000 };
  } finally {
    await session.stop();
    await steam.close();
  }
}

export function formatPace({ batches, seconds }: PaceBench): string {
  return `${batches} batches at ${requestDelayMs / 1_000} s with ${latencyMs} ms latency: ${seconds.toFixed(1)} s.`;
}

if (import.meta.main) console.log(formatPace(await benchPace()));

import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { onTestFinished } from "vitest";
import { generateCatalog } from "./generate.ts";
import { logOnRaw, type RawClient } from "./raw-client.ts";
import { type SimulatedSteam, type SimulatedSteamOptions, startSimulatedSteam } from "./simulated-steam.ts";

/** Inside a vitest test: a simulation that this process trusts, with 60 generated apps; gone when the test ends. */
export async function startInTest(options: SimulatedSteamOptions = {}): Promise<SimulatedSteam> {
  const steam = await startSimulatedSteam({ catalog: generateCatalog({ seed: 3, count: 60 }), ...options });
  onTestFinished(() => steam.close());
  onTestFinished(steam.trustHere());
  return steam;
}

/** A bare steam-user, logged on; logged off when the test ends. */
export async function logOnInTest(steam: { proxyUrl: string }): Promise<RawClient> {
  const client = await logOnRaw(steam);
  onTestFinished(async () => {
    client.user.on("error", () => {});
    await client.logOff();
  });
  return client;
}

export async function startAndLogOn(options: SimulatedSteamOptions = {}) {
  const steam = await startInTest(options);
  return { steam, client: await logOnInTest(steam) };
}

export interface HttpReply {
  status: number | undefined;
  body: Buffer;
  json(): unknown;
}

/** A GET through the proxy of the simulation, as a child process with `env` would do it. */
export async function getThrough(
  env: Record<string, string>,
  url: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<HttpReply> {
  const { request, Agent } = url.startsWith("https:") ? https : http;
  const agent = new Agent({ proxyEnv: env });
  onTestFinished(() => agent.destroy());
  const [response] = (await once(request(url, { agent, headers }).end(), "response")) as [http.IncomingMessage];
  const parts: Buffer[] = [];
  for await (const part of response) parts.push(part);
  const body = Buffer.concat(parts);
  return { status: response.statusCode, body, json: () => JSON.parse(body.toString()) };
}

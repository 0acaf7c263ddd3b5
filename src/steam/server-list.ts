/** The list of connection managers (GetCMListForConnect), as steam-user fetches it. */
import type { Agent } from "node:https";
import { isHostName } from "../process/host-name.ts";
import { boundedGet } from "./bounded-get.ts";

/** What steam-user uses of its HTTP client. */
export interface HttpClient {
  request(options: { url: string }): Promise<{ statusCode: number; textBody: string }>;
}

/** The list of some hundred servers has about 50 KB. */
const maxServerListBytes = 4 * 1024 * 1024;

/**
 * In place of steam-user's own, which reads any amount, and throws outside of its promise on damaged gzip: with limits,
 * and without compression.
 */
export function limitedHttpClient(agent: Agent, timeoutMs: number): HttpClient {
  return {
    async request({ url }) {
      const headers = { "user-agent": "Valve/Steam HTTP Client 1.0", accept: "text/html,*/*;q=0.9" };
      const limits = { maxBytes: maxServerListBytes, timeoutMs };
      const { status, body } = await boundedGet(url, { ...limits, headers, agent });
      return { statusCode: status, textBody: body.toString("utf8") };
    },
  };
}

/**
 * Filters a GetCMListForConnect reply to the servers that can be used: steam-user picks one without checking whether
 * there is any. Throws when there is none.
 */
export function usableServers(reply: unknown): unknown {
  const list = (reply as { response?: { serverlist?: object } } | null)?.response?.serverlist;
  const servers: { type?: unknown; realm?: unknown; endpoint?: unknown }[] = Object.values(list ?? {});
  const usable = servers.filter(
    (server) => server?.type === "websockets" && server.realm === "steamglobal" && isEndpoint(server.endpoint),
  );
  if (usable.length === 0) throw new Error("the reply names no usable server");
  return { response: { serverlist: { ...usable } } };
}

/**
 * `host:port`, which becomes part of a URL. Any domain will do: TLS proves that the server is the one that Steam named,
 * and the list came over TLS from api.steampowered.com.
 */
function isEndpoint(endpoint: unknown): boolean {
  if (typeof endpoint !== "string") return false;
  const [, host = "", port] = /^([^:]*):(\d{1,5})$/.exec(endpoint) ?? [];
  return isHostName(host.toLowerCase()) && Number(port) >= 1 && Number(port) <= 65_535;
}

import { connect } from "node:net";
import { errorCode } from "../process/errors.ts";

/** Result of one request: the response, or the error code of a failed connection. */
export type Probed =
  | { status: number; date: string | null; text: string; ms: number }
  /** Error code of the system, of TLS or of undici. */
  | { code: string };

export interface ProbeRequest {
  url: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  body?: string;
}

/** Sends one request, through the proxy of the environment (proxy.ts). Never throws; does not follow redirects. */
export async function probe({ url, ...init }: ProbeRequest, limitMs: number): Promise<Probed> {
  const startedAt = performance.now();
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(limitMs) });
    const text = await response.text();
    const ms = Math.round(performance.now() - startedAt);
    return { status: response.status, date: response.headers.get("date"), text, ms };
  } catch (error) {
    return { code: networkErrorCode(error) };
  }
}

/** The error code of a failed request; `unknown` when it has none. */
export function networkErrorCode(error: unknown): string {
  const code = errorCode(error);
  if (code !== null) return code;
  for (let current = error; current instanceof Error; current = current.cause) {
    if (current.name === "TimeoutError" || current.name === "AbortError") return "ETIMEDOUT";
    // A host with several addresses, none of them reachable.
    if (current instanceof AggregateError && current.errors.length > 0) return networkErrorCode(current.errors[0]);
  }
  return "unknown";
}

const causes: Record<string, string> = {
  ENOTFOUND: "host name not found (DNS)",
  EAI_AGAIN: "no name server responds (DNS)",
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection closed",
  EPIPE: "connection closed",
  UND_ERR_SOCKET: "connection closed",
  ETIMEDOUT: "timeout",
  UND_ERR_CONNECT_TIMEOUT: "timeout",
  UND_ERR_HEADERS_TIMEOUT: "timeout",
  UND_ERR_BODY_TIMEOUT: "timeout",
  EHOSTUNREACH: "no route to host",
  ENETUNREACH: "no route to host",
};
const dnsCodes = new Set(["ENOTFOUND", "EAI_AGAIN"]);
const tlsCodes = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$)/;
/** undici's code when a proxy refuses the CONNECT request. */
const tunnelRefused = "UND_ERR_ABORTED";

/** Describes a network error. Behind a proxy every connection is made to the proxy, so the error is the proxy's. */
export function describeNetworkError(code: string, proxyUrl: string): string {
  const end = `(${code})`;
  if (tlsCodes.test(code)) return `the certificate is not trusted ${end}`;
  const proxy = proxyUrl === "" ? null : `the proxy ${withoutPassword(proxyUrl)}`;
  if (code === tunnelRefused && proxy) return `${proxy} refuses the tunnel ${end}`;
  const cause = causes[code] ?? "no response";
  return `${proxy ? `${proxy}: ` : ""}${cause} ${end}`;
}

/** What to do about a network error on the way to `host`. */
export function remedyOfNetworkError(code: string, host: string, proxyUrl: string): string {
  if (tlsCodes.test(code)) return "If a proxy inspects TLS, set NODE_EXTRA_CA_CERTS to the file of its certificate.";
  if (proxyUrl !== "") return `Check HTTPS_PROXY, and that the proxy runs and lets this machine reach ${host}.`;
  const behindProxy = "Where only a proxy leads out, set HTTPS_PROXY.";
  if (dnsCodes.has(code)) return `Check the network and the name servers of this machine. ${behindProxy}`;
  return `Check the network and the firewall: this machine must reach ${host} on port 443. ${behindProxy}`;
}

/** Whether the proxy accepts connections: null, or the error code. Never throws. */
export function connectTo(url: string, limitMs: number): Promise<string | null> {
  const { hostname, port, protocol } = new URL(url);
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, "");
    const socket = connect({ host, port: Number(port) || (protocol === "https:" ? 443 : 80) });
    const end = (code: string | null) => {
      socket.destroy();
      resolve(code);
    };
    socket.setTimeout(limitMs, () => end("ETIMEDOUT"));
    socket.once("connect", () => end(null));
    socket.once("error", (error) => end(networkErrorCode(error)));
  });
}

/** Scheme and host of a URL, without credentials. */
export function withoutPassword(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

/** One request to a service, and in words why it has no answer. */
export type Probed =
  | { status: number; date: string | null; text: string; ms: number }
  /** A code of the system, of TLS or of undici. */
  | { code: string };

export interface ProbeRequest {
  url: string;
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  body?: string;
}

/** Through the proxy of the environment, see proxy.ts. Never throws, follows no redirect. */
export async function probe({ url, ...init }: ProbeRequest, limitMs: number): Promise<Probed> {
  const startedAt = performance.now();
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal: AbortSignal.timeout(limitMs) });
    const text = await response.text();
    const ms = Math.round(performance.now() - startedAt);
    return { status: response.status, date: response.headers.get("date"), text, ms };
  } catch (error) {
    return { code: codeOf(error) };
  }
}

/** The code of an error or of what caused it. */
export function codeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string" && at.code !== "") return at.code;
    if (at.name === "TimeoutError" || at.name === "AbortError") return "ETIMEDOUT";
    // A host with several addresses, none of which answers.
    if (at instanceof AggregateError && at.errors.length > 0) return codeOf(at.errors[0]);
  }
  return "unknown";
}

const causes: Record<string, string> = {
  ENOTFOUND: "its name is unknown (DNS)",
  EAI_AGAIN: "no name server answers (DNS)",
  ECONNREFUSED: "it refuses the connection",
  ECONNRESET: "the connection breaks off",
  EPIPE: "the connection breaks off",
  UND_ERR_SOCKET: "the connection breaks off",
  ETIMEDOUT: "it does not answer in time",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer in time",
  UND_ERR_HEADERS_TIMEOUT: "it does not answer in time",
  UND_ERR_BODY_TIMEOUT: "it does not answer in time",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
};
const tlsCodes = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$)/;
/** undici's word for a tunnel that the proxy does not open. */
const tunnelRefused = "UND_ERR_ABORTED";

/** Why there was no answer, for people. Behind a proxy nobody but the proxy is ever connected to. */
export function causeOf(code: string, proxyUrl: string): string {
  const end = `(${code})`;
  if (tlsCodes.test(code)) {
    return `the certificate is not trusted ${end}; where a proxy opens connections, NODE_EXTRA_CA_CERTS names its certificate`;
  }
  const proxy = proxyUrl === "" ? null : `the proxy ${withoutPassword(proxyUrl)}`;
  if (code === tunnelRefused && proxy) return `${proxy} does not open the way there ${end}`;
  const cause = causes[code] ?? "there is no answer";
  return `${proxy ? `${proxy}: ` : ""}${cause} ${end}`;
}

export function withoutPassword(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol}//${host}`;
}

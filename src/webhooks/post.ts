import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import { promisify } from "node:util";
import { errorCode } from "../process/errors.ts";
import { proxyFor } from "../process/proxy.ts";
import { AddressRefusedError, type AddressRule, addressFault, guardedLookup, literalAddress } from "./address.ts";

/** What became of a request. */
export type Answer =
  /** `body` is its beginning, at most {@link maxBodyBytes}. */
  | { kind: "answered"; status: number; retryAfterMs: number | null; location: string | null; body: string }
  /** `refused`: the address is one that webhooks may not reach. `reason` names no more of the URL than its host. */
  | { kind: "timeout" | "unreachable" | "refused"; reason: string };

export interface PostRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
  /** Ends the request at once. */
  signal?: AbortSignal;
}

/** HTTP client of the webhooks. Keeps connections, follows no redirect, honours HTTPS_PROXY. */
export interface Poster {
  post(request: PostRequest): Promise<Answer>;
  /** Closes the kept connections. */
  close(): void;
}

export interface PosterOptions {
  /** Whether private networks may be reached (WEBHOOK_ALLOW_PRIVATE). */
  allowPrivate: boolean;
  /** From the start of the request to the end of the answer. */
  timeoutMs?: number;
  /** Replaces the system's resolver; for tests. */
  resolve?: typeof dns.lookup;
}

const maxBodyBytes = 4_096;
const defaultTimeoutMs = 15_000;

export function createPoster({ allowPrivate, timeoutMs = defaultTimeoutMs, resolve }: PosterOptions): Poster {
  const agents = new Map<string, http.Agent>();

  function agentFor(url: URL, proxy: string | null): http.Agent {
    const key = `${url.protocol} ${proxy}`;
    const existing = agents.get(key);
    if (existing) return existing;
    const Agent = url.protocol === "https:" ? https.Agent : http.Agent;
    const rule = ruleOf(url, allowPrivate);
    const agent = proxy
      ? new Agent({ keepAlive: true, proxyEnv: { HTTPS_PROXY: proxy, HTTP_PROXY: proxy } })
      : new Agent({ keepAlive: true, lookup: guardedLookup(rule, resolve) });
    agents.set(key, agent);
    return agent;
  }

  return {
    async post(request) {
      const url = new URL(request.url);
      const proxy = proxyFor(url);
      const fault = await hostFault(url, { rule: ruleOf(url, allowPrivate), isProxied: proxy !== null, resolve });
      if (fault !== null) return { kind: "refused", reason: fault };
      const send = () => sendOnce(url, request, { agent: agentFor(url, proxy), timeoutMs });
      const first = await send();
      // The server closed a kept connection at the moment of its use (https://nodejs.org/api/http.html#requestreusedsocket).
      return first === "stale" ? ((await send()) as Answer) : first;
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

export const ruleOf = ({ protocol }: URL, allowPrivate: boolean): AddressRule => ({ protocol, allowPrivate });

/**
 * What the connection itself does not check: a literal address, which is not looked up; and, where a proxy connects, what the name resolves to
 * here. A name that only the proxy can resolve is the proxy's to allow.
 */
export async function hostFault(
  url: URL,
  {
    rule,
    isProxied,
    resolve = dns.lookup,
  }: { rule: AddressRule; isProxied: boolean; resolve?: PosterOptions["resolve"] },
): Promise<string | null> {
  const literal = literalAddress(url);
  if (literal !== null) return addressFault(literal, rule);
  if (!isProxied) return null;
  const found = await promisify(resolve)(url.hostname, { all: true }).catch(() => []);
  const fault = found.map(({ address }) => addressFault(address, rule)).find((each) => each !== null);
  return fault ? `${url.hostname}: ${fault}` : null;
}

function sendOnce(
  url: URL,
  { headers, body, signal }: PostRequest,
  { agent, timeoutMs }: { agent: http.Agent; timeoutMs: number },
): Promise<Answer | "stale"> {
  return new Promise((resolve) => {
    const { request: start } = url.protocol === "https:" ? https : http;
    const request = start(url, {
      method: "POST",
      agent,
      headers: { ...headers, "content-length": Buffer.byteLength(body), "user-agent": "steam-pics-sync" },
      ...(signal && { signal }),
    });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      request.destroy(new Error("too late"));
    }, timeoutMs);
    const finish = (answer: Answer | "stale") => {
      clearTimeout(timer);
      resolve(answer);
    };
    let hasAnswered = false;
    request.on("error", (error) => {
      if (hasAnswered) return;
      if (isLate) return finish({ kind: "timeout", reason: `no answer within ${timeoutMs / 1_000} s` });
      const isReset = errorCode(error) === "ECONNRESET" || errorCode(error) === "EPIPE";
      if (request.reusedSocket && isReset && !signal?.aborted) return finish("stale");
      finish(failureOf(error));
    });
    request.on("response", (response) => {
      hasAnswered = true;
      void readBeginning(response).then((text) => finish(answerOf(response, text)));
    });
    request.end(body);
  });
}

function failureOf(error: Error): Answer {
  if (error instanceof AddressRefusedError) return { kind: "refused", reason: error.message };
  return { kind: "unreachable", reason: `cannot be reached: ${errorCode(error) ?? error.message}` };
}

/** The status decides, also of an answer that breaks off; its body is for people. */
async function readBeginning(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > maxBodyBytes) break;
    }
  } catch {
    // What has arrived is enough.
  }
  return Buffer.concat(chunks).subarray(0, maxBodyBytes).toString("utf8");
}

function answerOf({ statusCode = 0, headers }: http.IncomingMessage, body: string): Answer {
  const retryAfterMs = retryAfter(headers["retry-after"], body);
  return { kind: "answered", status: statusCode, retryAfterMs, location: headers.location ?? null, body };
}

/** `Retry-After` in seconds or as a date (RFC 9110); else Discord's `retry_after`, in seconds with fractions. */
function retryAfter(header: string | undefined, body: string): number | null {
  const inBody = /"retry_after"\s*:\s*(\d+(?:\.\d+)?)/.exec(body)?.[1];
  if (inBody !== undefined) return Math.ceil(Number(inBody) * 1_000);
  if (header === undefined) return null;
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(ms) ? null : Math.max(0, ms);
}

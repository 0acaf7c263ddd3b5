import ky, { TimeoutError } from "ky";
import PQueue from "p-queue";
import type { z } from "zod";
import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import { attempt, FailedAttempt } from "./attempt.ts";
import { type Endpoint, endpoints, limitRules, type WebLimits } from "./endpoints.ts";
import { createQuota, dayMs, type ReserveQuota } from "./quota.ts";
import { createHold, createWindow, evenly, type Hold } from "./rate-limits.ts";
import { requestOf, secretsOf, type WebRequest } from "./request.ts";
import { type Brake, createGate } from "./scheduler.ts";

export type { Endpoint, RateLimit, WebLimits } from "./endpoints.ts";
export type { ReserveQuota } from "./quota.ts";
export type { WebRequest } from "./request.ts";

/**
 * The one HTTP client of every web API: it keeps each API's limits for all callers together, asks again where that may help, and
 * checks the shape of what comes. Proxies come from the environment, see worker.ts.
 */
export interface WebClient {
  /**
   * Asks as soon as the endpoint's limits allow, however long that takes, and returns the answer as `shape` parses it.
   *
   * Asked again, with growing delay: after network errors, time-outs, 5xx, 429 (not before `Retry-After`, which holds back the
   * whole server's endpoints) and answers that are no JSON. POST as well: what is posted here (queries, requests for tokens) does no
   * harm twice.
   *
   * @throws {WebError} classified, without anything of the request but endpoint, host and path.
   * @throws `signal.reason` as soon as it aborts, and whatever {@link ReserveQuota} throws.
   */
  json<T>(endpoint: Endpoint, request: WebRequest, shape: z.ZodType<T>): Promise<T>;
  /** The endpoints used so far. */
  status(): EndpointStatus[];
}

export interface EndpointStatus {
  endpoint: Endpoint;
  /** Sent, repeats included. */
  requests: number;
  /** Callers that wait until they may ask. */
  waiting: number;
  retries: number;
  /** Stays when the next request succeeds. */
  last_error: string | null;
  /** ISO 8601 in UTC; null while nothing holds the endpoint back. */
  paused_until: string | null;
  paused_because: string | null;
}

export interface WebClientOptions {
  limits: Readonly<WebLimits>;
  /** Repeats of a request, after the first attempt. */
  retryAttempts: number;
  /** Of one attempt, from its start to the last byte of the answer. */
  timeoutMs?: number;
  reserve: ReserveQuota;
  logger: Logger;
  /** In place of the global one. */
  fetch?: typeof globalThis.fetch;
}

/** What the client knows of an endpoint in use. */
interface Line {
  endpoint: Endpoint;
  brakes: readonly Brake[];
  hold: Hold;
  queue: PQueue | null;
  requests: number;
  waiting: number;
  retries: number;
  lastError: string | null;
}

const defaultTimeoutMs = 30_000;
const blockedForMs = 15 * 60_000;
const firstDelayMs = 1_000;
const maxDelayMs = 30_000;

export function createWebClient(options: WebClientOptions): WebClient {
  const { limits, retryAttempts, timeoutMs = defaultTimeoutMs, reserve, logger } = options;
  const gate = createGate();
  const holdOf = once((_server: string) => createHold(gate.wake));
  const brakesOf = once((name: keyof WebLimits) => limitBrakes(name));
  const lines = new Map<Endpoint, Line>();
  const lineOf = once((endpoint: Endpoint) => {
    const { limits: names, server, maxOpen } = endpoints[endpoint];
    const hold = holdOf(server);
    const brakes = [hold, ...names.flatMap(brakesOf)];
    const queue = maxOpen === undefined ? null : new PQueue({ concurrency: maxOpen });
    const line: Line = { endpoint, brakes, hold, queue, requests: 0, waiting: 0, retries: 0, lastError: null };
    lines.set(endpoint, line);
    return line;
  });

  /** Days are counted in the database, which a restart does not forget; shorter periods here. */
  function limitBrakes(name: keyof WebLimits): Brake[] {
    const limit = limits[name];
    const { name: endpoint, even } = limitRules[name];
    const isQuota = limit.periodMs >= dayMs;
    const brakes: Brake[] = [];
    if (isQuota) brakes.push(createQuota({ endpoint, limit, reserve, wake: gate.wake, logger }));
    if (even || !isQuota) brakes.push(createWindow(even ? evenly(limit) : limit));
    return brakes;
  }

  async function enter(line: Line, signal: AbortSignal): Promise<void> {
    line.waiting += 1;
    try {
      await gate.enter(line.brakes, signal);
    } finally {
      line.waiting -= 1;
    }
  }

  /** One attempt; what the server says about all requests is noted at once, even after the last repeat. */
  async function send(
    { endpoint, hold }: Line,
    fetch: () => Promise<Response>,
    secrets: readonly string[],
  ): Promise<unknown> {
    try {
      return await attempt(fetch, { forbidden: endpoints[endpoint].forbidden, secrets });
    } catch (error) {
      if (!(error instanceof FailedAttempt)) throw error;
      const { fault, status, retryAfterMs } = error;
      if (retryAfterMs) hold.wait(retryAfterMs, `answered ${status} with Retry-After`);
      const until = fault === "blocked" ? hold.block(blockedForMs, "answered 403, this address is blocked") : null;
      if (until !== null) {
        logger.warn({ endpoint, until }, `${endpoint}: this address is blocked (403); nothing is sent until ${until}`);
      }
      throw error;
    }
  }

  /**
   * ky repeats and keeps the time limit. Its `beforeRequest` comes before each attempt and outside of that limit, so that every
   * attempt waits for its turn. The body is read inside of `fetch`, so that one that stalls is a time-out.
   */
  async function ask(line: Line, { signal, ...given }: WebRequest): Promise<unknown> {
    const { endpoint } = line;
    const request = requestOf(endpoint, given);
    const { host, pathname } = new URL(request.url);
    const secrets = secretsOf(request, given.body);
    let attempts = 0;
    let delayMs = 0;
    let reply: unknown;

    function shouldRetry(error: Error): boolean {
      const failure = failureOf(error, timeoutMs);
      if (!failure?.mayPass || signal.aborted) return false;
      delayMs = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempts - 1)) * (0.5 + Math.random() / 2);
      delayMs = Math.max(delayMs, failure.retryAfterMs ?? 0);
      line.retries += 1;
      line.lastError = `${host}${pathname} ${failure.message}`;
      const retryInSeconds = Math.round(delayMs / 100) / 10;
      logger.warn({ endpoint, attempt: attempts, retryInSeconds }, `${endpoint}: ${line.lastError}; asking again`);
      return true;
    }

    try {
      await ky(request, {
        signal,
        timeout: timeoutMs,
        hooks: {
          beforeRequest: [
            async () => {
              await enter(line, signal);
              attempts += 1;
              line.requests += 1;
              logger.debug({ endpoint, attempt: attempts }, `${endpoint}: ${host}${pathname}`);
            },
          ],
        },
        fetch: async (...args) => {
          const { fetch = globalThis.fetch } = options;
          reply = await send(line, () => fetch(...args), secrets);
          return new Response();
        },
        retry: {
          limit: retryAttempts,
          methods: ["get", "post"],
          shouldRetry: ({ error }) => shouldRetry(error),
          delay: () => delayMs,
        },
      });
      return reply;
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const failure = failureOf(error, timeoutMs);
      if (failure === null) throw error;
      line.lastError = `${host}${pathname} ${failure.message}`;
      const times = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
      throw new WebError(failure.fault, `${endpoint}: ${line.lastError} (${times})`, failure.status);
    }
  }

  return {
    async json(endpoint, request, shape) {
      const line = lineOf(endpoint);
      const call = () => ask(line, request);
      const reply = await (line.queue?.add(call, { signal: request.signal }) ?? call());
      const parsed = shape.safeParse(reply);
      if (parsed.success) return parsed.data;
      const { host, pathname } = new URL(request.url);
      line.lastError = `${host}${pathname} answered with another shape: ${issuesOf(parsed.error)}`;
      throw new WebError("invalid", `${endpoint}: ${line.lastError}`, 200);
    },
    status: () => [...lines.values()].map(statusOf),
  };
}

function statusOf({ endpoint, brakes, queue, requests, waiting, retries, lastError }: Line): EndpointStatus {
  const pauses = brakes.flatMap((brake) => brake.paused?.() ?? []).sort((a, b) => (a.until < b.until ? 1 : -1));
  return {
    endpoint,
    requests,
    waiting: waiting + (queue?.size ?? 0),
    retries,
    last_error: lastError,
    paused_until: pauses[0]?.until ?? null,
    paused_because: pauses[0]?.because ?? null,
  };
}

/** null for what is no fault of the web API. */
function failureOf(error: unknown, timeoutMs: number): FailedAttempt | null {
  if (error instanceof FailedAttempt) return error;
  if (!(error instanceof TimeoutError)) return null;
  return new FailedAttempt("unreachable", `gives no whole answer within ${timeoutMs / 1000} s`, { mayPass: true });
}

const issuesShown = 3;

function issuesOf({ issues }: z.ZodError): string {
  const shown = issues.slice(0, issuesShown).map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  if (issues.length > issuesShown) shown.push(`and ${issues.length - issuesShown} more`);
  return shown.join("; ");
}

/** Makes the value of each key when it is first asked for. */
function once<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

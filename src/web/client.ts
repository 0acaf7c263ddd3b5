import type { z } from "zod";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import { sleep } from "../process/time.ts";
import { attempt, FailedAttempt } from "./attempt.ts";
import { createEndpointStates, type EndpointState, type EndpointStatus } from "./endpoint-state.ts";
import { type Endpoint, endpoints, type WebLimits } from "./endpoints.ts";
import type { ReserveQuota } from "./quota.ts";
import { createRateLimiter } from "./rate-limiter.ts";
import { requestOf, secretsOf, type WebRequest } from "./request.ts";
import { noThrottleMemory, type ThrottleMemory } from "./throttle.ts";

export type { EndpointStatus } from "./endpoint-state.ts";
export type { Endpoint, WebLimits } from "./endpoints.ts";
export type { ReserveQuota } from "./quota.ts";
export type { WebRequest } from "./request.ts";

/**
 * HTTP client of every web API: rate limits shared by all callers, retries with backoff, validation of the answer. Proxies come from
 * the environment, see process/proxy.ts.
 */
export interface WebClient {
  /**
   * Sends a request as soon as the rate limits of the endpoint allow, however long that takes, and returns the answer as parsed by
   * `shape`.
   *
   * Retries with exponential backoff and jitter: after network errors, time-outs, 5xx, 429 (not before `Retry-After`, which pauses all
   * endpoints of the server) and answers that are not JSON. POST is retried too: the posts in use (queries, token requests) are
   * idempotent.
   *
   * @throws {WebError} classified; of the request it names only endpoint, host and path.
   * @throws `signal.reason` as soon as it aborts, and every error of {@link ReserveQuota}.
   */
  json<T>(endpoint: Endpoint, request: WebRequest, shape: z.ZodType<T>): Promise<T>;
  /** The endpoints used so far. */
  status(): EndpointStatus[];
}

export interface WebClientOptions {
  limits: Readonly<WebLimits>;
  /** Retries after the first attempt. */
  retryAttempts: number;
  /** Of one attempt, from its start to the last byte of the answer. */
  timeoutMs?: number;
  reserve: ReserveQuota;
  /** Default: none beyond the process. */
  throttles?: ThrottleMemory;
  logger: Logger;
  /** Default: the global one. */
  fetch?: typeof globalThis.fetch;
}

const defaultTimeoutMs = 30_000;
const backoff: Backoff = { firstMs: 1_000, maxMs: 30_000 };
/** How long an endpoint is paused after a 403 that blocks this address. */
const blockedForMs = 15 * 60_000;

export function createWebClient(options: WebClientOptions): WebClient {
  const {
    limits,
    retryAttempts,
    timeoutMs = defaultTimeoutMs,
    reserve,
    throttles = noThrottleMemory,
    logger,
  } = options;
  const rateLimiter = createRateLimiter();
  const states = createEndpointStates({ limits, rateLimiter, reserve, throttles, logger });

  /** Waits for the rate limit. A retry waits like a first attempt, and the wait does not count against the time limit. */
  async function acquire(state: EndpointState, signal: AbortSignal): Promise<void> {
    state.waiting += 1;
    try {
      await rateLimiter.acquire(state.limits, signal);
    } finally {
      state.waiting -= 1;
    }
    state.requests += 1;
  }

  /** A 403 after a 429 is a block of this address, whatever a 403 means otherwise. */
  async function recognizeBlock({ throttle }: EndpointState, failed: FailedAttempt): Promise<FailedAttempt> {
    const { status, retryAfterMs } = failed;
    if (throttle === null || (status !== 429 && status !== 403)) return failed;
    if (status === 403 && !(await throttle.isBlocking())) return failed;
    await throttle.note();
    return status === 429 ? failed : new FailedAttempt("blocked", "answered 403 after 429", { status, retryAfterMs });
  }

  /** Pauses all endpoints of the server if the answer asks for it, even after the last attempt. */
  function pauseServer(state: EndpointState, { fault, status, message, retryAfterMs }: FailedAttempt): void {
    const { endpoint, pause } = state;
    if (retryAfterMs && fault !== "blocked") pause.wait(retryAfterMs, `answered ${status} with Retry-After`);
    if (fault !== "blocked" || status === null) return;
    const until = pause.block(Math.max(blockedForMs, retryAfterMs ?? 0), `${message}, this address is blocked`);
    state.lastError += `: this address is blocked; nothing is sent until ${until ?? pause.paused?.()?.until}`;
    if (until === null) return;
    logger.warn({ endpoint, until }, `${endpoint}: this address is blocked (403); nothing is sent until ${until}`);
  }

  /** Classifies a failed attempt: returns the delay before the retry, or throws what ends the call. */
  function retryDelayMs(state: EndpointState, error: unknown, attempts: number, maxRetries: number): number {
    if (!(error instanceof FailedAttempt)) throw error;
    pauseServer(state, error);
    const { endpoint } = state;
    const retries = error.fault === "limited" ? retryAttempts : maxRetries;
    if (!error.isRetryable || attempts > retries) {
      const count = attempts === 1 ? "1 attempt" : `${attempts} attempts`;
      throw new WebError(error.fault, `${endpoint}: ${state.lastError} (${count})`, error.status);
    }
    state.retries += 1;
    const delayMs = Math.max(backoffMs(attempts, backoff), error.retryAfterMs ?? 0);
    const retryInSeconds = Math.round(delayMs / 100) / 10;
    logger.warn({ endpoint, attempt: attempts, retryInSeconds }, `${endpoint}: ${state.lastError}; retrying`);
    return delayMs;
  }

  /** The retry loop: acquire, attempt, classify, sleep. */
  async function send(state: EndpointState, { signal, maxRetries, ...given }: WebRequest): Promise<unknown> {
    const { endpoint } = state;
    const request = requestOf(endpoint, given);
    const { host, pathname } = new URL(request.url);
    const secrets = secretsOf(request, given.body);
    const { forbidden } = endpoints[endpoint];
    const retries = Math.min(retryAttempts, maxRetries ?? retryAttempts);

    for (let attempts = 0; ; ) {
      let delayMs: number;
      try {
        await acquire(state, signal);
        attempts += 1;
        logger.debug({ endpoint, attempt: attempts }, `${endpoint}: ${host}${pathname}`);
        const { fetch = globalThis.fetch } = options;
        const answer = await attempt(request, { fetch, timeoutMs, forbidden, secrets, signal });
        await state.throttle?.clear();
        return answer;
      } catch (caught) {
        signal.throwIfAborted();
        const error = caught instanceof FailedAttempt ? await recognizeBlock(state, caught) : caught;
        if (error instanceof FailedAttempt) state.lastError = `${host}${pathname} ${error.message}`;
        delayMs = retryDelayMs(state, error, attempts, retries);
      }
      await sleep(delayMs, signal);
    }
  }

  return {
    async json(endpoint, request, shape) {
      const state = states.of(endpoint);
      const call = () => send(state, request);
      const answer = await (state.queue?.add(call, { signal: request.signal }) ?? call());
      const parsed = shape.safeParse(answer);
      if (parsed.success) return parsed.data;
      const { host, pathname } = new URL(request.url);
      state.lastError = `${host}${pathname} answered with another shape: ${issuesOf(parsed.error)}`;
      throw new WebError("invalid", `${endpoint}: ${state.lastError}`, 200);
    },
    status: states.status,
  };
}

const maxIssues = 3;

function issuesOf({ issues }: z.ZodError): string {
  const shown = issues.slice(0, maxIssues).map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  if (issues.length > maxIssues) shown.push(`and ${issues.length - maxIssues} more`);
  return shown.join("; ");
}

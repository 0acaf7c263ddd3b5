import PQueue from "p-queue";
import type { Logger } from "../process/logger.ts";
import { type Endpoint, endpoints, limitRules, type WebLimits } from "./endpoints.ts";
import { createPause, createSlidingWindow, type Pause, paced } from "./limits.ts";
import { createQuota, dayMs, type ReserveQuota } from "./quota.ts";
import type { Limit, RateLimiter } from "./rate-limiter.ts";
import { createThrottle, type Throttle, type ThrottleMemory } from "./throttle.ts";

/** Counters and limits of an endpoint in use. */
export interface EndpointState {
  readonly endpoint: Endpoint;
  /** Everything that delays its requests, the server's pause included. */
  readonly limits: readonly Limit[];
  readonly pause: Pause;
  /** Of its server. Null where a 403 is a block in any case. */
  readonly throttle: Throttle | null;
  /** Bounds the concurrent requests; null if unlimited. */
  readonly queue: PQueue | null;
  requests: number;
  waiting: number;
  retries: number;
  lastError: string | null;
}

/** What `/status` reports of an endpoint. */
export interface EndpointStatus {
  endpoint: Endpoint;
  /** Requests sent, retries included. */
  requests: number;
  /** Calls that wait for the rate limit or for a free connection. */
  waiting: number;
  retries: number;
  /** Stays when the next request succeeds. */
  last_error: string | null;
  /** ISO 8601 in UTC; null while the endpoint is not paused. */
  paused_until: string | null;
  paused_because: string | null;
}

export interface EndpointStatesOptions {
  limits: Readonly<WebLimits>;
  rateLimiter: RateLimiter;
  reserve: ReserveQuota;
  throttles: ThrottleMemory;
  logger: Logger;
}

/** The states of all endpoints, made at first use. Endpoints share limits by name, pauses and throttles by server. */
export interface EndpointStates {
  of(endpoint: Endpoint): EndpointState;
  status(): EndpointStatus[];
}

export function createEndpointStates(options: EndpointStatesOptions): EndpointStates {
  const { limits, rateLimiter, reserve, throttles, logger } = options;
  const pauseOf = memoize((_server: string) => createPause(rateLimiter.recheck));
  const throttleOf = memoize((server: string) => createThrottle(server, throttles));
  const limitsOf = memoize(createLimits);
  const states = new Map<Endpoint, EndpointState>();

  /** Limits of a day or longer are counted in the database, which survives a restart; shorter ones here. */
  function createLimits(name: keyof WebLimits): Limit[] {
    const limit = limits[name];
    const { name: endpoint, isPaced } = limitRules[name];
    const isQuota = limit.periodMs >= dayMs;
    const list: Limit[] = [];
    if (isQuota) list.push(createQuota({ endpoint, limit, reserve, recheck: rateLimiter.recheck, logger }));
    if (isPaced || !isQuota) list.push(createSlidingWindow(isPaced ? paced(limit) : limit));
    return list;
  }

  function createState(endpoint: Endpoint): EndpointState {
    const { limits: names, server, forbidden, maxOpen } = endpoints[endpoint];
    const pause = pauseOf(server);
    const throttle = forbidden === "denied" ? throttleOf(server) : null;
    const queue = maxOpen === undefined ? null : new PQueue({ concurrency: maxOpen });
    const counters = { requests: 0, waiting: 0, retries: 0, lastError: null };
    return { endpoint, limits: [pause, ...names.flatMap(limitsOf)], pause, throttle, queue, ...counters };
  }

  return {
    of(endpoint) {
      const state = states.get(endpoint) ?? createState(endpoint);
      states.set(endpoint, state);
      return state;
    },
    status: () => [...states.values()].map(statusOf),
  };
}

function statusOf({ endpoint, limits, queue, requests, waiting, retries, lastError }: EndpointState): EndpointStatus {
  const pauses = limits.flatMap((limit) => limit.paused?.() ?? []).sort((a, b) => (a.until < b.until ? 1 : -1));
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

/** Memoizes by key. */
function memoize<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const value = made.get(key) ?? make(key);
    made.set(key, value);
    return value;
  };
}

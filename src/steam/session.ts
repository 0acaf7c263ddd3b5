/**
 * An anonymous session with Steam that stays up: logs on, answers requests, and reconnects after every loss, with
 * exponential backoff.
 *
 * Each attempt uses a fresh steam-user instance (see contained-client.ts), so that none of its state survives a
 * failure, and the reconnect is the same for every EResult and every error. steam-user itself reconnects only for some.
 */
import type { Logger } from "pino";
import SteamUser from "steam-user";
import protobufTypes from "steam-user/protobufs/generated/_load.js";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import { ConfigError, SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import {
  type Connection,
  type ConnectionEnd,
  createConnection,
  type SteamMessage,
  type SteamRequestOptions,
} from "./connection.ts";
import type { ProtectedSteamUser } from "./contained-client.ts";
import { addServiceMethods, type ProtobufCodec } from "./service-methods.ts";

export interface SessionStatus {
  connected: boolean;
  connected_since: string | null;
  /** Attempts to log on since the start, the first one not counted. */
  reconnect_attempts: number;
  /** Why the last connection or attempt ended, and when (ISO 8601); they stay when the next one succeeds. */
  last_error: string | null;
  last_error_at: string | null;
  /** First failure since it was last logged on; null while it is, and before any failure. */
  away_since: string | null;
  /** Null while it is logged on or tries. */
  next_attempt_at: string | null;
}

export interface SteamSession {
  start(): void;
  /**
   * Logs off (2 s at most by default), rejects what is in flight, and leaves no timer and no socket. Safe to call
   * twice.
   */
  stop(): Promise<void>;
  status(): SessionStatus;

  /** Resolves once logged on. Throws `signal.reason` when aborted, SteamError `disconnected` after `stop`. */
  ready(signal?: AbortSignal): Promise<void>;

  /**
   * Sends one request over the current connection and returns the messages of its reply, as steam-user decodes them:
   * protobuf field names, absent scalars null, 64-bit numbers as text, bytes as Buffer.
   *
   * Throws SteamError `disconnected` when there is no connection or it is lost meanwhile, `timeout` when the reply is
   * not complete in time, `protocol` for a wrong kind of reply; `signal.reason` when aborted. A time-out during which
   * Steam sent nothing at all means a half-open socket: the session reconnects.
   */
  request<Reply>(message: SteamMessage, body: object, options?: SteamRequestOptions<Reply>): Promise<Reply[]>;
}

export interface SteamSessionOptions {
  /** `http://[user:password@]host:port` for the server list and the connection alike. */
  proxyUrl?: string | undefined;
  logger: Logger;
  reconnectMaxDelayMs: number;
  requestTimeoutMs: number;
  /** Shortest delay after a first failure; with jitter it is up to twice as long. 1 s by default. */
  reconnectMinDelayMs?: number;
  /** From the first step of an attempt to the logon. */
  logonTimeoutMs?: number;
  /** How long `stop` waits for Steam to close the connection. */
  logOffTimeoutMs?: number;
  /** 0 ≤ n < 1. */
  random?: () => number;
}

/** steam-user drops the callback of a request after 120 s. */
const maxRequestTimeoutMs = 115_000;

/** Throws {@link ConfigError} for a proxy that is not a URL; every other fault is retried without limit. */
export function createSteamSession(options: SteamSessionOptions): SteamSession {
  const { logger, proxyUrl, logonTimeoutMs = 30_000, logOffTimeoutMs = 2_000 } = options;
  if (proxyUrl && !URL.canParse(proxyUrl)) throw new ConfigError("HTTPS_PROXY is not a URL");
  // Twice the shortest delay, since the jitter halves it at most.
  const backoff: Backoff = {
    firstMs: 2 * (options.reconnectMinDelayMs ?? 1_000),
    maxMs: options.reconnectMaxDelayMs,
  };
  const stopping = new AbortController();
  let running: Promise<void> | undefined;
  let connection: Connection | undefined;
  let logon = deferred();
  let attempts = 0;
  let wasEverOnline = false;
  let lastError: string | null = null;
  let lastErrorAt: string | null = null;
  let awaySince: string | null = null;
  let nextAttemptAt: string | null = null;

  const onlineSince = () => connection?.loggedOnSince() ?? null;

  /** One attempt, and the connection that it makes, if any. Resolves when that has ended. */
  function connectOnce(): Promise<ConnectionEnd> {
    return new Promise((resolve) => {
      connection = createConnection(createClient(), {
        proxyUrl,
        logonTimeoutMs,
        onLoggedOn(server) {
          wasEverOnline = true;
          awaySince = null;
          logger.info({ server }, "logged on to Steam");
          logon.resolve();
        },
        onEnd(end) {
          if (end.wasLoggedOn) logon = deferred();
          connection = undefined;
          resolve(end);
        },
      });
      connection.logOn();
    });
  }

  async function run(): Promise<void> {
    for (let failures = 0; ; attempts += 1) {
      const { reason, wasUseful } = await connectOnce();
      if (stopping.signal.aborted) return;
      lastError = reason.message;
      lastErrorAt = new Date().toISOString();
      awaySince ??= lastErrorAt;
      failures = wasUseful ? 1 : failures + 1;
      const retryInMs = backoffMs(failures, backoff, options.random);
      const text = `${reason.message}; trying again in ${(retryInMs / 1000).toFixed(1)} s`;
      const hint = wasEverOnline ? "" : ". Behind a proxy, set HTTPS_PROXY; npm run demo needs no network";
      logger.warn({ eresult: reason.eresult, attempt: failures, retry_in_ms: retryInMs }, `${text}${hint}`);
      nextAttemptAt = new Date(Date.now() + retryInMs).toISOString();
      await sleep(retryInMs, stopping.signal).catch(() => {});
      nextAttemptAt = null;
      if (stopping.signal.aborted) return;
    }
  }

  async function shutDown(): Promise<void> {
    stopping.abort();
    const stopped = new SteamError("disconnected", "the session with Steam is being closed");
    logon.reject(stopped);
    const current = connection;
    const isOnline = onlineSince() !== null;
    current?.rejectRequests(stopped);
    if (isOnline) current?.logOff();
    const limit = setTimeout(() => current?.end(stopped), isOnline ? logOffTimeoutMs : 0);
    await running;
    clearTimeout(limit);
  }

  return {
    start() {
      if (!stopping.signal.aborted) running ??= run();
    },
    async stop() {
      if (!stopping.signal.aborted) await shutDown();
      await running;
    },
    status() {
      const since = onlineSince();
      return {
        connected: since !== null,
        connected_since: since?.toISOString() ?? null,
        reconnect_attempts: attempts,
        last_error: lastError,
        last_error_at: lastErrorAt,
        away_since: awaySince,
        next_attempt_at: nextAttemptAt,
      };
    },
    async ready(signal) {
      if (stopping.signal.aborted) throw new SteamError("disconnected", "the session with Steam is closed");
      await abortable(logon.promise, signal);
    },
    async request(message, body, requestOptions = {}) {
      requestOptions.signal?.throwIfAborted();
      if (connection === undefined || onlineSince() === null || stopping.signal.aborted) {
        throw new SteamError("disconnected", "not logged on to Steam");
      }
      const timeoutMs = Math.min(requestOptions.timeoutMs ?? options.requestTimeoutMs, maxRequestTimeoutMs);
      return connection.request(message, body, { ...requestOptions, timeoutMs });
    },
  };
}

function createClient(): ProtectedSteamUser {
  const client = new SteamUser({
    autoRelogin: false,
    enablePicsCache: false,
    dataDirectory: null,
    protocol: SteamUser.EConnectionProtocol.WebSocket,
  }) as unknown as ProtectedSteamUser;
  addServiceMethods(client, protobufTypes, SteamUser as unknown as ProtobufCodec);
  return client;
}

/** A promise that is settled from outside; its rejection needs no listener. */
function deferred(): PromiseWithResolvers<void> {
  const promise = Promise.withResolvers<void>();
  promise.promise.catch(() => {});
  return promise;
}

/** `promise`, or the signal's reason as soon as it aborts. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * An anonymous session with Steam that stays up: logs on, answers requests, and comes back after every loss.
 *
 * Each attempt uses a fresh steam-user instance (see contained-client.ts), so that none of its state survives a failure,
 * and the reconnect is the same for every EResult and every error. steam-user itself reconnects only for some.
 */
import type { Logger } from "pino";
import SteamUser from "steam-user";
import { ConfigError, SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import { type ContainedClient, contain, emsg, type JobCallback, type ProtectedSteamUser } from "./contained-client.ts";
import { type ReconnectLimits, reconnectDelayMs } from "./reconnect-delay.ts";
import { createTunnelAgent } from "./tunnel-agent.ts";

/** A request by its EMsg and that of its reply, or a unified service method. */
export type SteamMessage = { request: number; reply: number } | { method: string };

export interface SteamRequestOptions<Reply> {
  signal?: AbortSignal | undefined;
  /** Time limit of this attempt; at most two minutes less a little, after which steam-user forgets the request. */
  timeoutMs?: number;
  /** Whether more messages follow this one. Without it a reply is one message. */
  more?: (reply: Reply) => boolean;
}

export interface SessionStatus {
  connected: boolean;
  connected_since: string | null;
  /** Attempts to log on since the start, the first one not counted. */
  reconnect_attempts: number;
  /** Why the last connection or attempt ended; stays when the next one succeeds. */
  last_error: string | null;
}

export interface SteamSession {
  start(): void;
  /** Logs off (2 s at most by default), rejects what is in flight, and leaves no timer and no socket. Safe to call twice. */
  stop(): Promise<void>;
  status(): SessionStatus;

  /** Resolves once logged on. Throws `signal.reason` when aborted, SteamError `disconnected` after `stop`. */
  ready(signal?: AbortSignal): Promise<void>;

  /**
   * Sends one request over the current connection and returns the messages of its reply, as steam-user decodes them:
   * protobuf field names, absent scalars null, 64-bit numbers as text, bytes as Buffer.
   *
   * Throws SteamError `disconnected` when there is no connection or it is lost meanwhile, `timeout` when the reply is not
   * complete in time, `protocol` for a wrong kind of reply; `signal.reason` when aborted. A time-out during which Steam
   * sent nothing at all means a half-open socket: the connection is made anew.
   */
  request<Reply>(message: SteamMessage, body: object, options?: SteamRequestOptions<Reply>): Promise<Reply[]>;
}

export interface SteamSessionOptions {
  /** `http://[user:password@]host:port` for the server list and the connection alike. */
  proxyUrl?: string | undefined;
  logger: Logger;
  reconnectMaxDelayMs: number;
  requestTimeoutMs: number;
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
/** A connection that held this long, or answered a request, was no failed attempt. */
const usefulAfterMs = 60_000;
const eresultOk = 1;
/** The header's default when Steam sets none, so it says nothing. */
const eresultDefault = 2;

/** Throws {@link ConfigError} for a proxy that is not a URL; everything else is tried again and again. */
export function createSteamSession(options: SteamSessionOptions): SteamSession {
  const { logger, proxyUrl, logonTimeoutMs = 30_000, logOffTimeoutMs = 2_000 } = options;
  if (proxyUrl && !URL.canParse(proxyUrl)) throw new ConfigError("HTTPS_PROXY is not a URL");
  const limits: ReconnectLimits = {
    minDelayMs: options.reconnectMinDelayMs ?? 1_000,
    maxDelayMs: options.reconnectMaxDelayMs,
    random: options.random ?? Math.random,
  };
  const stopping = new AbortController();
  const inFlight = new Set<(reason: SteamError) => void>();
  let running: Promise<void> | undefined;
  let connection: ContainedClient | undefined;
  /** Set while logged on. */
  let online: { client: ProtectedSteamUser; since: Date; useful: boolean } | undefined;
  let logon = openGate();
  let received = 0;
  let attempts = 0;
  let everOnline = false;
  let lastError: string | null = null;

  /** One connection from its first step to its end. Resolves with the reason and whether it was of use. */
  function connectOnce(): Promise<{ reason: SteamError; useful: boolean }> {
    return new Promise((resolve) => {
      const client = new SteamUser({
        autoRelogin: false,
        enablePicsCache: false,
        dataDirectory: null,
        protocol: SteamUser.EConnectionProtocol.WebSocket,
      }) as unknown as ProtectedSteamUser;
      const current = contain(client, createTunnelAgent(proxyUrl), {
        onMessage() {
          received += 1;
        },
        onLoggedOn() {
          clearTimeout(logonTimer);
          online = { client, since: new Date(), useful: false };
          everOnline = true;
          logger.info({ server: client._lastChosenCM?.endpoint }, "logged on to Steam");
          logon.resolve();
        },
        onEnd(reason) {
          clearTimeout(logonTimer);
          const useful = online !== undefined && (online.useful || Date.now() - online.since.getTime() > usefulAfterMs);
          if (online) logon = openGate();
          online = undefined;
          connection = undefined;
          const lost = new SteamError("disconnected", reason.message, reason.eresult, { cause: reason });
          for (const reject of [...inFlight]) reject(lost);
          resolve({ reason, useful });
        },
      });
      const logonTimer = setTimeout(() => {
        current.end(new SteamError("disconnected", `no logon within ${logonTimeoutMs / 1000} s`));
      }, logonTimeoutMs);
      connection = current;
      client.logOn({ anonymous: true });
    });
  }

  async function run(): Promise<void> {
    for (let failures = 0; ; attempts += 1) {
      const { reason, useful } = await connectOnce();
      if (stopping.signal.aborted) return;
      lastError = reason.message;
      failures = useful ? 1 : failures + 1;
      const retryInMs = reconnectDelayMs(failures, limits);
      const details = { eresult: reason.eresult, attempt: failures, retry_in_ms: retryInMs };
      const text = `${reason.message}; trying again in ${(retryInMs / 1000).toFixed(1)} s`;
      logger.warn(
        details,
        everOnline ? text : `${text}. Behind a proxy, set HTTPS_PROXY; npm run demo needs no network`,
      );
      await sleep(retryInMs, stopping.signal).catch(() => {});
      if (stopping.signal.aborted) return;
    }
  }

  return {
    start() {
      if (!stopping.signal.aborted) running ??= run();
    },

    async stop() {
      if (!stopping.signal.aborted) {
        stopping.abort();
        const stopped = new SteamError("disconnected", "the session with Steam is being closed");
        logon.reject(stopped);
        for (const reject of [...inFlight]) reject(stopped);
        const current = connection;
        // Steam closes the connection after a logoff.
        online?.client._send(emsg.logOff, {});
        const limit = setTimeout(() => current?.end(stopped), online ? logOffTimeoutMs : 0);
        await running;
        clearTimeout(limit);
      }
      await running;
    },

    status() {
      return {
        connected: online !== undefined,
        connected_since: online?.since.toISOString() ?? null,
        reconnect_attempts: attempts,
        last_error: lastError,
      };
    },

    async ready(signal) {
      if (stopping.signal.aborted) throw new SteamError("disconnected", "the session with Steam is closed");
      await abortable(logon.promise, signal);
    },

    request<Reply>(message: SteamMessage, body: object, requestOptions: SteamRequestOptions<Reply> = {}) {
      const { signal, more } = requestOptions;
      const timeoutMs = Math.min(requestOptions.timeoutMs ?? options.requestTimeoutMs, maxRequestTimeoutMs);
      return new Promise<Reply[]>((resolve, reject) => {
        signal?.throwIfAborted();
        if (!online || stopping.signal.aborted) throw new SteamError("disconnected", "not logged on to Steam");
        const { client } = online;
        const connectionUse = online;
        const replies: Reply[] = [];
        const receivedBefore = received;

        const settle = (finish: () => void) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", onAbort);
          inFlight.delete(fail);
          // The callback would otherwise hold the reply for two minutes.
          client._jobs.delete(jobId);
          finish();
        };
        const fail = (reason: unknown) => settle(() => reject(reason));
        const onAbort = () => fail(signal?.reason);
        const onReply: JobCallback = (reply, header) => {
          const fault = replyFault(message, header.msg, header.proto?.eresult ?? null);
          if (fault) return fail(fault);
          connectionUse.useful = true;
          replies.push(reply as Reply);
          if (!more?.(reply as Reply)) settle(() => resolve(replies));
        };

        const timer = setTimeout(() => {
          const silent = received === receivedBefore;
          fail(new SteamError("timeout", `no complete reply from Steam within ${timeoutMs / 1000} s`));
          if (silent && online === connectionUse) {
            const text = `Steam sent nothing for ${timeoutMs / 1000} s; the connection counts as dead`;
            connection?.end(new SteamError("disconnected", text));
          }
        }, timeoutMs);
        let jobId = "";
        signal?.addEventListener("abort", onAbort, { once: true });
        inFlight.add(fail);
        try {
          if ("method" in message) client._sendUnified(message.method, body, onReply);
          else client._send(message.request, body, onReply);
          jobId = String(client._currentJobID);
        } catch (error) {
          fail(error);
        }
      });
    },
  };
}

/** What is wrong with a reply of this kind: Steam answers a failed job with another message, a failed method with an EResult. */
function replyFault(message: SteamMessage, replyEmsg: number, eresult: number | null): SteamError | null {
  const expected = "method" in message ? emsg.serviceMethodResponse : message.reply;
  if (replyEmsg !== expected) return new SteamError("protocol", `message ${replyEmsg} came instead of ${expected}`);
  if ("method" in message && eresult !== null && eresult !== eresultOk && eresult !== eresultDefault) {
    return new SteamError("protocol", `${message.method} answered EResult ${eresult}`, eresult);
  }
  return null;
}

/** A promise to wait at; its rejection needs no listener. */
function openGate(): PromiseWithResolvers<void> {
  const gate = Promise.withResolvers<void>();
  gate.promise.catch(() => {});
  return gate;
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

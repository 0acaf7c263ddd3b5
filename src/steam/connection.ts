/**
 * One connection with Steam, from its first step to its end, and the requests in flight on it.
 */
import { SteamError } from "../process/errors.ts";
import { contain, emsg, type JobCallback, type ProtectedSteamUser } from "./contained-client.ts";
import { createTunnelAgent } from "./tunnel-agent.ts";

/** A request by its EMsg and that of its reply, or a unified service method. */
export type SteamMessage = { request: number; reply: number } | { method: string };

export interface SteamRequestOptions<Reply> {
  signal?: AbortSignal | undefined;
  /** Time limit of this attempt; at most 115 s, since steam-user forgets a request after two minutes. */
  timeoutMs?: number;
  /** Whether more messages follow this one. Without it a reply is one message. */
  more?: (reply: Reply) => boolean;
}

export interface Connection {
  /** Connects and logs on anonymously. */
  logOn(): void;
  /** Null before the logon. */
  loggedOnSince(): Date | null;
  /** As `SteamSession.request`, while logged on. */
  request<Reply>(message: SteamMessage, body: object, options: RequestOptions<Reply>): Promise<Reply[]>;
  /** Rejects every request in flight. */
  rejectRequests(reason: SteamError): void;
  /** Steam closes the connection after a logoff. */
  logOff(): void;
  /** Closes the connection. Safe to call twice. */
  end(reason: SteamError): void;
}

type RequestOptions<Reply> = SteamRequestOptions<Reply> & { timeoutMs: number };

export interface ConnectionEnd {
  reason: SteamError;
  wasLoggedOn: boolean;
  /** It answered a request, or lasted for a minute: not a failed attempt, so the backoff starts again. */
  wasUseful: boolean;
}

export interface ConnectionOptions {
  proxyUrl: string | undefined;
  logonTimeoutMs: number;
  onLoggedOn(server: string | undefined): void;
  /** Called exactly once, before the requests in flight are rejected. */
  onEnd(end: ConnectionEnd): void;
}

const usefulAfterMs = 60_000;
/** A reply has at most one message per id of its request. */
const maxMessagesPerReply = 5_000;
/** As estimated by decoded-size.ts. */
const maxDecodedBytesPerReply = 128 * 1024 * 1024;
const eresultOk = 1;
/** The header's default when Steam sets none, so it carries no information. */
const eresultDefault = 2;

/** Takes over a fresh steam-user instance. */
export function createConnection(client: ProtectedSteamUser, options: ConnectionOptions): Connection {
  const state: ConnectionState = { client, inFlight: new Set(), received: 0, hasAnswered: false, end };
  let loggedOnSince: Date | null = null;

  const contained = contain(client, createTunnelAgent(options.proxyUrl), {
    onMessage() {
      state.received += 1;
    },
    onLoggedOn() {
      clearTimeout(logonTimer);
      loggedOnSince = new Date();
      options.onLoggedOn(client._lastChosenCM?.endpoint);
    },
    onEnd(reason) {
      clearTimeout(logonTimer);
      const lastedMs = loggedOnSince === null ? 0 : Date.now() - loggedOnSince.getTime();
      options.onEnd({
        reason,
        wasLoggedOn: loggedOnSince !== null,
        wasUseful: state.hasAnswered || lastedMs > usefulAfterMs,
      });
      rejectRequests(new SteamError("disconnected", reason.message, reason.eresult, { cause: reason }));
    },
  });
  const logonTimer = setTimeout(() => {
    end(new SteamError("disconnected", `no logon within ${options.logonTimeoutMs / 1000} s`));
  }, options.logonTimeoutMs);

  function end(reason: SteamError): void {
    contained.end(reason);
  }

  function rejectRequests(reason: SteamError): void {
    for (const reject of [...state.inFlight]) reject(reason);
  }

  return {
    logOn: () => client.logOn({ anonymous: true }),
    loggedOnSince: () => loggedOnSince,
    request: (message, body, requestOptions) => sendRequest(state, message, body, requestOptions),
    rejectRequests,
    logOff: () => client._send(emsg.logOff, {}),
    end,
  };
}

interface ConnectionState {
  client: ProtectedSteamUser;
  /** Rejects the requests in flight. */
  inFlight: Set<(reason: SteamError) => void>;
  /** Messages received so far. */
  received: number;
  hasAnswered: boolean;
  end(reason: SteamError): void;
}

function sendRequest<Reply>(
  connection: ConnectionState,
  message: SteamMessage,
  body: object,
  { signal, timeoutMs, more }: RequestOptions<Reply>,
): Promise<Reply[]> {
  const { client, inFlight } = connection;
  return new Promise<Reply[]>((resolve, reject) => {
    const replies: Reply[] = [];
    let decodedBytes = 0;
    const receivedBefore = connection.received;
    let jobId = "";

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
      connection.hasAnswered = true;
      replies.push(reply as Reply);
      decodedBytes += header.decodedBytes ?? 0;
      if (replies.length > maxMessagesPerReply || decodedBytes > maxDecodedBytesPerReply) {
        return connection.end(new SteamError("protocol", "Steam sent a reply that is too large or does not end"));
      }
      if (!more?.(reply as Reply)) settle(() => resolve(replies));
    };

    const timer = setTimeout(() => {
      const isSilent = connection.received === receivedBefore;
      fail(new SteamError("timeout", `no complete reply from Steam within ${timeoutMs / 1000} s`));
      if (!isSilent) return;
      const text = `Steam sent nothing for ${timeoutMs / 1000} s; the connection counts as dead`;
      connection.end(new SteamError("disconnected", text));
    }, timeoutMs);
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
}

/** The fault of a reply, if any: Steam answers a failed job with another message, a failed method with an EResult. */
function replyFault(message: SteamMessage, replyEmsg: number, eresult: number | null): SteamError | null {
  const expected = "method" in message ? emsg.serviceMethodResponse : message.reply;
  if (replyEmsg !== expected) return new SteamError("protocol", `message ${replyEmsg} came instead of ${expected}`);
  if ("method" in message && eresult !== null && eresult !== eresultOk && eresult !== eresultDefault) {
    return new SteamError("protocol", `${message.method} answered EResult ${eresult}`, eresult);
  }
  return null;
}

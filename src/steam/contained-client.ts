/**
 * Error containment for one steam-user instance, which serves one connection.
 *
 * steam-user 5.3.0 handles messages inside socket events and unawaited async functions, so a reply that it cannot
 * decode, an empty server list or a refused logon ends in an uncaught exception, an unhandled rejection, a retry loop
 * of its own or, for some EResults, a prompt on stdin. Here every such path ends the connection instead, once, with a
 * reason. The session reconnects.
 *
 * Nor does it limit what it collects, so a reply of a few kilobytes can fill the memory. The limits are in
 * server-list.ts, bounded-stream.ts (websocket frames), multi.ts (unzipping) and decoded-size.ts (decoding).
 */
import type { EventEmitter } from "node:events";
import type { Agent } from "node:https";
import { SteamError } from "../process/errors.ts";
import { describeError } from "./bounded-get.ts";
import { limitStream, type WebSocketStream } from "./bounded-stream.ts";
import { decodedBytes } from "./decoded-size.ts";
import { createMultiReader, type MultiClient, type MultiMessage } from "./multi.ts";
import { type HttpClient, limitedHttpClient, usableServers } from "./server-list.ts";

/** The members of steam-user 5.3.0 that are used. Those with an underscore are protected there and have no types. */
export interface ProtectedSteamUser extends EventEmitter, MultiClient {
  logOn(details: { anonymous: true }): void;

  _send(message: number | MessageHeader, body: object, callback?: JobCallback): void;
  _sendUnified(method: string, body: object, callback: JobCallback): void;
  _disconnect(suppressLogoff: boolean): void;

  _apiRequest(...args: unknown[]): Promise<unknown>;
  _doConnection(): Promise<void>;
  _sendLogOn(): Promise<void>;
  _enqueueLogonAttempt(): void;
  _handleConnectionClose(connection: unknown): void;
  _handleLogOnResponse(body: LogonResponse): Promise<void>;
  _handleMessage(header: MessageHeader, body: { toBuffer(): Buffer }, ...rest: unknown[]): void;
  _processMulti(header: unknown, multi: MultiMessage, connection: unknown): Promise<void>;
  _getProxyAgent(): Agent;
  _httpClient?: HttpClient;

  /** Callbacks of requests by job id. Replaced as a whole at logon. */
  _jobs: { get(jobId: string): unknown; delete(jobId: string): void };
  _currentJobID: number;
  _connection: { stream?: WebSocketStream } | undefined;
  _connectTimeout: number;
  _heartbeatInterval: NodeJS.Timeout | undefined;
  _logonMsgTimeout: NodeJS.Timeout | undefined;
  _lastChosenCM: { endpoint: string } | undefined;
}

export type JobCallback = (body: unknown, header: MessageHeader) => void;

export interface MessageHeader {
  msg: number;
  targetJobID?: string | null;
  proto?: { eresult?: number | null; target_job_name?: string };
  /** Estimate of the memory that the decoded body takes; set here. */
  decodedBytes?: number;
}

interface LogonResponse {
  eresult: number;
  heartbeat_seconds: number | null;
}

export interface ContainedEvents {
  onLoggedOn(): void;
  /** Called for every message from Steam. */
  onMessage(): void;
  /** Called exactly once. The fault is `protocol` when Steam sent something undecodable, else `disconnected`. */
  onEnd(reason: SteamError): void;
}

export interface ContainedClient {
  /** Closes sockets, clears timers and reports `reason`. Safe to call twice. */
  end(reason: SteamError): void;
}

export const emsg = { multi: 1, serviceMethodResponse: 147, logOff: 706, logOnResponse: 751, loggedOff: 757 } as const;
const handledMessages: ReadonlySet<number> = new Set([
  emsg.multi,
  emsg.serviceMethodResponse,
  emsg.logOnResponse,
  emsg.loggedOff,
]);
const eresultOk = 1;
/** steam-user starts at 1 s and doubles per attempt of the same instance; every instance here makes one attempt. */
const connectTimeoutMs = 10_000;
/** The interval that Steam sends in practice. Without one, steam-user would send a heartbeat every millisecond. */
const defaultHeartbeatSeconds = 9;

/** Of one decoded message; a reply may have several. */
const maxDecodedBytes = 64 * 1024 * 1024;

/** Takes over a fresh instance, which makes all its connections through `agent`. Call `logOn` afterwards. */
export function contain(client: ProtectedSteamUser, agent: Agent, events: ContainedEvents): ContainedClient {
  let connecting = false;
  let loggedOn = false;
  let ended = false;
  /** The only place where steam-user reports why a socket failed; used in messages, never for a decision. */
  let lastDebug = "";

  function end(reason: SteamError): void {
    if (ended) return;
    ended = true;
    dispose(client, agent);
    events.onEnd(reason);
  }

  function endDisconnected(detail: string, eresult: number | null = null): void {
    const server = client._lastChosenCM ? `the Steam server ${client._lastChosenCM.endpoint}` : "Steam";
    const what = loggedOn ? "the session with" : "cannot log on to";
    end(new SteamError("disconnected", `${what} ${server}${loggedOn ? " ended" : ""}: ${detail}`, eresult));
  }

  function endUnreadable(error: unknown): void {
    end(
      new SteamError("protocol", `Steam sent a message that cannot be decoded: ${describeError(error)}`, null, {
        cause: error,
      }),
    );
  }

  /**
   * Wraps a method of steam-user: a throw or a rejection ends the connection, and after the end the method does not
   * run.
   */
  function guarded<Args extends unknown[]>(owner: object, method: (...args: Args) => unknown) {
    return (...args: Args): Promise<void> => {
      try {
        const result = ended ? undefined : method.apply(owner, args);
        if (result instanceof Promise) return result.catch(endUnreadable);
      } catch (error) {
        endUnreadable(error);
      }
      return Promise.resolve();
    };
  }

  client._getProxyAgent = () => agent;
  client._connectTimeout = connectTimeoutMs;
  client._httpClient = limitedHttpClient(agent, connectTimeoutMs);
  client._processMulti = guarded(
    client,
    createMultiReader(client, () => ended),
  );
  client._sendLogOn = guarded(client, client._sendLogOn);
  client._enqueueLogonAttempt = () => endDisconnected("no answer to the logon");

  const apiRequest = client._apiRequest;
  client._apiRequest = async (...args) => {
    try {
      return usableServers(await apiRequest.apply(client, args));
    } catch (error) {
      const text = `cannot get the list of Steam servers from api.steampowered.com: ${describeError(error)}`;
      end(new SteamError("disconnected", text, null, { cause: error }));
      throw error;
    }
  };

  const doConnection = guarded(client, client._doConnection);
  client._doConnection = async () => {
    if (connecting) return endDisconnected(lastDebug);
    connecting = true;
    await doConnection();
    const stream = client._connection?.stream;
    if (!stream) return;
    limitStream(stream);
    stream._handleData = guarded(stream, stream._handleData);
  };

  const handleConnectionClose = client._handleConnectionClose;
  client._handleConnectionClose = (connection) => {
    // A close that overtakes messages still being unzipped is queued behind them by steam-user and comes back here.
    if (client._useMessageQueue && !ended) handleConnectionClose.call(client, connection);
    else endDisconnected(lastDebug);
  };

  const handleLogOnResponse = guarded(client, client._handleLogOnResponse);
  client._handleLogOnResponse = async (body) => {
    if (body.eresult !== eresultOk) return endDisconnected(`EResult ${body.eresult}`, body.eresult);
    await handleLogOnResponse({ ...body, heartbeat_seconds: body.heartbeat_seconds || defaultHeartbeatSeconds });
    // steam-user sets the interval after it has emitted `loggedOn`, whose listener may have ended the connection.
    if (ended) clearInterval(client._heartbeatInterval);
  };

  // Handlers of messages that this service did not request do not run at all.
  const handleMessage = client._handleMessage;
  client._handleMessage = (header, body, ...rest) => {
    const answersJob = header.targetJobID != null && client._jobs.get(header.targetJobID) !== null;
    if (!answersJob && !handledMessages.has(header.msg)) return;
    if (header.msg !== emsg.multi) header.decodedBytes = decodedBytes(header.msg, body.toBuffer());
    if ((header.decodedBytes ?? 0) > maxDecodedBytes) throw new RangeError("a message is too large");
    handleMessage.call(client, header, body, ...rest);
  };

  const handleNetMessage = guarded(client, client._handleNetMessage);
  client._handleNetMessage = (...args) => {
    if (!ended) events.onMessage();
    void handleNetMessage(...args);
  };

  client.on("debug", (message: string) => {
    lastDebug = message.replace(/^\[\w+\] /, "");
  });
  client.on("error", (error: Error & { eresult?: number }) => {
    const detail = error.eresult ? `${describeError(error)} (EResult ${error.eresult})` : describeError(error);
    endDisconnected(detail, error.eresult ?? null);
  });
  client.on("loggedOn", () => {
    loggedOn = true;
    events.onLoggedOn();
  });

  return { end };
}

/** Releases everything: listeners, timers, sockets. */
function dispose(client: ProtectedSteamUser, agent: Agent): void {
  const stream = client._connection?.stream;
  client.removeAllListeners();
  client.on("error", () => {});
  clearTimeout(client._logonMsgTimeout);
  try {
    client._disconnect(true);
    stream?.setTimeout(0);
  } catch {
    // The close frame cannot be sent any more.
  } finally {
    // steam-user would leave the socket to the other side, which a half-open connection never closes.
    stream?._socket?.destroy();
    agent.destroy();
  }
}

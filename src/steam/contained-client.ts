/**
 * Error containment for one steam-user instance, which serves one connection.
 *
 * steam-user 5.3.0 handles messages inside socket events and unawaited async functions, so a reply that it cannot
 * decode, an empty server list or a refused logon ends in an uncaught exception, an unhandled rejection, a retry loop
 * of its own or, for some EResults, a prompt on stdin. Here every such path ends the connection instead, once, with a
 * reason. The session reconnects.
 */
import type { EventEmitter } from "node:events";
import type { Agent } from "node:https";
import { SteamError } from "../process/errors.ts";

/** The members of steam-user 5.3.0 that are used. Those with an underscore are protected there and have no types. */
export interface ProtectedSteamUser extends EventEmitter {
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
  _handleMessage(header: MessageHeader, ...rest: unknown[]): void;
  _handleNetMessage(...args: unknown[]): void;
  _processMulti(...args: unknown[]): Promise<void>;
  _getProxyAgent(): Agent;

  /** Callbacks of requests by job id. Replaced as a whole at logon. */
  _jobs: { get(jobId: string): unknown; delete(jobId: string): void };
  _currentJobID: number;
  _connection: { stream?: WebSocketStream } | undefined;
  _connectTimeout: number;
  _useMessageQueue: boolean;
  _heartbeatInterval: NodeJS.Timeout | undefined;
  _logonMsgTimeout: NodeJS.Timeout | undefined;
  _lastChosenCM: { endpoint: string } | undefined;
}

export type JobCallback = (body: unknown, header: MessageHeader) => void;

export interface MessageHeader {
  msg: number;
  targetJobID?: string | null;
  proto?: { eresult?: number | null; target_job_name?: string };
}

interface LogonResponse {
  eresult: number;
  heartbeat_seconds: number | null;
}

interface WebSocketStream {
  setTimeout(timeoutMs: number): unknown;
  _handleData(data?: Buffer): void;
  _socket?: { destroy(): void };
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
      new SteamError("protocol", `Steam sent a message that cannot be decoded: ${describe(error)}`, null, {
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
  client._processMulti = guarded(client, client._processMulti);
  client._sendLogOn = guarded(client, client._sendLogOn);
  client._enqueueLogonAttempt = () => endDisconnected("no answer to the logon");

  const apiRequest = client._apiRequest;
  client._apiRequest = async (...args) => {
    try {
      return usableServers(await apiRequest.apply(client, args));
    } catch (error) {
      const text = `cannot get the list of Steam servers from api.steampowered.com: ${describe(error)}`;
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
    if (stream) stream._handleData = guarded(stream, stream._handleData);
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
  client._handleMessage = (header, ...rest) => {
    const answersJob = header.targetJobID != null && client._jobs.get(header.targetJobID) !== null;
    if (answersJob || handledMessages.has(header.msg)) handleMessage.call(client, header, ...rest);
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
    // After the logon the only error without an EResult is a Multi that does not unzip.
    if (loggedOn && error.eresult === undefined) endUnreadable(error);
    else
      endDisconnected(
        error.eresult ? `${describe(error)} (EResult ${error.eresult})` : describe(error),
        error.eresult ?? null,
      );
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

/**
 * Filters a GetCMListForConnect reply to the servers that can be used: steam-user picks one without checking whether
 * there is any. Throws when there is none.
 */
function usableServers(reply: unknown): unknown {
  const list = (reply as { response?: { serverlist?: object } } | null)?.response?.serverlist;
  const servers: { type?: unknown; realm?: unknown; endpoint?: unknown }[] = Object.values(list ?? {});
  const usable = servers.filter(
    (server) => server?.type === "websockets" && server.realm === "steamglobal" && typeof server.endpoint === "string",
  );
  if (usable.length === 0) throw new Error("the reply names no usable server");
  return { response: { serverlist: { ...usable } } };
}

/**
 * The message of an error, or its code where Node leaves the message empty (AggregateError of a refused connection).
 */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}

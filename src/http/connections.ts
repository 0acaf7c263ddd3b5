import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { clientAddress } from "./client-address.ts";
import type { HttpLimits } from "./limits.ts";
import { problemText, problemType } from "./problem.ts";

/** Why the server closed a connection, or did not accept it. */
export type DropReason =
  | "connection_limit"
  | "client_limit"
  | "request_timeout"
  | "malformed_request"
  | "unread_reply"
  | "stalled_stream";

type OnDrop = (reason: DropReason) => void;

/** Share of the connections that one client may hold, where its address is known before its first request. */
const clientShare = 1 / 4;
const reclaimIntervalMs = 1_000;

export interface ConnectionLimits {
  maxConnections: number;
  /** False behind a proxy, whose address is that of every client. */
  isPerClient: boolean;
  onDrop: OnDrop;
}

/** Bounds the open connections, in all and per client. A connection above a limit is closed at once; at the limit, idle ones make room. */
export function limitConnections(
  { server }: FastifyInstance,
  { maxConnections, isPerClient, onDrop }: ConnectionLimits,
): void {
  server.maxConnections = maxConnections;
  let reclaimAt = 0;
  server.on("drop", () => {
    onDrop("connection_limit");
    if (performance.now() < reclaimAt) return;
    reclaimAt = performance.now() + reclaimIntervalMs;
    server.closeIdleConnections();
  });
  if (!isPerClient) return;
  const mostOfClient = Math.max(1, Math.floor(maxConnections * clientShare));
  const ofClient = new Map<string, number>();
  server.on("connection", (socket: Socket) => {
    const client = clientAddress(socket.remoteAddress ?? "");
    const own = (ofClient.get(client) ?? 0) + 1;
    if (own > mostOfClient) {
      onDrop("client_limit");
      return void socket.resetAndDestroy();
    }
    ofClient.set(client, own);
    socket.once("close", () => {
      const left = (ofClient.get(client) ?? 1) - 1;
      if (left > 0) ofClient.set(client, left);
      else ofClient.delete(client);
    });
  });
}

/**
 * Most connections that leave half of the process's file descriptors to the database, Steam and files. Node raises the soft limit to the
 * hard one when it starts.
 *
 * @returns null where the limit is not known (no /proc) or there is none.
 */
export function connectionsWithinFileLimit(
  readLimits = () => readFileSync("/proc/self/limits", "utf8"),
): number | null {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readLimits())?.[1];
    return limit === undefined ? null : Math.max(1, Math.floor(Number(limit) / 2));
  } catch {
    return null;
  }
}

const answers: Record<string, [status: number, detail: string, reason: DropReason]> = {
  HPE_HEADER_OVERFLOW: [431, "The headers or the URL are too long.", "malformed_request"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "The body is too large.", "malformed_request"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request did not arrive in time.", "request_timeout"],
};

/** Answers what is no HTTP request, or did not arrive in time, and closes the connection. Nothing is logged: any client can cause it. */
export function createClientErrorHandler(onDrop: OnDrop) {
  return (error: NodeJS.ErrnoException, socket: Socket): void => {
    // Node reports a lost connection here as well.
    if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
    const [status, detail, reason] = answers[error.code ?? ""] ?? [
      400,
      "This is no valid HTTP request.",
      "malformed_request" as const,
    ];
    onDrop(reason);
    // As in Node's own handler: in the middle of a reply, nothing may be inserted.
    const { _httpMessage: reply } = socket as { _httpMessage?: { headersSent: boolean } | null };
    if (!reply?.headersSent) {
      const body = problemText(status, detail);
      const head = `HTTP/1.1 ${status} ${JSON.parse(body).title}\r\ncontent-type: ${problemType}\r\nconnection: close`;
      socket.write(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    }
    socket.destroySoon();
  };
}

/**
 * Cuts off clients that do not read their reply: after a time that depends on its size, and the oldest replies when all unsent ones
 * together take too much memory.
 */
export function limitUnreadReplies(
  server: FastifyInstance,
  { stallMs, leastRate, unsentBytes }: Pick<HttpLimits, "stallMs" | "leastRate" | "unsentBytes">,
  onDrop: OnDrop,
): void {
  // In the order of their start.
  const unsent = new Map<object, { bytes: number; cutOff: () => void }>();
  let total = 0;

  server.addHook("onSend", async (request, { raw }, payload) => {
    // Not that of the reply, which has none while it waits for an earlier reply on the connection.
    const { socket } = request.raw;
    // A second reply to one request replaces the first, which failed.
    if (socket.destroyed || unsent.has(raw)) return;
    const bytes = typeof payload === "string" || Buffer.isBuffer(payload) ? payload.length : 0;
    const forget = () => {
      clearTimeout(timer);
      raw.off("close", forget);
      socket.off("close", forget);
      if (unsent.delete(raw)) total -= bytes;
    };
    const cutOff = () => {
      forget();
      if (socket.destroyed) return;
      onDrop("unread_reply");
      socket.resetAndDestroy();
    };
    const timer = setTimeout(cutOff, stallMs + (bytes / leastRate) * 1_000);
    raw.once("close", forget);
    socket.once("close", forget);
    unsent.set(raw, { bytes, cutOff });
    total += bytes;
    for (const [each, oldest] of unsent) {
      if (total <= unsentBytes || each === raw) break;
      oldest.cutOff();
    }
  });
}

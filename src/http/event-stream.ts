import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export interface StreamEvent {
  event: string;
  /** Sent as JSON, so that it is one line. */
  data: unknown;
  /** `Last-Event-ID` of a client that reconnects. */
  id?: string;
  /** Reconnection delay in milliseconds. */
  retry?: number;
}

/** An event as it is sent. Streams with the same events share the text. */
export function formatEvent({ event, data, id, retry }: StreamEvent): string {
  const lines = [`event: ${event}`, `data: ${JSON.stringify(data)}`];
  if (id !== undefined) lines.unshift(`id: ${id}`);
  if (retry !== undefined) lines.push(`retry: ${retry}`);
  return `${lines.join("\n")}\n\n`;
}

const heartbeat = ": heartbeat\n\n";

export interface WriteOptions {
  /** Of the request: a response that waits for an earlier one on its connection has none yet, and no event "close". */
  socket: Socket;
  heartbeatMs: number;
  /** A reader that accepts none of its buffered bytes for this long is cut off. */
  stallMs: number;
  onStall: () => void;
}

/**
 * Writes events until the source ends or the connection closes. Memory per reader is bounded: the next event is taken from the source only
 * once the reader has accepted the buffered ones.
 */
export async function writeEvents(
  response: ServerResponse,
  events: AsyncIterable<string>,
  { socket, heartbeatMs, stallMs, onStall }: WriteOptions,
): Promise<void> {
  const timer = setInterval(() => {
    if (!response.writableNeedDrain) response.write(heartbeat);
  }, heartbeatMs);
  try {
    for await (const event of events) {
      if (socket.destroyed) return;
      response.write(event);
      if (response.writableNeedDrain) await drained(response, { socket, stallMs, onStall });
    }
  } finally {
    clearInterval(timer);
  }
}

/** Resolves when the reader has accepted all buffered bytes, or the connection is closed: by the reader, or here after `stallMs`. */
function drained(response: ServerResponse, options: Omit<WriteOptions, "heartbeatMs">): Promise<void> {
  const { socket, stallMs, onStall } = options;
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      onStall();
      // A reset: after an orderly close the kernel would keep the unsent bytes for minutes.
      socket.resetAndDestroy();
    }, stallMs);
    const finish = () => {
      clearTimeout(timer);
      response.off("drain", finish);
      socket.off("close", finish);
      resolve();
    };
    response.once("drain", finish);
    socket.once("close", finish);
    if (socket.destroyed) finish();
  });
}

/**
 * Whether an `Accept` header admits an event stream (RFC 9110, section 12.5.1): the most specific media range that matches decides, and
 * one with `q=0` refuses. Without the header everything is accepted.
 */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === "") return true;
  const ranges = accept.split(",").map((range) => {
    const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase());
    return { type, isRefused: parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) };
  });
  const best = ["text/event-stream", "text/*", "*/*"]
    .map((type) => ranges.find((range) => range.type === type))
    .find((range) => range !== undefined);
  return best !== undefined && !best.isRefused;
}

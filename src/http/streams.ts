import type { FastifyInstance, FastifyReply } from "fastify";
import { clientAddress } from "./client-address.ts";
import type { DropReason } from "./connections.ts";
import type { ErrorLog } from "./error-log.ts";
import { acceptsEventStream, formatEvent, writeEvents } from "./event-stream.ts";
import type { HttpLimits } from "./limits.ts";
import { Problem } from "./problem.ts";

/** Server-sent event streams: each ends when its client disconnects or the server closes; their number is limited, in all and per client. */
export interface Streams {
  /** Number of open streams. */
  open(): number;
  /**
   * Sends what `source` yields, events as `formatEvent` returns them, until it ends or its signal aborts.
   *
   * @throws {Problem} 406 when the client accepts no event stream, 429 when it has too many open, 503 when all clients together have.
   */
  send(reply: FastifyReply, source: (signal: AbortSignal) => AsyncIterable<string>): Promise<void>;
}

export interface StreamsOptions {
  limits: HttpLimits;
  logError: ErrorLog;
  onDrop: (reason: DropReason) => void;
}

/** Reconnection delay of a browser's EventSource. */
const retryMs = 1_000;
const retryAfterSeconds = 30;

const streamHeaders = {
  "content-type": "text/event-stream",
  "cache-control": "no-cache",
  "x-content-type-options": "nosniff",
  // nginx would collect events until its buffer is full.
  "x-accel-buffering": "no",
};

export function createStreams(server: FastifyInstance, { limits, logError, onDrop }: StreamsOptions): Streams {
  const open = new Set<AbortController>();
  const ofClient = new Map<string, number>();
  server.addHook("preClose", async () => {
    for (const stream of open) stream.abort();
  });

  function admit(client: string): AbortController {
    const own = ofClient.get(client) ?? 0;
    if (own >= limits.streamsPerClient) {
      const detail = `This address has ${own} streams open, which is the limit; close one, or try again later.`;
      throw new Problem(429, detail, { retryAfterSeconds });
    }
    if (open.size >= limits.streams) {
      const detail = `The limit of ${limits.streams} open streams is reached; try again later.`;
      throw new Problem(503, detail, { retryAfterSeconds });
    }
    const stream = new AbortController();
    open.add(stream);
    ofClient.set(client, own + 1);
    return stream;
  }

  function release(stream: AbortController, client: string): void {
    if (!open.delete(stream)) return;
    const left = (ofClient.get(client) ?? 1) - 1;
    if (left > 0) ofClient.set(client, left);
    else ofClient.delete(client);
    stream.abort();
  }

  return {
    open: () => open.size,
    async send(reply, source) {
      const { request, raw } = reply;
      if (!acceptsEventStream(request.headers.accept)) {
        throw new Problem(406, "This endpoint only sends text/event-stream.");
      }
      const { socket } = request.raw;
      // The client is gone already, and no event "close" follows.
      if (socket.destroyed) return void reply.hijack();
      const client = clientAddress(request.ip);
      const stream = admit(client);
      const close = () => release(stream, client);
      // Whatever the source or the writer still awaits: a closed connection needs no slot.
      socket.once("close", close);
      reply.hijack();
      for (const [name, value] of Object.entries({ ...streamHeaders, ...reply.getHeaders() })) {
        if (value !== undefined) raw.setHeader(name, value);
      }
      // Headers go out with the first message; without it a client cannot see that the stream is open.
      raw.write(formatEvent({ event: "open", data: {}, retry: retryMs }));
      try {
        await writeEvents(raw, source(stream.signal), { ...limits, socket, onStall: () => onDrop("stalled_stream") });
      } catch (error) {
        logError(error, "event stream failed; its client is disconnected");
      }
      socket.off("close", close);
      close();
      raw.end();
    },
  };
}

import type { SSEMessage } from "@fastify/sse";
import type { FastifyInstance, FastifyReply } from "fastify";
import { Problem } from "./problem.ts";

/** Server-sent event streams: each ends when its client disconnects or the server closes; their number is limited. */
export interface Streams {
  /**
   * Sends what `source` yields until it ends or its signal aborts.
   *
   * @throws {Problem} 503 when the limit of open streams is reached.
   */
  send(reply: FastifyReply, source: (signal: AbortSignal) => AsyncIterable<SSEMessage>): Promise<void>;
}

const maxStreams = 100;
/** Reconnection delay of a browser's EventSource. */
const retryMs = 1_000;

export function createStreams(server: FastifyInstance): Streams {
  const open = new Set<AbortController>();
  server.addHook("preClose", async () => {
    for (const stream of open) stream.abort();
  });

  return {
    async send(reply, source) {
      if (open.size >= maxStreams) {
        throw new Problem(503, `The limit of ${maxStreams} open streams is reached; try again later.`);
      }
      const stream = new AbortController();
      open.add(stream);
      reply.sse.onClose(() => stream.abort());
      try {
        // Headers go out with the first message; without it a client cannot see that the stream is open.
        await reply.sse.send({ event: "open", data: {}, retry: retryMs });
        await reply.sse.send(source(stream.signal));
      } finally {
        stream.abort();
        open.delete(stream);
      }
    },
  };
}

import type { SSEMessage } from "@fastify/sse";
import type { FastifyInstance, FastifyReply } from "fastify";
import { Problem } from "./problem.ts";

/** Event streams: all of them end when their reader leaves or the server closes, and there are only so many. */
export interface Streams {
  /**
   * Sends what `source` yields until it ends or its signal aborts.
   *
   * @throws {Problem} 503 when there are too many already.
   */
  send(reply: FastifyReply, source: (signal: AbortSignal) => AsyncIterable<SSEMessage>): Promise<void>;
}

const maxStreams = 100;
/** After which a browser connects again. */
const retryMs = 1_000;

export function createStreams(server: FastifyInstance): Streams {
  const open = new Set<AbortController>();
  server.addHook("preClose", async () => {
    for (const stream of open) stream.abort();
  });

  return {
    async send(reply, source) {
      if (open.size >= maxStreams) throw new Problem(503, `There are ${maxStreams} streams already; try again later.`);
      const stream = new AbortController();
      open.add(stream);
      reply.sse.onClose(() => stream.abort());
      try {
        // The headers go out with the first message, and a reader wants to know at once that somebody is there.
        await reply.sse.send({ event: "open", data: {}, retry: retryMs });
        await reply.sse.send(source(stream.signal));
      } finally {
        stream.abort();
        open.delete(stream);
      }
    },
  };
}

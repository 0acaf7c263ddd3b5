import type { SSEMessage } from "@fastify/sse";
import type { ChangeView } from "../../catalog/views.ts";
import { changesOfAll, streamStart } from "./parameters.ts";
import { changePage, eventStream, faults } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";

/** Routes of the change feed: as pages and as a stream of server-sent events. */
export function registerChanges(scope: ApiScope, { catalog, feed, streams }: ApiDeps): void {
  scope.get(
    "/changes",
    {
      schema: {
        tags: ["Changes"],
        summary: "Changes of the catalog, field by field",
        description:
          "To follow changes, start with `after=0`, or with `last_id` of a first request without `after`; then poll with `after` = `last_id` " +
          "of the previous reply. A consumer that resumes by id misses no change: one whose transaction commits late holds back later ones.",
        querystring: changesOfAll,
        response: { 200: changePage, ...faults },
      },
    },
    async ({ query: { after, before, limit } }) => {
      const { changes, last_id, has_more } = await catalog().changes({ max: limit, after, before });
      const goesBack = after === undefined && has_more;
      return { data: changes, last_id, has_more, next_before: goesBack ? (changes.at(-1)?.id ?? null) : null };
    },
  );

  scope.get(
    "/changes/stream",
    {
      sse: "only",
      exposeHeadRoute: false,
      schema: {
        tags: ["Changes"],
        summary: "Changes as they are stored, as server-sent events",
        description:
          "Each event is named `change`; its id is the change's id and its data a `Change`. A browser's EventSource resumes after an " +
          "interruption by itself (`Last-Event-ID`); other clients send that header or `after`.",
        querystring: streamStart,
        response: { 200: eventStream, ...faults },
      },
    },
    async (request, reply) => {
      const lastEventId = /^\d{1,15}$/.exec(request.headers["last-event-id"]?.toString() ?? "")?.[0];
      const after = lastEventId === undefined ? (request.query.after ?? null) : Number(lastEventId);
      await streams.send(reply, (signal) => messagesOf(feed.follow(after, signal)));
    },
  );
}

async function* messagesOf(pages: AsyncIterable<ChangeView[]>): AsyncGenerator<SSEMessage> {
  for await (const page of pages) {
    for (const change of page) yield { event: "change", id: String(change.id), data: change };
  }
}

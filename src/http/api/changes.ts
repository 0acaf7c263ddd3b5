import type { SSEMessage } from "@fastify/sse";
import type { ChangeView } from "../../catalog/views.ts";
import { changesOfAll, streamStart } from "./parameters.ts";
import { changePage, eventStream, faults } from "./replies.ts";
import type { ApiParts, ApiScope } from "./scope.ts";

/** What changes in the catalog, as a feed to read and as a stream to listen to. */
export function registerChanges(scope: ApiScope, { catalog, feed, streams }: ApiParts): void {
  scope.get(
    "/changes",
    {
      schema: {
        tags: ["Changes"],
        summary: "What changed in the catalog, field by field",
        description:
          "To follow: ask with `after=0`, or begin with `last_id` of a first answer without `after`; then ask again and again with " +
          "`after` = `last_id` of the answer before. No change is ever left out: one whose transaction commits late holds back those after it.",
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
          "Each event is called `change`, its id is that of the change and its data a `Change`. A browser's EventSource resumes by itself " +
          "after an interruption (`Last-Event-ID`); other clients send that header, or `after`.",
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

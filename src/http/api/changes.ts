import type { ChangeView } from "../../catalog/views.ts";
import type { ChangePage, ChangeQuery } from "../../db/catalog-queries.ts";
import { clientAddress } from "../client-address.ts";
import { formatEvent } from "../event-stream.ts";
import { Problem } from "../problem.ts";
import { notStored } from "./apps.ts";
import { changeKey, decodeCursor, encodeCursor } from "./cursor.ts";
import { appidPath, changesOfAll, changesOfApp, streamStart } from "./parameters.ts";
import { changePage, deleted, eventStream, faults, missing, streamFaults } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";

/** Routes of the change feed: of the whole catalog and of one app as pages, and as a stream of server-sent events. */
export function registerChanges(scope: ApiScope, deps: ApiDeps): void {
  registerPages(scope, deps);
  registerStream(scope, deps);
}

function registerPages(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/changes",
    {
      schema: {
        operationId: "listChanges",
        tags: ["Changes"],
        summary: "Changes of the catalog, field by field",
        description:
          "Without `after` newest first. To follow changes, start with `after=0`, or with the `last_id` of a request without `after`; then " +
          "poll with `after` = `last_id` of the previous reply. A consumer that resumes by id misses no change: one whose transaction " +
          "commits late holds back later ones. Where HISTORY_DAYS bounds the history, one that resumes before its begin is answered 410.",
        querystring: changesOfAll,
        response: { 200: changePage, ...deleted, ...faults },
      },
    },
    async (request) => await pageOf(request.query, (query) => catalog(request).changes(query)),
  );

  scope.get(
    "/apps/:appid/changes",
    {
      schema: {
        operationId: "listAppChanges",
        tags: ["Changes"],
        summary: "Changes of one app, field by field, newest first",
        params: appidPath,
        querystring: changesOfApp,
        response: { 200: changePage, ...missing("the app is not stored"), ...deleted, ...faults },
      },
    },
    async (request) => {
      const { appid } = request.params;
      return await pageOf(
        request.query,
        async (query) => (await catalog(request).changesOf(appid, query)) ?? notStored(appid),
      );
    },
  );
}

interface PageRequest {
  after?: number | undefined;
  limit: number;
  cursor?: string | undefined;
}

/** All pages of a list say the same `last_id`, since what follows the first page is older: a consumer resumes after the first. */
async function pageOf(
  { after, limit, cursor }: PageRequest,
  read: (query: ChangeQuery) => Promise<ChangePage>,
): Promise<{ data: ChangeView[]; next: string | null; last_id: number }> {
  const order = after === undefined ? "newest" : "oldest";
  const [from, firstLastId] = cursor === undefined ? [after] : decodeCursor(order, changeKey, cursor);
  const page = await read({ max: limit, [after === undefined ? "before" : "after"]: from });
  if (page.deleted_up_to !== undefined) throw gone(page.deleted_up_to);
  const { changes, last_id, has_more } = page;
  const resume = after === undefined ? (firstLastId ?? last_id) : last_id;
  const last = changes.at(-1);
  return {
    data: changes,
    next: has_more && last ? encodeCursor(order, [last.id, resume]) : null,
    last_id: resume,
  };
}

/** For a consumer that would otherwise miss changes without noticing. */
function gone(deletedUpTo: number): Problem {
  const detail =
    `Changes up to id ${deletedUpTo} are deleted, since HISTORY_DAYS bounds the history, and what follows this position is among them. ` +
    "To go on: take `last_id` of /v1/changes without `after`, read the catalog again (/v1/apps), then follow from that `last_id`. " +
    `What is kept starts at after=${deletedUpTo}.`;
  return new Problem(410, detail);
}

function registerStream(scope: ApiScope, { catalog, feed, streams }: ApiDeps): void {
  scope.get(
    "/changes/stream",
    {
      config: { isStream: true },
      exposeHeadRoute: false,
      schema: {
        operationId: "streamChanges",
        tags: ["Changes"],
        summary: "Changes as they are stored, as server-sent events",
        description:
          "Each event is named `change`; its id is the change's id and its data a `Change`. A browser's EventSource resumes after an " +
          "interruption by itself (`Last-Event-ID`); other clients send that header or `after`.",
        querystring: streamStart,
        response: { 200: eventStream, ...deleted, ...faults, ...streamFaults },
      },
    },
    async (request, reply) => {
      const lastEventId = /^\d{1,15}$/.exec(request.headers["last-event-id"]?.toString() ?? "")?.[0];
      const after = lastEventId === undefined ? (request.query.after ?? null) : Number(lastEventId);
      if (after !== null) {
        // A stream also opens while the database is unreachable: it waits.
        const first = await catalog(request)
          .changes({ after, max: 1 })
          .catch(() => null);
        if (first?.deleted_up_to !== undefined) throw gone(first.deleted_up_to);
      }
      const client = clientAddress(request.ip);
      await streams.send(reply, (signal) => messagesOf(feed.follow(after, signal, client)));
    },
  );
}

async function* messagesOf(pages: AsyncIterable<ChangeView[]>): AsyncGenerator<string> {
  for await (const page of pages) {
    for (const change of page) yield formatEvent({ event: "change", id: String(change.id), data: change });
  }
}

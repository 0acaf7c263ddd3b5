import type { ChangeView } from "../../catalog/views.ts";
import { clientAddress } from "../client-address.ts";
import { formatEvent } from "../event-stream.ts";
import { notStored } from "./apps.ts";
import { feedPage, requireKept, startOf } from "./feed-pages.ts";
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
    async (request) => await feedPage(request.query, (query) => catalog(request).changes(query)),
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
      return await feedPage(
        request.query,
        async (query) => (await catalog(request).changesOf(appid, query)) ?? notStored(appid),
      );
    },
  );
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
      const after = startOf(request);
      await requireKept(after, (query) => catalog(request).changes(query));
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

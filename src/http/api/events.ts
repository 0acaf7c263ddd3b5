import type { z } from "zod";
import type { EventView } from "../../catalog/event-views.ts";
import type { EventPage, EventQuery } from "../../db/catalog-queries.ts";
import type { CatalogReader } from "../../db/catalog-reader.ts";
import { clientAddress } from "../client-address.ts";
import { formatEvent } from "../event-stream.ts";
import { relationsOf } from "./apps.ts";
import { feedPage, requireKept, startOf } from "./feed-pages.ts";
import { eventStreamStart, eventsOfAll, feedOfEvents } from "./parameters.ts";
import { deleted, eventPage, eventStream, faults, streamFaults, syndicated } from "./replies.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";
import { formats, type SyndicationFormat, syndicate } from "./syndication.ts";
import { undocumented, unknownValue } from "./unknown-values.ts";

/** Routes of the events: as pages, as a stream of server-sent events, and as documents for feed readers. */
export function registerEvents(scope: ApiScope, deps: ApiDeps): void {
  registerPages(scope, deps);
  registerStream(scope, deps);
  for (const format of ["atom", "json"] as const) registerSyndication(scope, deps, format);
}

function registerPages(scope: ApiScope, { catalog }: ApiDeps): void {
  scope.get(
    "/events",
    {
      schema: {
        operationId: "listEvents",
        tags: ["Changes"],
        summary: "Events: what changes mean, such as a release, a new build or another verdict",
        description:
          "Without `after` newest first. To follow events, poll with `after` = `last_id` of the previous reply, as for changes: none is " +
          "missed. Filters by type, tag, company and reviews are about the app as it is now. A page may be empty and have a `next`: a " +
          "request looks at a bounded number of events.",
        querystring: eventsOfAll,
        response: { 200: eventPage, ...deleted, ...faults },
      },
    },
    async (request) => {
      const reader = catalog(request);
      const filters = filtersOf(request.query);
      return await feedPage(request.query, (query) => readEvents(reader, { ...filters, ...query }));
    },
  );
}

function registerStream(scope: ApiScope, { catalog, eventFeeds, streams }: ApiDeps): void {
  scope.get(
    "/events/stream",
    {
      config: { isStream: true },
      exposeHeadRoute: false,
      schema: {
        operationId: "streamEvents",
        tags: ["Changes"],
        summary: "Events as they happen, as server-sent events",
        description:
          "Each is named by its kind; its id is the event's id and its data an `Event`. It is resumed as the stream of changes is.",
        querystring: eventStreamStart,
        response: { 200: eventStream, ...deleted, ...faults, ...streamFaults },
      },
    },
    async (request, reply) => {
      const after = startOf(request);
      const filters = filtersOf(request.query);
      await requireKept(after, (query) => readEvents(catalog(request), { ...filters, ...query }));
      const client = clientAddress(request.ip);
      await streams.send(reply, (signal) => messagesOf(eventFeeds.follow(filters, after, signal, client)));
    },
  );
}

function registerSyndication(scope: ApiScope, { catalog }: ApiDeps, format: SyndicationFormat): void {
  const { path, contentType, name } = formats[format];
  scope.get(
    path,
    {
      config: { isCacheable: false },
      schema: {
        operationId: `get${name.replace(" ", "")}`,
        tags: ["Changes"],
        summary: `The newest events for a feed reader, as ${name}`,
        description: "With the filters of `/events`, such as `?developer=Valve&event=released`.",
        querystring: feedOfEvents,
        response: { 200: syndicated(contentType), ...faults },
      },
    },
    async (request, reply) => {
      const { limit, ...filters } = request.query;
      const { items } = await readEvents(catalog(request), { ...filtersOf(filters), max: limit });
      const address = `${request.protocol}://${request.host}${request.url}`;
      const shown = new URL(address).searchParams;
      const title = `Steam events${shown.size === 0 ? "" : `: ${[...shown.values()].join(", ")}`}`;
      reply.header("content-type", contentType);
      return reply.send(syndicate(format, { address, title, events: items }));
    },
  );
}

export type EventFilters = Omit<EventQuery, "max" | "after" | "before">;

/** @throws {Problem} 400 for too many relations. */
export function filtersOf(query: Omit<z.output<typeof eventsOfAll>, "limit" | "cursor" | "after">): EventFilters {
  const types = query.type?.map((name) => name.toLowerCase());
  return {
    events: query.event,
    branch: query.branch,
    appids: query.appid,
    relations: relationsOf(query),
    required: undocumented({ types }),
    types,
    min_reviews: query.min_reviews,
  };
}

/** @throws {Problem} 400 for a value of a filter that does not exist. */
export async function readEvents(reader: CatalogReader, query: EventQuery): Promise<EventPage> {
  const page = await reader.events(query);
  if ("unknown" in page) throw await unknownValue(reader, page.unknown);
  return page;
}

async function* messagesOf(pages: AsyncIterable<EventView[]>): AsyncGenerator<string> {
  for await (const page of pages) {
    for (const event of page) yield formatEvent({ event: event.event, id: String(event.id), data: event });
  }
}

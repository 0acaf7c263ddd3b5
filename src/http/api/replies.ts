import { z } from "zod";
import { branchView, depotAppView, depotView } from "../../catalog/content-views.ts";
import { eventView } from "../../catalog/event-views.ts";
import { activityMinute, companyCount, labelCount } from "../../catalog/list-views.ts";
import { appSummary, changeView } from "../../catalog/views.ts";
import { problem } from "../problem.ts";

/** Response schemas: lists of the catalog's views, which all have `data` and `next`, and the error replies. */

const next = z.string().nullable().meta({ description: "the `cursor` of the next page; null on the last" });
const unpaged = z.null().meta({ description: "the list has one page" });

export const appPage = z.object({ data: z.array(appSummary), next }).meta({ id: "AppPage" });
export const changePage = z
  .object({
    data: z.array(changeView),
    next,
    last_id: z.int().meta({
      description: "pass it as `after` to read on from here; a consumer that does so misses no change",
    }),
  })
  .meta({ id: "ChangePage" });
export const eventPage = z
  .object({
    data: z.array(eventView).meta({ description: "may be empty although `next` is not null" }),
    next,
    last_id: z.int().meta({
      description: "pass it as `after` to read on from here; a consumer that does so misses no event",
    }),
  })
  .meta({ id: "EventPage" });
export const companyPage = z.object({ data: z.array(companyCount), next }).meta({ id: "CompanyPage" });
export const labelList = z.object({ data: z.array(labelCount), next: unpaged }).meta({ id: "LabelList" });
export const activity = z.object({ data: z.array(activityMinute), next: unpaged }).meta({ id: "Activity" });
export const branchList = z.object({ data: z.array(branchView), next: unpaged }).meta({ id: "BranchList" });
export const depotList = z.object({ data: z.array(depotView), next: unpaged }).meta({ id: "DepotList" });
export const depotAppPage = z
  .object({ depot_id: z.int(), data: z.array(depotAppView), next })
  .meta({ id: "DepotAppPage" });

export const index = z
  .object({
    name: z.string(),
    version: z.string(),
    documentation: z.string().meta({ description: "path of the documentation's page" }),
    openapi: z.string().meta({ description: "path of the OpenAPI document" }),
    endpoints: z.record(z.string(), z.string()).meta({ description: "path: summary" }),
  })
  .meta({
    id: "Index",
    examples: [
      {
        name: "steam-pics-sync",
        version: "0.2.0",
        documentation: "/docs",
        openapi: "/docs/json",
        endpoints: { "/v1/apps/{appid}": "One app with all its fields" },
      },
    ],
  });

export const eventStream = {
  description: "server-sent events; the stream does not end",
  content: { "text/event-stream": { schema: z.string() } },
};

/** A document for feed readers. */
export const syndicated = (contentType: string) => ({
  description: "the document",
  content: { [contentType.split(";")[0] ?? contentType]: { schema: z.string() } },
});

const fault = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problem } },
});

/** Error replies of every route. */
export const faults = {
  400: fault("a parameter is invalid; `errors` names each"),
  401: fault("the API key is missing or wrong"),
  429: fault(
    "the rate limit of this address is exceeded, or too many of its requests wait for the database; see `Retry-After`",
  ),
  503: fault("the database is unavailable, or had no time for the request within 5 s; see `Retry-After`"),
};
/** Error replies of event streams, in place of those above. */
export const streamFaults = {
  406: fault("the client does not accept text/event-stream"),
  429: fault("the rate limit, or the limit of open streams, of this address is exceeded; see `Retry-After`"),
  503: fault("the limit of open streams is reached; see `Retry-After`"),
};
export const deleted = {
  410: fault("changes of the page are deleted for their age: read the catalog again, then follow from `last_id`"),
};
export const missing = (what: string) => ({ 404: fault(what) });

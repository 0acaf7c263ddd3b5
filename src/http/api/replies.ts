import { z } from "zod";
import { activityMinute, appSummary, appView, changeView, companyCount, namedCount } from "../../catalog/views.ts";
import { problem } from "../problem.ts";

/** Response schemas: pages and lists of the catalog's views, and the error replies. */

const next = z.string().nullable().meta({ description: "the `cursor` of the next page; null on the last" });
const counted = z.object({ name: z.string(), count: z.int() });

export const appPage = z.object({ data: z.array(appSummary), next }).meta({ id: "AppPage" });
export const changePage = z
  .object({
    data: z.array(changeView),
    last_id: z.int().meta({ description: "pass it as `after` to resume; a consumer that does so misses no change" }),
    next_before: z
      .int()
      .nullable()
      .meta({ description: "pass it as `before` for the next, older page; null on the last" }),
    has_more: z.boolean().meta({ description: "more changes exist in the requested direction" }),
  })
  .meta({ id: "ChangePage" });
export const labelList = z.object({ data: z.array(namedCount) }).meta({ id: "LabelList" });
export const companyPage = z.object({ data: z.array(companyCount), next }).meta({ id: "CompanyPage" });
export const summary = z
  .object({
    apps: z.int(),
    by_type: z.array(counted),
    deck: z.array(z.object({ category: z.string(), count: z.int() })),
    top_tags: z.array(counted),
  })
  .meta({ id: "Summary" });
export const activity = z.object({ data: z.array(activityMinute) }).meta({ id: "Activity" });
export { appView };

export const eventStream = {
  description: "server-sent events; the stream does not end",
  content: { "text/event-stream": { schema: z.string() } },
};

const fault = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problem } },
});

/** Error replies of every route. */
export const faults = {
  400: fault("a parameter is invalid; `errors` names it"),
  401: fault("the API key is missing or wrong"),
  429: fault("the rate limit of this address is exceeded; see `Retry-After`"),
  503: fault("the database is unavailable; see `Retry-After`"),
};
export const missing = { 404: fault("the app is not stored") };

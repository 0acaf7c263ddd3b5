import { z } from "zod";
import { activityMinute, appSummary, appView, changeView, companyCount, namedCount } from "../../catalog/views.ts";
import { problem } from "../problem.ts";

/** What requests are answered with, beside the views of the catalog themselves. */

const next = z.string().nullable().meta({ description: "the `cursor` of the next page; null on the last" });
const counted = z.object({ name: z.string(), count: z.int() });

export const appPage = z.object({ data: z.array(appSummary), next }).meta({ id: "AppPage" });
export const changePage = z
  .object({
    data: z.array(changeView),
    last_id: z
      .int()
      .meta({ description: "whoever asks for what came `after` it misses nothing, not even what commits late" }),
    next_before: z.int().nullable().meta({ description: "`before` of the next, older page; null at the end" }),
    has_more: z.boolean().meta({ description: "in the direction that was asked for" }),
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
  description: "a stream without end",
  content: { "text/event-stream": { schema: z.string() } },
};

const fault = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: problem } },
});

/** Of every route. */
export const faults = {
  400: fault("a parameter is wrong; `errors` says which"),
  401: fault("the service asks for its API key"),
  429: fault("too many requests of this address; `Retry-After` says when to come back"),
  503: fault("the database does not answer; `Retry-After` says when to come back"),
};
export const missing = { 404: fault("there is no such app") };

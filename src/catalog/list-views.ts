import { z } from "zod";
import * as examples from "./view-examples.ts";
import { count, label, time } from "./views.ts";

/** Views of the values that apps can be filtered by, and of the catalog's statistics. */

export const labelCount = label.extend({ apps: count }).meta({
  id: "LabelCount",
  description: "a tag, genre or category with its number of apps",
  examples: [examples.labelCount],
});
export type LabelCount = z.infer<typeof labelCount>;

export const companyCount = z.object({ name: z.string(), apps: count }).meta({
  id: "CompanyCount",
  description: "a developer, publisher or franchise with its number of apps",
  examples: [examples.companyCount],
});
export type CompanyCount = z.infer<typeof companyCount>;

export const activityMinute = z.object({ minute: time, apps: count, changes: count }).meta({
  id: "ActivityMinute",
  description: "number of changes, and of changed apps, in one minute",
  examples: [examples.activityMinute],
});
export type ActivityMinute = z.infer<typeof activityMinute>;

/** Of the last 24 hours; the current hour is not over. */
export const activityDay = z.object({
  apps: count,
  added: count,
  hours: z.array(z.object({ hour: time, apps: count })),
});
export type ActivityDay = z.infer<typeof activityDay>;

const named = z.object({ name: z.string(), count }).meta({ id: "NamedCount", examples: [examples.namedCount] });
export const catalogSummary = z
  .object({
    apps: count,
    by_type: z.array(named),
    deck: z.array(z.object({ category: z.string(), count }).meta({ id: "DeckCount", examples: [examples.deckCount] })),
    top_tags: z.array(named),
  })
  .meta({ id: "Summary", examples: [examples.catalogSummary] });
export type CatalogSummary = z.infer<typeof catalogSummary>;

export const labelKinds = ["tags", "genres", "categories"] as const;
export type LabelKind = (typeof labelKinds)[number];
export const companyKinds = ["developers", "publishers", "franchises"] as const;
export type CompanyKind = (typeof companyKinds)[number];

/** By relevance only what is searched for; it has one direction. */
export const appSorts = ["appid", "name", "release_date", "reviews", "updated", "relevance"] as const;
export type AppSort = (typeof appSorts)[number];

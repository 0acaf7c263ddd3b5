import type { EventView } from "../catalog/event-views.ts";
import type { AppSort, CompanyKind } from "../catalog/list-views.ts";
import type { AppSummary, ChangeView } from "../catalog/views.ts";

/** Requests and replies of the SQL functions `catalog_…` that the catalog reader calls. */

export const appRelations = ["tag", "genre", "category", "developer", "publisher", "franchise"] as const;
export type AppRelation = (typeof appRelations)[number];
/** Filters whose values are documented, and in which Steam adds some: type, platform. */
export type OpenFilter = "type" | "platform";
/** A value of a filter that no app can have, since it does not exist. */
export type UnknownValue = [filter: AppRelation | OpenFilter, value: string];

/** Absent filters do not restrict the result. */
export interface AppQuery {
  max: number;
  sort: AppSort;
  descending: boolean;
  after?: PageKey | undefined;
  relations?: readonly [AppRelation, string][] | undefined;
  /** Values that are unknown unless a stored app has them. */
  required?: readonly [OpenFilter, string][] | undefined;
  /** Any of these matches; so do the next six. */
  appids?: readonly number[] | undefined;
  types?: readonly string[] | undefined;
  deck?: readonly string[] | undefined;
  machine?: readonly string[] | undefined;
  frame?: readonly string[] | undefined;
  vr?: readonly string[] | undefined;
  /** `any` stands for every declared content, `none` for no declaration. */
  ai?: readonly string[] | undefined;
  /** All of these must match. */
  platforms?: readonly string[] | undefined;
  parent?: number | undefined;
  free?: boolean | undefined;
  active?: boolean | undefined;
  /** ISO 8601. */
  released_since?: string | undefined;
  released_before?: string | undefined;
  changed_since?: string | undefined;
  /** All must occur in the name or in one of its translations; else names that resemble them are found (catalog_search). */
  words?: readonly string[] | undefined;
  /** Rows at which each way to find a page ends (lists.sql). For tests. */
  limits?: { first: number; gather: number; found: number; walk: number; most: number } | undefined;
}

/** Cursor of keyset pagination: sort value, as text, and appid of the last row of a page. */
export interface PageKey {
  key: string | null;
  appid: number;
}

export interface AppPage {
  apps: AppSummary[];
  next: PageKey | null;
}

/** With `after`: ascending from that id; else descending from `before`, or from the newest. */
export interface ChangeQuery {
  max: number;
  after?: number | undefined;
  before?: number | undefined;
}

/** A page of a feed: of changes, or of events. */
export interface FeedPage<Item> {
  items: Item[];
  /** A consumer that resumes after this id misses nothing, not even what commits late. */
  last_id: number;
  /** Where the following page begins, in the direction of the query; null on the last. */
  next: number | null;
  /** Absent unless items between the query's start and this page are deleted for their age: all up to this id. */
  deleted_up_to?: number;
}
export type ChangePage = FeedPage<ChangeView>;
export type EventPage = FeedPage<EventView>;

/** Filters other than those of the event itself are about the app as it is now. Absent ones do not restrict the result. */
export interface EventQuery extends ChangeQuery, Pick<AppQuery, "relations" | "types" | "required" | "appids"> {
  events?: readonly string[] | undefined;
  branch?: string | undefined;
  /** Positive and negative ones together, as SteamSpy counts them. */
  min_reviews?: number | undefined;
}

export interface CompanyQuery {
  kind: CompanyKind;
  max: number;
  after?: string | undefined;
  words?: readonly string[] | undefined;
}

export interface DepotQuery {
  depot_id: number;
  max: number;
  after?: { shared: boolean; appid: number } | undefined;
}

export interface KeptInfo {
  change_number: number;
  /** In hex. */
  sha1: string;
  /** Bytes of the text. */
  size: number;
  partial: boolean;
  fetched_at: string;
  missing_token: boolean;
  /** Null when it is longer than `maxInfoBytes`. */
  text: string | null;
}

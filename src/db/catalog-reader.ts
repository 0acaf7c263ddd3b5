import { promisify } from "node:util";
import { inflate } from "node:zlib";
import { z } from "zod";
import { assetUrls, headerUrl } from "../catalog/assets.ts";
import {
  type BranchView,
  branchView,
  type DepotAppView,
  type DepotView,
  depotAppView,
  depotView,
} from "../catalog/content-views.ts";
import { type EventView, eventView } from "../catalog/event-views.ts";
import { inOrder } from "../catalog/in-order.ts";
import {
  type ActivityDay,
  type ActivityMinute,
  activityDay,
  activityMinute,
  type CatalogSummary,
  type CompanyCount,
  catalogSummary,
  companyCount,
  type LabelCount,
  type LabelKind,
  labelCount,
} from "../catalog/list-views.ts";
import { type AppSummary, type AppView, appView, type ChangeView, changeView } from "../catalog/views.ts";
import { DatabaseError } from "../process/errors.ts";
import type {
  AppPage,
  AppQuery,
  AppRelation,
  ChangePage,
  ChangeQuery,
  CompanyQuery,
  DepotQuery,
  EventPage,
  EventQuery,
  KeptInfo,
  UnknownValue,
} from "./catalog-queries.ts";
import type { Database } from "./database.ts";
import { createNews } from "./news.ts";
import { createReadQueue, type ReadClient } from "./read-queue.ts";
import { type Backlog, type CatalogState, catalogState, type WorkerReport } from "./sync-calls.ts";
import { withTimeout } from "./timeout.ts";

/** Says why an app is not stored. */
export const typeIsLeftOut = (type: string) => `Steam knows it as ${type}, a type that APP_TYPES leaves out.`;

/**
 * Read side of the catalog, for HTTP and the command line: typed calls of the SQL functions `catalog_…`, where each is
 * described. Reads answer or fail fast: they have one time budget for waiting and running and are not retried, few run
 * concurrently, clients share the database fairly (read-queue.ts), and on the embedded database the service's own work
 * has priority.
 *
 * Every call throws {@link DatabaseError}, of fault `timeout` when its time is over. Results have their keys in the order
 * of the schemas of `catalog`, and are not validated on each request; the tests of the SQL functions check them against
 * these schemas.
 */
export interface CatalogReader {
  /**
   * The reader for one request of a client: its reads wait for the client's turn, have one time budget together, which
   * begins now, and end with the signal. Without it, reads are the service's own and each has a budget of its own.
   */
  for(request: ClientRequest): CatalogReader;
  /** Null when no such app is stored. */
  app(appid: number): Promise<AppView | null>;
  /** Type of an app that is not stored because APP_TYPES leaves it out; else null. */
  skippedType(appid: number): Promise<string | null>;
  /** Apps that match all filters; or, as `unknown`, the relation filter whose value does not exist. */
  apps(query: AppQuery): Promise<AppPage | { unknown: UnknownValue }>;
  /** Names of the catalog that resemble the value of a filter, nearest length first: candidates for "did you mean". */
  similar(relation: AppRelation | "type", value: string, edits: number): Promise<string[]>;
  changes(query: ChangeQuery): Promise<ChangePage>;
  /** Null when no such app is stored; so are the ones of its content. */
  changesOf(appid: number, query: ChangeQuery): Promise<ChangePage | null>;
  /** As `apps` does for a filter whose value does not exist. */
  events(query: EventQuery): Promise<EventPage | { unknown: UnknownValue }>;
  /** App info as Steam sent it, where it is kept. */
  info(appid: number): Promise<{ kept: KeptInfo | null } | null>;
  branches(appid: number): Promise<BranchView[] | null>;
  depots(appid: number): Promise<DepotView[] | null>;
  /** Apps that have a depot: those that own it before those that share it. Without any when none is stored. */
  appsOfDepot(query: DepotQuery): Promise<{ apps: DepotAppView[]; has_more: boolean }>;
  /** Most used first. Cached, since counting is slow; so are `activity`, `day`, `summary` and `state`. */
  labels(kind: LabelKind): Promise<LabelCount[]>;
  companies(query: CompanyQuery): Promise<{ companies: CompanyCount[]; has_more: boolean }>;
  /** Activity per minute over the last 60 minutes. */
  activity(): Promise<ActivityMinute[]>;
  /** Activity per hour over the last 24 hours. */
  day(): Promise<ActivityDay>;
  summary(): Promise<CatalogSummary>;
  /**
   * Version of everything that is committed in the database server: two equal ones have no commit between them. Null on the embedded
   * database, where asking takes as long as reading while it is busy.
   */
  version(): Promise<string | null>;
  /** State of the catalog as a whole. */
  state(): Promise<CatalogState>;
  backlog(): Promise<Backlog>;
  /** Reports of all workers seen in the last minute. */
  workers(): Promise<WorkerReport[]>;
  /** Waits for a commit that changes the catalog, at most about `ms` (news.ts). */
  news(ms: number, signal?: AbortSignal): Promise<void>;
}

/**
 * The longest app info that is read as text, in bytes. Parsing and sending it takes the event loop tens of milliseconds per megabyte, while
 * the mean is 4 kB.
 */
export const maxInfoBytes = 2 * 1_024 * 1_024;

export interface ClientRequest {
  /** Key of the client, among which the database's time is shared: its address. */
  client: string;
  /** Aborts when the client has gone away; a read that has not started then leaves the queue. */
  signal?: AbortSignal;
}

export interface ReaderOptions {
  /** Monotonic clock in milliseconds; tests replace it. */
  now?: () => number;
  /** Reads that run at the same time; on the embedded database it is always one. */
  concurrency?: number;
  /** Time from the arrival of a request to its answer, in milliseconds. */
  budgetMs?: number;
  /** Reads of one client that may wait. */
  maxWaitingPerClient?: number;
}

/** Concurrent reads, where the transport allows more than one. */
export const readConcurrency = 6;
const defaultBudgetMs = 5_000;
/** A running call ends this much before its budget, so that its own error is reported: it knows whether the database was reachable. */
const callMarginMs = 50;
/** Time budget of a version: a reply that waits for it can still be read within its own. */
const versionBudgetMs = 1_000;
/** Time budget of counts over the whole catalog. */
const countBudgetMs = 20_000;
/** Cache TTL of a count: max(5 s, 50 × the query's own time). */
const minCountTtlMs = 5_000;
const countTtlFactor = 50;

export function createCatalogReader(db: Database, options: ReaderOptions = {}): CatalogReader {
  const { now = () => performance.now(), concurrency = readConcurrency, budgetMs = defaultBudgetMs } = options;
  // The embedded database runs one statement at a time: a second one sent to it could only overtake another client's turn.
  const slots = db.driver === "pglite" ? 1 : concurrency;
  const queue = createReadQueue({ slots, now, maxWaitingPerClient: options.maxWaitingPerClient });

  /**
   * Waits for the client's turn and calls. The call gets the rest of the budget as its limit, and no signal: what the
   * database still works on keeps its slot, or a client that disconnects again and again would get all of the database.
   */
  async function call<T>(reading: Reading, name: string, request?: object): Promise<T> {
    const { client, deadline, signal } = reading;
    const leftMs = (marginMs = 0) => Math.max(1, Math.round(deadline - marginMs - now()));
    const args = request === undefined ? {} : { request };
    const limits = { timeoutMs: leftMs(), ...(signal && { signal }) };
    const result = await withTimeout(name, limits, "timeout", (ended) =>
      queue.run(client, ended, () => db.rpc(name, args, { timeoutMs: leftMs(callMarginMs), isRead: true })),
    );
    return result as T;
  }

  const news = createNews(db);
  const ofService = (ms: number): Reading => ({ client: service, deadline: now() + ms });
  const count = createCounts(now, (name, request) => call(ofService(countBudgetMs), name, request));
  function readerFor(reading: () => Reading): CatalogReader {
    return {
      ...readsOf((name, request) => call(reading(), name, request), count),
      news,
      version: () =>
        db.driver === "pglite" ? Promise.resolve(null) : call<string>(ofService(versionBudgetMs), "catalog_version"),
      for({ client, signal }) {
        const begun: Reading = { client: { key: client }, deadline: now() + budgetMs, signal };
        return readerFor(() => begun);
      },
    };
  }
  return readerFor(() => ofService(budgetMs));
}

/** A read and what it may use. */
interface Reading {
  client: ReadClient;
  /** On the reader's clock. */
  deadline: number;
  signal?: AbortSignal | undefined;
}

const service: ReadClient = { key: "service", isService: true };

type Read = <T>(name: string, request?: object) => Promise<T>;
type Count = <T>(schema: z.ZodType<T>, name: string, request?: { kind: string }) => Promise<T>;

/**
 * TTL cache with one query in flight per key; concurrent callers share it, so the query is the service's own and no
 * client's. A failure is not cached.
 */
function createCounts(now: () => number, read: Read): Count {
  const counts = new Map<string, CachedCount>();
  return <T>(schema: z.ZodType<T>, name: string, request?: { kind: string }) => {
    const key = request ? `${name} ${request.kind}` : name;
    const cached = counts.get(key);
    if (cached && (cached.expiresAt === null || now() < cached.expiresAt)) return cached.result as Promise<T>;
    const startedAt = now();
    const result = read<T>(name, request).then((value) => inOrder(schema, value));
    const entry: CachedCount = { result, expiresAt: null };
    counts.set(key, entry);
    entry.result.then(
      () => {
        entry.expiresAt = now() + Math.max(minCountTtlMs, countTtlFactor * (now() - startedAt));
      },
      () => counts.delete(key),
    );
    return entry.result as Promise<T>;
  };
}

/** A page as `catalog_apps` has it: the name of each tag once. */
interface AppsReply {
  apps: (Omit<AppSummary, "tags"> & { tags: number[] })[];
  tag_names: Record<string, string>;
  next: AppPage["next"];
}

/** Keys are in order already, and stay so. */
function appPageOf({ apps, tag_names: names, next }: AppsReply): AppPage {
  const named = (id: number) => ({ id, name: names[id] ?? null });
  return { apps: apps.map((app) => ({ ...app, tags: app.tags.map(named) })), next };
}

function readsOf(read: Read, count: Count): Omit<CatalogReader, "for" | "version" | "news"> {
  return {
    async app(appid) {
      const app = await read<AppView | null>("catalog_app", { appid });
      return app && inOrder(appView, { ...app, assets: assetUrls(appid, app.assets) });
    },
    skippedType: (appid) => read<string | null>("pics_skipped_type", { appid }),
    async apps(query) {
      const reply = await read<AppsReply | { unknown: UnknownValue }>("catalog_apps", query);
      return "unknown" in reply ? reply : appPageOf(reply);
    },
    similar: (relation, value, edits) => read("catalog_similar", { relation, value, edits }),
    async changes(query) {
      return changePageOf(await read<ChangesReply>("catalog_changes", query));
    },
    async changesOf(appid, query) {
      const reply = await read<ChangesReply | null>("catalog_changes", { ...query, appid });
      return reply && changePageOf(reply);
    },
    async events(query) {
      const reply = await read<EventsReply | { unknown: UnknownValue }>("catalog_events", query);
      if ("unknown" in reply) return reply;
      const { events, ...page } = reply;
      const items = events.map((event) => ({ ...event, image: event.image && headerUrl(event.appid, event.image) }));
      return { ...page, items: inOrder(eventViews, items) };
    },
    async info(appid) {
      const found = await read<{ kept: (Omit<KeptInfo, "text"> & { data: string }) | null } | null>("catalog_info", {
        appid,
      });
      if (!found?.kept) return found as { kept: null } | null;
      const { data, ...facts } = found.kept;
      return { kept: { ...facts, text: facts.size > maxInfoBytes ? null : await inflated(data) } };
    },
    async branches(appid) {
      const branches = await read<BranchView[] | null>("catalog_branches", { appid });
      return branches && inOrder(branchViews, branches);
    },
    async depots(appid) {
      const depots = await read<DepotView[] | null>("catalog_depots", { appid });
      return depots && inOrder(depotViews, depots);
    },
    async appsOfDepot(query) {
      const page = await read<{ apps: DepotAppView[]; has_more: boolean }>("catalog_depot", query);
      return { ...page, apps: inOrder(depotAppViews, page.apps) };
    },
    labels: (kind) => count(labelCounts, "catalog_labels", { kind }),
    async companies(query) {
      const page = await read<{ companies: CompanyCount[]; has_more: boolean }>("catalog_companies", query);
      return { ...page, companies: inOrder(companyCounts, page.companies) };
    },
    activity: () => count(activityMinutes, "catalog_activity"),
    day: () => count(activityDay, "catalog_day"),
    summary: () => count(catalogSummary, "catalog_summary"),
    state: () => count(catalogState, "pics_state"),
    backlog: () => read("pics_backlog"),
    workers: () => read("pics_workers"),
  };
}

interface ChangesReply extends Omit<ChangePage, "items" | "next"> {
  changes: ChangeView[];
  has_more: boolean;
}
interface EventsReply extends Omit<EventPage, "items"> {
  events: EventView[];
}

function changePageOf({ changes, has_more, ...page }: ChangesReply): ChangePage {
  const next = has_more ? (changes.at(-1)?.id ?? null) : null;
  return { ...page, items: inOrder(changeViews, changes), next };
}

const changeViews = z.array(changeView);
const eventViews = z.array(eventView);
const branchViews = z.array(branchView);
const depotViews = z.array(depotView);
const depotAppViews = z.array(depotAppView);
const labelCounts = z.array(labelCount);
const companyCounts = z.array(companyCount);
const activityMinutes = z.array(activityMinute);

const inflateText = promisify(inflate);

/**
 * The text of base64 of deflated UTF-8; bytes that are no UTF-8 become U+FFFD, as where the text is parsed first.
 *
 * @throws {RangeError} when it is longer than {@link maxInfoBytes}.
 */
async function inflated(data: string): Promise<string> {
  return (await inflateText(Buffer.from(data, "base64"), { maxOutputLength: maxInfoBytes })).toString("utf8");
}

interface CachedCount {
  result: Promise<unknown>;
  /** Null while the query is running. */
  expiresAt: number | null;
}

import PQueue from "p-queue";
import type {
  ActivityMinute,
  AppSort,
  AppSummary,
  AppView,
  ChangeView,
  CompanyCount,
  CompanyKind,
  LabelKind,
  NamedCount,
} from "../catalog/views.ts";
import { DatabaseError } from "../process/errors.ts";
import type { Backlog, CatalogState, CatalogSummary, WorkerReport } from "./catalog-store.ts";
import type { Database } from "./database.ts";

/**
 * Read side of the catalog, for HTTP and the command line: typed calls of the SQL functions `catalog_…`, where each is
 * described. Reads answer or fail fast: they have short time limits and are not retried, few run concurrently, a full
 * queue rejects, and on the embedded database the service's own work has priority.
 *
 * Every call throws {@link DatabaseError}. Results are not validated on each request; the tests of the SQL functions
 * check them against the schemas of `catalog/views.ts`.
 */
export interface CatalogReader {
  /** Null when no such app is stored. */
  app(appid: number): Promise<AppView | null>;
  /** Apps that match all filters; or, as `unknown`, the relation filter whose value does not exist. */
  apps(query: AppQuery): Promise<AppPage | { unknown: [relation: AppRelation, value: string] }>;
  changes(query: ChangeQuery): Promise<ChangePage>;
  /** Most used first. Cached, since counting is slow; so are `activity`, `summary` and `state`. */
  labels(kind: LabelKind): Promise<NamedCount[]>;
  companies(query: CompanyQuery): Promise<{ companies: CompanyCount[]; has_more: boolean }>;
  /** Activity per minute over the last 60 minutes. */
  activity(): Promise<ActivityMinute[]>;
  summary(): Promise<CatalogSummary>;
  /** State of the catalog as a whole. */
  state(): Promise<CatalogState>;
  backlog(): Promise<Backlog>;
  /** Reports of all workers seen in the last minute. */
  workers(): Promise<WorkerReport[]>;
}

export const appRelations = ["tag", "genre", "category", "developer", "publisher", "franchise"] as const;
export type AppRelation = (typeof appRelations)[number];

/** Absent filters do not restrict the result. */
export interface AppQuery {
  max: number;
  sort: AppSort;
  descending: boolean;
  after?: PageKey | undefined;
  relations?: readonly [AppRelation, string][] | undefined;
  /** Any of these matches. */
  types?: readonly string[] | undefined;
  deck?: readonly string[] | undefined;
  /** All of these must match. */
  platforms?: readonly string[] | undefined;
  parent?: number | undefined;
  free?: boolean | undefined;
  active?: boolean | undefined;
  /** ISO 8601. */
  released_since?: string | undefined;
  released_before?: string | undefined;
  changed_since?: string | undefined;
  /** All must occur in the name, ignoring case. */
  words?: readonly string[] | undefined;
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
  appid?: number | undefined;
  after?: number | undefined;
  before?: number | undefined;
}

export interface ChangePage {
  changes: ChangeView[];
  /** A consumer that resumes after this id misses no change, not even one that commits late. */
  last_id: number;
  /** More rows follow in the direction of the query. */
  has_more: boolean;
}

export interface CompanyQuery {
  kind: CompanyKind;
  max: number;
  after?: string | undefined;
  words?: readonly string[] | undefined;
}

export interface ReaderOptions {
  /** Monotonic clock in milliseconds; tests replace it. */
  now?: () => number;
}

/** Concurrent reads, where the transport allows more than one. */
export const readConcurrency = 4;
/** Queue limit: one more read is rejected. */
const maxWaiting = 200;
const timeoutMs = 5_000;
/** Time limit of counts over the whole catalog. */
const countTimeoutMs = 20_000;
/** Cache TTL of a count: max(5 s, 50 × the query's own time). */
const minCountTtlMs = 5_000;
const countTtlFactor = 50;

export function createCatalogReader(
  db: Database,
  { now = () => performance.now() }: ReaderOptions = {},
): CatalogReader {
  const queue = new PQueue({ concurrency: readConcurrency });
  const counts = new Map<string, CachedCount>();

  async function read<T>(name: string, request?: object, limitMs = timeoutMs): Promise<T> {
    if (queue.size >= maxWaiting)
      throw new DatabaseError(
        "retryable",
        "busy",
        `${name}: the database is busy, ${maxWaiting} reads are waiting; try again later`,
      );
    const args = request === undefined ? {} : { request };
    return (await queue.add(() => db.rpc(name, args, { timeoutMs: limitMs, isRead: true }))) as T;
  }

  /** TTL cache with one query in flight per key; concurrent callers share it. A failure is not cached. */
  function count<T>(name: string, request?: { kind: string }): Promise<T> {
    const key = request ? `${name} ${request.kind}` : name;
    const cached = counts.get(key);
    if (cached && (cached.expiresAt === null || now() < cached.expiresAt)) return cached.result as Promise<T>;
    const startedAt = now();
    const entry: CachedCount = { result: read<T>(name, request, countTimeoutMs), expiresAt: null };
    counts.set(key, entry);
    entry.result.then(
      () => {
        entry.expiresAt = now() + Math.max(minCountTtlMs, countTtlFactor * (now() - startedAt));
      },
      () => counts.delete(key),
    );
    return entry.result as Promise<T>;
  }

  return {
    app: (appid) => read("catalog_app", { appid }),
    apps: (query) => read("catalog_apps", query),
    changes: (query) => read("catalog_changes", query),
    labels: (kind) => count("catalog_labels", { kind }),
    companies: (query) => read("catalog_companies", query),
    activity: () => count("catalog_activity"),
    summary: () => count("catalog_summary"),
    state: () => count("pics_state"),
    backlog: () => read("pics_backlog"),
    workers: () => read("pics_workers"),
  };
}

interface CachedCount {
  result: Promise<unknown>;
  /** Null while the query is running. */
  expiresAt: number | null;
}

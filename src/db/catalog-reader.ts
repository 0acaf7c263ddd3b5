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
 * The read side of the catalog, for HTTP and the command line: typed calls of the functions in `…_reading.sql`, where
 * each is described. A reader is answered soon or told why not: nothing is repeated here, few reads run at the same time, and
 * on the embedded database the service's own work goes first.
 *
 * Every call throws {@link DatabaseError}. What comes back is built by those functions and is not parsed again for every
 * request; their tests hold it against the schemas of `catalog/views.ts`.
 */
export interface CatalogReader {
  /** Null when no such app is stored. */
  app(appid: number): Promise<AppView | null>;
  /** Apps that fulfil all conditions; or the relation to something that does not exist. */
  apps(query: AppQuery): Promise<AppPage | { unknown: [relation: AppRelation, value: string] }>;
  changes(query: ChangeQuery): Promise<ChangePage>;
  /** The most used first. Counting takes a while, so an answer serves for some time; so do those below. */
  labels(kind: LabelKind): Promise<NamedCount[]>;
  companies(query: CompanyQuery): Promise<{ companies: CompanyCount[]; has_more: boolean }>;
  /** The last 60 minutes. */
  activity(): Promise<ActivityMinute[]>;
  summary(): Promise<CatalogSummary>;
  /** Where the catalog as a whole stands. */
  state(): Promise<CatalogState>;
  backlog(): Promise<Backlog>;
  /** All workers of the last minute. */
  workers(): Promise<WorkerReport[]>;
}

export const appRelations = ["tag", "genre", "category", "developer", "publisher", "franchise"] as const;
export type AppRelation = (typeof appRelations)[number];

/** Conditions that are absent do not hold anybody back. */
export interface AppQuery {
  max: number;
  sort: AppSort;
  descending: boolean;
  after?: PageKey | undefined;
  relations?: readonly [AppRelation, string][] | undefined;
  /** Any of these. */
  types?: readonly string[] | undefined;
  deck?: readonly string[] | undefined;
  /** All of these. */
  platforms?: readonly string[] | undefined;
  parent?: number | undefined;
  free?: boolean | undefined;
  active?: boolean | undefined;
  /** ISO 8601. */
  released_since?: string | undefined;
  released_before?: string | undefined;
  changed_since?: string | undefined;
  /** All of them in the name, in any case. */
  words?: readonly string[] | undefined;
}

/** Where a page ended: the value it is sorted by, as text, and the appid. */
export interface PageKey {
  key: string | null;
  appid: number;
}

export interface AppPage {
  apps: AppSummary[];
  next: PageKey | null;
}

/** With `after` the oldest first from there on, else the newest first from `before` back. */
export interface ChangeQuery {
  max: number;
  appid?: number | undefined;
  after?: number | undefined;
  before?: number | undefined;
}

export interface ChangePage {
  changes: ChangeView[];
  /** Whoever goes on after it misses nothing, not even what commits late. */
  last_id: number;
  /** In the direction of the query. */
  has_more: boolean;
}

export interface CompanyQuery {
  kind: CompanyKind;
  max: number;
  after?: string | undefined;
  words?: readonly string[] | undefined;
}

export interface ReaderOptions {
  now?: () => number;
}

/** Reads at the same time, where the transport allows any. */
export const readConcurrency = 4;
/** Reads that wait for their turn; one more is refused. */
const maxWaiting = 200;
const timeoutMs = 5_000;
/** Counting over the whole catalog. */
const countTimeoutMs = 20_000;
/** What is counted serves for so long, and so many times as long as the counting took. */
const minCountAgeMs = 5_000;
const countAgeFactor = 50;

export function createCatalogReader(
  db: Database,
  { now = () => performance.now() }: ReaderOptions = {},
): CatalogReader {
  const queue = new PQueue({ concurrency: readConcurrency });
  const counts = new Map<string, Counted>();

  async function read<T>(name: string, request?: object, limitMs = timeoutMs): Promise<T> {
    if (queue.size >= maxWaiting) throw new DatabaseError("retryable", "busy", `${name}: too many reads are waiting`);
    const args = request === undefined ? {} : { request };
    return (await queue.add(() => db.rpc(name, args, { timeoutMs: limitMs, isRead: true }))) as T;
  }

  /** Counts once for all who ask meanwhile and for a while after. */
  function count<T>(name: string, request?: { kind: string }): Promise<T> {
    const key = request ? `${name} ${request.kind}` : name;
    const known = counts.get(key);
    if (known && (known.until === null || now() < known.until)) return known.result as Promise<T>;
    const startedAt = now();
    const counted: Counted = { result: read<T>(name, request, countTimeoutMs), until: null };
    counts.set(key, counted);
    counted.result.then(
      () => {
        counted.until = now() + Math.max(minCountAgeMs, countAgeFactor * (now() - startedAt));
      },
      () => counts.delete(key),
    );
    return counted.result as Promise<T>;
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

interface Counted {
  result: Promise<unknown>;
  /** Null while it is being counted. */
  until: number | null;
}

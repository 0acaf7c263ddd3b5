import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { AppRecord, Section } from "../catalog/app-record.ts";
import { type CatalogSummary, catalogSummary } from "../catalog/list-views.ts";
import type { Backoff } from "../process/backoff.ts";
import type { Database, SqlDatabase } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";

/**
 * Typed calls of the SQL functions that Steam sync uses; the SQL documents each of them.
 *
 * Every call is idempotent, so it may be retried after a lost reply: `apply` carries a request id, a claim its lease id.
 */
export interface CatalogStore {
  state(): Promise<CatalogState>;
  beginBulk(request: BulkBeginRequest): Promise<BulkBegin>;
  finishBulk(request: { startedAt: string }): Promise<BulkEnd>;
  mark(request: MarkRequest): Promise<MarkReply>;
  /** Marks apps, at most `max`, that were left out for their type and that are wanted now. */
  markSkipped(request: { types: AppTypes; max: number }): Promise<{ marked: number; has_more: boolean }>;
  storedAppids(after: number, max: number): Promise<number[]>;
  /** Which of these apps are stored and known to Steam. */
  knownAmong(appids: readonly number[]): Promise<number[]>;
  claim(request: ClaimRequest): Promise<Claim>;
  renew(leaseId: string, leaseMs: number): Promise<number>;
  release(leaseId: string): Promise<void>;
  /** Claims apps whose kept text an older version of the extractor read; see `pics_claim_kept`. */
  claimKept(request: KeptClaimRequest): Promise<KeptClaim>;
  /** Gives back what `claimKept` claimed. */
  releaseKept(leaseId: string): Promise<void>;
  /** Apps that a version of the extractor before this one read. */
  outdated(extractorVersion: number): Promise<OutdatedApps>;
  /**
   * Throws {@link DatabaseError} `timeout` when the statement exceeds its time limit, so that the caller retries with
   * fewer apps. A request without apps is retried here.
   */
  apply(request: ApplyRequest): Promise<ApplyReply>;
  poll(request: PollRequest): Promise<PollReply>;
  openGap(request: { workerId: string; from: number; to: number }): Promise<void>;
  /** `seconds`: since the sweep began. `changeNumber`: everything announced up to it is durable. */
  finishSweep(request: { workerId: string; seconds: number; changeNumber: number }): Promise<SweepReply>;
  /** Heartbeat: writes a worker's snapshot, and acquires or renews a leader lease if one is given. */
  report(request: ReportRequest): Promise<Heard>;
  forget(workerId: string): Promise<void>;
  unnamedTags(after: number, max: number): Promise<number[]>;
  nameTags(names: ReadonlyMap<number, string>): Promise<void>;
  /** Categories whose name Steam has not given, or not within a week. */
  unconfirmedCategories(): Promise<number[]>;
  /** Stores Steam's names, in place of any other and also of categories that no app has yet. */
  nameCategories(names: ReadonlyMap<number, string>): Promise<void>;
  /** Counts keys of app infos that the extractor does not read. May be repeated with the same request id. */
  countKeys(counts: KeyCounts): Promise<KeyCountReply>;
  /** Deletes the oldest changes of the history, at most `max`, as far as they are older than `days`. */
  trimChanges(request: { days: number; max: number }): Promise<{ deleted: number; has_more: boolean }>;
  /** Keeps today's size of the database, from which its growth a day is computed. */
  recordSize(): Promise<void>;
  /** Makes the space of dead rows of the sync state reusable; over PostgREST nothing, where autovacuum alone does. */
  vacuumSyncState(): Promise<void>;
  /** Rebuilds the next index by name after `after`, of those with at least `minBytes`. Null after the last. */
  compact(request: { after: string | null; minBytes: number }): Promise<Compacted | null>;
  failing(max: number): Promise<FailingApp[]>;
  summary(): Promise<CatalogSummary>;
}

const id = z.number().int();
const time = z.string();

const unreadKeys = z.object({
  count: z.number(),
  /** First seen within 7 days, and not in the first load. */
  new_count: z.number(),
  /** The latest 20 of these. */
  new: z.array(z.object({ path: z.string(), payloads: z.number(), first_appid: id, first_seen_at: time })),
});
/** Keys of Steam's app info that the extractor does not read. */
export type UnreadKeys = z.infer<typeof unreadKeys>;

const databaseSize = z.object({
  /** Of all tables of the service, with their indexes. */
  bytes: z.number(),
  /** The largest first. */
  tables: z.array(z.object({ name: z.string(), bytes: z.number() })),
  /** In bytes, since about a day ago; null while that is not known. */
  growth_per_day: z.number().nullable(),
});

export type DatabaseSize = z.infer<typeof databaseSize>;

export const catalogState = z.object({
  last_change_number: z.number().nullable(),
  bulk_started_at: time.nullable(),
  bulk_completed_at: time.nullable(),
  last_verified_at: time.nullable(),
  apps: z.number(),
  pending: z.number(),
  failing: z.number(),
  /** Stored and known apps of which Steam says "unknown", without a second answer so far. */
  unconfirmed: z.number(),
  /** Apps that are not stored because APP_TYPES leaves their type out. */
  skipped: z.number().default(0),
  /** When "unknown" was last not believed, because Steam said it of too many apps. */
  mass_unknown_at: time.nullable(),
  unread_keys: unreadKeys,
  size: databaseSize.nullable().default(null),
});
export type CatalogState = z.infer<typeof catalogState>;

export interface BulkBeginRequest {
  /** Steam's current one, stored only if there is no cursor yet. */
  changeNumber: number;
  /** The only apps of this pass; null for a pass over everything. */
  appids: readonly number[] | null;
}
const bulkBegin = z.object({
  last_change_number: z.number().nullable(),
  pending: z.number(),
  highest_appid: z.number(),
  started_at: time,
});
export type BulkBegin = z.infer<typeof bulkBegin>;

const bulkEnd = z.object({
  bulk_completed_at: time,
  /** No pass over everything had ended before. */
  is_first: z.boolean(),
});
export type BulkEnd = z.infer<typeof bulkEnd>;

/** The only types of which new apps are stored, in lower case; null or absent for all. */
export type AppTypes = readonly string[] | null | undefined;

/** What Steam says of an app without its text, when it lists what changed or is asked for metadata. */
interface Announcement {
  appid: number;
  changeNumber: number;
  /** Its whole app info needs an access token. */
  needsToken?: boolean;
}

const announcement = ({ appid, changeNumber, needsToken = false }: Announcement) => [appid, changeNumber, needsToken];

export interface MarkRequest {
  apps: readonly Announcement[];
  unknown: readonly number[];
  /** Mark every listed app, also those that are current. */
  full: boolean;
  types?: AppTypes;
}
const markReply = z.object({ known: z.number(), marked: z.number(), now: time });
export type MarkReply = z.infer<typeof markReply>;

export interface ClaimRequest {
  leaseId: string;
  max: number;
  leaseMs: number;
  /** Only these apps; null for any. */
  appids: readonly number[] | null;
  /** Skip apps that failed this often; null for no limit. */
  maxAttempts: number | null;
}
const claim = z.object({
  apps: z.array(
    z.object({
      appid: id,
      change_number: z.number(),
      /** Before this one. */
      attempts: z.number(),
      access_token: z.string().nullable(),
      /** Steam is known to withhold sections without an access token. */
      needs_token: z.boolean(),
      /** Denied less than a day ago. */
      token_denied: z.boolean(),
    }),
  ),
  waiting: z.number(),
  due_in_seconds: z.number().nullable(),
});
export type Claim = z.infer<typeof claim>;
export type ClaimedApp = Claim["apps"][number];

export interface KeptClaimRequest {
  leaseId: string;
  max: number;
  leaseMs: number;
  extractorVersion: number;
  /** In appid order, after this one. */
  after: number;
  /** Left out: apps that failed before. */
  except: readonly number[];
}
const keptClaim = z.object({
  apps: z.array(
    z.object({
      appid: id,
      change_number: z.number(),
      partial: z.boolean(),
      /** The deflated text, as base64. */
      data: z.string(),
    }),
  ),
  /** With no apps: until the first of those before `after`, or held by another worker, is free; null when none is left. */
  due_in_seconds: z.number().nullable(),
});
export type KeptClaim = z.infer<typeof keptClaim>;

const outdatedApps = z.object({
  /** With a kept text of the stored change number. */
  kept: z.number(),
  not_kept: z.number(),
  /** Not stored, for their type. */
  skipped: z.number(),
});
export type OutdatedApps = z.infer<typeof outdatedApps>;

/** A record with the change number that guards its write. */
export interface StoredRecord extends AppRecord {
  change_number: number;
  /** Steam withholds sections: what they tell stays as it is stored. */
  partial: boolean;
  missing_token: boolean;
  /** Sections that the text does not have, or has empty. */
  lacks: readonly Section[];
  /** See catalog/labels.ts; without them the database reads them from the relations, once these are written. */
  labels?: number[];
  /** The text, to be kept; absent where it is not. */
  info?: KeptText;
}

/** The text of an app exactly as Steam sent it. */
export interface KeptText {
  /** Of the text, in hex. */
  sha1: string;
  /** Bytes of the text. */
  size: number;
  /** Deflated (zlib), as base64. */
  data: string;
}

export interface ApplyRequest {
  leaseId: string;
  apps: readonly StoredRecord[];
  /** Version of the extractor that made the records. */
  extractorVersion: number;
  /** The records were made from kept texts: Steam said nothing new, so that marks, attempts and times stay. */
  isReextract: boolean;
  unknown: readonly number[];
  failed: readonly { appid: number; error: string }[];
  tokens: readonly { appid: number; access_token: string | null }[];
  /** Delay before the next attempt at a failed app. The database computes it, without jitter. */
  appBackoff: Backoff;
  unknownRule: UnknownRule;
  /** Record each field that changes on an app that was stored before. */
  history: boolean;
  types?: AppTypes;
}

/** When "unknown" is believed about an app that is stored and known. */
export interface UnknownRule {
  /** Shortest time between a first and a second answer that says so. */
  confirmMs: number;
  /** Largest share of the known apps that may vanish within an hour; said of more (and of 20), none of it is believed. */
  maxShrink: number;
  /** An operator confirms what Steam says now: believed at once, and of any number. */
  acceptUnknown: boolean;
}

const applyReply = z.object({
  stored: z.number(),
  /** Not stored, for their type. */
  skipped: z.number(),
  stale: z.number(),
  unknown: z.number(),
  unconfirmed: z.number(),
  withheld: z.number(),
  failed: z.number(),
  lease_lost: z.number(),
  /** Answers that cannot be true, such as an empty app info; counted as failed. */
  doubted: z.array(z.object({ appid: id, error: z.string() })),
  /** "Unknown" is not believed, because Steam says it of too many apps. */
  mass_unknown: z.boolean(),
});
export type ApplyReply = z.infer<typeof applyReply>;

/** State of the change monitor: cursor, open gap, age of the last sweep. */
const monitorState = z.object({
  last_change_number: z.number().nullable(),
  bulk_completed_at: time.nullable(),
  reconciled_seconds_ago: z.number().nullable(),
  gap: z.object({ from_change: z.number(), to_change: z.number() }).nullable(),
});
export type MonitorState = z.infer<typeof monitorState>;

export interface PollRequest {
  workerId: string;
  /** The change number that the poll started from. */
  since: number;
  /** Steam's current one. */
  changeNumber: number;
  apps: readonly Announcement[];
}
const pollReply = z.object({ accepted: z.boolean(), last_change_number: z.number().nullable(), marked: z.number() });
export type PollReply = z.infer<typeof pollReply>;

const sweepReply = z.object({ accepted: z.boolean(), last_change_number: z.number().nullable() });
export type SweepReply = z.infer<typeof sweepReply>;

export interface KeyCounts {
  requestId: string;
  /** `payloads`: app infos that had the key; `appid`: the first of them. */
  keys: readonly { path: string; payloads: number; appid: number }[];
  /** Paths that this version reads: those of them that an older version counted are deleted. */
  read: readonly string[];
}
const keyCountReply = z.object({
  /** Paths that were not stored before. */
  added: z.array(z.string()),
  /** No bulk sync is complete, so that every key is new. */
  first_load: z.boolean(),
  /** Paths that were not added, because the table is full. */
  refused: z.number(),
});
export type KeyCountReply = z.infer<typeof keyCountReply>;

export const failingApps = z.array(
  z.object({
    appid: id,
    name: z.string().nullable(),
    error: z.string().nullable(),
    attempts: z.number(),
    next_attempt_at: time.nullable(),
  }),
);
export type FailingApp = z.infer<typeof failingApps>[number];

export const webhookCounts = z.object({
  total: z.number(),
  /** Live ones whose last delivery failed. */
  failing: z.number(),
  /** Given up after days of failures. */
  dead: z.number(),
  /** Their receiver answered 410 Gone. */
  disabled: z.number(),
  /** Age of the oldest event that a live one has not passed; null without a live one. */
  lag_seconds: z.number().nullable(),
});
export type WebhookCounts = z.infer<typeof webhookCounts>;

const backlog = z.object({
  pending: z.number(),
  failing: z.number(),
  unconfirmed: z.number(),
  mass_unknown_at: time.nullable(),
  lag_seconds: z.number().nullable(),
  /** Until the first pending app may be claimed, 0 for now; null when none is pending. */
  due_in_seconds: z.number().nullable(),
  failing_apps: failingApps,
  webhooks: webhookCounts,
});
export type Backlog = z.infer<typeof backlog>;

/** The catalog as a whole. Apps in backoff are `failing` and not `pending`. */
export const catalogOverview = catalogState.extend({ lag_seconds: z.number().nullable() });
export type CatalogOverview = z.infer<typeof catalogOverview>;

export function overviewOf(state: CatalogState, backlog: Backlog): CatalogOverview {
  const { pending, failing, unconfirmed, lag_seconds } = backlog;
  return { ...state, pending, failing, unconfirmed, lag_seconds };
}

const workerReports = z.array(
  z.object({ id: z.string(), mode: z.string(), snapshot: z.unknown(), seen_at: time, seen_seconds_ago: z.number() }),
);
export type WorkerReport = z.infer<typeof workerReports>[number];

export interface ReportRequest {
  id: string;
  mode: string;
  snapshot: object;
  /** Acquired for the reporting worker. */
  lease?: LeaseRequest | undefined;
}

export interface LeaseRequest {
  role: "monitor" | "collector" | "webhooks";
  leaseMs: number;
}

const heard = z.object({
  /** All workers seen in the last minute. */
  workers: workerReports,
  backlog,
  monitor: monitorState,
  /** `free_in_seconds`: until another worker's lease lapses. Null when no lease was asked for. */
  lease: z.object({ leading: z.boolean(), free_in_seconds: z.number().nullable() }).nullable(),
});
/** What a heartbeat is answered with. */
export type Heard = z.infer<typeof heard>;

const ids = z.array(id);
const skippedReply = z.object({ marked: z.number(), has_more: z.boolean() });
const compacted = z.object({ index: z.string(), bytes_before: z.number(), bytes_after: z.number() }).nullable();
export type Compacted = NonNullable<z.infer<typeof compacted>>;

const trimReply = z.object({ deleted: z.number(), has_more: z.boolean() });
const renewed = z.object({ renewed: z.number() });
/** The reply of a function that returns nothing of use. */
const nothing = z.unknown().transform(() => {});

function createCaller(db: Database, retry: Pick<DatabaseRetry, "call">) {
  return async function rpc<T>(
    reply: z.ZodType<T>,
    name: string,
    request?: Record<string, unknown>,
    options?: { splittable: boolean },
  ): Promise<T> {
    const args = request === undefined ? {} : { request };
    return reply.parse(await retry.call(() => db.rpc(name, args), options));
  };
}

/** The store over one database; `retry` retries calls that fail for a transient reason. */
export function createCatalogStore(db: Database | SqlDatabase, retry: Pick<DatabaseRetry, "call">): CatalogStore {
  const rpc = createCaller(db, retry);
  return {
    state: () => rpc(catalogState, "pics_state"),
    beginBulk: ({ changeNumber, appids }) => rpc(bulkBegin, "pics_begin_bulk", { change_number: changeNumber, appids }),
    finishBulk: ({ startedAt }) => rpc(bulkEnd, "pics_finish_bulk", { started_at: startedAt }),
    mark: ({ apps, unknown, full, types }) =>
      rpc(markReply, "pics_mark", { apps: apps.map(announcement), unknown, full, types }),
    markSkipped: (request) => rpc(skippedReply, "pics_mark_skipped", request),
    storedAppids: (after, max) => rpc(ids, "pics_stored_appids", { after, max }),
    knownAmong: (appids) => rpc(ids, "pics_known_among", { appids }),
    claim: ({ leaseId, max, leaseMs, appids, maxAttempts }) =>
      rpc(claim, "pics_claim", {
        lease_id: leaseId,
        max,
        lease_seconds: leaseMs / 1000,
        appids,
        max_attempts: maxAttempts,
      }),
    renew: async (leaseId, leaseMs) =>
      (await rpc(renewed, "pics_renew", { lease_id: leaseId, lease_seconds: leaseMs / 1000 })).renewed,
    release: (leaseId) => rpc(nothing, "pics_release", { lease_id: leaseId }),
    claimKept: ({ leaseId, max, leaseMs, extractorVersion, after, except }) =>
      rpc(keptClaim, "pics_claim_kept", {
        lease_id: leaseId,
        max,
        lease_seconds: leaseMs / 1000,
        extractor_version: extractorVersion,
        after,
        except,
      }),
    releaseKept: (leaseId) => rpc(nothing, "pics_release", { lease_id: leaseId, is_counted: false }),
    outdated: (extractorVersion) => rpc(outdatedApps, "pics_outdated", { extractor_version: extractorVersion }),
    apply: ({
      leaseId,
      apps,
      extractorVersion,
      isReextract,
      unknown,
      failed,
      tokens,
      appBackoff,
      unknownRule,
      history,
      types,
    }) =>
      rpc(
        applyReply,
        "pics_apply",
        {
          request_id: randomUUID(),
          lease_id: leaseId,
          apps,
          extractor_version: extractorVersion,
          is_reextract: isReextract,
          unknown,
          failed,
          tokens,
          retry_seconds: appBackoff.firstMs / 1000,
          retry_max_seconds: appBackoff.maxMs / 1000,
          unknown_confirm_seconds: unknownRule.confirmMs / 1000,
          max_shrink: unknownRule.maxShrink,
          accept_unknown: unknownRule.acceptUnknown,
          history,
          types,
        },
        { splittable: apps.length > 0 },
      ),
    poll: ({ workerId, since, changeNumber, apps }) =>
      rpc(pollReply, "pics_poll", {
        worker_id: workerId,
        since,
        change_number: changeNumber,
        apps: apps.map(announcement),
      }),
    openGap: ({ workerId, from, to }) =>
      rpc(nothing, "pics_open_gap", { worker_id: workerId, from_change: from, to_change: to }),
    finishSweep: ({ workerId, seconds, changeNumber }) =>
      rpc(sweepReply, "pics_finish_sweep", {
        worker_id: workerId,
        seconds,
        change_number: changeNumber,
      }),
    trimChanges: (request) => rpc(trimReply, "pics_trim_changes", request),
    recordSize: () => rpc(nothing, "pics_record_size"),
    async vacuumSyncState() {
      if ("vacuum" in db) await db.vacuum(["sync_status", "pics_claims", "pics_replies"]);
    },
    report: ({ lease, ...worker }) =>
      rpc(heard, "report_worker", {
        ...worker,
        ...(lease && { lease: { role: lease.role, lease_seconds: lease.leaseMs / 1_000 } }),
      }),
    forget: (workerId) => rpc(nothing, "forget_worker", { id: workerId }),
    unnamedTags: (after, max) => rpc(ids, "pics_unnamed_tags", { after, max }),
    nameTags: (names) =>
      rpc(nothing, "pics_name_tags", { tags: [...names].map(([tag_id, name]) => ({ tag_id, name })) }),
    unconfirmedCategories: () => rpc(ids, "pics_unconfirmed_categories"),
    nameCategories: (names) =>
      rpc(nothing, "pics_name_categories", {
        categories: [...names].map(([category_id, name]) => ({ category_id, name })),
      }),
    countKeys: ({ requestId, keys, read }) =>
      rpc(keyCountReply, "pics_count_keys", { request_id: requestId, keys, read }),
    compact: ({ after, minBytes }) => rpc(compacted, "pics_compact", { after, min_bytes: minBytes }),
    failing: (max) => rpc(failingApps, "pics_failing", { max }),
    summary: () => rpc(catalogSummary, "catalog_summary"),
  };
}

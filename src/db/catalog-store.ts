import { randomUUID } from "node:crypto";
import type { z } from "zod";
import { type CatalogSummary, catalogSummary } from "../catalog/list-views.ts";
import type { Database, SqlDatabase } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";
import {
  type ApplyReply,
  type ApplyRequest,
  type AppTypes,
  announcement,
  applyReply,
  type BulkBegin,
  type BulkBeginRequest,
  type BulkEnd,
  bulkBegin,
  bulkEnd,
  type CatalogState,
  type Claim,
  type ClaimRequest,
  type Compacted,
  catalogState,
  claim,
  compacted,
  type FailingApp,
  failingApps,
  type Heard,
  heard,
  ids,
  type KeptClaim,
  type KeptClaimRequest,
  type KeyCountReply,
  type KeyCounts,
  keptClaim,
  keyCountReply,
  type MarkReply,
  type MarkRequest,
  markReply,
  nothing,
  type OutdatedApps,
  outdatedApps,
  type PollReply,
  type PollRequest,
  pollReply,
  type ReportRequest,
  renewed,
  type SweepReply,
  skippedReply,
  sweepReply,
  trimReply,
} from "./sync-calls.ts";

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

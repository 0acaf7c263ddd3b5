import { z } from "zod";
import type { AppRecord, Section } from "../catalog/app-record.ts";
import type { Backoff } from "../process/backoff.ts";

/** Requests and replies of the SQL functions `pics_…` that Steam sync calls (catalog-store.ts). */

const id = z.number().int();
const time = z.string();

/** Keys of Steam's app info that the extractor does not read. */
const unreadKeys = z.object({
  count: z.number(),
  /** First seen within 7 days, and not in the first load. */
  new_count: z.number(),
  /** The latest 20 of these. */
  new: z.array(z.object({ path: z.string(), payloads: z.number(), first_appid: id, first_seen_at: time })),
});

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
export const bulkBegin = z.object({
  last_change_number: z.number().nullable(),
  pending: z.number(),
  highest_appid: z.number(),
  started_at: time,
});
export type BulkBegin = z.infer<typeof bulkBegin>;

export const bulkEnd = z.object({
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

export const announcement = ({ appid, changeNumber, needsToken = false }: Announcement) => [
  appid,
  changeNumber,
  needsToken,
];

export interface MarkRequest {
  apps: readonly Announcement[];
  unknown: readonly number[];
  /** Mark every listed app, also those that are current. */
  full: boolean;
  types?: AppTypes;
}
export const markReply = z.object({ known: z.number(), marked: z.number(), now: time });
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
export const claim = z.object({
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
export const keptClaim = z.object({
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

export const outdatedApps = z.object({
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

export const applyReply = z.object({
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
export const pollReply = z.object({
  accepted: z.boolean(),
  last_change_number: z.number().nullable(),
  marked: z.number(),
});
export type PollReply = z.infer<typeof pollReply>;

export const sweepReply = z.object({ accepted: z.boolean(), last_change_number: z.number().nullable() });
export type SweepReply = z.infer<typeof sweepReply>;

export interface KeyCounts {
  requestId: string;
  /** `payloads`: app infos that had the key; `appid`: the first of them. */
  keys: readonly { path: string; payloads: number; appid: number }[];
  /** Paths that this version reads: those of them that an older version counted are deleted. */
  read: readonly string[];
}
export const keyCountReply = z.object({
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

export const heard = z.object({
  /** All workers seen in the last minute. */
  workers: workerReports,
  backlog,
  monitor: monitorState,
  /** `free_in_seconds`: until another worker's lease lapses. Null when no lease was asked for. */
  lease: z.object({ leading: z.boolean(), free_in_seconds: z.number().nullable() }).nullable(),
});
/** What a heartbeat is answered with. */
export type Heard = z.infer<typeof heard>;

export const ids = z.array(id);
export const skippedReply = z.object({ marked: z.number(), has_more: z.boolean() });
export const compacted = z.object({ index: z.string(), bytes_before: z.number(), bytes_after: z.number() }).nullable();
export type Compacted = NonNullable<z.infer<typeof compacted>>;

export const trimReply = z.object({ deleted: z.number(), has_more: z.boolean() });
export const renewed = z.object({ renewed: z.number() });
/** The reply of a function that returns nothing of use. */
export const nothing = z.unknown().transform(() => {});

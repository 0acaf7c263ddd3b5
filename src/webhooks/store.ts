import { z } from "zod";
import type { EventQuery } from "../db/catalog-queries.ts";
import type { Database } from "../db/database.ts";
import type { DatabaseRetry } from "../db/retry.ts";

/** Typed calls of the SQL functions `webhook_…`, which supabase/routines/webhooks.sql describes. All may be retried after a lost reply. */
export interface WebhookStore {
  /** Where events after `after` are deleted already, nothing is added. */
  add(webhook: NewWebhook): Promise<WebhookRow | { deleted_up_to: number }>;
  /** By age, without secrets. */
  list(): Promise<WebhookRow[]>;
  /** Those whose id begins so. */
  find(prefix: string): Promise<Webhook[]>;
  /** Those that are neither dead nor disabled. */
  live(): Promise<Webhook[]>;
  /** False when there is none; so for `revive`. */
  remove(id: string): Promise<boolean>;
  revive(id: string): Promise<boolean>;
  progress(webhooks: readonly WebhookProgress[]): Promise<void>;
  failed(failure: WebhookFailure): Promise<FailedReply>;
}

/** What of the events a webhook wants. */
export type EventFilters = Omit<EventQuery, "max" | "after" | "before">;

export const webhookFormats = ["standard", "discord"] as const;
export type WebhookFormat = (typeof webhookFormats)[number];

export interface NewWebhook {
  id: string;
  url: string;
  secret: string;
  format: WebhookFormat;
  filters: EventFilters;
  /** The last event that it does not want; null for all up to now. */
  after: number | null;
}

export interface WebhookProgress {
  id: string;
  cursor: number;
  /** Events since the last report. */
  delivered: number;
}

export interface WebhookFailure {
  id: string;
  error: string;
  retryMs: number;
  /** This duration and number of failures in a row make it dead. */
  deadAfter: { ms: number; attempts: number };
  /** The receiver wants no more. */
  gone: boolean;
}

const time = z.string();
const webhookRow = z.object({
  id: z.string(),
  url: z.string(),
  format: z.enum(webhookFormats),
  filters: z.record(z.string(), z.unknown()).transform((filters) => filters as EventFilters),
  /** Every event up to this id is delivered, or does not fit. */
  cursor: z.number(),
  delivered: z.number(),
  state: z.enum(["live", "failing", "dead", "disabled"]),
  /** Failures since the last success. */
  attempts: z.number(),
  created_at: time,
  last_success_at: time.nullable(),
  failing_since: time.nullable(),
  next_attempt_at: time.nullable(),
  next_attempt_in_seconds: z.number().nullable(),
  last_error: z.string().nullable(),
  /** Age of the oldest event that it has not passed; 0 when there is none. */
  lag_seconds: z.number(),
});
export type WebhookRow = z.infer<typeof webhookRow>;

const webhook = webhookRow.extend({ secret: z.string() });
export type Webhook = z.infer<typeof webhook>;

const added = z.union([z.object({ deleted_up_to: z.number() }), webhookRow]);
const failedReply = z.object({
  attempts: z.number().nullable(),
  dead: z.boolean().nullable(),
  disabled: z.boolean().nullable(),
});
/** All null for a webhook that was removed. */
export type FailedReply = z.infer<typeof failedReply>;

export function createWebhookStore(db: Database, retry: Pick<DatabaseRetry, "call">): WebhookStore {
  async function rpc<T>(reply: z.ZodType<T>, name: string, request: object): Promise<T> {
    return reply.parse(await retry.call(() => db.rpc(name, { request })));
  }
  return {
    add: (given) => rpc(added, "webhook_add", given),
    list: () => rpc(z.array(webhookRow), "webhook_list", {}),
    find: (prefix) => rpc(z.array(webhook), "webhook_list", { prefix, secrets: true }),
    live: () => rpc(z.array(webhook), "webhook_list", { live: true, secrets: true }),
    remove: async (id) => (await rpc(z.object({ removed: z.boolean() }), "webhook_remove", { id })).removed,
    revive: async (id) => (await rpc(z.object({ revived: z.boolean() }), "webhook_revive", { id })).revived,
    progress: async (webhooks) => {
      await rpc(z.unknown(), "webhook_progress", { webhooks });
    },
    failed: ({ id, error, retryMs, deadAfter, gone }) =>
      rpc(failedReply, "webhook_failed", {
        id,
        error,
        retry_seconds: retryMs / 1_000,
        dead_after_seconds: deadAfter.ms / 1_000,
        dead_after_attempts: deadAfter.attempts,
        gone,
      }),
  };
}

import type { Logger } from "pino";
import { linkedAbort } from "../process/abort.ts";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import { sleep } from "../process/time.ts";
import type { EventSource } from "./event-source.ts";
import { type DeliveryOutcome, describeAnswer, outcomeOf } from "./outcome.ts";
import { type Parcel, parcelsOf, sendInLanes } from "./parcels.ts";
import type { Answer, Poster } from "./post.ts";
import type { ProgressReports } from "./progress.ts";
import { shortId } from "./shown.ts";
import type { Webhook, WebhookStore } from "./store.ts";

/** Delivery to one webhook: page after page from its cursor on. */
export interface Delivery {
  /** Until the signal aborts, or the webhook is dead, disabled or removed. */
  run(signal: AbortSignal): Promise<void>;
  /** Ends the wait after a failure. Does nothing otherwise. */
  retryNow(): void;
  /** Waits after a failure. */
  isWaiting(): boolean;
}

export interface DeliveryDeps {
  source: EventSource;
  store: Pick<WebhookStore, "failed">;
  progress: ProgressReports;
  poster: Pick<Poster, "post">;
  logger: Logger;
  /** Ends requests that are under way; the signal of `run` lets them end. */
  hardSignal: AbortSignal;
  onOutcome?: ((outcome: DeliveryOutcome) => void) | undefined;
  settings?: Partial<DeliverySettings> | undefined;
}

export interface DeliverySettings {
  /** Requests to one webhook at the same time, each about another app. */
  concurrency: number;
  backoff: Backoff;
  /** This duration and number of failures in a row make a webhook dead: an outage of the service itself is only long. */
  deadAfter: { ms: number; attempts: number };
  random: () => number;
  now: () => Date;
}

const dayMs = 86_400_000;
export const defaultDeliverySettings: DeliverySettings = {
  concurrency: 8,
  backoff: { firstMs: 5_000, maxMs: 3_600_000 },
  deadAfter: { ms: 5 * dayMs, attempts: 20 },
  random: Math.random,
  now: () => new Date(),
};

export function createDelivery(webhook: Webhook, deps: DeliveryDeps): Delivery {
  const { source, store, progress, poster, hardSignal } = deps;
  const settings = { ...defaultDeliverySettings, ...deps.settings };
  const logger = deps.logger.child({ webhook: shortId(webhook.id), host: new URL(webhook.url).host });
  let { cursor, attempts } = webhook;
  let pause: AbortController | null = null;

  /** Null once delivered. */
  async function send(parcel: Parcel): Promise<Answer | null> {
    const { headers, body } = parcel.message(settings.now());
    const answer = await poster.post({ url: webhook.url, headers, body, signal: hardSignal });
    const outcome = outcomeOf(answer);
    deps.onOutcome?.(outcome);
    return outcome === "delivered" ? null : answer;
  }

  /** Delivers the events of a page, retrying as long as the webhook lives. False when it does not. */
  async function deliver(parcels: readonly Parcel[], upTo: number, signal: AbortSignal): Promise<boolean> {
    const pending = new Set(parcels);
    for (;;) {
      const failure = await sendInLanes(pending, {
        concurrency: settings.concurrency,
        signal,
        async send(parcel) {
          const failed = await send(parcel);
          if (failed === null) passed(parcel, pending, upTo);
          return failed;
        },
      });
      if (signal.aborted) return false;
      if (failure === null) return true;
      if (!(await recordFailure(failure, signal))) return false;
    }
  }

  /** The cursor stays before the first event that is not delivered, whatever was delivered after it. */
  function passed(delivered: Parcel, pending: ReadonlySet<Parcel>, upTo: number): void {
    let first: Parcel | undefined;
    for (const parcel of pending) {
      if (parcel === delivered) continue;
      first = parcel;
      break;
    }
    cursor = first === undefined ? upTo : first.events[0].id - 1;
    progress.passed(webhook.id, cursor, delivered.events.length);
    if (attempts > 0) logger.info({ attempts }, "webhook: it accepts events again");
    attempts = 0;
  }

  /** Waits until the next attempt; false when there is none. */
  async function recordFailure(answer: Answer, signal: AbortSignal): Promise<boolean> {
    attempts += 1;
    const retryMs = retryDelayMs(answer, attempts, settings);
    const error = describeAnswer(answer);
    // First what was delivered before, which would else end this streak.
    await progress.flush();
    const gone = outcomeOf(answer) === "gone";
    const { deadAfter } = settings;
    const reply = await store.failed({ id: webhook.id, error, retryMs, deadAfter, gone });
    if (reply.attempts === null) return false;
    if (reply.disabled) logger.warn("webhook: it answered 410 Gone and is disabled; `webhook retry` enables it again");
    else if (reply.dead)
      logger.error({ attempts }, `webhook: given up after days of failures: ${error}; \`webhook retry\` revives it`);
    else {
      const level = attempts === 1 && outcomeOf(answer) !== "limited" ? "warn" : "debug";
      logger[level](
        { attempts, retryInSeconds: Math.round(retryMs / 100) / 10 },
        `webhook: ${error}; it is tried again`,
      );
    }
    if (reply.disabled || reply.dead) return false;
    await waitForRetry(retryMs, signal);
    return !signal.aborted;
  }

  async function waitForRetry(ms: number, signal: AbortSignal): Promise<void> {
    const { controller, unlink } = linkedAbort(signal);
    pause = controller;
    await sleep(ms, controller.signal).catch(() => {});
    pause = null;
    unlink();
  }

  return {
    async run(signal) {
      const dueInMs = 1_000 * (webhook.next_attempt_in_seconds ?? 0);
      if (dueInMs > 0) await waitForRetry(dueInMs, signal);
      while (!signal.aborted) {
        const { events, upTo, deletedUpTo } = await source.page(webhook.filters, cursor);
        if (deletedUpTo !== undefined) {
          logger.warn(
            { cursor, deletedUpTo },
            "webhook: events were deleted (HISTORY_DAYS) before they were delivered",
          );
        }
        if (events.length > 0) {
          if (!(await deliver(parcelsOf(webhook, events), upTo, signal))) return;
        } else if (upTo > cursor) progress.passed(webhook.id, upTo, 0);
        cursor = upTo;
        await source.after(cursor, signal).catch(() => {});
      }
    },
    retryNow: () => pause?.abort(new Error("revived")),
    isWaiting: () => pause !== null,
  };
}

const minRetryMs = 100;

/** What the receiver asks for (`Retry-After`), else exponential. */
function retryDelayMs(answer: Answer, attempts: number, { backoff, random }: DeliverySettings): number {
  const asked = answer.kind === "answered" ? answer.retryAfterMs : null;
  if (asked === null) return backoffMs(attempts, backoff, random);
  return Math.min(backoff.maxMs, Math.max(minRetryMs, asked));
}

import PQueue from "p-queue";
import type { Logger } from "pino";
import type { CatalogReader } from "../db/catalog-reader.ts";
import { type LeaderLease, LeaseLostError, whileLeading } from "../db/leader-lease.ts";
import type { DatabaseRetry } from "../db/retry.ts";
import { linkedAbort } from "../process/abort.ts";
import { sleep } from "../process/time.ts";
import { createDelivery, type Delivery, type DeliverySettings } from "./delivery.ts";
import { createEventSource } from "./event-source.ts";
import type { DeliveryOutcome } from "./outcome.ts";
import type { Poster } from "./post.ts";
import { createProgressReports, type ProgressDeps } from "./progress.ts";
import { shortId } from "./shown.ts";
import type { Webhook, WebhookStore } from "./store.ts";

/**
 * Delivers events to all webhooks: of several workers the leader, and only while there are webhooks. Each webhook has a delivery of its own
 * (delivery.ts); one that fails holds back no other.
 *
 * At least once: a cursor moves only past what its receiver has answered with 2xx, and what was not written when a process was killed is
 * delivered again. In order per app, also then: an event is sent only after those before it were delivered, by whichever process.
 */
export interface Deliverer {
  /** Runs until `stop`. */
  run(): Promise<void>;
  /** Says whether there are live webhooks: before that it does nothing, not even for the lease. */
  wanted(live: boolean): void;
  /** Lets requests end that are under way, writes the cursors and releases the lease. */
  stop(): Promise<void>;
}

export interface DelivererDeps {
  store: WebhookStore;
  reader: Pick<CatalogReader, "events" | "news">;
  retry: Pick<DatabaseRetry, "call">;
  poster: Pick<Poster, "post">;
  /** Of the role `webhooks`. */
  lease: LeaderLease;
  logger: Logger;
  onOutcome?: (outcome: DeliveryOutcome) => void;
  settings?: Partial<DelivererSettings>;
}

export interface DelivererSettings {
  delivery: Partial<DeliverySettings>;
  /** Between two looks for webhooks that were added, removed or revived. */
  reloadMs: number;
  /** See event-source.ts. */
  pollMs: number;
  progressDelayMs: NonNullable<ProgressDeps["delayMs"]>;
  /** How long requests that are under way may take at the end. */
  graceMs: number;
}

/** Requests at the same time, of all webhooks together: each has a socket. */
const maxRequests = 256;
const defaultReloadMs = 5_000;
const defaultGraceMs = 5_000;
/** After a fault of the deliverer itself. */
const restartAfterMs = 5_000;

export function createDeliverer(deps: DelivererDeps): Deliverer {
  const { lease, logger } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;
  let isWanted = false;
  let wake: () => void = () => {};
  let running: Promise<void> = Promise.resolve();

  async function untilWanted(): Promise<void> {
    if (isWanted || signal.aborted) return;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
  }

  async function loop(): Promise<void> {
    while (!signal.aborted) {
      await untilWanted();
      if (signal.aborted) return;
      try {
        await whileLeading(lease, { logger, signal, task: "delivers to webhooks" }, (leading) =>
          deliverAll(deps, leading),
        );
        // There is no webhook left; `wanted` says when there is one again.
        isWanted = false;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof LeaseLostError) logger.warn("webhooks: another worker has taken over");
        else logger.error({ err: error }, "webhooks: the deliverer failed; it starts again");
        await sleep(restartAfterMs, signal).catch(() => {});
      }
    }
  }

  return {
    run() {
      running = loop();
      return running;
    },
    wanted(live) {
      isWanted = live;
      if (live) wake();
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      wake();
      await running;
    },
  };
}

/** Delivers to all live webhooks until the signal aborts, or there is none. Throws the reason of the signal. */
async function deliverAll(deps: DelivererDeps, signal: AbortSignal): Promise<void> {
  const { store, logger, settings = {} } = deps;
  const { reloadMs = defaultReloadMs, graceMs = defaultGraceMs, pollMs, progressDelayMs } = settings;
  // Ends with the leadership, or earlier, when no webhook is left.
  const { controller: ending, unlink } = linkedAbort(signal);
  const hard = new AbortController();
  const requests = new PQueue({ concurrency: maxRequests });
  const poster: typeof deps.poster = { post: (request) => requests.add(() => deps.poster.post(request)) };
  const source = createEventSource({ ...deps, ...(pollMs !== undefined && { pollMs }) });
  const progress = createProgressReports({
    store,
    onError: (err) => logger.error({ err }, "webhooks: the cursors could not be written; the next write has them"),
    ...(progressDelayMs && { delayMs: progressDelayMs }),
  });
  const following = source.run(ending.signal).catch((error: unknown) => ending.abort(error));
  const running = new Map<string, { delivery: Delivery; end: () => void; done: Promise<void> }>();

  function start(webhook: Webhook): void {
    const { controller, unlink: unlinkOne } = linkedAbort(ending.signal);
    const delivery = createDelivery(webhook, {
      ...deps,
      poster,
      source,
      progress,
      hardSignal: hard.signal,
      settings: settings.delivery,
    });
    const done = delivery
      .run(controller.signal)
      .catch((err: unknown) => {
        if (!ending.signal.aborted)
          logger.error({ err, webhook: shortId(webhook.id) }, "webhook: its delivery failed; it starts again");
      })
      .finally(() => {
        unlinkOne();
        running.delete(webhook.id);
      });
    running.set(webhook.id, { delivery, end: () => controller.abort(new Error("removed")), done });
  }

  try {
    while (!ending.signal.aborted) {
      const live = await store.live();
      if (live.length === 0) return;
      reconcile(live, running, start);
      await sleep(reloadMs, ending.signal).catch(() => {});
    }
    throw ending.signal.reason;
  } finally {
    ending.abort(new Error("no webhook is left"));
    const late = setTimeout(() => hard.abort(new Error("too late")), graceMs);
    await Promise.all([...running.values()].map(({ done }) => done));
    clearTimeout(late);
    progress.stop();
    await progress
      .flush()
      .catch((err: unknown) => logger.warn({ err }, "webhooks: the cursors could not be written; events come again"));
    await following;
    unlink();
  }
}

/** Starts what is new, ends what is gone, and lets what was revived try at once. */
function reconcile(
  live: readonly Webhook[],
  running: ReadonlyMap<string, { delivery: Delivery; end: () => void }>,
  start: (webhook: Webhook) => void,
): void {
  for (const webhook of live) {
    const current = running.get(webhook.id);
    if (current === undefined) start(webhook);
    else if (webhook.next_attempt_at === null && current.delivery.isWaiting()) current.delivery.retryNow();
  }
  const ids = new Set(live.map(({ id }) => id));
  for (const [id, { end }] of running) if (!ids.has(id)) end();
}

import type { Config } from "../process/config.ts";
import type { WriteDeps } from "../sync/apply-batch.ts";
import { createKeyCensus, type KeyCensus } from "../sync/key-census.ts";
import type { App } from "./app.ts";

const massUnknown =
  "Steam says that it no longer knows more apps than MAX_SHRINK allows within an hour; none of it is believed, and " +
  "these apps are asked for again; if the removal is real, `bulk-sync --accept-unknown` confirms it";
/** Between two warnings that Steam says "unknown" of too many apps. */
const massWarningEveryMs = 600_000;

/** What storing records needs, from the configuration; counts and reports what is stored. */
export function writeDeps(app: App, { acceptUnknown }: { acceptUnknown: boolean }): Omit<WriteDeps, "appBackoff"> {
  const { config, logger, metrics, store, sources } = app;
  const { maxShrink, unknownConfirmMs } = config;
  let stored = 0;
  let warnedAt = Number.NEGATIVE_INFINITY;
  const storedBefore = sources.appsStored();
  sources.appsStored = () => storedBefore + stored;
  return {
    store,
    logger,
    upsertBatchSize: config.bulk.upsertBatchSize,
    history: config.history,
    types: config.appTypes,
    keep: config.keep,
    unknownRule: { confirmMs: unknownConfirmMs, maxShrink, acceptUnknown },
    observe: {
      step: metrics.batchStep,
      outcome(outcome) {
        stored += outcome.stored;
        metrics.batchOutcome(outcome);
        if (!outcome.mass_unknown || performance.now() - warnedAt < massWarningEveryMs) return;
        warnedAt = performance.now();
        logger.warn({ max_shrink: maxShrink }, massUnknown);
      },
    },
  };
}

const censusLimitMs = 1_000;

/** The key census of a loop. The process's end flushes it after the loop has ended, if the loop registers its end later. */
export function startKeyCensus({ store, logger, lifecycle }: App): KeyCensus {
  const census = createKeyCensus({ store, logger });
  lifecycle.onShutdown("key census", () => census.stop(), censusLimitMs);
  return census;
}

/** A worker holds at most MAX_QUEUE_SIZE apps and BULK_CONCURRENCY batches. */
export function poolSettings({ bulk }: Config, batchSize: number) {
  const { concurrency, maxQueueSize, leaseMs } = bulk;
  return {
    batchSize: Math.min(batchSize, maxQueueSize),
    concurrency: Math.max(1, Math.min(concurrency, Math.floor(maxQueueSize / batchSize))),
    leaseMs,
  };
}

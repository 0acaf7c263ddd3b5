import type { BulkBegin, ClaimedApp } from "../db/catalog-store.ts";
import { createRateMeter } from "../process/rate-meter.ts";
import type { Metadata } from "../steam/port.ts";
import type { BatchDeps, BatchOutcome } from "./apply-batch.ts";
import type { BulkSummary } from "./progress.ts";
import { type BulkProgress, secondsLeft, shareOf } from "./progress.ts";
import { retrySteam } from "./retry-steam.ts";
import { idsPerRequest, type SweepDeps, sweepIdSpace, sweepIds } from "./sweep.ts";
import { nameTags } from "./tag-names.ts";
import { createWorkerPool } from "./worker-pool.ts";

/**
 * One pass over Steam's catalog. A sweep asks for change numbers only and marks what is missing or changed as pending;
 * beside it the drain fetches and stores what is pending. That is also how a pass resumes: after a kill the sweep is made
 * again, and what is stored by then is not marked again.
 */
export interface BulkSyncOptions extends BatchDeps {
  /** Exactly these apps; null for everything. */
  appids: readonly number[] | null;
  /** Fetch every app, also those whose change number is current. */
  full: boolean;
  /** End of the id space; null to find it. */
  appIdMax: number | null;
  /** Ids that come first, because they are known to matter (an app list); null for none. */
  appList: ((signal: AbortSignal) => AsyncIterable<number[]>) | null;
  batchSize: number;
  concurrency: number;
  maxAttempts: number;
  leaseMs: number;
}

export interface BulkSync {
  /** Runs the pass to its end. Rejects when it is stopped, or for a reason that no repeating cures. */
  run(): Promise<BulkSummary>;
  /** Takes no more work, lets what is in flight finish for a while, gives the rest back. */
  stop(): Promise<void>;
  status(): BulkProgress;
  /** When an app was last stored or a window swept, in ISO 8601; null before the first. */
  lastProgressAt(): string | null;
}

const failedInSummary = 20;

export function createBulkSync(options: BulkSyncOptions): BulkSync {
  const { pics, store, logger, appids, full } = options;
  const stopping = new AbortController();
  const meter = createRateMeter();
  const sweepMeter = createRateMeter();
  const failing = new Set<number>();
  const counts = { pendingBefore: 0, marked: 0, stored: 0, unknown: 0, sweptIds: 0 };
  let sweepEnd: number | null = appids?.length ?? null;
  let phase: BulkProgress["phase"] = "starting";
  let lastProgressAt: string | null = null;

  const drain = createWorkerPool({ ...options, onOutcome });

  function progressed() {
    lastProgressAt = new Date().toISOString();
  }

  function onOutcome(claimed: readonly ClaimedApp[], outcome: BatchOutcome) {
    for (const { appid } of claimed) failing.delete(appid);
    for (const { appid } of outcome.failures) failing.add(appid);
    counts.stored += outcome.stored;
    counts.unknown += outcome.unknown;
    meter.add(outcome.stored + outcome.unknown);
    if (outcome.lease_lost > 0)
      logger.warn({ apps: outcome.lease_lost }, "the lease had run out; these apps are fetched again");
    progressed();
  }

  async function onWindow(ids: readonly number[], { apps, unknown }: Metadata) {
    const reply = await store.mark({ apps, unknown, full });
    counts.marked += reply.marked;
    counts.sweptIds += ids.length;
    sweepMeter.add(ids.length);
    progressed();
    if (reply.marked > 0) drain.wake();
  }

  const sweep: SweepDeps = { pics, concurrency: options.concurrency, signal: stopping.signal, onWindow };

  async function sweepAll(begin: BulkBegin): Promise<void> {
    phase = "sweeping";
    if (appids !== null) return sweepIds(sweep, appids);

    await sweepAppList();
    counts.sweptIds = 0;
    const end = options.appIdMax;
    await sweepIdSpace(sweep, {
      end,
      highestKnown: begin.highest_appid,
      onEnd: (lastId) => {
        sweepEnd = lastId;
      },
    });
    // Apps beyond a given end that are stored already.
    for (let after = end; after !== null; ) {
      const page = await store.storedAppids(after, idsPerRequest);
      await sweepIds(sweep, page);
      after = page.at(-1) ?? null;
    }
  }

  /** The list only says what to do first: without it, or where it breaks off, the sweep of the id space finds the same apps. */
  async function sweepAppList(): Promise<void> {
    if (options.appList === null) return;
    try {
      for await (const page of options.appList(stopping.signal)) await sweepIds(sweep, page);
    } catch (error) {
      stopping.signal.throwIfAborted();
      logger.warn({ err: error }, "no app list; the sweep of the id space goes on without it");
    }
  }

  async function pass(): Promise<void> {
    await pics.ready(stopping.signal);
    const { currentChangeNumber } = await retrySteam(() => pics.changesSince(0, stopping.signal), stopping.signal);
    const begin = await store.beginBulk({ changeNumber: currentChangeNumber, appids });
    counts.pendingBefore = begin.pending;
    logger.info(
      {
        changeNumber: currentChangeNumber,
        pending: begin.pending,
        scope: appids === null ? "everything" : appids.length,
      },
      "bulk sync begins",
    );

    const draining = drain.run();
    draining.catch((error: unknown) => stopping.abort(error)); // A dead drain ends the sweep, too.
    await sweepAll(begin);
    phase = "syncing";
    drain.finish();
    await draining;
    stopping.signal.throwIfAborted();

    phase = "finishing";
    await nameTags({ pics, store, logger, signal: stopping.signal });
    if (appids === null) await store.finishBulk({ startedAt: begin.started_at });
    phase = "done";
  }

  function status(): BulkProgress {
    const { stored: done, unknown } = counts;
    const failed = failing.size;
    const total = Math.max(counts.pendingBefore + counts.marked, done + failed + unknown);
    const secondsOfApps = meter.etaSeconds(total - done - failed - unknown);
    const secondsOfSweep = sweepEnd === null ? null : sweepMeter.etaSeconds(sweepEnd - counts.sweptIds);
    const progress = {
      phase,
      swept_ids: counts.sweptIds,
      sweep_end: sweepEnd,
      total,
      done,
      failed,
      unknown,
      rate_per_second: Math.round(meter.rate() * 10) / 10,
      eta_seconds: secondsLeft(phase, secondsOfApps, secondsOfSweep),
    };
    return { ...progress, share: shareOf(progress) };
  }

  async function summarise(durationMs: number): Promise<BulkSummary> {
    const [catalog, failed] = await Promise.all([store.summary(), store.failing(failedInSummary)]);
    const durationSeconds = durationMs / 1_000;
    return {
      apps_total: catalog.apps,
      by_type: catalog.by_type,
      deck: catalog.deck,
      top_tags: catalog.top_tags,
      requests: pics.status().requests,
      stored: counts.stored,
      unknown: counts.unknown,
      failed: failed.map(({ appid, error }) => ({ appid, error: error ?? "unknown" })),
      failed_count: failing.size,
      duration_seconds: durationSeconds,
      apps_per_second: durationSeconds > 0 ? counts.stored / durationSeconds : 0,
    };
  }

  return {
    async run() {
      const startedAt = performance.now();
      try {
        await pass();
      } catch (error) {
        stopping.abort(error);
        await drain.stop();
        throw error;
      }
      return summarise(performance.now() - startedAt);
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await drain.stop();
    },
    status,
    lastProgressAt: () => lastProgressAt,
  };
}

import type { BulkBegin } from "../db/sync-calls.ts";
import type { Backoff } from "../process/backoff.ts";
import { SteamError } from "../process/errors.ts";
import type { Metadata } from "../steam/port.ts";
import type { BatchDeps } from "./apply-batch.ts";
import { type BulkTracker, createBulkTracker } from "./bulk-tracker.ts";
import { createBulkVacuum } from "./bulk-vacuum.ts";
import { compactIndexes } from "./compaction.ts";
import { describeFailures } from "./failure-log.ts";
import { createLabelNameSchedule, type LabelNameSchedule, nameLabels } from "./label-names.ts";
import { markSkipped } from "./mark-skipped.ts";
import type { BulkProgress, BulkSummary } from "./progress.ts";
import { retrySteam } from "./retry-steam.ts";
import { createSweep, idsPerRequest, type Sweep } from "./sweep.ts";
import { createWorkerPool, type WorkerPool } from "./worker-pool.ts";

/**
 * Bulk sync: one pass over Steam's catalog. A sweep requests change numbers only and marks what is missing or changed
 * as pending; beside it the worker pool fetches and stores what is pending. That is also how a pass resumes: after a
 * kill the sweep is repeated, and what is stored by then is not marked again.
 *
 * A pass that Steam left without answers is not complete: what was found is stored, nothing looks verified, and `run`
 * rejects. That is when its sweep has failed (sweep.ts), or when no app that was fetched was answered.
 *
 * Phases: `starting` → `sweeping` → `syncing` → `finishing` → `done`, see {@link BulkProgress}.
 */
export interface BulkSyncOptions extends BatchDeps {
  /** Exactly these apps; null for everything. */
  appids: readonly number[] | null;
  /** Fetch every app, also those whose change number is current. */
  full: boolean;
  /** End of the id space; null to find it. */
  appIdMax: number | null;
  /** Ids to sweep first, because they are known to matter (an app list); null for none. */
  appList: ((signal: AbortSignal) => AsyncIterable<number[]>) | null;
  batchSize: number;
  concurrency: number;
  maxAttempts: number;
  leaseMs: number;
  /** Between two rounds of requests for what the sweep was not answered; absent for the sweep's own. */
  sweepBackoff?: Backoff | undefined;
}

export interface BulkSync {
  /**
   * Runs the pass to its end. Rejects when it is stopped, with a {@link SteamError} when Steam did not answer what the
   * pass needs (another pass resumes it), or for a fault that a retry does not cure.
   */
  run(): Promise<BulkSummary>;
  /** Takes no more work, lets what is in flight finish for a while, gives the rest back. */
  stop(): Promise<void>;
  status(): BulkProgress;
  /** When an app was last stored or a window swept, in ISO 8601; null before the first. */
  lastProgressAt(): string | null;
}

const failedInSummary = 20;
/** Between two times that new labels are named during a pass, so that what is shown of it has names from the first batch on. */
const namesIntervalMs = 60_000;
/** Apps without an answer, and none with one, that make a pass over everything fail; fewer may be odd apps. */
const minSilentApps = 20;

export function createBulkSync(options: BulkSyncOptions): BulkSync {
  const stopping = new AbortController();
  const tracker = createBulkTracker(options.appids?.length ?? null);
  const vacuum = createBulkVacuum(options);
  const names = createLabelNameSchedule({ ...options, signal: stopping.signal }, namesIntervalMs);
  const pool = createWorkerPool({
    ...options,
    onOutcome(claimed, outcome) {
      tracker.batch(
        claimed.map(({ appid }) => appid),
        outcome,
      );
      vacuum.settled(claimed.length);
      if (outcome.stored > 0) names.runIfDue();
      if (outcome.lease_lost === 0) return;
      options.logger.warn({ apps: outcome.lease_lost }, "the lease had expired; these apps are fetched again");
    },
  });

  return {
    async run() {
      const startedAt = performance.now();
      try {
        await runPass({ options, tracker, pool, names, stopping });
      } catch (error) {
        if (error instanceof SteamError) logFailures(options, tracker);
        stopping.abort(error);
        await pool.stop();
        throw error;
      } finally {
        await names.settled();
        await vacuum.idle();
      }
      logFailures(options, tracker);
      return summarise(options, tracker, (performance.now() - startedAt) / 1_000);
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await pool.stop();
    },
    status: tracker.progress,
    lastProgressAt: tracker.lastProgressAt,
  };
}

/** One line a pass. */
function logFailures({ logger }: BulkSyncOptions, tracker: BulkTracker): void {
  const failures = tracker.failures();
  if (failures.length === 0) return;
  logger.warn({ apps: failures.length }, `${describeFailures(failures)}; they stay pending`);
}

interface Pass {
  options: BulkSyncOptions;
  tracker: BulkTracker;
  pool: WorkerPool;
  names: LabelNameSchedule;
  stopping: AbortController;
}

async function runPass(pass: Pass): Promise<void> {
  const { options, tracker, pool, names, stopping } = pass;
  const { pics, store, logger, appids, census } = options;
  const { signal } = stopping;
  const begin = await beginPass(options, signal);
  tracker.pendingBefore(begin.pending);

  const draining = pool.run();
  draining.catch((error: unknown) => stopping.abort(error)); // A worker pool that has failed ends the sweep, too.
  tracker.enter("sweeping");
  const sweepFault = await sweepFaultOf(pass, begin);
  tracker.enter("syncing");
  pool.finish();
  await draining;
  signal.throwIfAborted();
  if (sweepFault !== null) throw sweepFault;
  checkAnswers(pass);

  tracker.enter("finishing");
  await names.settled();
  await nameLabels({ pics, store, logger, signal });
  // While the load still counts as the first: none of its keys are news.
  await census?.flush();
  if (appids === null) {
    const { is_first } = await store.finishBulk({ startedAt: begin.started_at });
    if (is_first) await compactIndexes({ store, logger, signal });
  }
  tracker.enter("done");
}

/** Stores Steam's current change number, from which a change monitor goes on later, before anything is fetched. */
async function beginPass(options: BulkSyncOptions, signal: AbortSignal): Promise<BulkBegin> {
  const { pics, store, logger, appids } = options;
  await pics.ready(signal);
  if (appids === null) await markSkipped(options, signal);
  const { currentChangeNumber } = await retrySteam(() => pics.changesSince(0, signal), signal);
  const begin = await store.beginBulk({ changeNumber: currentChangeNumber, appids });
  const scope = appids === null ? "everything" : appids.length;
  logger.info({ changeNumber: currentChangeNumber, pending: begin.pending, scope }, "bulk sync begins");
  return begin;
}

/** Sweeps. Returns the fault of a sweep that Steam did not answer, so that what it found can still be stored. */
async function sweepFaultOf(pass: Pass, begin: BulkBegin): Promise<SteamError | null> {
  const { options, tracker, stopping } = pass;
  const sweep = createPassSweep(pass);
  try {
    await sweepScope(pass, sweep, begin);
    sweep.finish();
    return null;
  } catch (error) {
    stopping.signal.throwIfAborted();
    if (!(error instanceof SteamError)) throw error;
    const fields = { unanswered: sweep.unanswered(), fault: error.fault };
    options.logger.warn(fields, `the sweep failed: ${error.message}; apps found by now are still stored`);
    return error;
  } finally {
    tracker.unanswered(sweep.unanswered());
  }
}

function createPassSweep({ options, tracker, pool, stopping }: Pass): Sweep {
  const { pics, store, logger, concurrency, full, types, sweepBackoff } = options;
  const sweep = createSweep({
    pics,
    knownAmong: store.knownAmong,
    logger,
    concurrency,
    signal: stopping.signal,
    backoff: sweepBackoff,
    async onWindow(ids: readonly number[], { apps, unknown }: Metadata) {
      const { marked } = await store.mark({ apps, unknown, full, types });
      tracker.swept(ids.length, marked);
      tracker.unanswered(sweep.unanswered());
      if (marked > 0) pool.wake();
    },
  });
  return sweep;
}

/** The given apps; or the app list, the id space, and what is stored beyond its given end. */
async function sweepScope({ options, tracker, stopping }: Pass, sweep: Sweep, begin: BulkBegin): Promise<void> {
  if (options.appids !== null) return sweep.ids(options.appids);

  await sweepAppList(options, sweep, stopping.signal);
  tracker.restartSweep();
  const end = options.appIdMax;
  await sweep.idSpace({ end, highestKnown: begin.highest_appid, onEnd: tracker.sweepEnd });
  for (let after = end; after !== null; ) {
    const page = await options.store.storedAppids(after, idsPerRequest);
    await sweep.ids(page);
    after = page.at(-1) ?? null;
  }
}

/**
 * The list only decides what comes first: without it, or where it breaks off, the sweep of the id space finds the same
 * apps.
 */
async function sweepAppList({ appList, logger }: BulkSyncOptions, sweep: Sweep, signal: AbortSignal): Promise<void> {
  if (appList === null) return;
  const pages = appList(signal)[Symbol.asyncIterator]();
  for (;;) {
    const page = await pages.next().catch((error: unknown) => {
      signal.throwIfAborted();
      logger.warn({ err: error }, "no app list; the sweep of the id space goes on without it");
      return null;
    });
    if (page === null || page.done) return;
    await sweep.ids(page.value);
  }
}

/** Throws when Steam answered for none of the apps that the pass fetched: nothing was verified then. */
function checkAnswers({ options, tracker }: Pass): void {
  const { answered, silent } = tracker.answers();
  if (answered > 0 || silent < (options.appids === null ? minSilentApps : 1)) return;
  throw new SteamError("silent", `Steam left requests for all of ${silent} apps unanswered; they stay pending`);
}

async function summarise(
  { store, pics }: BulkSyncOptions,
  tracker: BulkTracker,
  seconds: number,
): Promise<BulkSummary> {
  const [catalog, failed] = await Promise.all([store.summary(), store.failing(failedInSummary)]);
  const { stored, skipped, unknown, unconfirmed, failing, unanswered } = tracker.counts();
  return {
    apps_total: catalog.apps,
    by_type: catalog.by_type,
    deck: catalog.deck,
    top_tags: catalog.top_tags,
    requests: pics.status().requests,
    stored,
    skipped,
    unknown,
    unconfirmed,
    unanswered,
    failed: failed.map(({ appid, error }) => ({ appid, error: error ?? "unknown" })),
    failed_count: failing,
    duration_seconds: seconds,
    apps_per_second: seconds > 0 ? stored / seconds : 0,
  };
}

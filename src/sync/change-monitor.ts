import type { MonitorState } from "../db/catalog-store.ts";
import type { LeaderLease } from "../db/leader-lease.ts";
import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { ChangesSince } from "../steam/port.ts";
import type { BatchDeps } from "./apply-batch.ts";
import { reconcile } from "./reconcile.ts";
import { nameTags } from "./tag-names.ts";
import { createWorkerPool } from "./worker-pool.ts";

/**
 * Follows Steam's change numbers. One worker, by a lease, asks every few seconds what changed; each answer becomes durable in the
 * transaction that moves the cursor. All workers drain what is pending. Where Steam cannot list what happened, a sweep of
 * everything finds it, and only then does the cursor move past the gap.
 */
export interface MonitorOptions extends BatchDeps {
  pollIntervalMs: number;
  batchSize: number;
  concurrency: number;
  leaseMs: number;
  /** Between two sweeps against silent drift; 0 is never. */
  reconcileIntervalMs: number;
  appIdMax: number | null;
  /** Fetch what others announce, and poll nothing. */
  drainOnly: boolean;
  /** Of the role `monitor`, for `workerId`. */
  lease: LeaderLease;
  workerId: string;
}

export interface MonitorStatus {
  leading: boolean;
  last_change_number: number | null;
  last_poll_at: string | null;
  bulk_completed_at: string | null;
  sweeping: boolean;
}

export interface ChangeMonitor {
  /** Runs until `stop`; rejects for a reason that no repeating cures. */
  run(): Promise<void>;
  stop(): Promise<void>;
  status(): MonitorStatus;
  /** When the poll loop last came round, and when the drain last heard of the database; ISO 8601. */
  progress(): { poll: string | null; drain: string | null };
}

interface Sweep {
  /** By `performance.now()`. */
  startedAt: number;
  cancel: AbortController;
  /** False once Steam could not list changes while it ran: it may have passed the apps that they were of. */
  covers: boolean;
  /** Null while it runs. */
  outcome: "complete" | "failed" | null;
  done: Promise<void>;
}

/** How far back Steam lists changes: about 5,000 numbers (steam-user's documentation; its live behaviour varies). */
export const changeWindow = 5_000;
const nameTagsEveryMs = 3_600_000;

export function createChangeMonitor(options: MonitorOptions): ChangeMonitor {
  const { pics, store, logger, pollIntervalMs, lease, workerId } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const drain = createWorkerPool({ ...options, appids: null, maxAttempts: null, onOutcome: () => {} });
  const status: Omit<MonitorStatus, "sweeping"> = {
    leading: false,
    last_change_number: null,
    last_poll_at: null,
    bulk_completed_at: null,
  };
  let polling: Promise<void> = Promise.resolve();
  let naming: Promise<void> = Promise.resolve();
  let pollProgressAt: string | null = null;
  /** Up to here polls are durable; ahead of the cursor only while a gap is open. Null while another worker leads. */
  let tip: number | null = null;
  let sweep: Sweep | null = null;
  let tagsNamedAt = Number.NEGATIVE_INFINITY;

  async function pollLoop(): Promise<void> {
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        await pics.ready(signal);
        await poll();
        pollProgressAt = new Date().toISOString();
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof SteamError)) throw error;
        logger.warn({ fault: error.fault }, `poll: ${error.message}; the next one asks for the same changes`);
      }
      await sleep(Math.max(0, pollIntervalMs - (performance.now() - startedAt)), signal).catch(() => {});
    }
  }

  async function poll(): Promise<void> {
    const { leading } = await lease.acquire();
    const state = await store.monitorState();
    status.bulk_completed_at = state.bulk_completed_at;
    status.last_change_number = state.last_change_number;
    if (!leading) return stepDown();
    if (!status.leading) logger.info({ changeNumber: state.last_change_number }, "this worker polls Steam");
    status.leading = true;

    // Only a gap lets polls run ahead. Without one the cursor says where to go on: another worker may have moved it.
    const cursor = state.last_change_number ?? 0;
    const since = state.gap === null ? cursor : Math.max(tip ?? 0, cursor);
    const changes = await pics.changesSince(since, signal);
    const missed = since > 0 && isGap(since, changes);
    if (missed) await openGap(since, changes);
    const reply = await store.poll({
      workerId,
      since,
      changeNumber: changes.currentChangeNumber,
      apps: changes.apps,
    });
    if (!reply.accepted) return stepDown();
    tip = Math.max(since, changes.currentChangeNumber);
    status.last_change_number = reply.last_change_number;
    status.last_poll_at = new Date().toISOString();
    if (reply.marked > 0) drain.wake();
    logger.debug({ since, current: tip, apps: changes.apps.length, marked: reply.marked }, "polled");

    if (missed && sweep !== null) sweep.covers = false;
    if (sweep?.outcome) await endSweep(sweep);
    else if (sweep === null && (missed || state.gap !== null || reconcileIsDue(state))) startSweep();
    if (performance.now() - tagsNamedAt >= nameTagsEveryMs) {
      tagsNamedAt = performance.now();
      naming = nameNewTags();
    }
  }

  /** Beside the polls, which do not wait for names. */
  async function nameNewTags(): Promise<void> {
    try {
      await nameTags({ pics, store, logger, signal });
    } catch (error) {
      if (!signal.aborted) logger.error({ err: error }, "tags could not be named; they are tried again in an hour");
    }
  }

  /** Another worker leads: what this one knows of the cursor is out of date from now on. */
  function stepDown(): void {
    if (status.leading) logger.warn("another worker polls Steam now");
    status.leading = false;
    tip = null;
    sweep?.cancel.abort(new Error("another worker leads"));
  }

  async function openGap(from: number, changes: ChangesSince): Promise<void> {
    const to = changes.currentChangeNumber;
    await store.openGap({ workerId, from, to });
    logger.warn({ from, to }, "Steam cannot list these changes; a sweep of everything finds them");
  }

  function reconcileIsDue({ bulk_completed_at, reconciled_seconds_ago }: MonitorState): boolean {
    if (options.reconcileIntervalMs === 0 || bulk_completed_at === null) return false;
    return reconciled_seconds_ago === null || reconciled_seconds_ago * 1_000 >= options.reconcileIntervalMs;
  }

  /** Sweeps beside the polls, which go first. */
  function startSweep(): void {
    const cancel = new AbortController();
    const onStop = () => cancel.abort(signal.reason);
    signal.addEventListener("abort", onStop, { once: true });
    let marked = 0;
    const onMarked = (apps: number) => {
      marked += apps;
      if (apps > 0) drain.wake();
    };
    const { concurrency, appIdMax } = options;
    const current: Sweep = {
      startedAt: performance.now(),
      cancel,
      covers: true,
      outcome: null,
      done: Promise.resolve(),
    };
    current.done = reconcile({ pics, store, concurrency, appIdMax, signal: cancel.signal, onMarked })
      .then(() => {
        current.outcome = "complete";
        logger.info({ marked }, "everything compared with Steam");
      })
      .catch((error: unknown) => {
        current.outcome = "failed";
        if (!cancel.signal.aborted) logger.error({ err: error }, "the sweep failed; it begins again with a later poll");
      })
      .finally(() => signal.removeEventListener("abort", onStop));
    sweep = current;
  }

  /**
   * Part of a poll, so that no other poll is under way: the cursor moves to the tip, past what the sweep found, unless Steam
   * failed to list changes once more since it began. Then the gap stays open, and a later poll sweeps again.
   */
  async function endSweep({ covers, outcome, startedAt }: Sweep): Promise<void> {
    sweep = null;
    if (!covers || outcome !== "complete" || tip === null) return;
    const seconds = (performance.now() - startedAt) / 1_000;
    const { accepted, last_change_number } = await store.finishSweep({ workerId, seconds, changeNumber: tip });
    if (accepted) status.last_change_number = last_change_number;
  }

  return {
    async run() {
      if (!options.drainOnly) polling = pollLoop();
      const draining = drain.run();
      try {
        await Promise.all([draining, polling]);
      } finally {
        stopping.abort(new Error("stopped"));
        await drain.stop();
        await Promise.allSettled([draining, polling, naming, sweep?.done]);
      }
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await Promise.allSettled([drain.stop(), polling, naming, sweep?.done]);
      // Only now: a poll that was under way may have acquired the lease.
      if (!options.drainOnly) await lease.release();
    },
    status: () => ({ ...status, sweeping: sweep?.outcome === null }),
    progress: () => ({ poll: pollProgressAt, drain: drain.lastProgressAt() }),
  };
}

/** Whether changes after `since` may be missing from the answer. The flag for packages alone means nothing here. */
function isGap(since: number, changes: ChangesSince): boolean {
  return (
    changes.forceFullUpdate ||
    changes.forceFullAppUpdate ||
    changes.sinceChangeNumber !== since ||
    changes.currentChangeNumber - since > changeWindow
  );
}

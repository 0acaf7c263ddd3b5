import { createRateMeter } from "../process/rate-meter.ts";
import type { BatchOutcome } from "./apply-batch.ts";
import { type BulkProgress, secondsLeft, shareOf } from "./progress.ts";

/** Counts what a bulk sync has done, and computes its progress, rate and time left. */
export interface BulkTracker {
  enter(phase: BulkProgress["phase"]): void;
  /** Apps that were pending before the pass. */
  pendingBefore(apps: number): void;
  /** One answer of the sweep: ids it covered, apps it marked as pending. */
  swept(ids: number, marked: number): void;
  /** The sweep of an app list is over, and that of the id space begins at 0. */
  restartSweep(): void;
  sweepEnd(lastId: number): void;
  /** Ids that the sweep was not answered so far, see `Sweep.unanswered`. */
  unanswered(ids: number): void;
  batch(appids: readonly number[], outcome: BatchOutcome): void;
  /** Apps that this run stored, left out for their type, that Steam does not know (believed or not yet), and that failed last; and ids left unanswered by the sweep. */
  counts(): {
    stored: number;
    skipped: number;
    unknown: number;
    unconfirmed: number;
    failing: number;
    unanswered: number;
  };
  /** Answers that were stored, stale or "unknown"; and apps that failed last because Steam did not answer for them. */
  answers(): { answered: number; silent: number };
  /** Apps that failed last, each with its error. */
  failures(): { appid: number; error: string }[];
  progress(): BulkProgress;
  /** ISO 8601; null before the first batch or answer. */
  lastProgressAt(): string | null;
}

/**
 * @param given how many ids are given to sweep; null for the whole id space.
 * @param now monotonic clock in milliseconds.
 */
export function createBulkTracker(given: number | null, now: () => number = () => performance.now()): BulkTracker {
  const appMeter = createRateMeter(now);
  const sweepMeter = createRateMeter(now);
  let startedAt: number | null = null;
  let endedAt: number | null = null;
  const failing = new Map<number, { appid: number; error: string; silent: boolean }>();
  const counts = {
    pendingBefore: 0,
    marked: 0,
    stored: 0,
    skipped: 0,
    stale: 0,
    unknown: 0,
    unconfirmed: 0,
    withheld: 0,
    sweptIds: 0,
    unanswered: 0,
  };
  let sweepEnd: number | null = given;
  let phase: BulkProgress["phase"] = "starting";
  let lastProgressAt: string | null = null;

  const progressed = () => {
    lastProgressAt = new Date().toISOString();
  };

  return {
    enter(next) {
      phase = next;
      startedAt ??= now();
      if (next === "done") endedAt = now();
    },
    pendingBefore(apps) {
      counts.pendingBefore = apps;
    },
    swept(ids, marked) {
      counts.marked += marked;
      counts.sweptIds += ids;
      sweepMeter.add(ids);
      progressed();
    },
    restartSweep() {
      counts.sweptIds = 0;
    },
    sweepEnd(lastId) {
      sweepEnd = lastId;
    },
    unanswered(ids) {
      counts.unanswered = ids;
    },
    batch(appids, { failures, stored, skipped, stale, unknown, unconfirmed, withheld }) {
      for (const appid of appids) failing.delete(appid);
      for (const { appid, error, silent = false } of failures) failing.set(appid, { appid, error, silent });
      counts.stored += stored;
      counts.skipped += skipped;
      counts.stale += stale;
      counts.unknown += unknown;
      counts.unconfirmed += unconfirmed;
      counts.withheld += withheld;
      appMeter.add(stored + skipped + unknown + unconfirmed + withheld);
      progressed();
    },
    counts: () => ({
      stored: counts.stored,
      skipped: counts.skipped,
      unknown: counts.unknown,
      unconfirmed: counts.unconfirmed,
      failing: failing.size,
      unanswered: counts.unanswered,
    }),
    answers: () => ({
      answered: counts.stored + counts.skipped + counts.stale + counts.unknown + counts.unconfirmed + counts.withheld,
      silent: [...failing.values()].filter(({ silent }) => silent).length,
    }),
    failures: () => [...failing.values()],
    progress() {
      const { skipped, unknown, unconfirmed, pendingBefore, marked, sweptIds, unanswered } = counts;
      const done = counts.stored + counts.withheld;
      const finished = done + skipped + failing.size + unknown + unconfirmed;
      const total = Math.max(pendingBefore + marked, finished);
      const seconds = startedAt === null ? 0 : ((endedAt ?? now()) - startedAt) / 1_000;
      // A finished pass keeps its own rate, where the window would fall to 0.
      const rate = endedAt === null || seconds === 0 ? appMeter.rate() : finished / seconds;
      const secondsOfSweep = sweepEnd === null ? null : sweepMeter.etaSeconds(sweepEnd - sweptIds);
      const progress = {
        phase,
        swept_ids: sweptIds,
        sweep_end: sweepEnd,
        total,
        done,
        skipped,
        failed: failing.size,
        unknown,
        unconfirmed,
        unanswered,
        rate_per_second: Math.round(rate * 10) / 10,
        eta_seconds: secondsLeft(phase, appMeter.etaSeconds(total - finished), secondsOfSweep),
        elapsed_seconds: Math.round(seconds),
      };
      return { ...progress, share: shareOf(progress) };
    },
    lastProgressAt: () => lastProgressAt,
  };
}

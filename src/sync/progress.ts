/**
 * Progress of a bulk sync. Counts are apps, ids are positions in Steam's id space.
 *
 * Phases, in this order:
 * - `starting`: waits for the session and for Steam's current change number;
 * - `sweeping`: requests change numbers only and marks what is missing or changed as pending; the worker pool fetches
 *   beside it;
 * - `syncing`: the sweep is over; the worker pool fetches and stores what is left;
 * - `finishing`: fetches the names of new tags, and records the end of a pass over everything;
 * - `done`.
 */
export interface BulkProgress {
  phase: "starting" | "sweeping" | "syncing" | "finishing" | "done";
  swept_ids: number;
  /** Where the sweep is expected to end; null while that is unknown, and where there is no sweep. */
  sweep_end: number | null;
  /**
   * Apps to fetch, as far as they are known: those `done` are stored (or withheld by Steam), `skipped`, `failed`, `unknown` to Steam,
   * `unconfirmed`, or still to come.
   */
  total: number;
  done: number;
  /** Apps that were fetched and not stored, because APP_TYPES leaves their type out. */
  skipped: number;
  failed: number;
  unknown: number;
  /** Apps of which Steam says "unknown", which is not believed yet; they stay as they are stored. */
  unconfirmed: number;
  /** Ids that the sweep lacked or counted as unknown because Steam left them unanswered. */
  unanswered: number;
  /** Finished share of the pass, 0 to 1: of the id space while it sweeps, then of the apps to fetch. */
  share: number;
  /** Over the last half minute; of a finished pass its mean. */
  rate_per_second: number;
  eta_seconds: number | null;
  /** Since Steam first answered, or of a finished pass its whole time. Absent in the reports of older workers. */
  elapsed_seconds?: number;
}

/** Computes {@link BulkProgress.share} from the counts. */
export function shareOf({
  phase,
  swept_ids,
  sweep_end,
  total,
  done,
  skipped,
  failed,
  unknown,
  unconfirmed,
}: Omit<BulkProgress, "share" | "unanswered" | "elapsed_seconds">): number {
  if (phase === "done") return 1;
  const [finished, all] =
    phase === "sweeping" ? [swept_ids, sweep_end ?? 0] : [done + skipped + failed + unknown + unconfirmed, total];
  return all > 0 ? Math.min(1, finished / all) : 0;
}

/**
 * Estimated seconds until the pass ends, null while unknown: those for the pending apps and, while it sweeps, those for
 * the remaining ids before them. Apps that the rest of the sweep finds are not included: they are fetched beside the
 * sweep, whose rate already is lower for it.
 */
export function secondsLeft(
  phase: BulkProgress["phase"],
  ofApps: number | null,
  ofSweep: number | null,
): number | null {
  if (phase === "done") return 0;
  // Nothing is known to be left before Steam has answered, which is not the same as nothing.
  if (phase === "starting") return null;
  if (phase !== "sweeping") return ofApps;
  return ofApps === null || ofSweep === null ? null : ofApps + ofSweep;
}

/** The result of a bulk sync, and what the catalog holds after it. Lists are in display order. */
export interface BulkSummary {
  /** Apps in the catalog. */
  apps_total: number;
  by_type: { name: string; count: number }[];
  deck: { category: string; count: number }[];
  top_tags: { name: string; count: number }[];
  /** Requests to Steam, by kind. */
  requests: Record<string, number>;
  /** Apps stored by this run. */
  stored: number;
  /** Apps that this run left out for their type. */
  skipped: number;
  /** Apps that Steam does not know. */
  unknown: number;
  /** Stored apps of which Steam says that it does not know them, without a second answer so far. */
  unconfirmed: number;
  /** Ids that were never stored and that Steam left unanswered: counted as unknown, and not stored. */
  unanswered: number;
  /** The first of those that failed. */
  failed: { appid: number; error: string }[];
  failed_count: number;
  duration_seconds: number;
  apps_per_second: number;
}

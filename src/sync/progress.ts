import { formatCount, formatDuration, formatLine } from "../progress.ts";

/** How far a bulk sync is. Counts are apps, ids are positions in Steam's id space. */
export interface BulkProgress {
  /** `sweeping` asks for change numbers only, `syncing` fetches and stores, `finishing` fills in names. */
  phase: "starting" | "sweeping" | "syncing" | "finishing" | "done";
  swept_ids: number;
  /** Where the sweep is expected to end; null while nobody knows, and where there is no sweep. */
  sweep_end: number | null;
  /** Apps to fetch, as far as they are known. */
  total: number;
  done: number;
  failed: number;
  /** Apps that Steam does not know. */
  unknown: number;
  rate_per_second: number;
  eta_seconds: number | null;
}

/**
 * Seconds that a pass takes yet, or null while nobody can tell: those for the apps that wait, and while it sweeps those for the rest of
 * the ids before them. What that rest holds is fetched beside the sweep, whose pace is slower for it.
 */
export function secondsLeft(
  phase: BulkProgress["phase"],
  ofApps: number | null,
  ofSweep: number | null,
): number | null {
  if (phase === "done") return 0;
  if (phase !== "sweeping") return ofApps;
  return ofApps === null || ofSweep === null ? null : ofApps + ofSweep;
}

/** One line of at most `width` columns; what comes last is cut first. */
export function formatBar(progress: BulkProgress, width = 80): string {
  const { phase, total, done, failed, unknown, swept_ids, sweep_end } = progress;
  const sweeping = phase === "sweeping";
  const [part, whole] = sweeping ? [swept_ids, sweep_end ?? 0] : [done + failed + unknown, total];
  const share = phase === "done" ? 1 : whole > 0 ? Math.min(1, part / whole) : 0;
  const pieces = sweeping
    ? [
        `${formatCount(swept_ids)}${sweep_end ? ` of ${formatCount(sweep_end)}` : ""} ids`,
        `${formatCount(total)} to fetch`,
      ]
    : [`${formatCount(part)} of ${formatCount(total)}`, `${formatCount(Math.round(progress.rate_per_second))}/s`];
  if (progress.eta_seconds !== null && phase !== "done") pieces.push(`${formatDuration(progress.eta_seconds)} left`);
  if (failed > 0) pieces.push(`${formatCount(failed)} failed`);
  return formatLine(phase, share, pieces, width);
}

/** How far a bulk sync is. Counts are apps, ids are positions in Steam's id space. */
export interface BulkProgress {
  /** `sweeping` asks for change numbers only, `syncing` fetches and stores, `finishing` fills in names. */
  phase: "starting" | "sweeping" | "syncing" | "finishing" | "done";
  swept_ids: number;
  /** Where the sweep is expected to end; null while nobody knows, and where there is no sweep. */
  sweep_end: number | null;
  /** Apps to fetch, as far as they are known: those `done` are stored, `failed`, `unknown` to Steam, or still to come. */
  total: number;
  done: number;
  failed: number;
  unknown: number;
  /** How much of the pass is behind it, 0 to 1: of the id space while it sweeps, then of the apps to fetch. */
  share: number;
  rate_per_second: number;
  eta_seconds: number | null;
}

/** {@link BulkProgress.share} of what has been counted. */
export function shareOf({
  phase,
  swept_ids,
  sweep_end,
  total,
  done,
  failed,
  unknown,
}: Omit<BulkProgress, "share">): number {
  if (phase === "done") return 1;
  const [part, whole] = phase === "sweeping" ? [swept_ids, sweep_end ?? 0] : [done + failed + unknown, total];
  return whole > 0 ? Math.min(1, part / whole) : 0;
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

/** What a bulk sync achieved, and what the catalog holds after it. Lists are in the order in which they are shown. */
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
  /** Apps that Steam does not know. */
  unknown: number;
  /** The first of those that failed. */
  failed: { appid: number; error: string }[];
  failed_count: number;
  duration_seconds: number;
  apps_per_second: number;
}

import { createRateMeter, type RateMeter } from "../process/rate-meter.ts";
import type { EndpointStatus } from "../web/client.ts";
import type { CollectorCounts } from "./store.ts";

/** The phase of a run, see run.ts. `waiting` is for the leader lease, `idle` for the next run. */
export type CollectorPhase =
  | "starting"
  | "waiting"
  | "reading_list"
  | "applying_list"
  | "all_games"
  | "details"
  | "idle"
  | "done";

/** Progress of a collector run, as in `/status`. */
export interface CollectorProgress {
  phase: CollectorPhase;
  /** Of this phase: apps of the lists, pages of all games, games whose details are due. */
  done: number;
  /** Null while unknown. */
  total: number | null;
  /** Games whose details failed in this run. */
  failed: number;
  rate_per_minute: number;
  eta_seconds: number | null;
  /** Games by the status of their details, in the whole database; null before the first count. */
  games: CollectorCounts["games"] | null;
  /** The web APIs used so far. */
  endpoints: EndpointStatus[];
  /** Why the last run, or a part of it, failed. */
  last_error: string | null;
  /** Start of the next run; null unless idle. */
  next_run_at: string | null;
}

/** Counts the steps of the current phase, and estimates the time left. */
export interface Tracker {
  /** Starts a phase. `paceMs`: minimum time between two steps, by the rate limit. */
  begin(phase: CollectorPhase, total: number | null, paceMs?: number): void;
  add(count: number): void;
  /** Sets the absolute position. The first call of a phase is where it resumes, and does not count as speed. */
  advanceTo(done: number, total: number | null): void;
  status(): Pick<CollectorProgress, "phase" | "done" | "total" | "rate_per_minute" | "eta_seconds">;
  /** Time of the last step or phase change; ISO 8601. */
  lastProgressAt(): string | null;
}

/** Window of the rate: long, because pages come once a minute. */
const meterWindowMs = 600_000;

export function createTracker(): Tracker {
  let phase: CollectorPhase = "starting";
  let done = 0;
  let total: number | null = null;
  let paceMs = 0;
  let meter: RateMeter = createRateMeter(undefined, meterWindowMs);
  let hasPosition = false;
  let progressAt: string | null = null;

  function count(steps: number) {
    done += steps;
    meter.add(steps);
    hasPosition = true;
    progressAt = new Date().toISOString();
  }

  function etaSeconds(): number | null {
    if (total === null || done === 0) return null;
    const left = Math.max(0, total - done);
    const eta = meter.etaSeconds(left);
    // The first steps are faster than the rate limit allows later.
    return eta === null ? null : Math.max(eta, Math.round((left * paceMs) / 1_000));
  }

  return {
    begin(next, steps, pace = 0) {
      phase = next;
      total = steps;
      paceMs = pace;
      done = 0;
      hasPosition = false;
      meter = createRateMeter(undefined, meterWindowMs);
      progressAt = new Date().toISOString();
    },
    add: count,
    advanceTo(steps, all) {
      total = all;
      if (!hasPosition) done = steps;
      count(steps - done);
    },
    status: () => ({
      phase,
      done,
      total,
      rate_per_minute: Math.round(meter.rate() * 600) / 10,
      eta_seconds: etaSeconds(),
    }),
    lastProgressAt: () => progressAt,
  };
}

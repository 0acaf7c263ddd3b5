import { createRateMeter, type RateMeter } from "../process/rate-meter.ts";
import type { EndpointStatus } from "../web/client.ts";
import type { CollectorCounts } from "./store.ts";

/** What a run is at. `waiting` is for another worker's lease, `idle` for the next run. */
export type CollectorPhase =
  | "starting"
  | "waiting"
  | "reading_list"
  | "applying_list"
  | "all_games"
  | "details"
  | "idle"
  | "done";

/** How far a run of the collector is. */
export interface CollectorProgress {
  phase: CollectorPhase;
  /** Of this phase: apps of the lists, pages of all games, games whose details are due. */
  done: number;
  /** Null while nobody knows. */
  total: number | null;
  /** Games whose details failed in this run. */
  failed: number;
  rate_per_minute: number;
  eta_seconds: number | null;
  /** Games by the status of their details, in the whole database; null before the first look. */
  games: CollectorCounts["games"] | null;
  /** The web APIs asked so far. */
  endpoints: EndpointStatus[];
  /** Why the last run, or a part of it, failed. */
  last_error: string | null;
  /** When the next run begins; null unless it is waited for. */
  next_run_at: string | null;
}

/** Counts the steps of one phase after the other. */
export interface Tracker {
  /** `paceMs`: how far apart two steps are at least, by the limit of what is asked. */
  begin(phase: CollectorPhase, total: number | null, paceMs?: number): void;
  add(count: number): void;
  /** So many of so many, in all. The first of a phase says where it goes on, which is no speed. */
  reach(done: number, total: number | null): void;
  status(): Pick<CollectorProgress, "phase" | "done" | "total" | "rate_per_minute" | "eta_seconds">;
  /** When something was last counted or begun; ISO 8601. */
  lastProgressAt(): string | null;
}

/** A page a minute needs a long look. */
const meterWindowMs = 600_000;

export function createTracker(): Tracker {
  let phase: CollectorPhase = "starting";
  let done = 0;
  let total: number | null = null;
  let paceMs = 0;
  let meter: RateMeter = createRateMeter(undefined, meterWindowMs);
  let isPlaced = false;
  let progressAt: string | null = null;

  function count(steps: number) {
    done += steps;
    meter.add(steps);
    isPlaced = true;
    progressAt = new Date().toISOString();
  }

  function etaSeconds(): number | null {
    if (total === null || done === 0) return null;
    const left = Math.max(0, total - done);
    const eta = meter.etaSeconds(left);
    // The first steps come sooner than the limit lets the others follow.
    return eta === null ? null : Math.max(eta, Math.round((left * paceMs) / 1_000));
  }

  return {
    begin(next, steps, pace = 0) {
      phase = next;
      total = steps;
      paceMs = pace;
      done = 0;
      isPlaced = false;
      meter = createRateMeter(undefined, meterWindowMs);
      progressAt = new Date().toISOString();
    },
    add: count,
    reach(steps, all) {
      total = all;
      if (!isPlaced) done = steps;
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

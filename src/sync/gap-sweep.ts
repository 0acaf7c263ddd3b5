import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import type { AppTypes } from "../db/sync-calls.ts";
import { linkedAbort } from "../process/abort.ts";
import { type Backoff, backoffMs } from "../process/backoff.ts";
import { SteamError } from "../process/errors.ts";
import type { Metadata, Pics } from "../steam/port.ts";
import { createSweep, idsPerRequest, type Sweep } from "./sweep.ts";

/**
 * The gap sweep compares every app with Steam, by change numbers only, and marks what differs as pending. It finds the
 * changes of a gap, which Steam could not list, and silent drift. It runs beside the polls, which take precedence over
 * it.
 *
 * States of a sweep:
 * - `idle`: none is under way. A poll starts one when a gap is open or a reconcile is due, after failures with a delay.
 * - `running`: requests are in flight. A stop, or another worker's leadership, cancels it, which counts as `failed`.
 * - `complete`: every app was compared. The next poll collects the result, which moves the cursor past the gap.
 * - `failed`: stored ids stayed unanswered, Steam was mute, or an error. Nothing is concluded from it: no gap is closed.
 *   The next poll resets it to `idle`. Each failure in a row doubles the delay until the next sweep, so that one id that
 *   Steam does not answer for does not cause a sweep per poll.
 *
 * A sweep is *invalidated* when Steam fails once more to list changes before its result is collected: apps that it had
 * compared by then may have changed since. Its result is discarded, the gap stays open, and a later poll starts another
 * one.
 */
export type SweepState = "idle" | "running" | "complete" | "failed";

export interface GapSweep {
  state(): SweepState;
  /** Whether a sweep may start: the state is `idle`, and the delay after failures is over. */
  isReady(): boolean;
  /** Starts a sweep; the state must be `idle`. */
  start(): void;
  invalidate(): void;
  cancel(reason: Error): void;
  /**
   * Takes the result of a `complete` or `failed` sweep; the state becomes `idle`. Returns the seconds since its start,
   * or null when there is nothing to conclude from it: it failed or was invalidated.
   */
  collect(): { seconds: number } | null;
  /** Ids that the last sweep lacked or counted as unknown because Steam left them unanswered; 0 before the first. */
  unanswered(): number;
  /** Resolves when no sweep is running. Never rejects. */
  settled(): Promise<void>;
}

export interface GapSweepDeps {
  pics: Pics;
  store: CatalogStore;
  logger: Logger;
  /** Requests in flight. */
  concurrency: number;
  /** End of the id space; null to find it. */
  appIdMax: number | null;
  /** Cancels a sweep for good: the monitor stops. */
  signal: AbortSignal;
  /** Delay until the next sweep after one that failed. */
  retryBackoff: Backoff;
  /** Between two rounds of requests for what Steam left unanswered; absent for the sweep's own. */
  sweepBackoff?: Backoff | undefined;
  /** The only types of which new apps are stored; null or absent for all. */
  types?: AppTypes;
  /** Called with the number of apps that one answer marked, if any. */
  onMarked: (apps: number) => void;
}

interface Run {
  state: Exclude<SweepState, "idle">;
  /** By `performance.now()`. */
  startedAt: number;
  invalidated: boolean;
  cancellation: AbortController;
  done: Promise<void>;
}

export function createGapSweep(deps: GapSweepDeps): GapSweep {
  let current: Run | null = null;
  let unanswered = 0;
  let failures = 0;
  /** By `performance.now()`. */
  let retryAt = Number.NEGATIVE_INFINITY;

  async function run(sweep: Omit<Run, "done">): Promise<void> {
    const { signal } = sweep.cancellation;
    const comparison = createComparison(deps, signal);
    try {
      await compareEverything(deps, comparison.sweep);
      sweep.state = "complete";
      failures = 0;
      deps.logger.info({ marked: comparison.marked() }, "gap sweep complete: every app is compared with Steam");
    } catch (error) {
      sweep.state = "failed";
      if (!signal.aborted) failed(error, comparison.sweep.unanswered());
    } finally {
      if (!signal.aborted) unanswered = comparison.sweep.unanswered();
    }
  }

  function failed(error: unknown, lacking: number): void {
    failures += 1;
    const delayMs = backoffMs(failures, deps.retryBackoff);
    retryAt = performance.now() + delayMs;
    const next = `no gap is closed; a poll starts the next sweep after ${Math.round(delayMs / 1_000)} s`;
    if (error instanceof SteamError) {
      deps.logger.warn({ unanswered: lacking, fault: error.fault }, `gap sweep failed: ${error.message}; ${next}`);
    } else {
      deps.logger.error({ err: error }, `gap sweep failed; ${next}`);
    }
  }

  return {
    state: () => current?.state ?? "idle",
    isReady: () => current === null && performance.now() >= retryAt,
    start() {
      const { controller: cancellation, unlink } = linkedAbort(deps.signal);
      const sweep: Run = {
        state: "running",
        startedAt: performance.now(),
        invalidated: false,
        cancellation,
        done: Promise.resolve(),
      };
      sweep.done = run(sweep).finally(unlink);
      current = sweep;
    },
    invalidate() {
      if (current !== null) current.invalidated = true;
    },
    cancel: (reason) => current?.cancellation.abort(reason),
    collect() {
      const sweep = current;
      if (sweep === null || sweep.state === "running") return null;
      current = null;
      if (sweep.state === "failed" || sweep.invalidated) return null;
      return { seconds: (performance.now() - sweep.startedAt) / 1_000 };
    },
    unanswered: () => unanswered,
    settled: async () => await current?.done,
  };
}

/** A sweep that marks what differs, and counts it. */
function createComparison(deps: GapSweepDeps, signal: AbortSignal): { sweep: Sweep; marked(): number } {
  const { pics, store, logger, concurrency, types, onMarked } = deps;
  let total = 0;
  const sweep = createSweep({
    pics,
    knownAmong: store.knownAmong,
    logger,
    concurrency,
    signal,
    backoff: deps.sweepBackoff,
    async onWindow(_: readonly number[], { apps, unknown }: Metadata) {
      const { marked } = await store.mark({ apps, unknown, full: false, types });
      total += marked;
      if (marked > 0) onMarked(marked);
    },
  });
  return { sweep, marked: () => total };
}

/**
 * First every stored app, so that what has changed is found early, then the whole id space, since new apps appear below
 * the highest known id too. That is `ceil(stored apps / 5,000)` requests and those of the id space, see sweep.ts.
 */
async function compareEverything({ store, appIdMax }: GapSweepDeps, sweep: Sweep): Promise<void> {
  let highestKnown = 0;
  for (;;) {
    const page = await store.storedAppids(highestKnown, idsPerRequest);
    const last = page.at(-1);
    if (last === undefined) break;
    await sweep.ids(page);
    highestKnown = last;
  }
  await sweep.idSpace({ end: appIdMax, highestKnown });
  sweep.finish();
}

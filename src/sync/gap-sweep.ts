import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import { linkedAbort } from "../process/abort.ts";
import type { Metadata, Pics } from "../steam/port.ts";
import { idsPerRequest, sweepIdSpace, sweepIds } from "./sweep.ts";

/**
 * The gap sweep compares every app with Steam, by change numbers only, and marks what differs as pending. It finds the
 * changes of a gap, which Steam could not list, and silent drift. It runs beside the polls, which take precedence over
 * it.
 *
 * States of a sweep:
 * - `idle`: none is under way. A poll starts one when a gap is open or a reconcile is due.
 * - `running`: requests are in flight. A stop, or another worker's leadership, cancels it, which counts as `failed`.
 * - `complete`: every app was compared. The next poll collects the result, which moves the cursor past the gap.
 * - `failed`: the next poll resets it to `idle`, and the poll after that starts a new sweep.
 *
 * A sweep is *invalidated* when Steam fails once more to list changes before its result is collected: apps that it had
 * compared by then may have changed since. Its result is discarded, the gap stays open, and a later poll starts another
 * one.
 */
export type SweepState = "idle" | "running" | "complete" | "failed";

export interface GapSweep {
  state(): SweepState;
  /** Starts a sweep; the state must be `idle`. */
  start(): void;
  invalidate(): void;
  cancel(reason: Error): void;
  /**
   * Takes the result of a `complete` or `failed` sweep; the state becomes `idle`. Returns the seconds since its start,
   * or null when there is nothing to conclude from it: it failed or was invalidated.
   */
  collect(): { seconds: number } | null;
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
  /** Called with the number of apps that one answer marked, if any. */
  onMarked: (apps: number) => void;
}

interface Sweep {
  state: Exclude<SweepState, "idle">;
  /** By `performance.now()`. */
  startedAt: number;
  invalidated: boolean;
  cancellation: AbortController;
  done: Promise<void>;
}

export function createGapSweep(deps: GapSweepDeps): GapSweep {
  let current: Sweep | null = null;

  async function run(sweep: Omit<Sweep, "done">): Promise<void> {
    const { signal } = sweep.cancellation;
    try {
      const marked = await compareEverything(deps, signal);
      sweep.state = "complete";
      deps.logger.info({ marked }, "gap sweep complete: every app is compared with Steam");
    } catch (error) {
      sweep.state = "failed";
      if (!signal.aborted) deps.logger.error({ err: error }, "gap sweep failed; a later poll starts it again");
    }
  }

  return {
    state: () => current?.state ?? "idle",
    start() {
      const { controller: cancellation, unlink } = linkedAbort(deps.signal);
      const sweep: Sweep = {
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
    settled: async () => await current?.done,
  };
}

/**
 * First every stored app, so that what has changed is found early, then the whole id space, since new apps appear below
 * the highest known id too. That is `ceil(stored apps / 5,000)` requests, `ceil(highest id / 5,000)`, and the trailing
 * empty windows. Returns how many apps were marked.
 */
async function compareEverything(deps: GapSweepDeps, signal: AbortSignal): Promise<number> {
  const { pics, store, concurrency, appIdMax, onMarked } = deps;
  let total = 0;
  const onWindow = async (_: readonly number[], { apps, unknown }: Metadata) => {
    const { marked } = await store.mark({ apps, unknown, full: false });
    total += marked;
    if (marked > 0) onMarked(marked);
  };
  const sweep = { pics, concurrency, signal, onWindow };

  let highestKnown = 0;
  for (;;) {
    const page = await store.storedAppids(highestKnown, idsPerRequest);
    const last = page.at(-1);
    if (last === undefined) break;
    await sweepIds(sweep, page);
    highestKnown = last;
  }
  await sweepIdSpace(sweep, { end: appIdMax, highestKnown });
  return total;
}

import { type LeaderLease, whileLeading } from "../db/leader-lease.ts";
import { type CollectorProgress, createTracker } from "./progress.ts";
import { countGames, type RunOptions, type RunOutcome, type RunState, runPhases } from "./run.ts";
import type { DetailsSummary } from "./steamspy-details.ts";

/**
 * The collector: reads the app list, crawls SteamSpy's pages of all games, then fetches the details of single games. One worker at a
 * time collects, by a leader lease. See run.ts for the phases.
 */
export interface CollectorOptions extends RunOptions {
  lease: LeaderLease;
}

export interface Collector {
  /** Runs to the end. Throws the error of the first phase that failed, after the other phases. */
  run(): Promise<CollectorSummary>;
  /** Aborts the run, and resolves once the answers so far are saved. */
  stop(): Promise<void>;
  status(): CollectorProgress;
  /** ISO 8601; null before the first run. */
  lastProgressAt(): string | null;
}

export interface CollectorSummary extends RunOutcome {
  details: DetailsSummary;
  games: CollectorProgress["games"];
  /** Games in the database whose owners their reviews contradict: `game_metadata.owners_doubtful`. */
  owners_doubtful: number | null;
  /** Requests by endpoint. */
  requests: Record<string, number>;
  duration_seconds: number;
}

export function createCollector(options: CollectorOptions): Collector {
  const { store, web, logger, lease } = options;
  const stopping = new AbortController();
  const tracker = createTracker();
  let state = createState(null);
  let running: Promise<unknown> = Promise.resolve();

  async function run(): Promise<CollectorSummary> {
    const startedAt = performance.now();
    state = createState(state.games);
    tracker.begin("waiting", null);
    const outcome = await whileLeading(lease, { logger, signal: stopping.signal }, (signal) =>
      runPhases(options, state, tracker, signal),
    );
    await countGames({ store, state });
    tracker.begin("done", null);
    const { details, games, ownersDoubtful: owners_doubtful } = state;
    const requests = Object.fromEntries(web.status().map(({ endpoint, requests }) => [endpoint, requests]));
    return {
      ...outcome,
      details,
      games,
      owners_doubtful,
      requests,
      duration_seconds: (performance.now() - startedAt) / 1_000,
    };
  }

  return {
    run() {
      const current = run();
      running = current.catch(() => {});
      return current;
    },
    async stop() {
      stopping.abort(new Error("stopped"));
      await running;
    },
    status: () => ({
      ...tracker.status(),
      failed: state.details.failed,
      games: state.games,
      endpoints: web.status(),
      last_error: state.lastError,
      next_run_at: null,
    }),
    lastProgressAt: tracker.lastProgressAt,
  };
}

function createState(games: CollectorProgress["games"]): RunState {
  return { details: { success: 0, not_found: 0, failed: 0 }, games, ownersDoubtful: null, lastError: null };
}

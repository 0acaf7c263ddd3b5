import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import type { WebClient } from "../web/client.ts";
import type { Tracker } from "./progress.ts";
import { gameDetails } from "./steamspy.ts";
import type { CollectorStore, DetailsResult, DueGames } from "./store.ts";

export interface DetailsOptions {
  store: CollectorStore;
  web: WebClient;
  logger: Logger;
  /** Games a transaction. */
  batchSize: number;
  /** Requests at the same time; the limiter decides how many there are a minute. */
  workers: number;
  /** Games a run. */
  maxDetails: number;
  /** Runs in which a game may fail before it is left alone. */
  maxAttempts: number;
  /** All that was ever asked is due, the longest ago first. */
  staleFirst: boolean;
  /** By the database's clock: what was asked since is not due. */
  runStartedAt: string;
  tracker: Tracker;
  signal: AbortSignal;
}

export type DetailsSummary = Record<DetailsResult["status"], number>;

/** So many games in a row that nobody answers for are no fault of the games. */
const outageAfter = 10;

/**
 * Asks SteamSpy for the details of the games that are due, several at a time, and saves each batch as it finishes. A game that fails is
 * recorded and asked for again by a later run.
 *
 * @throws {WebError} when SteamSpy cannot be asked any more; what it has answered is saved.
 */
export async function runDetails(options: DetailsOptions, counts: DetailsSummary): Promise<void> {
  const { store, batchSize, maxDetails, maxAttempts, staleFirst, runStartedAt, tracker, signal } = options;
  const outage = { inARow: 0 };
  for (let asked = 0; ; ) {
    signal.throwIfAborted();
    // Of the last call, which may hand out nothing, the database learns that a full refresh has ended.
    const max = Math.min(batchSize, maxDetails - asked);
    const { games, due } = await store.due({ max, runStartedAt, maxAttempts, staleFirst });
    tracker.reach(asked, asked + Math.min(due, maxDetails - asked));
    if (games.length === 0) return;
    await runBatch(options, games, outage, counts);
    asked += games.length;
  }
}

async function runBatch(
  options: DetailsOptions,
  games: DueGames["games"],
  outage: { inARow: number },
  counts: DetailsSummary,
): Promise<void> {
  const { store, workers, tracker, signal } = options;
  const waiting = [...games];
  const results: DetailsResult[] = [];
  /** Failed since the last answer: perhaps nobody is there. */
  const suspects: DetailsResult[] = [];

  async function work(): Promise<void> {
    for (let game = waiting.shift(); game; game = waiting.shift()) {
      try {
        const details = await gameDetails(options.web, game.appid, signal);
        results.push(details ? { status: "success", ...details } : { status: "not_found", appid: game.appid });
        results.push(...suspects.splice(0));
        outage.inARow = 0;
      } catch (error) {
        if (!(error instanceof WebError) || error.fault === "blocked" || error.fault === "denied") throw error;
        const failure = {
          status: "failed",
          appid: game.appid,
          attempts: game.attempts + 1,
          error: error.message,
        } as const;
        // An answer that makes no sense is an answer.
        if (error.fault === "invalid" || error.fault === "refused") results.push(failure);
        else suspects.push(failure);
        outage.inARow = error.fault === "invalid" || error.fault === "refused" ? 0 : outage.inARow + 1;
        if (outage.inARow >= outageAfter) throw error;
      }
      tracker.add(1);
    }
  }

  const workings = Array.from({ length: workers }, () =>
    work().catch((error: unknown) => {
      waiting.length = 0; // The others finish what they have in hand.
      throw error;
    }),
  );
  const failures = (await Promise.allSettled(workings)).flatMap((end) =>
    end.status === "rejected" ? [end.reason] : [],
  );
  if (failures.length === 0) results.push(...suspects);
  if (results.length > 0) await store.saveDetails(results);
  for (const { status } of results) counts[status] += 1;
  if (failures.length > 0) throw failures[0];
}

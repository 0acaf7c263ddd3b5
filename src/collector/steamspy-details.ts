import { WebError } from "../process/errors.ts";
import type { Logger } from "../process/logger.ts";
import type { WebClient } from "../web/client.ts";
import type { Tracker } from "./progress.ts";
import { gameDetails } from "./steamspy.ts";
import type { CollectorStore, DetailsResult, DueGame, DueGames } from "./store.ts";

export interface DetailsOptions {
  store: CollectorStore;
  web: WebClient;
  logger: Logger;
  /** Games per transaction. */
  batchSize: number;
  /** Concurrent requests. The rate limit bounds the requests per minute. */
  workers: number;
  /** Games per run. */
  maxDetails: number;
  /** Runs in a row in which a game may fail before it waits for 30 days, as all others do. */
  maxAttempts: number;
  /** Every game fetched before is due, the oldest fetch first. */
  staleFirst: boolean;
  /** By the database's clock: games fetched since then are not due. */
  runStartedAt: string;
  tracker: Tracker;
  signal: AbortSignal;
}

export type DetailsSummary = Record<DetailsResult["status"], number>;

/** Circuit breaker: after this many consecutive failures the endpoint, not the game, is at fault, and the run ends. */
const maxConsecutiveFailures = 10;

interface CircuitBreaker {
  consecutiveFailures: number;
}

/**
 * Fetches the details of the games that are due, several concurrently, and saves each batch. A game that fails is recorded and retried
 * by a later run.
 *
 * @throws {WebError} when the circuit breaker opens (`unreachable` or `limited`), or SteamSpy blocks this address; the answers so far
 * are saved.
 */
export async function runDetails(options: DetailsOptions, counts: DetailsSummary): Promise<void> {
  const { store, batchSize, maxDetails, maxAttempts, staleFirst, runStartedAt, tracker, signal } = options;
  const breaker: CircuitBreaker = { consecutiveFailures: 0 };
  for (let fetched = 0; ; ) {
    signal.throwIfAborted();
    // The last call, with max 0 or no due games, marks a full refresh as finished in the database.
    const max = Math.min(batchSize, maxDetails - fetched);
    const { games, due } = await store.due({ max, runStartedAt, maxAttempts, staleFirst });
    tracker.advanceTo(fetched, fetched + Math.min(due, maxDetails - fetched));
    if (games.length === 0) return;
    await runBatch(options, games, breaker, counts);
    fetched += games.length;
  }
}

async function runBatch(
  options: DetailsOptions,
  games: DueGames["games"],
  breaker: CircuitBreaker,
  counts: DetailsSummary,
): Promise<void> {
  const { store, workers, tracker } = options;
  const queue = [...games];
  const results: DetailsResult[] = [];
  /** Failures since the last answer. They count against the games only if the endpoint answers again. */
  const suspects: DetailsResult[] = [];

  async function work(): Promise<void> {
    for (let game = queue.shift(); game; game = queue.shift()) {
      const { result, error } = await fetchGame(options, game);
      if (error === null) {
        results.push(result, ...suspects.splice(0));
        breaker.consecutiveFailures = 0;
      } else if (error.status === 200 && game.attempts > 0) {
        // Such games are asked one after the other, and their answers prove nothing about the endpoint.
        results.push(result);
      } else {
        suspects.push(result);
        breaker.consecutiveFailures += 1;
        if (breaker.consecutiveFailures >= maxConsecutiveFailures) throw outage(error);
      }
      tracker.add(1);
    }
  }

  const workings = Array.from({ length: workers }, () =>
    work().catch((error: unknown) => {
      queue.length = 0; // The other workers finish the game that they are at.
      throw error;
    }),
  );
  const ends = await Promise.allSettled(workings);
  const failures = ends.flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
  if (failures.length === 0) results.push(...suspects);
  if (results.length > 0) await store.saveDetails(results);
  for (const { status } of results) counts[status] += 1;
  if (failures.length > 0) throw failures[0];
}

/** The error of an open circuit breaker. What SteamSpy answers unusably so often is no fault of the request: it is out of order. */
function outage(error: WebError): WebError {
  const fault = error.fault === "limited" ? "limited" : "unreachable";
  const message = `SteamSpy is out of order: the details of ${maxConsecutiveFailures} games in a row failed; the last: ${error.message}`;
  return new WebError(fault, message, error.status);
}

/** The result for one game, with the error if it failed. Throws what makes further requests useless. */
async function fetchGame(
  { web, signal }: DetailsOptions,
  game: DueGame,
): Promise<{ result: DetailsResult; error: WebError | null }> {
  const { appid, attempts } = game;
  try {
    const details = await gameDetails(web, game, signal);
    return { result: details ? { status: "success", ...details } : { status: "not_found", appid }, error: null };
  } catch (error) {
    if (!(error instanceof WebError) || error.fault === "blocked" || error.fault === "denied") throw error;
    return { result: { status: "failed", appid, attempts: attempts + 1, error: error.message }, error };
  }
}

import { ExpectedError, WebError } from "../process/errors.ts";

/** An API answered a query with an error that may be about its content; `cause` is that error. */
export class QueryRefusedError extends ExpectedError {
  override readonly name = "QueryRefusedError";
  override readonly cause: WebError;

  constructor(cause: WebError) {
    super(cause.message);
    this.cause = cause;
  }
}

/** The same error as {@link QueryRefusedError} if it may be about the query's content: a 4xx or 5xx but 401, 403 and 429. */
export function asQueryRefused(error: unknown): unknown {
  const isAnswer = error instanceof WebError && error.status !== null;
  const isOfContent = isAnswer && (error.fault === "refused" || error.fault === "unreachable");
  return isOfContent ? new QueryRefusedError(error) : error;
}

export interface IsolateOptions<Key> {
  /**
   * Sends one query for the given keys, with at most that many retries (default: those of every query).
   *
   * @throws {QueryRefusedError} when its content may be at fault.
   */
  ask(keys: readonly Key[], maxRetries?: number): Promise<void>;
  /** Sends a query of the same form whose key is harmless: it fails in an outage, and only then. */
  probe(): Promise<void>;
}

/** Queries after the one that failed, so that the search ends when many keys are bad; one bad key of 400 needs 18. */
const maxQueries = 128;
/** The query that failed was retried to the end. */
const retriesOfPart = 1;

/**
 * Sends a query, and finds the keys that make it fail: single names and ids make IGDB answer 400 or 500 (reported by
 * users of IGDB). Bisection: a failed query is sent again in halves until each bad key is alone.
 *
 * An outage is distinguished by the probe, before and after: if that fails, too, the query's own error is thrown, so that
 * an outage costs one more request and refuses no key. Once the limit is reached, the keys still in doubt count as
 * refused.
 *
 * @returns the refused keys.
 * @throws {WebError} errors that are not about the query's content (429, time-outs), and that of the query in an outage.
 */
export async function isolateRefused<Key>(keys: readonly Key[], { ask, probe }: IsolateOptions<Key>): Promise<Key[]> {
  const failure = await contentError(() => ask(keys));
  if (failure === null) return [];
  if (await contentError(probe)) throw failure;
  const open = halvesOf(keys);
  const refused: Key[] = [];
  for (let sent = 0; sent < maxQueries; sent += 1) {
    const part = open.pop();
    if (!part) break;
    if ((await contentError(() => ask(part, retriesOfPart))) === null) continue;
    if (part.length === 1) refused.push(...part);
    else open.push(...halvesOf(part));
  }
  refused.push(...open.flat());
  if (refused.length > 0 && (await contentError(probe))) throw failure;
  return refused;
}

/** A single key is its own only half: it is sent once more. */
function halvesOf<Key>(keys: readonly Key[]): (readonly Key[])[] {
  const middle = Math.ceil(keys.length / 2);
  return [keys.slice(0, middle), keys.slice(middle)].filter((half) => half.length > 0);
}

/** The error of a query that may be about its content; null when it succeeds. */
async function contentError(query: () => Promise<void>): Promise<WebError | null> {
  try {
    await query();
    return null;
  } catch (error) {
    if (error instanceof QueryRefusedError) return error.cause;
    throw error;
  }
}

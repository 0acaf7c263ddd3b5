import { tooManyWaiting } from "../db/read-queue.ts";
import { DatabaseError } from "../process/errors.ts";
import { Problem } from "./problem.ts";

/** Status of a reply that no client receives, as nginx logs it; the client closed the connection first. */
const clientClosedRequest = 499;
const retryAfterSeconds = 5;

/**
 * The expected failures of a read, as the client gets them: 503 while the database is busy or unavailable, 429 when too many requests of the
 * client wait for it. Null for any other error.
 */
export function readProblem(error: unknown): Problem | null {
  if (error instanceof Error && error.name === "AbortError")
    return new Problem(clientClosedRequest, "The client closed the connection.");
  if (!(error instanceof DatabaseError)) return null;
  const { fault, code, atConnection } = error;
  if (code === tooManyWaiting)
    return new Problem(429, "Too many requests of this address wait for the database; try again later.", {
      retryAfterSeconds,
    });
  if (atConnection || fault === "unreachable")
    return new Problem(503, "The database is unavailable; try again later.", { retryAfterSeconds });
  if (fault === "timeout" || fault === "retryable")
    return new Problem(503, "The database is busy; try again later.", { retryAfterSeconds });
  return null;
}

import type { DatabaseFault } from "../process/errors.ts";
import { DatabaseError } from "../process/errors.ts";
import type { RpcOptions } from "./database.ts";

/** How long a call may take when its caller does not say. */
export const defaultTimeoutMs = 30_000;

/**
 * Runs `work` until it settles, `signal` aborts or `timeoutMs` have passed, whichever comes first. The signal handed to
 * `work` tells it that nobody waits any more.
 *
 * `silence` is what it means when the limit passes without an answer: `unreachable` where the server's own, shorter limit
 * would have answered first, `timeout` where it cannot be told.
 *
 * @throws {DatabaseError} of fault `silence`; `signal.reason`; whatever `work` throws.
 */
export async function withinLimits<T>(
  what: string,
  options: RpcOptions,
  silence: DatabaseFault,
  work: (givenUp: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, timeoutMs = defaultTimeoutMs } = options;
  signal?.throwIfAborted();
  const limit = new AbortController();
  const forward = () => limit.abort(signal?.reason);
  signal?.addEventListener("abort", forward, { once: true });
  const timer = setTimeout(() => {
    limit.abort(new DatabaseError(silence, "ETIMEDOUT", `${what}: no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  const givenUp = new Promise<never>((_, reject) => {
    limit.signal.addEventListener("abort", () => reject(limit.signal.reason), { once: true });
  });
  try {
    return await Promise.race([givenUp, work(limit.signal)]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", forward);
  }
}

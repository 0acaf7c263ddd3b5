import { linkedAbort } from "../process/abort.ts";
import type { DatabaseFault } from "../process/errors.ts";
import { DatabaseError } from "../process/errors.ts";
import type { RpcOptions } from "./database.ts";

/** Time limit of a call whose caller sets none. */
export const defaultTimeoutMs = 30_000;

/**
 * Runs `work` with a time limit. Settles as `work` does, or earlier when the caller's signal aborts or `timeoutMs` have
 * passed; `work` gets a signal that aborts in these two cases, so that it can stop.
 *
 * @param what the call, for the message of the error.
 * @param timeoutFault how a timeout is classified: `unreachable` where the server has a shorter limit of its own and
 *   would have answered first, `timeout` where a slow statement and a lost connection look alike.
 * @throws {DatabaseError} of fault `timeoutFault`; the caller's `signal.reason`; what `work` throws.
 */
export async function withTimeout<T>(
  what: string,
  options: RpcOptions,
  timeoutFault: DatabaseFault,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal: callerSignal, timeoutMs = defaultTimeoutMs } = options;
  callerSignal?.throwIfAborted();
  const { controller, unlink } = linkedAbort(callerSignal);
  const { signal } = controller;
  const timer = setTimeout(() => {
    controller.abort(new DatabaseError(timeoutFault, "ETIMEDOUT", `${what}: no answer within ${timeoutMs} ms`));
  }, timeoutMs);
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([aborted, work(signal)]);
  } finally {
    clearTimeout(timer);
    unlink();
  }
}

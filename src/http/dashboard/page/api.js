// @ts-check
/** Reads the API of the same origin. A browser that was asked for the API key sends it along by itself. */

/** A reply that is no success; `status` is 0 when none came. */
export class ApiError extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * @template T
 * @param {string} path @param {AbortSignal} [signal] @returns {Promise<T>}
 * @throws {ApiError} with the detail of the reply; AbortError of the signal.
 */
export async function getJson(path, signal) {
  const reply = await fetch(path, { signal: signal ?? null }).catch((error) => {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The service does not answer.");
  });
  const body = await reply.json().catch(() => null);
  if (reply.ok && body !== null) return body;
  throw new ApiError(reply.status, body?.detail ?? `The service replied ${reply.status}.`);
}

/**
 * The value, or null where the API has none (404).
 *
 * @template T @param {Promise<T>} reading @returns {Promise<T | null>}
 */
export async function orNull(reading) {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

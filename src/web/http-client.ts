import ky, { type KyInstance } from "ky";

/**
 * The HTTP client of every web API. Retries by ky: three, exponential with jitter, on network errors, time-outs, 429 (waiting as
 * long as `Retry-After` says) and 5xx; other statuses throw `HTTPError` at once. Proxies come from the environment, see main.ts.
 */
export function createHttpClient(): KyInstance {
  return ky.create({
    timeout: 30_000,
    retry: {
      limit: 3,
      statusCodes: [408, 429, 500, 502, 503, 504],
      backoffLimit: 30_000,
      jitter: true,
      retryOnTimeout: true,
    },
  });
}

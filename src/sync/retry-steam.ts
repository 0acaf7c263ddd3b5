import { type Backoff, backoffMs } from "../process/backoff.ts";
import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";

const backoff: Backoff = { firstMs: 1_000, maxMs: 60_000 };

/**
 * Retries a request to Steam with exponential backoff until it is answered; for requests that can be neither split nor
 * left out.
 */
export async function retrySteam<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof SteamError)) throw error;
      failures += 1;
      await sleep(backoffMs(failures, backoff), signal);
    }
  }
}

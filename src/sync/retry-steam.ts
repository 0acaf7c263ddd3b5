import { type Backoff, backoffMs } from "../process/backoff.ts";
import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";

const backoff: Backoff = { firstMs: 1_000, maxMs: 60_000 };
/** With time-outs of a minute (`BULK_TIMEOUT`) about as long as `GIVE_UP_AFTER`: a quarter of an hour. */
const maxAttempts = 10;

/**
 * Retries a request to Steam with exponential backoff; for requests that can be neither split nor left out.
 *
 * @throws the {@link SteamError} of the last attempt.
 */
export async function retrySteam<T>(request: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let failures = 0; ; ) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof SteamError)) throw error;
      failures += 1;
      if (failures === maxAttempts) throw error;
      await sleep(backoffMs(failures, backoff), signal);
    }
  }
}

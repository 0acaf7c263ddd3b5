import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";

const firstDelayMs = 1_000;
const maxDelayMs = 60_000;

/** Asks Steam again, with growing delay, until it answers; for requests that cannot be made smaller or left out. */
export async function retrySteam<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof SteamError)) throw error;
      await sleep(Math.min(maxDelayMs, firstDelayMs * 2 ** attempt), signal);
    }
  }
}

import { assetUrls } from "../catalog/assets.ts";
import { SteamError } from "../process/errors.ts";
import type { SteamSession } from "../steam/session.ts";
import type { FetchedApp, SingleAppPics } from "../sync/fetch-single-app.ts";
import type { Context } from "./context.ts";

type SteamContext = Pick<Context, "config" | "logger" | "lifecycle">;

export interface AskOptions {
  /** Longest wait for the logon and the answer together. Default: {@link askLimitSeconds}. */
  limitMs?: number;
  /** Opens Steam, not yet connected. Default: an anonymous session as configured. */
  open?: () => Promise<{ session: Pick<SteamSession, "start" | "status">; pics: SingleAppPics }>;
}

/** Short, because a person waits at a terminal; logging on takes a second or two. */
export const askLimitSeconds = 20;

/**
 * Asks Steam, anonymously, for one app as it is now. Null when Steam does not know it.
 *
 * @throws {SteamError} when Steam has not answered within `limitMs`, or GIVE_UP_AFTER where that is shorter.
 */
export async function askSteam(
  appid: number,
  context: SteamContext,
  { limitMs = askLimitSeconds * 1_000, open = () => openSteam(context) }: AskOptions = {},
): Promise<FetchedApp | null> {
  const { lifecycle, config } = context;
  const [{ session, pics }, { fetchSingleApp }] = await Promise.all([open(), import("../sync/fetch-single-app.ts")]);
  session.start();
  const waitMs = Math.min(limitMs, config.giveUpAfterMs);
  const limit = AbortSignal.timeout(waitMs);
  try {
    const app = await fetchSingleApp(pics, appid, AbortSignal.any([lifecycle.signal, limit]));
    // Art as addresses, as a stored app is read.
    const assets = app?.record.assets;
    return app && assets ? { ...app, record: { ...app.record, assets: assetUrls(appid, assets) } } : app;
  } catch (error) {
    if (!limit.aborted || lifecycle.signal.aborted) throw error;
    throw givenUp(appid, waitMs, session.status());
  }
}

function givenUp(appid: number, waitMs: number, status: { connected: boolean; last_error: string | null }): SteamError {
  const seconds = `${Number((waitMs / 1_000).toFixed(1))} s`;
  if (status.connected) {
    return new SteamError("timeout", `giving up: Steam did not answer for app ${appid} within ${seconds}; try again`);
  }
  const why = status.last_error === null ? "" : ` (${status.last_error})`;
  return new SteamError(
    "disconnected",
    `giving up: Steam could not be reached within ${seconds}${why}. ` +
      "Behind a proxy, set HTTPS_PROXY; `doctor` checks the way to Steam",
  );
}

/** Loads what {@link askSteam} needs. Lazily: the other commands do without steam-user. */
export async function loadSteam() {
  const [steam] = await Promise.all([import("./steam.ts"), import("../sync/fetch-single-app.ts")]);
  return steam;
}

async function openSteam(context: SteamContext) {
  return (await loadSteam()).openSteam(context, { concurrency: 1 });
}

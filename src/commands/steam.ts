import { getProxyForUrl } from "proxy-from-env";
import { createPics, type PicsOptions } from "../steam/pics.ts";
import type { Pics } from "../steam/port.ts";
import { createSteamSession, type SteamSession } from "../steam/session.ts";
import type { Context } from "./context.ts";

export const steamApiUrl = "https://api.steampowered.com";

export interface Steam {
  session: SteamSession;
  pics: Pics;
}

export interface SteamOptions extends Pick<PicsOptions, "onReply" | "onAnswer"> {
  /** Requests in flight. */
  concurrency: number;
}

/**
 * An anonymous session and the PICS protocol over it, as configured. Nothing is sent before `session.start()`; the lifecycle logs off.
 *
 * Import this module lazily: steam-user takes longer to load than everything else together.
 */
export function openSteam(
  { config, logger, lifecycle }: Pick<Context, "config" | "logger" | "lifecycle">,
  options: SteamOptions,
): Steam {
  const { requestDelayMs, metadataDelayMs, timeoutMs } = config.bulk;
  const session = createSteamSession({
    proxyUrl: getProxyForUrl(steamApiUrl) || undefined,
    logger,
    reconnectMaxDelayMs: config.reconnectMaxDelayMs,
    requestTimeoutMs: timeoutMs,
  });
  lifecycle.onShutdown("Steam session", () => session.stop());
  return {
    session,
    pics: createPics({
      session,
      logger,
      requestDelayMs,
      metadataDelayMs,
      timeoutMs,
      http: { hosts: config.steamContentHosts },
      ...options,
    }),
  };
}

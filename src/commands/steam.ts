import { getProxyForUrl } from "proxy-from-env";
import type { Config } from "../process/config.ts";
import type { Logger } from "../process/logger.ts";
import { createPics, type PicsOptions } from "../steam/pics.ts";
import { createSteamSession } from "../steam/session.ts";

/** One session with Steam for a command that somebody waits for, paced as the service is, a request at a time. */
export function composeSteam(config: Config, logger: Logger, onReply?: PicsOptions["onReply"]) {
  const { requestDelayMs, timeoutMs } = config.bulk;
  const session = createSteamSession({
    proxyUrl: getProxyForUrl("https://api.steampowered.com") || undefined,
    logger,
    reconnectMaxDelayMs: config.reconnectMaxDelayMs,
    requestTimeoutMs: timeoutMs,
  });
  const pics = createPics({
    session,
    logger,
    requestDelayMs,
    concurrency: 1,
    timeoutMs,
    ...(onReply && { onReply }),
  });
  return { session, pics };
}

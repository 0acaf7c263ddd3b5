import type { extractApp } from "../catalog/extract.ts";
import type { KnownApp } from "../library/store.ts";
import type { AppPayload, Pics } from "../steam/port.ts";
import type { SteamSession } from "../steam/session.ts";
import type { Context } from "./context.ts";

type SteamContext = Pick<Context, "config" | "logger" | "lifecycle">;

export interface SteamLookupOptions {
  /** Opens Steam, not yet connected. Default: an anonymous session as configured. */
  open?: () => Promise<{ session: Pick<SteamSession, "start" | "stop">; pics: Pick<Pics, "productInfo"> }>;
}

/** For logging on and the requests of one call; logging on takes seconds. */
const limitMs = 30_000;
const appidsPerRequest = 200;

/**
 * Asks PICS, anonymously, for type, name and year of release of apps that the catalog lacks; stores nothing. Steam is
 * connected by the first call. Apps that Steam does not know, or whose app info cannot be read, are left out.
 *
 * The import does without: when Steam does not answer, that is logged once, and nothing more is asked.
 */
export function createSteamLookup(
  context: SteamContext,
  { open = () => openSteam(context) }: SteamLookupOptions = {},
): (appids: readonly number[]) => Promise<KnownApp[]> {
  const { logger, lifecycle } = context;
  let connecting: Promise<Connection> | null = null;
  let isGivenUp = false;

  return async (appids) => {
    if (isGivenUp) return [];
    connecting ??= connect(open);
    // Before the time limit runs: loading steam-user blocks the event loop for seconds.
    const { pics, read, close } = await connecting;
    const signal = AbortSignal.any([lifecycle.signal, AbortSignal.timeout(limitMs)]);
    const known: KnownApp[] = [];
    try {
      for (let start = 0; start < appids.length; start += appidsPerRequest) {
        const wanted = appids.slice(start, start + appidsPerRequest).map((appid) => ({ appid }));
        const { apps } = await pics.productInfo(wanted, signal);
        known.push(...apps.flatMap((app) => read(app) ?? []));
      }
    } catch (error) {
      lifecycle.signal.throwIfAborted();
      isGivenUp = true;
      const reason = error instanceof Error ? error.message : String(error);
      logger.warn(
        { reason },
        `Steam does not tell the types of apps that are not in the catalog (${reason}); the import goes by IGDB's`,
      );
      await close();
    }
    return known;
  };
}

interface Connection {
  pics: Pick<Pics, "productInfo">;
  read(payload: AppPayload): KnownApp | null;
  close(): Promise<void>;
}

async function connect(open: NonNullable<SteamLookupOptions["open"]>): Promise<Connection> {
  const [{ session, pics }, { extractApp: extract }] = await Promise.all([open(), import("../catalog/extract.ts")]);
  session.start();
  return { pics, read: (payload) => readApp(payload, extract), close: () => session.stop() };
}

/** Lazily: an import whose apps are all in the catalog does without steam-user. */
async function openSteam(context: SteamContext) {
  const steam = await import("./steam.ts");
  return steam.openSteam(context, { concurrency: 1 });
}

/** Null when the app info cannot be read or has no type. */
function readApp({ appid, text, ...payload }: AppPayload, extract: typeof extractApp): KnownApp | null {
  if (text === null) return null;
  try {
    const isPartial = payload.onlyPublic || payload.missingToken;
    const { type, name, ...dates } = extract(appid, text, isPartial, { withDepots: false }).record;
    const released = dates.original_release_date ?? dates.steam_release_date;
    return type ? { appid, type, name: name ?? null, release_year: released ? yearOf(released) : null } : null;
  } catch {
    return null;
  }
}

const yearOf = (date: string) => new Date(date).getUTCFullYear();

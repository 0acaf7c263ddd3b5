import type { AppRecord } from "../catalog/app-record.ts";
import { extractApp } from "../catalog/extract.ts";
import { SteamError } from "../process/errors.ts";
import type { AppPayload, Pics } from "../steam/port.ts";
import { isWithheld } from "./fetch-apps.ts";

/** One app as Steam sends it now. */
export interface FetchedApp {
  changeNumber: number;
  /** Steam withholds sections, so the record has some fields only. */
  publicOnly: boolean;
  record: AppRecord;
  /** English names of the record's tags. */
  tagNames: Map<number, string>;
}

/** The calls that one app needs. */
export type SingleAppPics = Pick<Pics, "productInfo" | "accessTokens" | "tagNames">;

/**
 * Fetches one app, with an access token where one is needed and granted, and stores nothing. Null when the app is
 * unknown to Steam.
 *
 * @throws {SteamError} also when Steam sends the app without its text; what {@link extractApp} throws; `signal.reason`.
 */
export async function fetchSingleApp(
  pics: SingleAppPics,
  appid: number,
  signal: AbortSignal,
): Promise<FetchedApp | null> {
  const payload = await fetchPayload(pics, appid, signal);
  if (payload === null) return null;
  if (payload.text === null) throw new SteamError("protocol", `app ${appid}: ${payload.error}`);
  const publicOnly = isWithheld(payload);
  const { record } = extractApp(appid, payload.text, publicOnly);
  return {
    changeNumber: payload.changeNumber,
    publicOnly,
    record,
    tagNames: await fetchTagNames(pics, record, signal),
  };
}

/** Names are optional here: without them the ids are shown. */
async function fetchTagNames(
  pics: SingleAppPics,
  { tags = [] }: AppRecord,
  signal: AbortSignal,
): Promise<Map<number, string>> {
  try {
    return await pics.tagNames(tags, signal);
  } catch (error) {
    if (error instanceof SteamError) return new Map();
    throw error;
  }
}

async function fetchPayload(pics: SingleAppPics, appid: number, signal: AbortSignal): Promise<AppPayload | null> {
  const { apps, unknown } = await pics.productInfo([{ appid }], signal);
  const [payload] = apps;
  if (payload === undefined && !unknown.includes(appid)) {
    throw new SteamError("protocol", `Steam's reply did not mention app ${appid}; try again`);
  }
  if (payload === undefined || !isWithheld(payload)) return payload ?? null;
  const accessToken = (await pics.accessTokens([appid], signal)).granted.get(appid);
  if (accessToken === undefined) return payload;
  return (await pics.productInfo([{ appid, accessToken }], signal)).apps[0] ?? payload;
}

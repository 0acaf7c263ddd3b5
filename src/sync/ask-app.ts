import type { AppRecord } from "../catalog/app-record.ts";
import { extractApp } from "../catalog/extract.ts";
import { SteamError } from "../process/errors.ts";
import type { AppPayload, Pics } from "../steam/port.ts";

/** One app as Steam tells it now. */
export interface AskedApp {
  changeNumber: number;
  /** Steam holds sections back, so the record speaks of some fields only. */
  publicOnly: boolean;
  record: AppRecord;
  /** English names of the record's tags. */
  tagNames: Map<number, string>;
}

/**
 * Asks Steam for one app, with an access token where that is needed and granted, and stores nothing. Null when Steam does not know it.
 *
 * @throws {SteamError} also when Steam sends the app without its text; what {@link extractApp} throws; `signal.reason`.
 */
export async function askApp(pics: Pics, appid: number, signal: AbortSignal): Promise<AskedApp | null> {
  const payload = await payloadOf(pics, appid, signal);
  if (payload === null) return null;
  if (payload.text === null) throw new SteamError("protocol", `app ${appid}: ${payload.error}`);
  const record = extractApp(appid, payload.text, payload.onlyPublic);
  return {
    changeNumber: payload.changeNumber,
    publicOnly: payload.onlyPublic || payload.missingToken,
    record,
    tagNames: await tagNamesOf(pics, record, signal),
  };
}

/** Ids say enough when Steam does not name them. */
async function tagNamesOf(pics: Pics, { tags = [] }: AppRecord, signal: AbortSignal): Promise<Map<number, string>> {
  try {
    return await pics.tagNames(tags, signal);
  } catch (error) {
    if (error instanceof SteamError) return new Map();
    throw error;
  }
}

async function payloadOf(pics: Pics, appid: number, signal: AbortSignal): Promise<AppPayload | null> {
  const { apps } = await pics.productInfo([{ appid }], signal);
  const [payload] = apps;
  if (!payload?.missingToken) return payload ?? null;
  const accessToken = (await pics.accessTokens([appid], signal)).granted.get(appid);
  if (accessToken === undefined) return payload;
  return (await pics.productInfo([{ appid, accessToken }], signal)).apps[0] ?? payload;
}

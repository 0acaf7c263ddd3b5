/** From one app of a product info reply to its text. Everything here works on bytes; parsing is the catalog's business. */
import { hash } from "node:crypto";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import ky from "ky";
import type { Logger } from "pino";
import type { AppPayload } from "./port.ts";

/** CMsgClientPICSProductInfoResponse.AppInfo as steam-user decodes it; what Steam leaves out is null. */
export interface AppInfoMessage {
  appid: number;
  change_number: number | null;
  missing_token: boolean | null;
  only_public: boolean | null;
  /** SHA-1 of the text without the trailing NUL. */
  sha: Buffer | null;
  /** The text with a trailing NUL. */
  buffer: Buffer | null;
  size: number | null;
}

/** Where Steam offers larger texts over plain HTTP. */
export interface HttpOffer {
  host: string | null;
  minSizeBytes: number | null;
}

/** Returns the body of `url`, gzipped or not. Throws for any status but 2xx, and `signal.reason` when aborted. */
export type FetchHttpPayload = (url: string, signal?: AbortSignal) => Promise<Buffer>;

/** The largest text seen has 1.15 MB. */
const maxTextBytes = 64 * 1024 * 1024;
const httpTimeoutMs = 30_000;
const gunzipAsync = promisify(gunzip);

export function toPayload(app: AppInfoMessage, text: string | null, error: string | null): AppPayload {
  return {
    appid: app.appid,
    changeNumber: app.change_number ?? 0,
    missingToken: app.missing_token ?? false,
    onlyPublic: app.only_public ?? false,
    text,
    error,
  };
}

/**
 * Bytes from the wire to text: the trailing NUL goes, bytes that are no UTF-8 become U+FFFD. A SHA-1 that differs from the
 * announced one is logged and nothing more: Steam's is a hint for "unchanged".
 */
export function decodeText(app: AppInfoMessage, bytes: Buffer, logger: Logger): string {
  const length = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  const text = bytes.subarray(0, length);
  const announced = app.sha?.toString("hex");
  if (announced && hash("sha1", text) !== announced) {
    logger.debug({ appid: app.appid, announced }, "the SHA-1 of an app's text is not the announced one");
  }
  return text.toString("utf8");
}

/**
 * The address of an app's text when Steam offers it over HTTP instead of sending it, else null. The form is that of
 * SteamKit and of Steam's own clients: `http://HOST/appinfo/APPID/sha/SHA1.txt.gz`.
 */
export function httpPayloadUrl(app: AppInfoMessage, { host, minSizeBytes }: HttpOffer): string | null {
  if (!host || !app.sha || (app.size ?? 0) < (minSizeBytes ?? 0)) return null;
  return `http://${host}/appinfo/${app.appid}/sha/${app.sha.toString("hex")}.txt.gz`;
}

/** Unzips where needed: an HTTP client may already have done it. Throws on a truncated or damaged body. */
export async function unzip(body: Buffer): Promise<Buffer> {
  const isGzip = body[0] === 0x1f && body[1] === 0x8b;
  return isGzip ? await gunzipAsync(body, { maxOutputLength: maxTextBytes }) : body;
}

/** Three attempts of 30 s, with growing pauses, for network faults and statuses that may pass. */
export const fetchHttpPayload: FetchHttpPayload = async (url, signal) => {
  const body = await ky.get(url, { timeout: httpTimeoutMs, retry: 2, ...(signal && { signal }) }).arrayBuffer();
  return Buffer.from(body);
};

/**
 * Decodes the text of one app of a product info reply. Everything here works on bytes; the catalog module parses the
 * text.
 */
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

/**
 * Returns the body of `url`, gzipped or not. Throws for any other status than 2xx, and `signal.reason` when aborted.
 */
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
 * Decodes bytes from the wire: removes the trailing NUL, replaces bytes that are not UTF-8 by U+FFFD. A SHA-1 that
 * differs from the announced one is only logged: Steam sends it as a hint for "unchanged".
 */
export function decodeText(app: AppInfoMessage, bytes: Buffer, logger: Logger): string {
  const length = bytes.at(-1) === 0 ? bytes.length - 1 : bytes.length;
  const text = bytes.subarray(0, length);
  const announced = app.sha?.toString("hex");
  if (announced && hash("sha1", text) !== announced) {
    logger.debug(
      { appid: app.appid, announced },
      "the SHA-1 of an app's text differs from the announced one; the text is kept",
    );
  }
  return text.toString("utf8");
}

/**
 * The URL of an app's text when Steam offers it over HTTP instead of sending it, else null. The form is that of
 * SteamKit and of Steam's own clients: `http://HOST/appinfo/APPID/sha/SHA1.txt.gz`.
 */
export function httpPayloadUrl(app: AppInfoMessage, { host, minSizeBytes }: HttpOffer): string | null {
  if (!host || !app.sha || (app.size ?? 0) < (minSizeBytes ?? 0)) return null;
  return `http://${host}/appinfo/${app.appid}/sha/${app.sha.toString("hex")}.txt.gz`;
}

/**
 * Unzips a gzip body; any other is returned as it is, since the HTTP client may have unzipped it. Throws on a truncated
 * or damaged body.
 */
export async function unzip(body: Buffer): Promise<Buffer> {
  const isGzip = body[0] === 0x1f && body[1] === 0x8b;
  return isGzip ? await gunzipAsync(body, { maxOutputLength: maxTextBytes }) : body;
}

/** Three attempts of 30 s with exponential backoff, for network faults and transient statuses. */
export const fetchHttpPayload: FetchHttpPayload = async (url, signal) => {
  const body = await ky.get(url, { timeout: httpTimeoutMs, retry: 2, ...(signal && { signal }) }).arrayBuffer();
  return Buffer.from(body);
};

/**
 * Decodes the text of one app of a product info reply. Everything here works on bytes; the catalog module parses the
 * text.
 */
import { hash } from "node:crypto";
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

/**
 * The payload of an app with its text, from bytes without the trailing NUL. Bytes that are not UTF-8 are replaced by
 * U+FFFD in the text.
 */
export function payloadOf(app: AppInfoMessage, bytes: Buffer): AppPayload {
  return { ...payloadWithout(app, ""), text: bytes.toString("utf8"), bytes, error: null };
}

/** The payload of an app that comes without a text, for the reason `error`. */
export function payloadWithout(app: AppInfoMessage, error: string): AppPayload {
  return {
    appid: app.appid,
    changeNumber: app.change_number ?? 0,
    missingToken: app.missing_token ?? false,
    onlyPublic: app.only_public ?? false,
    text: null,
    bytes: null,
    error,
  };
}

/**
 * The text of an app from Steam's own connection. A SHA-1 that differs from the announced one is only logged: Steam
 * sends it as a hint for "unchanged".
 */
export function payloadOfReply(app: AppInfoMessage, buffer: Buffer, logger: Logger): AppPayload {
  const text = withoutNul(buffer);
  const announced = app.sha?.toString("hex");
  if (announced && hash("sha1", text) !== announced) {
    logger.debug(
      { appid: app.appid, announced },
      "the SHA-1 of an app's text differs from the announced one; the text is kept",
    );
  }
  return payloadOf(app, text);
}

/** Without the NUL that the wire adds, if it is there. */
export function withoutNul(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes;
}

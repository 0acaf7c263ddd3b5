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
 * Decodes bytes from Steam's own connection: removes the trailing NUL, replaces bytes that are not UTF-8 by U+FFFD. A
 * SHA-1 that differs from the announced one is only logged: Steam sends it as a hint for "unchanged".
 */
export function decodeText(app: AppInfoMessage, bytes: Buffer, logger: Logger): string {
  const text = withoutNul(bytes);
  const announced = app.sha?.toString("hex");
  if (announced && hash("sha1", text) !== announced) {
    logger.debug(
      { appid: app.appid, announced },
      "the SHA-1 of an app's text differs from the announced one; the text is kept",
    );
  }
  return text.toString("utf8");
}

/** Without the NUL that the wire adds, if it is there. */
export function withoutNul(bytes: Buffer): Buffer {
  return bytes.at(-1) === 0 ? bytes.subarray(0, -1) : bytes;
}

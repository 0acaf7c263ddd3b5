import { open, writeFile } from "node:fs/promises";
import { parseProfile, userIdPattern, userIdRule } from "../library/ids.ts";
import type { Config } from "../process/config.ts";
import { ConfigError, errorCode } from "../process/errors.ts";
import type { LibraryImportCommand } from "./args.ts";

/** Whose library is imported for whom, and where its report goes. */
export interface ImportRequest {
  userId: string;
  /** Any form of a Steam profile. */
  steamId: string;
  /** A file, or `-` for standard output. */
  report: string | null;
}

/** What a user plays is private. */
const fileMode = 0o600;

/**
 * The options of the command, completed from LIBRARY_USER and LIBRARY_STEAM_ID.
 *
 * @throws {ConfigError} that lists what is missing or cannot be read.
 */
export function importRequest({ userId, steamId, report }: LibraryImportCommand, { library }: Config): ImportRequest {
  const user = userId ?? library.userId;
  const profile = steamId ?? library.steamId;
  const missing = [user === null && "LIBRARY_USER (or --user)", profile === null && "LIBRARY_STEAM_ID (or --steam-id)"];
  if (user === null || profile === null) {
    throw new ConfigError(`library-import needs ${missing.filter((name) => name !== false).join(" and ")}.`);
  }
  if (!userIdPattern.test(user)) throw new ConfigError(`LIBRARY_USER ${userIdRule}.`);
  const parsed = parseProfile(profile);
  if ("fault" in parsed) throw new ConfigError(`LIBRARY_STEAM_ID ${parsed.fault}.`);
  return { userId: user, steamId: profile, report };
}

/**
 * Opens the file of the report before the import begins, without changing what it holds.
 *
 * @throws {ConfigError} when it cannot be written.
 */
export async function checkReportFile(path: string | null): Promise<void> {
  if (path === null || path === "-") return;
  try {
    await (await open(path, "a", fileMode)).close();
  } catch (error) {
    throw new ConfigError(`The report cannot be written to ${path} (${errorCode(error)}): give --report another file.`);
  }
}

/** @throws {ConfigError} when the file cannot be written. */
export async function writeReportFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { mode: fileMode });
  } catch (error) {
    throw new ConfigError(
      `The import is done, but its report cannot be written to ${path} (${errorCode(error)}): repeat it with another file.`,
    );
  }
}

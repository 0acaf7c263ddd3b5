import { randomBytes } from "node:crypto";
import { ImportRejectedError } from "./errors.ts";

/**
 * Keys of the files between the stages: `imports/{user_id}/{run}-raw.csv` and `…-enriched.csv`. A run is named by its execution id, so that
 * a retry writes the same object; without one by the time, in milliseconds, and a random part, since two imports may begin at once.
 */
export function rawKey(userId: string, executionId: string | undefined, now: Date): string {
  return `${folderOf(userId)}${executionId ?? `${timestamp(now)}-${randomBytes(4).toString("hex")}`}${rawEnd}`;
}

/**
 * The enriched file stands beside the raw one, so that a retry writes the same object.
 *
 * @throws {ImportRejectedError} for a key that is not a raw file of this user.
 */
export function enrichedKey(userId: string, key: string): string {
  checkOwner(userId, key, rawEnd);
  return `${key.slice(0, -rawEnd.length)}${enrichedEnd}`;
}

/** @throws {ImportRejectedError} for a key that is not an enriched file of this user. */
export function checkEnriched(userId: string, key: string): void {
  checkOwner(userId, key, enrichedEnd);
}

const rawEnd = "-raw.csv";
const enrichedEnd = "-enriched.csv";
const folderOf = (userId: string) => `imports/${userId}/`;

function checkOwner(userId: string, key: string, end: string): void {
  const name = key.slice(folderOf(userId).length);
  if (key.startsWith(folderOf(userId)) && key.endsWith(end) && !name.includes("/") && name.length > end.length) return;
  throw new ImportRejectedError(
    `The file ${JSON.stringify(key)} is none of user ${userId}; expected ${folderOf(userId)}…${end}.`,
  );
}

/** `20261120T211805123Z` */
function timestamp(now: Date): string {
  return now.toISOString().replace(/[-:.]/g, "");
}

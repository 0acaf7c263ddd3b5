import { randomBytes } from "node:crypto";
import { ImportRejectedError } from "./errors.ts";
import { userIdPattern } from "./ids.ts";

/**
 * Key of a raw file: `imports/{user_id}/{run}-raw.csv`. A run is named by its execution id, so that a retry is
 * idempotent: it overwrites the same object. Without an execution id, a timestamp in milliseconds and a random part
 * keep concurrent imports apart.
 */
export function rawKey(userId: string, executionId: string | undefined, now: Date): string {
  return `${folderOf(userId)}${executionId ?? `${timestamp(now)}-${randomBytes(4).toString("hex")}`}${rawSuffix}`;
}

/**
 * Key of the enriched file that belongs to a raw file: `…-enriched.csv` beside `…-raw.csv`, so that a retry is
 * idempotent.
 *
 * @throws {ImportRejectedError} when the key is not a raw file of this user.
 */
export function enrichedKey(userId: string, key: string): string {
  checkOwner(userId, key, rawSuffix);
  return `${key.slice(0, -rawSuffix.length)}${enrichedSuffix}`;
}

/** @throws {ImportRejectedError} when the key is not an enriched file of this user. */
export function checkEnrichedKey(userId: string, key: string): void {
  checkOwner(userId, key, enrichedSuffix);
}

const rawSuffix = "-raw.csv";
const enrichedSuffix = "-enriched.csv";
const folderOf = (userId: string) => `imports/${userId}/`;

function checkOwner(userId: string, key: string, suffix: string): void {
  const folder = folderOf(userId);
  const run = key.slice(folder.length, -suffix.length);
  if (key === `${folder}${run}${suffix}` && userIdPattern.test(run)) return;
  throw new ImportRejectedError(
    `The file ${JSON.stringify(key)} does not belong to user ${userId}; expected ${folder}…${suffix}.`,
  );
}

/** `20261120T211805123Z` */
function timestamp(now: Date): string {
  return now.toISOString().replace(/[-:.]/g, "");
}

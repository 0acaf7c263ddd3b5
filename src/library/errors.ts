import { ExpectedError } from "../process/errors.ts";

/**
 * A permanent failure: a retry does not help, and the message is for the user. Every other error of a stage may be
 * retried.
 */
export class ImportRejectedError extends ExpectedError {
  override readonly name: string = "ImportRejectedError";
}

/** A permanent failure caused by a setting: a key is missing or refused. The message names the setting. */
export class SettingRejectedError extends ImportRejectedError {
  override readonly name = "SettingRejectedError";
}

/** What no retry cures; its message is for the person who asked. Everything else that a stage throws may be tried again. */
export class ImportRejectedError extends Error {
  override readonly name: string = "ImportRejectedError";
}

/** The same, where a setting has to be mended: a key that is missing or refused. */
export class SettingRejectedError extends ImportRejectedError {
  override readonly name = "SettingRejectedError";
}

/** What no retry cures; its message is for the person who asked. Everything else that a stage throws may be tried again. */
export class ImportRefused extends Error {
  override readonly name = "ImportRefused";
}

/** A run that has to be refused: what it heard cannot be right. */
export class CollectorError extends Error {
  override readonly name = "CollectorError";
}

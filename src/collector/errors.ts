/** A run is rejected because the data that it received is not plausible. */
export class CollectorError extends Error {
  override readonly name = "CollectorError";
}

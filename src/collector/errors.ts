import { ExpectedError } from "../process/errors.ts";

/** A run is rejected because the data that it received is not plausible. */
export class CollectorError extends ExpectedError {
  override readonly name = "CollectorError";
}

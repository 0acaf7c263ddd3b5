import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";

/** What smaller indexes would gain is not worth the lock. */
const minBytes = 128 * 1_024;

/**
 * Rebuilds the indexes after a first load, one by one: rows came in another order than most indexes have, and packed these take two thirds of
 * the bytes. About a second for a million rows, during which writers of that table wait. Nothing depends on it, so a failure is only logged.
 */
export async function compactIndexes({
  store,
  logger,
  signal,
}: {
  store: Pick<CatalogStore, "compact">;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  let [indexes, before, after] = [0, 0, 0];
  try {
    for (let last: string | null = null; !signal.aborted; indexes++) {
      const done = await store.compact({ after: last, minBytes });
      if (done === null) break;
      last = done.index;
      before += done.bytes_before;
      after += done.bytes_after;
    }
  } catch (error) {
    if (!signal.aborted) logger.warn({ err: error }, "the indexes could not be compacted; they only take more space");
  }
  if (indexes > 0) logger.info({ indexes, bytesBefore: before, bytesAfter: after }, "indexes compacted");
}

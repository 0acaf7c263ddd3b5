import type { CatalogStore } from "../db/catalog-store.ts";
import type { WriteDeps } from "./apply-batch.ts";

/** Apps in one transaction. */
const batchSize = 10_000;

/** Marks as pending what an earlier, narrower APP_TYPES left out and this one wants. Steam does not announce these apps again. */
export async function markSkipped(
  { store, logger, types }: Pick<WriteDeps, "logger" | "types"> & { store: Pick<CatalogStore, "markSkipped"> },
  signal: AbortSignal,
): Promise<void> {
  let apps = 0;
  for (let hasMore = true; hasMore && !signal.aborted; ) {
    const reply = await store.markSkipped({ types, max: batchSize });
    apps += reply.marked;
    hasMore = reply.has_more;
  }
  if (apps > 0)
    logger.info({ apps, types: types ?? "all" }, "apps that APP_TYPES had left out are wanted now: they are fetched");
}

import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import { SteamError } from "../process/errors.ts";
import type { Pics } from "../steam/port.ts";

export const tagsPerRequest = 200;

/**
 * Asks Steam for the names of tags that have none. Tags that it does not name stay without one: a placeholder would be taken
 * for a name. Steam failing here is logged and left for the next time, since the catalog is complete without.
 */
export async function nameTags(deps: {
  pics: Pick<Pics, "tagNames">;
  store: Pick<CatalogStore, "unnamedTags" | "nameTags">;
  logger: Logger;
  signal: AbortSignal;
}): Promise<void> {
  const { pics, store, logger, signal } = deps;
  for (let after: number | undefined = 0; after !== undefined; ) {
    const tagIds = await store.unnamedTags(after, tagsPerRequest);
    after = tagIds.at(-1);
    if (tagIds.length === 0) return;
    try {
      const names = await pics.tagNames(tagIds, signal);
      if (names.size > 0) await store.nameTags(names);
    } catch (error) {
      if (!(error instanceof SteamError)) throw error;
      logger.warn({ err: error, tags: tagIds.length }, "Steam did not name these tags; they stay unnamed for now");
    }
  }
}

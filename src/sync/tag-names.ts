import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import { SteamError } from "../process/errors.ts";
import type { Pics } from "../steam/port.ts";

const tagsPerRequest = 200;
const intervalMs = 3_600_000;

export interface TagNamesDeps {
  pics: Pick<Pics, "tagNames">;
  store: Pick<CatalogStore, "unnamedTags" | "nameTags">;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * Fetches the names of tags that have none, page by page (keyset pagination). Tags that Steam does not name stay
 * without a name, since a placeholder would be taken for one. A request that fails is logged and left for the next
 * time, because the catalog is complete without.
 */
export async function nameTags({ pics, store, logger, signal }: TagNamesDeps): Promise<void> {
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

export interface TagNameSchedule {
  /**
   * Starts naming new tags unless that was done within the last hour; returns at once, so that a poll does not wait for
   * names.
   */
  runIfDue(): void;
  /** Resolves when no naming is under way. Never rejects. */
  settled(): Promise<void>;
}

/** Names new tags once an hour, the first time at once. */
export function createTagNameSchedule(deps: TagNamesDeps): TagNameSchedule {
  let startedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    try {
      await nameTags(deps);
    } catch (error) {
      if (deps.signal.aborted) return;
      deps.logger.error({ err: error }, "new tags could not be named; the next attempt is in an hour");
    }
  }

  return {
    runIfDue() {
      if (performance.now() - startedAt < intervalMs) return;
      startedAt = performance.now();
      running = run();
    },
    settled: () => running,
  };
}

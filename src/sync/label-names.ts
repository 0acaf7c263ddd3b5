import type { Logger } from "pino";
import type { CatalogStore } from "../db/catalog-store.ts";
import { SteamError } from "../process/errors.ts";
import type { Pics } from "../steam/port.ts";

const tagsPerRequest = 200;
const defaultIntervalMs = 3_600_000;

export interface LabelNamesDeps {
  pics: Pick<Pics, "tagNames" | "categoryNames">;
  store: Pick<CatalogStore, "unnamedTags" | "nameTags" | "unconfirmedCategories" | "nameCategories">;
  logger: Logger;
  signal: AbortSignal;
}

/**
 * Names the labels of the store, tags and categories, as Steam names them; app info has their ids only. What Steam does
 * not name stays without a name, since a placeholder would be taken for one. A request that fails is logged and left
 * for the next time, because the catalog is complete without.
 */
export async function nameLabels(deps: LabelNamesDeps): Promise<void> {
  await nameTags(deps);
  await nameCategories(deps);
}

/** Fetches the names of tags that have none, page by page (keyset pagination). */
async function nameTags({ pics, store, logger, signal }: LabelNamesDeps): Promise<void> {
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

/**
 * Fetches the names of all categories in one request, when some category has no name by Steam or was not confirmed for
 * long. Names that migrations seed are for a database without Steam: public lists of them contradict each other.
 */
async function nameCategories({ pics, store, logger, signal }: LabelNamesDeps): Promise<void> {
  const unconfirmed = await store.unconfirmedCategories();
  if (unconfirmed.length === 0) return;
  try {
    const names = await pics.categoryNames(signal);
    if (names.size > 0) await store.nameCategories(names);
    else logger.warn("Steam listed no category at all; categories keep the names that they have");
    const unnamed = unconfirmed.filter((id) => !names.has(id));
    logger.debug({ named: names.size, unnamed }, "category names fetched");
  } catch (error) {
    if (!(error instanceof SteamError)) throw error;
    logger.warn({ err: error }, "Steam did not name the categories; they keep the names that they have for now");
  }
}

export interface LabelNameSchedule {
  /**
   * Starts naming new labels unless that was done within the interval; returns at once, so that a poll does not wait for
   * names.
   */
  runIfDue(): void;
  /** Resolves when no naming is under way. Never rejects. */
  settled(): Promise<void>;
}

/** Names new labels once an interval, by default an hour; the first time at once. */
export function createLabelNameSchedule(deps: LabelNamesDeps, intervalMs = defaultIntervalMs): LabelNameSchedule {
  let startedAt = Number.NEGATIVE_INFINITY;
  let running: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    try {
      await nameLabels(deps);
    } catch (error) {
      if (deps.signal.aborted) return;
      deps.logger.error({ err: error }, "tags and categories could not be named; they are tried again later");
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

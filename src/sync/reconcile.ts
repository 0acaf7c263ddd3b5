import type { CatalogStore } from "../db/catalog-store.ts";
import type { Metadata, Pics } from "../steam/port.ts";
import { idsPerRequest, sweepIdSpace, sweepIds } from "./sweep.ts";

/**
 * Compares everything with Steam, by change numbers only, and marks what differs as pending: first every stored app, so that what has
 * changed is found early, then the whole id space, since new apps appear below the highest known id too.
 *
 * That is `ceil(stored apps / 5,000)` requests, `ceil(highest id / 5,000)`, and the trailing empty windows.
 */
export async function reconcile(deps: {
  pics: Pics;
  store: CatalogStore;
  concurrency: number;
  appIdMax: number | null;
  signal: AbortSignal;
  /** Apps of one answer that were marked. */
  onMarked: (apps: number) => void;
}): Promise<void> {
  const { pics, store, concurrency, appIdMax, signal, onMarked } = deps;
  const onWindow = async (_: readonly number[], { apps, unknown }: Metadata) => {
    const { marked } = await store.mark({ apps, unknown, full: false });
    onMarked(marked);
  };
  const sweep = { pics, concurrency, signal, onWindow };

  let highestKnown = 0;
  for (;;) {
    const page = await store.storedAppids(highestKnown, idsPerRequest);
    const last = page.at(-1);
    if (last === undefined) break;
    await sweepIds(sweep, page);
    highestKnown = last;
  }
  await sweepIdSpace(sweep, { end: appIdMax, highestKnown });
}

import { SteamError } from "../process/errors.ts";
import type { Metadata, Pics } from "../steam/port.ts";
import { retrySteam } from "./retry-steam.ts";

/**
 * The sweep: finds appids by requesting metadata for every possible id, window by window. Steam answers with the change
 * numbers of those that exist. No Web API key is needed, and delisted apps, demos, music and tools are found too.
 */

/**
 * Size of a window: ids in one metadata-only request. SteamDB's backend uses the same number (facts of its public
 * source).
 */
export const idsPerRequest = 5_000;
/** The id space ends after this number of windows without an app behind the highest known id. */
export const emptyWindowsAtEnd = 20;

export interface SweepDeps {
  pics: Pics;
  /** Windows in flight. */
  concurrency: number;
  signal: AbortSignal;
  /** Called with each answer, in the order of the windows; awaited. */
  onWindow: (ids: readonly number[], answer: Metadata) => Promise<void>;
}

/**
 * Sweeps the id space from 1 up to `end`, or, when there is none, until {@link emptyWindowsAtEnd} empty windows follow
 * the highest id that is known or found. Exactly `ceil(highest / 5,000)` plus the trailing requests are made.
 */
export async function sweepIdSpace(
  deps: SweepDeps,
  { end, highestKnown, onEnd }: { end: number | null; highestKnown: number; onEnd?: (lastId: number) => void },
): Promise<void> {
  let windows = end === null ? windowsUpTo(highestKnown) + emptyWindowsAtEnd : windowsUpTo(end);
  const lastId = () => Math.min(end ?? Number.POSITIVE_INFINITY, windows * idsPerRequest);
  onEnd?.(lastId());

  await inOrder(deps, {
    // Evaluated before every request: each app that is found may move the end.
    next: (index) => (index < windows ? range(index * idsPerRequest + 1, lastId()) : null),
    found: (index) => {
      if (end !== null) return;
      windows = Math.max(windows, index + 1 + emptyWindowsAtEnd);
      onEnd?.(lastId());
    },
  });
}

/** Sweeps exactly these ids, 5,000 a request. */
export async function sweepIds(deps: SweepDeps, ids: readonly number[]): Promise<void> {
  await inOrder(deps, {
    next: (index) => {
      const window = ids.slice(index * idsPerRequest, (index + 1) * idsPerRequest);
      return window.length > 0 ? window : null;
    },
    found: () => {},
  });
}

interface Windows {
  /** The ids of a window, or null when there is no such window (yet). */
  next: (index: number) => readonly number[] | null;
  /** Called when an app of that window exists. */
  found: (index: number) => void;
}

/** Keeps several windows in flight and handles their answers in order, one at a time. */
async function inOrder({ pics, concurrency, signal, onWindow }: SweepDeps, windows: Windows): Promise<void> {
  const inFlight: { index: number; ids: readonly number[]; answer: Promise<Metadata> }[] = [];
  let nextIndex = 0;
  for (;;) {
    while (inFlight.length < concurrency) {
      const ids = windows.next(nextIndex);
      if (ids === null) break;
      const answer = fetchMetadata(pics, ids, signal);
      answer.catch(() => {}); // Handled where it is awaited below, perhaps after an earlier one has failed.
      inFlight.push({ index: nextIndex++, ids, answer });
    }
    const oldest = inFlight.shift();
    if (oldest === undefined) return;
    const answer = await oldest.answer;
    if (answer.apps.length > 0) windows.found(oldest.index);
    await onWindow(oldest.ids, answer);
  }
}

/** Windows of this size or smaller are retried instead of bisected. */
const smallestWindow = 200;

/** Change numbers of a window. A request that Steam does not answer is bisected, in case it was too large. */
async function fetchMetadata(pics: Pics, ids: readonly number[], signal: AbortSignal): Promise<Metadata> {
  if (ids.length <= smallestWindow) return retrySteam(() => pics.metadata(ids, signal), signal);
  try {
    return await pics.metadata(ids, signal);
  } catch (error) {
    if (!(error instanceof SteamError)) throw error;
    const middle = Math.ceil(ids.length / 2);
    const first = await fetchMetadata(pics, ids.slice(0, middle), signal);
    const second = await fetchMetadata(pics, ids.slice(middle), signal);
    return { apps: [...first.apps, ...second.apps], unknown: [...first.unknown, ...second.unknown] };
  }
}

const windowsUpTo = (highest: number) => Math.ceil(highest / idsPerRequest);

/** `idsPerRequest` ids from `first`, none above `last`. */
function range(first: number, last: number): number[] {
  return Array.from({ length: Math.min(idsPerRequest, last - first + 1) }, (_, offset) => first + offset);
}

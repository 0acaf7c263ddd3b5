import { SteamError } from "../process/errors.ts";
import type { Metadata, Pics } from "../steam/port.ts";
import { retrySteam } from "./retry-steam.ts";

/**
 * Where appids come from: Steam is asked, metadata only, for every id there could be. It answers with the change numbers of
 * those that exist. No Web API key is needed, and delisted apps, demos, music and tools are found too.
 */

/** Ids asked for in one metadata-only request. SteamDB's backend uses the same number (facts of its public source). */
export const idsPerRequest = 5_000;
/** So many windows without a single app follow the highest known id before the id space counts as ended. */
export const emptyWindowsAtEnd = 20;

export interface SweepDeps {
  pics: Pics;
  /** Windows asked for at the same time. */
  concurrency: number;
  signal: AbortSignal;
  /** Called with each answer, in the order of the windows; the sweep waits for it. */
  onWindow: (ids: readonly number[], answer: Metadata) => Promise<void>;
}

/**
 * Sweeps the id space from 1 up to `end`, or, when there is none, until {@link emptyWindowsAtEnd} empty windows follow the
 * highest id that is known or found. Exactly `ceil(highest / 5,000)` plus the trailing requests are made.
 */
export async function sweepIdSpace(
  deps: SweepDeps,
  { end, highestKnown, onEnd }: { end: number | null; highestKnown: number; onEnd?: (lastId: number) => void },
): Promise<void> {
  let windows = end === null ? windowsUpTo(highestKnown) + emptyWindowsAtEnd : windowsUpTo(end);
  const lastId = () => Math.min(end ?? Number.POSITIVE_INFINITY, windows * idsPerRequest);
  onEnd?.(lastId());

  await inOrder(deps, {
    // Asked again before every request: each app that is found may move the end.
    next: (index) => (index < windows ? range(index * idsPerRequest + 1, lastId()) : null),
    found: (index) => {
      if (end !== null) return;
      windows = Math.max(windows, index + 1 + emptyWindowsAtEnd);
      onEnd?.(lastId());
    },
  });
}

/** Asks for exactly these ids, 5,000 a request. */
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
  /** Some app of that window exists. */
  found: (index: number) => void;
}

/** Several windows are in flight, their answers are handled one after the other. */
async function inOrder({ pics, concurrency, signal, onWindow }: SweepDeps, windows: Windows): Promise<void> {
  const inFlight: { index: number; ids: readonly number[]; answer: Promise<Metadata> }[] = [];
  let nextIndex = 0;
  for (;;) {
    while (inFlight.length < concurrency) {
      const ids = windows.next(nextIndex);
      if (ids === null) break;
      const answer = metadataOf(pics, ids, signal);
      answer.catch(() => {}); // It is awaited below, perhaps after another one has failed.
      inFlight.push({ index: nextIndex++, ids, answer });
    }
    const oldest = inFlight.shift();
    if (oldest === undefined) return;
    const answer = await oldest.answer;
    if (answer.apps.length > 0) windows.found(oldest.index);
    await onWindow(oldest.ids, answer);
  }
}

/** Below this a window is not worth halving. */
const smallestWindow = 200;

/** Change numbers of a window. A request that Steam does not answer is asked in halves, in case it was too much. */
async function metadataOf(pics: Pics, ids: readonly number[], signal: AbortSignal): Promise<Metadata> {
  if (ids.length <= smallestWindow) return retrySteam(() => pics.metadata(ids, signal), signal);
  try {
    return await pics.metadata(ids, signal);
  } catch (error) {
    if (!(error instanceof SteamError)) throw error;
    const middle = Math.ceil(ids.length / 2);
    const first = await metadataOf(pics, ids.slice(0, middle), signal);
    const second = await metadataOf(pics, ids.slice(middle), signal);
    return { apps: [...first.apps, ...second.apps], unknown: [...first.unknown, ...second.unknown] };
  }
}

const windowsUpTo = (highest: number) => Math.ceil(highest / idsPerRequest);

/** `idsPerRequest` ids from `first`, none above `last`. */
function range(first: number, last: number): number[] {
  return Array.from({ length: Math.min(idsPerRequest, last - first + 1) }, (_, offset) => first + offset);
}

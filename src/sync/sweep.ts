import type { Logger } from "pino";
import { linkedAbort } from "../process/abort.ts";
import { SteamError } from "../process/errors.ts";
import { type Control, fetchWindow, maxRounds, type WindowAnswer, type WindowDeps } from "./metadata-window.ts";

/**
 * The sweep: finds appids by requesting metadata for every possible id, window by window. Steam answers with the change
 * numbers of those that exist. No Web API key is needed, and delisted apps, demos, music and tools are found too.
 *
 * A sweep is complete when Steam has answered every id, as an app or as unknown. Ids that were never stored and that
 * Steam leaves out of its answers count as unknown and are reported. The sweep has failed when stored ids stay
 * unanswered (the other windows are still swept), or when Steam is mute (it ends at once); see metadata-window.ts.
 */

/**
 * Size of a window: ids in one metadata-only request. SteamDB's backend uses the same number (facts of its public
 * source).
 */
export const idsPerRequest = 5_000;
/** The id space ends after this number of windows without an app behind the highest known id. */
export const emptyWindowsAtEnd = 20;
/** Ids that a log line or an error names. */
const namedIds = 10;

export interface SweepDeps extends WindowDeps {
  logger: Logger;
  /** Windows in flight. */
  concurrency: number;
  /** Called with each answer, in the order of the windows; awaited. */
  onWindow: (ids: readonly number[], answer: WindowAnswer) => Promise<void>;
}

/** One sweep, in as many parts as the caller needs. A part that throws ends it: no other may follow. */
export interface Sweep {
  /** Sweeps exactly these ids, 5,000 a request. */
  ids(ids: readonly number[]): Promise<void>;
  /**
   * Sweeps the id space from 1 up to `end`, or, when there is none, until {@link emptyWindowsAtEnd} empty windows follow
   * the highest id that is known or found. When Steam answers every id, exactly `ceil(highest / 5,000)` plus the
   * trailing requests are made.
   */
  idSpace(space: IdSpace): Promise<void>;
  /**
   * Ends the sweep.
   *
   * @throws {SteamError} `silent` when stored ids stayed unanswered.
   */
  finish(): void;
  /** Ids so far that Steam left unanswered: those that count as unknown, and those that make the sweep fail. */
  unanswered(): number;
}

export interface IdSpace {
  end: number | null;
  highestKnown: number;
  onEnd?: (lastId: number) => void;
}

/** Every part throws {@link SteamError} `silent` when Steam is mute. */
export function createSweep(deps: SweepDeps): Sweep {
  const control: Control = { appid: null };
  const ledger = createLedger();
  const run = (windows: Windows) => inOrder(deps, { ...windows, control, ledger });

  return {
    ids: (ids) =>
      run({
        next(index) {
          const window = ids.slice(index * idsPerRequest, (index + 1) * idsPerRequest);
          return window.length > 0 ? window : null;
        },
        found: () => {},
      }),
    idSpace(space) {
      // The id space repeats the ids of parts before it; they would be counted twice.
      ledger.forgetUnknown();
      return run(windowsOf(space));
    },
    finish() {
      const { unknown, firstUnknown, lacking } = ledger;
      if (unknown() > 0) {
        const fields = { unanswered: unknown(), first: firstUnknown() };
        deps.logger.warn(fields, "Steam left ids out of its answers; they were never stored and count as unknown");
      }
      if (lacking.size === 0) return;
      const named = [...lacking].slice(0, namedIds).join(", ") + (lacking.size > namedIds ? ", …" : "");
      throw silence(`${lacking.size} ${lacking.size === 1 ? "id" : "ids"} unanswered (${named})`);
    },
    unanswered: () => ledger.unknown() + ledger.lacking.size,
  };
}

function silence(what: string, cause: SteamError | null = null): SteamError {
  const text = `Steam left ${what} after ${maxRounds} rounds of requests; nothing was concluded from its silence`;
  return cause === null
    ? new SteamError("silent", text)
    : new SteamError("silent", `${text}. Last error: ${cause.message}`, cause.eresult, { cause });
}

/** What Steam left unanswered in a sweep. */
interface Ledger {
  /** Number of ids that count as unknown; not the ids, of which there may be millions. */
  unknown(): number;
  firstUnknown(): readonly number[];
  lacking: ReadonlySet<number>;
  add(answer: WindowAnswer): void;
  forgetUnknown(): void;
}

function createLedger(): Ledger {
  const lacking = new Set<number>();
  let unknown = 0;
  let firstUnknown: number[] = [];
  return {
    unknown: () => unknown,
    firstUnknown: () => firstUnknown,
    lacking,
    add(answer) {
      unknown += answer.unanswered.length;
      firstUnknown = [...firstUnknown, ...answer.unanswered.slice(0, namedIds)].slice(0, namedIds);
      // What one part of the sweep lacked, a later one may have.
      for (const { appid } of answer.apps) lacking.delete(appid);
      for (const id of answer.unknown) lacking.delete(id);
      for (const id of answer.lacking) lacking.add(id);
    },
    forgetUnknown() {
      unknown = 0;
      firstUnknown = [];
    },
  };
}

interface Windows {
  /** The ids of a window, or null when there is no such window (yet). */
  next: (index: number) => readonly number[] | null;
  /** Called when an app of that window exists. */
  found: (index: number) => void;
}

function windowsOf({ end, highestKnown, onEnd }: IdSpace): Windows {
  let windows = end === null ? windowsUpTo(highestKnown) + emptyWindowsAtEnd : windowsUpTo(end);
  const lastId = () => Math.min(end ?? Number.POSITIVE_INFINITY, windows * idsPerRequest);
  onEnd?.(lastId());
  return {
    // Evaluated before every request: each app that is found may move the end.
    next: (index) => (index < windows ? range(index * idsPerRequest + 1, lastId()) : null),
    found(index) {
      if (end !== null) return;
      windows = Math.max(windows, index + 1 + emptyWindowsAtEnd);
      onEnd?.(lastId());
    },
  };
}

/** Keeps several windows in flight and handles their answers in order, one at a time. */
async function inOrder(deps: SweepDeps, windows: Windows & { control: Control; ledger: Ledger }): Promise<void> {
  const { controller, unlink } = linkedAbort(deps.signal);
  const windowDeps: WindowDeps = { ...deps, signal: controller.signal };
  const inFlight: { index: number; ids: readonly number[]; answer: Promise<WindowAnswer> }[] = [];
  let nextIndex = 0;
  try {
    for (;;) {
      while (inFlight.length < deps.concurrency) {
        const ids = windows.next(nextIndex);
        if (ids === null) break;
        const answer = fetchWindow(windowDeps, ids, windows.control);
        answer.catch(() => {}); // Handled where it is awaited below, perhaps after an earlier one has failed.
        inFlight.push({ index: nextIndex++, ids, answer });
      }
      const oldest = inFlight.shift();
      if (oldest === undefined) return;
      const answer = await oldest.answer;
      if (answer.apps.length > 0) windows.found(oldest.index);
      windows.ledger.add(answer);
      await deps.onWindow(oldest.ids, answer);
      if (answer.isMute) {
        throw silence(`${answer.lacking.length} of ${oldest.ids.length} ids unanswered`, answer.error);
      }
    }
  } finally {
    // Ends the windows that are still in flight after a failure.
    controller.abort(new Error("the sweep has ended"));
    unlink();
  }
}

const windowsUpTo = (highest: number) => Math.ceil(highest / idsPerRequest);

/** `idsPerRequest` ids from `first`, none above `last`. */
function range(first: number, last: number): number[] {
  return Array.from({ length: Math.min(idsPerRequest, last - first + 1) }, (_, offset) => first + offset);
}

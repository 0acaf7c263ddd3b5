import type { Logger } from "pino";
import { linkedAbort } from "../process/abort.ts";
import { SteamError } from "../process/errors.ts";
import { type Control, fetchWindow, maxRounds, type WindowAnswer, type WindowDeps } from "./metadata-window.ts";

/**
 * The sweep: finds appids by requesting metadata for every possible id, window by window. Steam answers with the change
 * numbers of those that exist. No Web API key is needed, and delisted apps, demos, music and tools are found too. The
 * multiples of ten come first: a tenth of the requests, and 99.95 % of all games (counted in real data).
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
/** Ids that a full request for multiples of ten spans. */
const idsPerSpan = 10 * idsPerRequest;
/** The id space ends at least this many ids behind the highest app that is known or found. */
export const emptyIdsAtEnd = 2 * idsPerSpan;
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
   * Sweeps the id space from 1 up to `end`, or, when there is none, until {@link emptyIdsAtEnd} ids without an app follow
   * the highest one that is known or found: first the multiples of ten, then the ids between them. When Steam answers
   * every id, each is in exactly one request, and all but the last of both parts are full.
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
    ids(ids) {
      const windows = chunks(ids);
      return run({ next: () => windows.shift() ?? null, found: () => {} });
    },
    async idSpace(space) {
      // The id space repeats the ids of parts before it; they would be counted twice.
      ledger.forgetUnknown();
      const end = spaceEnd(space);
      const parts = [windowsOf(multiplesOfTen, end), windowsOf(idsBetween, end)];
      // What the second part finds may move the end of the first.
      let sweptUpTo: number;
      do {
        sweptUpTo = end.lastId();
        for (const part of parts) await run(part);
      } while (end.lastId() > sweptUpTo);
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
  /** The ids of the next window, or null when there is none (yet). */
  next: () => readonly number[] | null;
  /** Called with each app of an answer. */
  found: (appid: number) => void;
}

/** An ascending series of ids, in closed form: the id space is too large to be kept. */
interface Series {
  /** @param index from 0. */
  at(index: number): number;
  /** How many of its ids are at most `id`. */
  countUpTo(id: number): number;
}

const multiplesOfTen: Series = {
  at: (index) => (index + 1) * 10,
  countUpTo: (id) => Math.floor(id / 10),
};

const idsBetween: Series = {
  at: (index) => Math.floor(index / 9) * 10 + (index % 9) + 1,
  countUpTo: (id) => id - Math.floor(id / 10),
};

/** Where the id space ends, which each app found may move. */
interface SpaceEnd {
  lastId(): number;
  found(appid: number): void;
}

function spaceEnd({ end, highestKnown, onEnd }: IdSpace): SpaceEnd {
  let lastId = end ?? endBehind(highestKnown);
  onEnd?.(lastId);
  return {
    lastId: () => lastId,
    found(appid) {
      if (end !== null || endBehind(appid) <= lastId) return;
      lastId = endBehind(appid);
      onEnd?.(lastId);
    },
  };
}

/** The end of the id space when this is its highest app, at the end of a full request. */
export function endBehind(appid: number): number {
  return Math.ceil(appid / idsPerSpan) * idsPerSpan + emptyIdsAtEnd;
}

function windowsOf(series: Series, { lastId, found }: SpaceEnd): Windows {
  let next = 0;
  return {
    next() {
      // Evaluated before every request: each app that is found may move the end.
      const length = Math.min(idsPerRequest, series.countUpTo(lastId()) - next);
      if (length <= 0) return null;
      const first = next;
      next += length;
      return Array.from({ length }, (_, offset) => series.at(first + offset));
    },
    found,
  };
}

/** Keeps several windows in flight and handles their answers in order, one at a time. */
async function inOrder(deps: SweepDeps, windows: Windows & { control: Control; ledger: Ledger }): Promise<void> {
  const { controller, unlink } = linkedAbort(deps.signal);
  const windowDeps: WindowDeps = { ...deps, signal: controller.signal };
  const inFlight: { ids: readonly number[]; answer: Promise<WindowAnswer> }[] = [];
  try {
    for (;;) {
      while (inFlight.length < deps.concurrency) {
        const ids = windows.next();
        if (ids === null) break;
        const answer = fetchWindow(windowDeps, ids, windows.control);
        answer.catch(() => {}); // Handled where it is awaited below, perhaps after an earlier one has failed.
        inFlight.push({ ids, answer });
      }
      const oldest = inFlight.shift();
      if (oldest === undefined) return;
      const answer = await oldest.answer;
      for (const { appid } of answer.apps) windows.found(appid);
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

function chunks(ids: readonly number[]): (readonly number[])[] {
  const count = Math.ceil(ids.length / idsPerRequest);
  return Array.from({ length: count }, (_, index) => ids.slice(index * idsPerRequest, (index + 1) * idsPerRequest));
}

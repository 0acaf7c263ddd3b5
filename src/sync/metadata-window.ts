import { type Backoff, backoffMs } from "../process/backoff.ts";
import { SteamError } from "../process/errors.ts";
import { sleep } from "../process/time.ts";
import type { Metadata, Pics } from "../steam/port.ts";

/**
 * Metadata of one window of ids, requested until Steam has answered every id as an app or as unknown.
 *
 * Silence is no proof: after reconnects Steam was seen to answer such requests with nothing at all (ValvePython/steam
 * #281), and to leave ids out of large answers (SteamKit #207). What is unanswered is requested again in rounds, in
 * parts of half the size each round, in case the request was too large. A request that fails (time-out, unreadable
 * reply) counts as one that was not answered.
 *
 * Every repeated request carries one control id, which Steam answered as an app earlier in the sweep. It distinguishes
 * a mute Steam, from which nothing follows, from one that answers and leaves these ids out.
 */

/**
 * Rounds of requests for one window. Together with {@link defaultBackoff} they wait 15 to 31 s, the length of a short
 * outage; a longer one fails the sweep, which its caller repeats later.
 */
export const maxRounds = 6;
/**
 * Answers that must leave out an id that was never stored before it counts as unknown. How Steam treats ids that never
 * existed is not verified, so leaving them out may be its way to say "unknown"; three in a row are no lost message.
 */
export const maxOmissions = 3;
/** Between two rounds. The first delay spares a busy server, the last is short against the length of a sweep. */
const defaultBackoff: Backoff = { firstMs: 1_000, maxMs: 15_000 };

export interface WindowDeps {
  pics: Pick<Pics, "metadata">;
  /** Which of these ids are stored and known to Steam. Called only for ids that Steam leaves unanswered. */
  knownAmong: (appids: readonly number[]) => Promise<number[]>;
  signal: AbortSignal;
  /** Between two rounds. */
  backoff?: Backoff | undefined;
}

/** The control id, shared by all windows of a sweep; null until Steam has answered an app. */
export interface Control {
  appid: number | null;
}

export interface WindowAnswer extends Metadata {
  /** Ids that are not stored as known, and that {@link maxOmissions} answers left out: they count as unknown. */
  unanswered: number[];
  /** Ids about which nothing is known: unanswered in all rounds. */
  lacking: number[];
  /** Steam answered nothing in the last round, although ids were left: it is mute. */
  isMute: boolean;
  /** The last request that failed; null when all were answered, be it with nothing. */
  error: SteamError | null;
}

interface Window {
  ids: readonly number[];
  /** Unanswered ids, with the number of answers that left them out. */
  open: Map<number, number>;
  /** Open ids that are stored and known: their silence never counts as unknown. */
  known: Set<number>;
  control: Control;
  answer: WindowAnswer;
}

/**
 * Requests the metadata of a window: with one request when Steam answers every id.
 *
 * @throws the reason of `signal`, and errors of `knownAmong`; never a {@link SteamError}.
 */
export async function fetchWindow(deps: WindowDeps, ids: readonly number[], control: Control): Promise<WindowAnswer> {
  const answer: WindowAnswer = { apps: [], unknown: [], unanswered: [], lacking: [], isMute: false, error: null };
  const window: Window = { ids, open: new Map(ids.map((id) => [id, 0])), known: new Set(), control, answer };
  for (let round = 1; ; round++) {
    const isAnswered = await requestRound(deps, window, round);
    await settleOmitted(deps, window);
    if (window.open.size === 0) return answer;
    if (round === maxRounds) return { ...answer, lacking: [...window.open.keys()], isMute: !isAnswered };
    await sleep(backoffMs(round, deps.backoff ?? defaultBackoff), deps.signal);
  }
}

/** Requests what is open, in parts. False when Steam is mute: the round ends at the first part without any answer. */
async function requestRound(deps: WindowDeps, window: Window, round: number): Promise<boolean> {
  const open = [...window.open.keys()];
  const partSize = Math.ceil(window.ids.length / 2 ** (round - 1));
  for (let start = 0; start < open.length; start += partSize) {
    const part = open.slice(start, start + partSize);
    const ids = round === 1 ? part : withControl(part, window.control);
    const reply = await request(deps, window, ids);
    if (reply === null || !accept(window, ids, reply)) return false;
  }
  return true;
}

function withControl(part: readonly number[], { appid }: Control): readonly number[] {
  return appid === null || part.includes(appid) ? part : [...part, appid];
}

async function request({ pics, signal }: WindowDeps, { answer }: Window, ids: readonly number[]) {
  try {
    return await pics.metadata(ids, signal);
  } catch (error) {
    if (!(error instanceof SteamError)) throw error;
    answer.error = error;
    return null;
  }
}

/**
 * Takes what answers the request from its reply, and counts the ids that it left out. False when it answers none of
 * them.
 */
function accept({ open, control, answer }: Window, ids: readonly number[], reply: Metadata): boolean {
  const unanswered = new Set(ids);
  for (const app of reply.apps) {
    if (!unanswered.delete(app.appid)) continue;
    if (open.delete(app.appid)) answer.apps.push(app);
    control.appid = app.appid;
  }
  for (const id of reply.unknown) {
    if (unanswered.delete(id) && open.delete(id)) answer.unknown.push(id);
  }
  if (unanswered.size === ids.length) return false;
  for (const id of unanswered) {
    const omissions = open.get(id);
    if (omissions !== undefined) open.set(id, omissions + 1);
  }
  return true;
}

/** Counts open ids as unknown that enough answers left out, unless they are stored as known to Steam. */
async function settleOmitted({ knownAmong }: WindowDeps, { open, known, answer }: Window): Promise<void> {
  const omitted = [...open].filter(([id, omissions]) => omissions >= maxOmissions && !known.has(id)).map(([id]) => id);
  if (omitted.length === 0) return;
  for (const id of await knownAmong(omitted)) known.add(id);
  for (const id of omitted) {
    if (known.has(id)) continue;
    open.delete(id);
    answer.unanswered.push(id);
  }
}

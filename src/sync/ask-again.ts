import { type Backoff, backoffMs } from "../process/backoff.ts";
import { sleep } from "../process/time.ts";

/** Repeats of a request for what Steam left unanswered. */
export interface AskAgain {
  /** Rounds, the first request included. */
  rounds: number;
  /** Between two rounds. */
  backoff: Backoff;
}

/** After a reconnect Steam may answer with nothing for a while (ValvePython/steam #281): this waits up to 15 s. */
export const defaultAskAgain: AskAgain = { rounds: 5, backoff: { firstMs: 1_000, maxMs: 8_000 } };

/** One answer, and the ids of the request that it says something about. */
export interface PartialAnswer<T> {
  answer: T;
  answered: ReadonlySet<number>;
}

/**
 * Asks Steam about ids until each is answered. What an answer leaves out is asked for again with exponential backoff, in
 * parts that halve with every round, in case one id makes Steam silent about the others. An answer about none of its
 * ids ends the round: Steam is mute, and further requests would only add to what it does not answer. The next round
 * begins with the other ids, so that one of which Steam is always silent does not keep them from being asked for.
 *
 * @returns every answer, and the ids that stayed unanswered: nothing is known about them.
 * @throws what `ask` throws; the reason of `signal`.
 */
export async function askUntilAnswered<T>(
  ids: readonly number[],
  ask: (ids: readonly number[]) => Promise<PartialAnswer<T>>,
  { askAgain: { rounds, backoff }, signal }: { askAgain: AskAgain; signal: AbortSignal },
): Promise<{ answers: T[]; unanswered: number[] }> {
  const answers: T[] = [];
  let open = [...ids];
  for (let round = 1; open.length > 0 && round <= rounds; round++) {
    if (round > 1) await sleep(backoffMs(round - 1, backoff), signal);
    const size = Math.ceil(ids.length / 2 ** (round - 1));
    for (const part of partsOf(open, size)) {
      const { answer, answered } = await ask(part);
      answers.push(answer);
      if (answered.size === 0) {
        open = [...open.filter((id) => !part.includes(id)), ...part];
        break;
      }
      open = open.filter((id) => !answered.has(id));
    }
  }
  return { answers, unanswered: open };
}

function partsOf(ids: readonly number[], size: number): number[][] {
  return Array.from({ length: Math.ceil(ids.length / size) }, (_, index) =>
    ids.slice(index * size, (index + 1) * size),
  );
}

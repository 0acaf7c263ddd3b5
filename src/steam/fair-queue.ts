import type { Queue, QueueAddOptions } from "p-queue";
import type { SteamRequestKind } from "./port.ts";

/** How the waiting requests of a kind take turns with those of other kinds. */
interface Turn {
  /** The kind with the highest priority goes first. */
  priority: number;
  /** Turns that other kinds may take while a request of this kind waits; then it goes next, whatever its priority. */
  patience: number;
}

/**
 * A poll must not wait behind a backlog of payloads. Patience keeps these from starving: polls that are due all the time (`POLL_INTERVAL`
 * below `BULK_REQUEST_DELAY`) leave payloads every second turn. Likewise a batch that needs access tokens does not wait behind a sweep.
 */
const turns: Record<SteamRequestKind, Turn> = {
  changes: { priority: 2, patience: 4 },
  product_info: { priority: 1, patience: 1 },
  access_tokens: { priority: 2, patience: 4 },
  metadata: { priority: 1, patience: 1 },
  tag_names: { priority: 1, patience: 4 },
  category_names: { priority: 1, patience: 4 },
};

type Run = () => Promise<unknown>;

interface Waiting {
  run: Run;
  id: string | undefined;
}

/** A request kind with its waiting requests, oldest first. */
interface Lane extends Turn {
  waiting: Waiting[];
  /** Turns that other kinds have taken since this one waits or had its last turn. */
  passedOver: number;
}

export interface FairQueueOptions extends QueueAddOptions {
  readonly kind: SteamRequestKind;
}

/**
 * Priority queue with aging, for p-queue (its interface demands a class). The highest priority goes first, except that a kind which was passed
 * over for longer than its patience goes next, the one that exceeds it most before others. With k kinds every one gets a turn at least
 * once in `patience + k` turns. Requests of one kind go in the order in which they came.
 */
export class FairQueue implements Queue<Run, FairQueueOptions> {
  readonly #lanes = new Map<SteamRequestKind, Lane>();

  get size(): number {
    return [...this.#lanes.values()].reduce((sum, { waiting }) => sum + waiting.length, 0);
  }

  enqueue(run: Run, { kind, id }: Partial<FairQueueOptions> = {}): void {
    if (kind === undefined) throw new TypeError("a request without its kind");
    const lane = this.#lanes.get(kind) ?? { ...turns[kind], waiting: [], passedOver: 0 };
    this.#lanes.set(kind, lane);
    lane.waiting.push({ run, id });
  }

  dequeue(): Run | undefined {
    const lanes = [...this.#lanes.values()].filter(({ waiting }) => waiting.length > 0);
    const [first, ...others] = lanes.sort((a, b) => overdue(b) - overdue(a) || b.priority - a.priority);
    if (!first) return undefined;
    for (const lane of others) lane.passedOver += 1;
    first.passedOver = 0;
    return first.waiting.shift()?.run;
  }

  /** p-queue calls it for a request that is aborted while it waits. */
  remove(id: string): void {
    for (const lane of this.#lanes.values()) {
      lane.waiting = lane.waiting.filter((each) => each.id !== id);
      if (lane.waiting.length === 0) lane.passedOver = 0;
    }
  }

  filter({ kind }: Readonly<Partial<FairQueueOptions>>): Run[] {
    return kind === undefined ? [] : (this.#lanes.get(kind)?.waiting ?? []).map(({ run }) => run);
  }

  setPriority(): void {
    throw new TypeError("the kind of a request decides its priority");
  }
}

/** By how many turns the patience is exhausted, plus one; 0 when it is not. */
function overdue({ passedOver, patience }: Lane): number {
  return Math.max(0, passedOver - patience + 1);
}

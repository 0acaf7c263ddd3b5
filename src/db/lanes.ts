/**
 * One job at a time, from two lanes: the service's own work, and reads. Work goes first, yet reads get a small share of the time
 * while work is waiting, so that they are late but not for ever; when there is no work they get all of it. A reader, or fifty,
 * thus cost a bulk sync little of its pace.
 */
export interface Lanes {
  add<T>(lane: Lane, job: () => Promise<T>): Promise<T>;
}

export type Lane = "work" | "read";

/** Of the time that jobs take, while both lanes have some. */
const readShare = 0.08;
/** Reads do not save up a share of more than this from times when there were none. */
const maxCreditMs = 50;

export function createLanes(now: () => number = () => performance.now()): Lanes {
  const waiting: Record<Lane, (() => Promise<void>)[]> = { work: [], read: [] };
  let busy = false;
  /** Time that is due to reads. A read may overdraw it; work then makes good for it. */
  let creditMs = 0;

  function choose(): Lane | null {
    if (waiting.work.length === 0) return waiting.read.length === 0 ? null : "read";
    return waiting.read.length > 0 && creditMs > 0 ? "read" : "work";
  }

  async function run(): Promise<void> {
    busy = true;
    for (let lane = choose(); lane !== null; lane = choose()) {
      const isContended = waiting.work.length > 0 && waiting.read.length > 0;
      const startedAt = now();
      await waiting[lane].shift()?.();
      const tookMs = now() - startedAt;
      if (lane === "work") creditMs = Math.min(maxCreditMs, creditMs + tookMs * readShare);
      else if (isContended) creditMs -= tookMs;
    }
    busy = false;
  }

  return {
    add(lane, job) {
      return new Promise((resolve, reject) => {
        waiting[lane].push(() => job().then(resolve, reject));
        if (!busy) void run();
      });
    },
  };
}

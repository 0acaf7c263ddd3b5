/** The idle wait of several workers, which a wake-up ends for one of them or for all. */
export interface IdleWait {
  /**
   * Call before looking for work, and the returned function (with the longest wait in milliseconds) when there was
   * none: it returns at once if a wake-up came in between, so that none is missed.
   */
  prepare(): (ms: number) => Promise<void>;
  /** Ends all waits. */
  wake(): void;
  /** Ends the wait that would last longest. */
  wakeOne(): void;
  isAnyWaiting(): boolean;
}

export function createIdleWait(): IdleWait {
  /** When each wait is over by itself, by `performance.now()`. */
  const waiting = new Map<() => void, number>();
  let wakes = 0;

  function wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      waiting.set(end, performance.now() + ms);
    });
  }

  return {
    prepare() {
      const wakesBefore = wakes;
      return async (ms) => {
        if (wakes === wakesBefore) await wait(ms);
      };
    },
    wake() {
      wakes += 1;
      for (const end of waiting.keys()) end();
    },
    wakeOne() {
      wakes += 1;
      const [longest] = [...waiting].sort(([, one], [, other]) => other - one);
      longest?.[0]();
    },
    isAnyWaiting: () => waiting.size > 0,
  };
}

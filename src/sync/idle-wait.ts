/** The idle wait of several workers, which one wake-up ends for all of them. */
export interface IdleWait {
  /**
   * Call before looking for work, and the returned function (with the longest wait in milliseconds) when there was
   * none: it returns at once if a wake-up came in between, so that none is missed.
   */
  prepare(): (ms: number) => Promise<void>;
  wake(): void;
}

export function createIdleWait(): IdleWait {
  const waiting = new Set<() => void>();
  let wakes = 0;

  function wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        waiting.delete(end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      waiting.add(end);
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
      for (const end of waiting) end();
    },
  };
}

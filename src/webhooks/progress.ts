import type { WebhookStore } from "./store.ts";

/** Writes the cursors of all webhooks together, a little later: a process that is killed delivers what is not written again. */
export interface ProgressReports {
  /** `cursor`: every event up to it is delivered or does not fit; `delivered`: events since the last call. */
  passed(id: string, cursor: number, delivered: number): void;
  /** Writes what is not written yet. */
  flush(): Promise<void>;
  /** Ends the timer. */
  stop(): void;
}

export interface ProgressDeps {
  store: Pick<WebhookStore, "progress">;
  /** After deliveries, and after events that did not fit. */
  delayMs?: { delivered: number; passed: number };
  /** A write that failed although it was retried: the next one follows. */
  onError: (error: unknown) => void;
}

const defaultDelayMs = { delivered: 1_000, passed: 30_000 };

export function createProgressReports({ store, delayMs = defaultDelayMs, onError }: ProgressDeps): ProgressReports {
  let unwritten = new Map<string, { cursor: number; delivered: number }>();
  let timer: NodeJS.Timeout | undefined;
  let dueAt = Number.POSITIVE_INFINITY;
  let writing: Promise<void> = Promise.resolve();

  function schedule(ms: number): void {
    if (performance.now() + ms >= dueAt) return;
    clearTimeout(timer);
    dueAt = performance.now() + ms;
    timer = setTimeout(() => void flush().catch(onError), ms);
  }

  async function write(): Promise<void> {
    clearTimeout(timer);
    dueAt = Number.POSITIVE_INFINITY;
    const batch = unwritten;
    unwritten = new Map();
    if (batch.size === 0) return;
    try {
      await store.progress([...batch].map(([id, progress]) => ({ id, ...progress })));
    } catch (error) {
      unwritten = new Map([...batch, ...unwritten]);
      throw error;
    }
  }

  /** One write at a time, so that `flush` ends after the one that is under way. */
  function flush(): Promise<void> {
    writing = writing.catch(() => {}).then(write);
    return writing;
  }

  return {
    passed(id, cursor, delivered) {
      const before = unwritten.get(id);
      unwritten.set(id, { cursor, delivered: (before?.delivered ?? 0) + delivered });
      schedule(delivered > 0 ? delayMs.delivered : delayMs.passed);
    },
    flush,
    stop: () => clearTimeout(timer),
  };
}

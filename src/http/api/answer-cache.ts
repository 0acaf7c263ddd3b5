/**
 * Cache of hot answers, each valid as long as nothing is committed to the database: a kept answer is never older than the request for it.
 *
 * Validation: an answer is kept under the version of the database that was known before it was read, and served after a check, begun after
 * the request arrived, has found the same version. Requests that arrive while a check runs share the next one. A new version empties the
 * cache. Requests for what is not kept cause no check.
 */
export interface AnswerCache {
  /** The kept answer, after a check; null when there is none, or the check fails. */
  get(key: string): Promise<Answer | null>;
  /** Call it before the answer is read; pass the answer to what it returns. */
  begin(key: string): (answer: Answer) => void;
}

export interface Answer {
  etag: string;
  payload: Buffer;
}

export interface AnswerCacheOptions {
  /** Another value after every commit; null where the database has none, and nothing is kept. */
  version: () => Promise<string | null>;
  /** Of all keys and answers; the least recently used are dropped above it. */
  maxBytes?: number;
}

const defaultMaxBytes = 16 * 1_024 * 1_024;
/** A larger answer would displace too many others. */
const largestShare = 1 / 16;
/** Objects and map entry, roughly. */
const overheadBytes = 300;

export function createAnswerCache({ version, maxBytes = defaultMaxBytes }: AnswerCacheOptions): AnswerCache {
  /** In the order of their last use. */
  const answers = new Map<string, Answer>();
  let bytes = 0;
  let known: string | null = null;

  function drop(key: string): void {
    const answer = answers.get(key);
    if (answer && answers.delete(key)) bytes -= sizeOf(key, answer);
  }

  const check = createSharedCheck(async () => {
    const current = await version().catch(() => null);
    if (current !== null && current === known) return;
    known = current;
    answers.clear();
    bytes = 0;
  });

  return {
    async get(key) {
      if (!answers.has(key)) return null;
      await check();
      const answer = answers.get(key);
      if (!answer) return null;
      answers.delete(key);
      answers.set(key, answer);
      return answer;
    },
    begin(key) {
      const before = known;
      if (before === null) void check();
      return (answer) => {
        if (before === null || before !== known || sizeOf(key, answer) > maxBytes * largestShare) return;
        drop(key);
        answers.set(key, answer);
        bytes += sizeOf(key, answer);
        for (const [oldest] of answers) {
          if (bytes <= maxBytes) break;
          drop(oldest);
        }
      };
    },
  };
}

/** Runs one check at a time. A call is answered by a check that begins after it. */
function createSharedCheck(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const start = () => {
    next = null;
    running = run().finally(() => {
      running = null;
    });
    return running;
  };
  return () => {
    if (running === null) return start();
    next ??= running.then(start);
    return next;
  };
}

const sizeOf = (key: string, { etag, payload }: Answer) =>
  2 * (key.length + etag.length) + payload.length + overheadBytes;

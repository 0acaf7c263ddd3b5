/** A bounded queue between producers of messages and one consumer that may be slower. */
export interface MessageQueue<T> {
  /** Adds a message. When `limit` messages wait, the queue closes: the consumer does not keep up. */
  push(message: T): void;
  /** Ends the iteration, by throwing `error` where one is given. */
  close(error?: unknown): void;
  [Symbol.asyncIterator](): AsyncIterator<T>;
}

export function createMessageQueue<T>(limit: number): MessageQueue<T> {
  const waiting: T[] = [];
  let arrived = Promise.withResolvers<void>();
  let isClosed = false;
  let failure: { error: unknown } | null = null;

  function close(error?: unknown): void {
    if (error !== undefined) failure ??= { error };
    isClosed = true;
    arrived.resolve();
  }

  return {
    close,
    push(message) {
      if (isClosed) return;
      waiting.push(message);
      if (waiting.length > limit) close();
      arrived.resolve();
    },
    async *[Symbol.asyncIterator]() {
      while (!isClosed) {
        await arrived.promise;
        arrived = Promise.withResolvers();
        yield* waiting.splice(0);
      }
      if (failure !== null) throw failure.error;
    },
  };
}

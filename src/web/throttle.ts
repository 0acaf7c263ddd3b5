/**
 * Memory of a server's 429, which distinguishes a block of this address from a rejected key: a client above the limit gets 429, and if that goes on 403
 * for hours (source: reports of users of Steam's APIs), which otherwise means that the key is wrong.
 */
export interface Throttle {
  /** After a 429, and after each 403 that followed from it. */
  note(): Promise<void>;
  /** After a usable answer: the address is not blocked. */
  clear(): Promise<void>;
  /** Whether a 403 is a block: the server answered 429, and nothing usable since. */
  isBlocking(): Promise<boolean>;
}

/** Where 429s are remembered for other processes and later ones, by server, for a day. */
export interface ThrottleMemory {
  note(server: string): Promise<void>;
  forget(server: string): Promise<void>;
  isNoted(server: string): Promise<boolean>;
}

/** Remembers nothing beyond the process. */
export const noThrottleMemory: ThrottleMemory = {
  note: async () => {},
  forget: async () => {},
  isNoted: async () => false,
};

/**
 * The throttle of one server, shared by its endpoints. The memory is asked only after a 403, and written only around a 429 and at the first
 * usable answer, which clears what an earlier process noted.
 */
export function createThrottle(server: string, memory: ThrottleMemory): Throttle {
  let isThrottled = false;
  let hasAnswered = false;
  return {
    async note() {
      isThrottled = true;
      await memory.note(server);
    },
    async clear() {
      if (hasAnswered && !isThrottled) return;
      hasAnswered = true;
      isThrottled = false;
      await memory.forget(server);
    },
    isBlocking: async () => isThrottled || (!hasAnswered && (await memory.isNoted(server))),
  };
}

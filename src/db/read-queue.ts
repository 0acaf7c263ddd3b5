import { DatabaseError } from "../process/errors.ts";

/**
 * Fair queue in front of the database: clients share its slots by the time that their reads take, so that one client with expensive reads
 * delays itself and not the others.
 *
 * - Scheduling: the client that used the least database time lately goes next (shortest time first, with exponential decay); the service's
 *   own reads go before all clients. The reads of one client go in the order of arrival.
 * - Slots: a client starts a read only while it runs fewer than there are free slots. Alone it gets half of them, and the next client
 *   finds one free at once, since a running statement cannot be taken back.
 * - Backpressure: the number of waiting reads is limited, per client and in all.
 */
export interface ReadQueue {
  /**
   * Runs `job` when it is the client's turn, and settles as it does. A job that has started holds its slot until it ends, even if the
   * signal aborts: the database still works on it.
   *
   * @throws {DatabaseError} `retryable`, code {@link tooManyWaiting} or `busy`, at once, when too many reads wait; the signal's reason
   *   when it aborts while the job waits.
   */
  run<T>(client: ReadClient, signal: AbortSignal, job: () => Promise<T>): Promise<T>;
}

export interface ReadClient {
  /** Identifies the client, for example by its address. */
  key: string;
  /** The service itself, whose reads go before those of all others. */
  isService?: boolean;
}

export interface ReadQueueOptions {
  /** Reads that run at the same time. */
  slots: number;
  /** Monotonic clock in milliseconds; tests replace it. */
  now?: () => number;
  /** The service's own reads are not limited. */
  maxWaitingPerClient?: number | undefined;
  maxWaiting?: number;
}

/** Code of the error for a client that has too many reads waiting. */
export const tooManyWaiting = "too_many_waiting";
/** Used time loses half of its weight in this time, so an expensive read is forgotten after some ten seconds. */
const halfLifeMs = 10_000;
/** Idle clients that used little are forgotten when more than this number are known. */
const maxClients = 1_000;
const littleMs = 10;

interface Client {
  isService: boolean;
  /** In order of arrival. */
  waiting: Set<() => Promise<void>>;
  running: number;
  /** Sum of the start times of the running reads. */
  startTimes: number;
  /** Time of finished reads, decayed as of `usedAt`. */
  usedMs: number;
  usedAt: number;
}

export function createReadQueue(options: ReadQueueOptions): ReadQueue {
  const { slots, now = () => performance.now(), maxWaitingPerClient = 100, maxWaiting = 1_000 } = options;
  const clients = new Map<string, Client>();
  let free = slots;
  let waiting = 0;

  function clientOf({ key, isService = false }: ReadClient): Client {
    const known = clients.get(key);
    if (known) return known;
    if (clients.size >= maxClients) forgetIdle();
    const client = { isService, waiting: new Set<never>(), running: 0, startTimes: 0, usedMs: 0, usedAt: now() };
    clients.set(key, client);
    return client;
  }

  function forgetIdle(): void {
    const at = now();
    for (const [key, client] of clients) {
      if (client.running === 0 && client.waiting.size === 0 && usedTime(client, at) < littleMs) clients.delete(key);
    }
  }

  function startAll(): void {
    for (let next = nextClient(); next; next = nextClient()) {
      const [start] = next.waiting;
      void start?.();
    }
  }

  function nextClient(): Client | null {
    const at = now();
    let next: Client | null = null;
    for (const client of clients.values()) {
      if (client.waiting.size === 0 || client.running >= free) continue;
      if (next === null || goesBefore(client, next, at)) next = client;
    }
    return next;
  }

  /** Accounts for a job while it runs. */
  async function measured(client: Client, job: () => Promise<void>): Promise<void> {
    const startedAt = now();
    free -= 1;
    client.running += 1;
    client.startTimes += startedAt;
    await job();
    const endedAt = now();
    free += 1;
    client.running -= 1;
    client.startTimes -= startedAt;
    client.usedMs = decayed(client, endedAt) + endedAt - startedAt;
    client.usedAt = endedAt;
    startAll();
  }

  function checkLimits(client: Client): void {
    if (client.isService) return;
    if (client.waiting.size >= maxWaitingPerClient) {
      const text = `${maxWaitingPerClient} requests of this address wait for the database already; try again later`;
      throw new DatabaseError("retryable", tooManyWaiting, text);
    }
    if (waiting >= maxWaiting)
      throw new DatabaseError("retryable", "busy", `the database is busy: ${waiting} reads wait; try again later`);
  }

  return {
    async run<T>(reader: ReadClient, signal: AbortSignal, job: () => Promise<T>): Promise<T> {
      signal.throwIfAborted();
      const client = clientOf(reader);
      checkLimits(client);
      return await new Promise<T>((resolve, reject) => {
        const leave = () => {
          client.waiting.delete(start);
          waiting -= 1;
          signal.removeEventListener("abort", giveUp);
        };
        const giveUp = () => {
          leave();
          reject(signal.reason);
        };
        const start = () => {
          leave();
          return measured(client, () => job().then(resolve, reject));
        };
        client.waiting.add(start);
        waiting += 1;
        signal.addEventListener("abort", giveUp, { once: true });
        startAll();
      });
    },
  };
}

function goesBefore(client: Client, other: Client, at: number): boolean {
  if (client.isService !== other.isService) return client.isService;
  return usedTime(client, at) < usedTime(other, at);
}

/** Database time that the client used lately, its running reads included, in milliseconds. */
function usedTime(client: Client, at: number): number {
  return decayed(client, at) + client.running * at - client.startTimes;
}

function decayed({ usedMs, usedAt }: Client, at: number): number {
  return usedMs * 2 ** ((usedAt - at) / halfLifeMs);
}

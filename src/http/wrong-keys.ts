import type { Logger } from "../process/logger.ts";

/** Rate limit of wrong API keys per client, and one log line a minute about them. */
export interface WrongKeyLimit {
  /** Counts a wrong key. Returns null below the limit, else the seconds until the client's keys are answered as usual again. */
  count(client: string): number | null;
}

/** Wrong keys of one client in a period. A person mistypes a few; guessing a key of 16 characters takes more than 10 a minute. */
const maxPerPeriod = 10;
const periodMs = 60_000;
/** Clients that are remembered; the one that came first is forgotten for a new one. */
const maxClients = 10_000;

export function createWrongKeyLimit({ logger, now }: { logger: Logger; now: () => number }): WrongKeyLimit {
  const clients = new Map<string, { since: number; count: number }>();
  let unlogged = 0;
  let loggedAt = Number.NEGATIVE_INFINITY;

  function log(address: string): void {
    unlogged += 1;
    if (now() - loggedAt < periodMs) return;
    logger.warn({ count: unlogged, address }, `API keys that are wrong: ${unlogged}, the last one from ${address}`);
    unlogged = 0;
    loggedAt = now();
  }

  return {
    count(address) {
      log(address);
      let client = clients.get(address);
      if (client === undefined || now() - client.since >= periodMs) {
        clients.delete(address);
        const [oldest] = clients.keys();
        if (clients.size >= maxClients && oldest !== undefined) clients.delete(oldest);
        client = { since: now(), count: 0 };
        clients.set(address, client);
      }
      client.count += 1;
      return client.count <= maxPerPeriod ? null : Math.ceil((client.since + periodMs - now()) / 1_000);
    },
  };
}

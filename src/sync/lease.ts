import { randomUUID } from "node:crypto";
import type { CatalogStore } from "../db/catalog-store.ts";

/**
 * The time a worker has for the apps it claimed. The database's clock decides; this side only gives up no later than it
 * does, by counting from before the claim was sent.
 */
export interface Lease {
  readonly id: string;
  /** Aborts when the lease has run out here, or with the signal it was made from. */
  readonly signal: AbortSignal;
  /**
   * Begins the time anew once a third of it is gone; for work of several requests, each of which may wait for its turn and
   * its reply.
   */
  renew(): Promise<void>;
  /** Stops the clock. Safe to call twice. */
  end(): void;
}

export function startLease(store: Pick<CatalogStore, "renew">, leaseMs: number, giveUp: AbortSignal): Lease {
  const id = randomUUID();
  const lease = new AbortController();
  // Not AbortSignal.any: what it makes of a signal that lives as long as the process is not collected.
  const onGiveUp = () => lease.abort(giveUp.reason);
  giveUp.addEventListener("abort", onGiveUp);
  if (giveUp.aborted) onGiveUp();
  const startClock = () => setTimeout(() => lease.abort(new Error("the lease ran out")), leaseMs);
  let clock = startClock();
  let startedAt = performance.now();
  return {
    id,
    signal: lease.signal,
    async renew() {
      if (performance.now() - startedAt < leaseMs / 3) return;
      clearTimeout(clock);
      startedAt = performance.now();
      clock = startClock();
      await store.renew(id, leaseMs);
    },
    end() {
      clearTimeout(clock);
      giveUp.removeEventListener("abort", onGiveUp);
    },
  };
}

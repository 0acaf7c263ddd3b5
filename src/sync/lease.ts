import { randomUUID } from "node:crypto";
import type { CatalogStore } from "../db/catalog-store.ts";
import { linkedAbort } from "../process/abort.ts";

/**
 * The lease of one batch: the time that a worker has for the apps it claimed. The database's clock decides when it
 * expires. This side counts from before the claim was sent, so it gives up no later than the database does.
 */
export interface Lease {
  readonly id: string;
  /** Aborts when the lease has expired here, or with the signal it was made from. */
  readonly signal: AbortSignal;
  /**
   * Renews the lease for its full length once a third of it has passed; for work of several requests, each of which may
   * wait for its turn and its reply.
   */
  renew(): Promise<void>;
  /** Stops the expiry timer. Safe to call twice. */
  end(): void;
}

export function startLease(store: Pick<CatalogStore, "renew">, leaseMs: number, giveUp: AbortSignal): Lease {
  const id = randomUUID();
  const { controller, unlink } = linkedAbort(giveUp);
  const startTimer = () => setTimeout(() => controller.abort(new Error("the lease expired")), leaseMs);
  let timer = startTimer();
  let startedAt = performance.now();
  return {
    id,
    signal: controller.signal,
    async renew() {
      if (performance.now() - startedAt < leaseMs / 3) return;
      clearTimeout(timer);
      startedAt = performance.now();
      timer = startTimer();
      await store.renew(id, leaseMs);
    },
    end() {
      clearTimeout(timer);
      unlink();
    },
  };
}

import { randomUUID } from "node:crypto";
import { createCatalogReader } from "../../../src/db/catalog-reader.ts";
import type { Database } from "../../../src/db/database.ts";
import { createLeaderLease } from "../../../src/db/leader-lease.ts";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import { createDeliverer, type Deliverer, type DelivererSettings } from "../../../src/webhooks/deliverer.ts";
import type { DeliveryOutcome } from "../../../src/webhooks/outcome.ts";
import { createPoster } from "../../../src/webhooks/post.ts";
import { createWebhookStore } from "../../../src/webhooks/store.ts";
import { silent } from "../templates.ts";

/** A deliverer as a service runs it, which can be killed. */
export interface TestDeliverer {
  deliverer: Deliverer;
  /** From now on nothing of it reaches the database or a receiver: it does not even release its lease. */
  kill(): void;
  outcomes: DeliveryOutcome[];
}

export const quickSettings: DelivererSettings = {
  delivery: { backoff: { firstMs: 5, maxMs: 40 }, concurrency: 3 },
  reloadMs: 30,
  pollMs: 20,
  progressDelayMs: { delivered: 15, passed: 40 },
  graceMs: 500,
};

export interface TestDelivererOptions {
  /** Both outlast a stall of the machine by default: a message that is late is delivered twice. */
  leaseMs?: number;
  timeoutMs?: number;
  settings?: Partial<DelivererSettings>;
  /** Whether commits wake it. Each one that listens takes a connection of the pool for some seconds, so most tests poll. */
  listens?: boolean;
}

export function startDeliverer(database: Database, options: TestDelivererOptions = {}): TestDeliverer {
  const { leaseMs = 10_000, timeoutMs = 10_000, settings = {}, listens = false } = options;
  const life = new AbortController();
  const never = new Promise<never>(() => {});
  const alive = <T>(work: () => Promise<T>) =>
    life.signal.aborted ? never : work().then((value) => (life.signal.aborted ? never : value));
  const db: Database = {
    driver: database.driver,
    rpc: (...call) => alive(() => database.rpc(...call)),
    ...(listens && database.listen && { listen: (how) => database.listen?.(how) ?? Promise.resolve(false) }),
    close: async () => {},
  };
  const retry = createDatabaseRetry(db.driver, { logger: silent, signal: life.signal });
  const poster = createPoster({ allowPrivate: true, timeoutMs });
  const outcomes: DeliveryOutcome[] = [];
  const deliverer = createDeliverer({
    store: createWebhookStore(db, retry),
    reader: createCatalogReader(db),
    retry,
    poster: { post: (request) => alive(() => poster.post(request)) },
    lease: createLeaderLease(db, retry, { role: "webhooks", workerId: randomUUID(), leaseMs }),
    logger: silent,
    onOutcome: (outcome) => outcomes.push(outcome),
    settings: { ...quickSettings, ...settings },
  });
  void deliverer.run();
  deliverer.wanted(true);
  return {
    deliverer: {
      ...deliverer,
      async stop() {
        await deliverer.stop();
        poster.close();
      },
    },
    kill() {
      life.abort(new Error("killed"));
      poster.close();
    },
    outcomes,
  };
}

/**
 * Bulk sync and change monitor composed as commands/pics.ts composes them, in this process, against a simulated Steam
 * and a test database:
 *
 *     const run = startBulk(database.db, steam, { appids: [10, 20] });
 *     const summary = await run.done;
 */

import { randomUUID } from "node:crypto";
import { createCatalogStore } from "../../src/db/catalog-store.ts";
import type { Database } from "../../src/db/database.ts";
import { createLeaderLease, createMonitorLease } from "../../src/db/leader-lease.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import { createPics } from "../../src/steam/pics.ts";
import { createSteamSession } from "../../src/steam/session.ts";
import { type BulkSyncOptions, createBulkSync } from "../../src/sync/bulk-sync.ts";
import { type ChangeMonitor, createChangeMonitor, type MonitorOptions } from "../../src/sync/change-monitor.ts";
import type { BulkProgress, BulkSummary } from "../../src/sync/progress.ts";
import { storeAppids } from "../../src/web/app-list.ts";
import { createWebClient, type WebClient, type WebClientOptions } from "../../src/web/client.ts";
import { compareWithDatabase } from "./independent-reading/compare.ts";
import { readIndependently } from "./independent-reading/expected.ts";
import type { ExpectedRows } from "./independent-reading/rows.ts";
import { wrongLabels } from "./labels.ts";
import type { Body, Catalog } from "./steam/catalog.ts";
import type { SimulatedSteam } from "./steam/simulated-steam.ts";
import { silent } from "./templates.ts";

export interface BulkOverrides extends Partial<BulkSyncOptions> {
  requestDelayMs?: number;
  timeoutMs?: number;
  /** Ask the simulation's app list first. */
  apiKey?: string;
}

export interface BulkRun {
  done: Promise<BulkSummary>;
  stop(): Promise<void>;
  status(): BulkProgress;
  requests(): Record<string, number>;
}

export function startBulk(
  db: Database,
  steam: Pick<SimulatedSteam, "proxyUrl">,
  overrides: BulkOverrides = {},
): BulkRun {
  const { requestDelayMs = 0, timeoutMs = 10_000, apiKey, ...options } = overrides;
  const { session, ...parts } = compose(db, steam, { requestDelayMs, timeoutMs });
  const bulk = createBulkSync({
    ...parts,
    appids: null,
    full: false,
    appIdMax: null,
    appList: apiKey === undefined ? null : (signal) => storeAppids(openWebClient(), apiKey, signal),
    batchSize: 200,
    maxAttempts: 6,
    ...options,
  });
  session.start();
  const done = bulk.run().finally(() => session.stop());
  done.catch(() => {}); // Handled where `done` is awaited.
  return { done, stop: () => bulk.stop(), status: bulk.status, requests: () => parts.pics.status().requests };
}

const generous = { count: 1_000, periodMs: 1_000 };

/** The product's client of web APIs, with limits that no test reaches. */
export function openWebClient(options: Partial<WebClientOptions> = {}): WebClient {
  return createWebClient({
    limits: {
      steamWebApi: { count: 100_000, periodMs: 86_400_000 },
      steamStoreApi: generous,
      steamSpy: generous,
      steamSpyAll: generous,
      igdb: generous,
    },
    retryAttempts: 3,
    reserve: async ({ block }) => block,
    logger: silent,
    ...options,
  });
}

export interface MonitorOverrides extends Partial<MonitorOptions> {
  requestDelayMs?: number;
  timeoutMs?: number;
}

/** The change monitor, composed in the same way. */
export function startMonitor(db: Database, steam: Pick<SimulatedSteam, "proxyUrl">, overrides: MonitorOverrides = {}) {
  const { requestDelayMs = 0, timeoutMs = 10_000, ...options } = overrides;
  const { session, retry, ...parts } = compose(db, steam, { requestDelayMs, timeoutMs });
  const { workerId = randomUUID(), leaseMs = 90_000 } = options;
  const monitor: ChangeMonitor = createChangeMonitor({
    ...parts,
    unknownRule: { ...parts.unknownRule, confirmMs: 200 },
    batchSize: 100,
    pollIntervalMs: 100,
    reconcileIntervalMs: 0,
    appIdMax: null,
    emptyJumpMax: 100,
    drainOnly: false,
    workerId,
    lease: createMonitorLease(createLeaderLease(db, retry, { role: "monitor", workerId, leaseMs }), async (lease) => {
      const heard = await parts.store.report({ id: workerId, mode: "change_monitor", snapshot: {}, lease });
      monitor.dueIn(heard.backlog.due_in_seconds);
      return heard;
    }),
    ...options,
  });
  session.start();
  const done = monitor.run();
  done.catch(() => {}); // Handled in `stop`.
  return {
    ...monitor,
    done,
    async stop() {
      await monitor.stop();
      await session.stop();
      await done;
    },
  };
}

/** What both are composed of: a session that is not started yet, and the parts that share it. */
export function compose(
  db: Database,
  { proxyUrl }: Pick<SimulatedSteam, "proxyUrl">,
  { requestDelayMs, timeoutMs }: { requestDelayMs: number; timeoutMs: number },
) {
  const concurrency = 4;
  const session = createSteamSession({
    proxyUrl,
    logger: silent,
    reconnectMaxDelayMs: 200,
    reconnectMinDelayMs: 20,
    requestTimeoutMs: timeoutMs,
  });
  const retry = createDatabaseRetry(db.driver, { logger: silent });
  return {
    session,
    pics: createPics({ session, logger: silent, requestDelayMs, concurrency, timeoutMs }),
    retry,
    store: createCatalogStore(db, retry),
    logger: silent,
    concurrency,
    upsertBatchSize: 500,
    leaseMs: 90_000,
    appBackoff: { firstMs: 50, maxMs: 500 },
    askAgain: { rounds: 4, backoff: { firstMs: 20, maxMs: 100 } },
    unknownRule: { confirmMs: 600_000, maxShrink: 0.05, acceptUnknown: false },
    keep: { appInfo: true, depots: true },
    sweepBackoff: { firstMs: 20, maxMs: 200 },
    history: true,
  };
}

/** Rows by the body they were read from, of which a catalog keeps one per app and change number. */
const known = new WeakMap<Body, ExpectedRows>();

/** The rows expected once everything that an anonymous session receives is stored. */
export function expectedOf(
  catalog: Catalog,
  appids: Iterable<number> = catalog.apps.keys(),
): Map<number, ExpectedRows> {
  const expected = new Map<number, ExpectedRows>();
  for (const appid of appids) {
    const app = catalog.apps.get(appid);
    if (!app) continue;
    const body = catalog.body(app, app.access === "denied" ? "public" : "whole");
    const rows = known.get(body) ?? readIndependently(appid, app.changeNumber, body.bytes.toString());
    known.set(body, rows);
    expected.set(appid, rows);
  }
  return expected;
}

/** The first few differences between a catalog and the database; empty when there are none. */
export async function differences(
  sql: (query: string, params?: unknown[]) => Promise<Record<string, unknown>[]>,
  catalog: Catalog,
  appids?: Iterable<number>,
) {
  const comparison = await compareWithDatabase(sql, expectedOf(catalog, appids));
  return [...comparison.differences.slice(0, 5), ...(await wrongLabels(sql))];
}

/**
 * The collector composed as in commands/collect.ts, in this process, against simulated web APIs and a test database:
 *
 *     const run = startCollector(database.db, { fetch: asFetch(spy, list), maxDetails: 100 });
 *     const summary = await run.done;
 */
import { randomUUID } from "node:crypto";
import { type CollectorOptions, type CollectorSummary, createCollector } from "../../src/collector/collector.ts";
import type { CollectorProgress } from "../../src/collector/progress.ts";
import { gamesPerPage } from "../../src/collector/steamspy.ts";
import { createCollectorStore } from "../../src/collector/store.ts";
import type { Database } from "../../src/db/database.ts";
import { createLeaderLease } from "../../src/db/leader-lease.ts";
import { createDatabaseRetry } from "../../src/db/retry.ts";
import { createThrottles } from "../../src/db/throttles.ts";
import type { WebClientOptions, WebLimits } from "../../src/web/client.ts";
import { openWebClient } from "./sync.ts";
import { silent } from "./templates.ts";
import {
  type AppListEntry,
  type AppListOptions,
  createSimulatedAppList,
  type SimulatedAppList,
} from "./web/app-list.ts";
import type { ExpectedMetadata } from "./web/read-steamspy.ts";
import { createSimulatedSteamSpy, type SteamSpyApp, type SteamSpyDump } from "./web/steamspy.ts";
import { asFetch } from "./web/web-api.ts";

export interface CollectorOverrides
  extends Partial<Omit<CollectorOptions, "store" | "lease" | "web">>,
    Partial<Pick<WebClientOptions, "fetch" | "limits" | "retryAttempts" | "timeoutMs">> {
  leaseMs?: number;
}

export interface CollectorRun {
  done: Promise<CollectorSummary>;
  stop(): Promise<void>;
  status(): CollectorProgress;
}

const minuteMs = 60_000;

/** The default limits of the configuration. */
export const defaultLimits: WebLimits = {
  steamWebApi: { count: 100_000, periodMs: 1_440 * minuteMs },
  steamStoreApi: { count: 200, periodMs: 5 * minuteMs },
  steamSpy: { count: 60, periodMs: minuteMs },
  steamSpyAll: { count: 1, periodMs: minuteMs },
  igdb: { count: 4, periodMs: 1_000 },
};

/** Starts one run, by default with limits that no test reaches. */
export function startCollector(db: Database, overrides: CollectorOverrides = {}): CollectorRun {
  const { leaseMs = 90_000, fetch, limits, retryAttempts, timeoutMs, ...options } = overrides;
  const retry = createDatabaseRetry(db.driver, { logger: silent });
  const workerId = randomUUID();
  const store = createCollectorStore(db, retry, workerId);
  const web = openWebClient({
    reserve: store.reserve,
    throttles: createThrottles(db, retry),
    ...(fetch && { fetch }),
    ...(limits && { limits }),
    ...(retryAttempts !== undefined && { retryAttempts }),
    ...(timeoutMs && { timeoutMs }),
  });
  const collector = createCollector({
    store,
    lease: createLeaderLease(db, retry, { role: "collector", workerId, leaseMs }),
    web,
    logger: silent,
    apiKey: "0123456789ABCDEF0123456789ABCDEF",
    fullRefresh: false,
    updateMetadata: false,
    batchSize: 500,
    maxDetails: 3_000,
    maxShrink: 0.05,
    history: true,
    workers: 3,
    paceMs: { page: 0, details: 0 },
    ...options,
  });
  const done = collector.run();
  done.catch(() => {}); // A caller that awaits it still gets the error.
  return { done, stop: () => collector.stop(), status: collector.status };
}

type Sql = (query: string, params?: unknown[]) => Promise<Record<string, unknown>[]>;

/** Resets the database to the state before the first run. */
export async function forgetEverything(sql: Sql): Promise<void> {
  await sql("truncate game_metadata, app_list_entries, web_api_usage, web_api_throttles, apps, sync_status cascade");
  await sql("delete from leader_leases");
  await sql("delete from collector_state");
  await sql("insert into collector_state (id) values (1)");
}

/** Moves all that was collected back in time by `interval`. */
export async function age(sql: Sql, interval: string): Promise<void> {
  await sql(`update game_metadata set fetched_at = fetched_at - interval '${interval}',
    last_listed_at = last_listed_at - interval '${interval}'`);
  await sql(`update collector_state set list_started_at = list_started_at - interval '${interval}',
    pass_started_at = pass_started_at - interval '${interval}', pass_completed_at = pass_completed_at - interval '${interval}',
    pass_complete_since = pass_complete_since - interval '${interval}', refresh_since = refresh_since - interval '${interval}'`);
}

/** Everything that the collector stores, without times: equal if nothing was changed. */
export async function stored(sql: Sql) {
  const apps = await sql("select appid, name, type, is_known, is_listed, is_active from apps order by appid");
  const games = await sql(
    `select to_jsonb(m) - array['last_updated', 'last_listed_at', 'fetched_at', 'last_error'] as row
     from game_metadata m order by appid`,
  );
  const rows = games.map(({ row }) => row as ExpectedMetadata & { appid: number });
  const members = await sql("select kind, appid from app_list_entries where is_member order by kind, appid");
  return { apps, games: rows, members };
}

export function appidsOf({ pages }: Pick<SteamSpyDump, "pages">): number[] {
  return [...new Set(pages.flatMap((page) => Object.keys(page).map(Number)))].sort((a, b) => a - b);
}

/** Lists with all games of a dump and `extra` apps of other kinds. */
export function listsOf(dump: SteamSpyDump, extra = 40): SimulatedAppList["lists"] {
  const named = (appid: number): AppListEntry => ({ appid, name: `App ${appid}` });
  const others = Array.from({ length: extra }, (_, index) => 2_000_005 + 10 * index);
  return {
    games: appidsOf(dump).map(named),
    dlc: others.slice(0, extra / 2).map(named),
    software: others.slice(extra / 2).map(named),
  };
}

/**
 * Fills all pages but the last with unreadable entries: a page of less than 1,000 entries is the last one, and 1,000 games per page would
 * be slow.
 */
export function withFullPages(pages: SteamSpyDump["pages"]): SteamSpyDump["pages"] {
  const filler = { owners: "0 .. 20,000" } as SteamSpyApp;
  return pages.map((page, index) => {
    const missing = index < pages.length - 1 ? gamesPerPage - Object.keys(page).length : 0;
    return { ...page, ...Object.fromEntries(Array.from({ length: missing }, (_, i) => [9_000_000 + i, filler])) };
  });
}

/** SteamSpy and the app list in this process. The lists come from the dump unless `options` has others. */
export function simulateWeb(dump: SteamSpyDump, options: AppListOptions = {}) {
  const spy = createSimulatedSteamSpy(dump);
  const list = createSimulatedAppList({ lists: listsOf(dump), ...options });
  return {
    spy,
    list,
    fetch: asFetch(spy, list),
    /** Requests since the last call: cursors of the lists, pages, and appids of details. */
    asked() {
      const asked = {
        lists: list.log.of("app_list").map(({ lastAppid }) => lastAppid ?? 0),
        pages: spy.log.of("all").map(({ page }) => page ?? 0),
        details: spy.log.of("appdetails").map(({ appid }) => appid ?? 0),
      };
      list.log.clear();
      spy.log.clear();
      return asked;
    },
  };
}

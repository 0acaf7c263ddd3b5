import { randomUUID } from "node:crypto";
import { beforeEach } from "vitest";
import {
  type CollectorStore,
  createCollectorStore,
  type ListCounts,
  type ListVerdict,
} from "../../../src/collector/store.ts";
import { createLeaderLease, type LeaderLease } from "../../../src/db/leader-lease.ts";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import type { ListEnd, ListedApp } from "../../../src/web/app-list.ts";
import { silent } from "../../support/templates.ts";
import type { Catalog } from "./catalog.ts";

/** The collector's functions as successive leaders call them. */
export interface Collecting {
  /** The leader when a test begins. */
  readonly worker: Worker;
  newWorker(): Worker;
  /** Makes the leader's lease lapse. */
  lapse(): Promise<void>;
  /** Kills the leader: its lease lapses, and a new worker acquires it. */
  takeOver(): Promise<Worker>;
  /** Reads lists to their ends, accepts them, and applies them unless they are rejected. */
  collect(lists: Lists, options?: CollectOptions): Promise<{ verdict: ListVerdict; counts: ListCounts | null }>;
  /** Reads lists to their ends, resuming an unfinished run. */
  read(lists: Lists, options?: ReadOptions): Promise<{ run: number }>;
  /** The rows of a table with the transaction that wrote each, so that a row written again is another. */
  rows(table: "apps" | "game_metadata" | "app_list_entries" | "collector_state" | "sync_status"): Promise<string[]>;
  /** The columns of `apps` that lists write, by appid: `[is_listed, is_active, name]`. */
  apps(): Promise<Record<number, [listed: boolean | null, active: boolean, name: string | null]>>;
}

export type Worker = CollectorStore & {
  readonly id: string;
  acquire(leaseMs: number): ReturnType<LeaderLease["acquire"]>;
  release(): Promise<void>;
};
/** Apps by kind, ascending; `List 10` is the name of a bare 10. */
export type Lists = Record<string, readonly (number | [appid: number, name: string] | ListedApp)[]>;
export interface ReadOptions {
  worker?: Worker;
  fresh?: boolean;
  /** Apps per page. */
  part?: number;
  /** How the lists of some kinds end. Default: as Steam says. */
  ends?: Record<string, ListEnd>;
}
export interface CollectOptions extends ReadOptions {
  maxShrink?: number;
  /** Apps per batch. */
  max?: number;
  history?: boolean;
}

const leaseMs = 60_000;

export function useCollecting(catalog: Catalog): Collecting {
  const { sql } = catalog;
  let worker: Worker | undefined;
  beforeEach(async () => {
    worker = newWorker();
    await worker.acquire(leaseMs);
  });

  function newWorker(): Worker {
    const { db, kind } = catalog.database;
    const id = randomUUID();
    const retry = createDatabaseRetry(kind, { logger: silent });
    const lease = (ms: number) => createLeaderLease(db, retry, { role: "collector", workerId: id, leaseMs: ms });
    return {
      id,
      acquire: (ms) => lease(ms).acquire(),
      release: () => lease(0).release(),
      ...createCollectorStore(db, retry, id),
    };
  }
  function leader(): Worker {
    if (!worker) throw new Error("a worker leads once a test runs");
    return worker;
  }
  const lapse = async () => {
    await sql("update leader_leases set lease_until = now() - interval '1 second'");
  };

  const collecting: Collecting = {
    get worker() {
      return leader();
    },
    newWorker,
    lapse,
    async takeOver() {
      await lapse();
      worker = newWorker();
      await worker.acquire(leaseMs);
      return worker;
    },
    async read(lists, { worker: reader = leader(), fresh = false, part = 1_000, ends = {} } = {}) {
      const { run, phase, cursor } = await reader.beginList({ kinds: Object.keys(lists), fresh });
      if (phase === "applying") return { run };
      for (const [kind, { after, complete }] of Object.entries(cursor)) {
        if (complete) continue;
        const apps = (lists[kind] ?? []).map(listedAppOf).filter(({ appid }) => appid > after);
        for (let start = 0; start === 0 || start < apps.length; start += part) {
          const saved = apps.slice(start, start + part);
          const isLast = start + part >= apps.length;
          const last = saved.at(-1)?.appid ?? after;
          await reader.saveList({ run, kind, apps: saved, after: last, complete: isLast, end: ends[kind] ?? null });
        }
      }
      return { run };
    },
    async collect(lists, options = {}) {
      const { worker: reader = leader(), maxShrink = 0.05, max = 1_000, history = true } = options;
      const { run } = await collecting.read(lists, options);
      const verdict = await reader.acceptList({ run, maxShrink });
      for (let counts: ListCounts | null = null; ; ) {
        if (!verdict.accepted || counts?.done) return { verdict, counts };
        counts = await reader.applyList({ run, max, history });
      }
    },
    async rows(table) {
      const rows = await sql<{ row: unknown }>(
        `select to_jsonb(t) || jsonb_build_object('xmin', t.xmin::text) as row from ${table} t order by t::text`,
      );
      return rows.map(({ row }) => JSON.stringify(row));
    },
    async apps() {
      const rows = await sql<{ appid: number; is_listed: boolean | null; is_active: boolean; name: string | null }>(
        "select appid, is_listed, is_active, name from apps",
      );
      return Object.fromEntries(
        rows.map(({ appid, is_listed, is_active, name }) => [appid, [is_listed, is_active, name]]),
      );
    },
  };
  return collecting;
}

/** An app as a list has it; without a name `List 10`. */
export function listedApp(appid: number, name = `List ${appid}`): ListedApp {
  return { appid, name, last_modified: null, price_change_number: null };
}

function listedAppOf(entry: Lists[string][number]): ListedApp {
  if (typeof entry === "number") return listedApp(entry);
  return "appid" in entry ? entry : listedApp(...entry);
}

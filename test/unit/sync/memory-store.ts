import type { CatalogStore, ClaimedApp } from "../../../src/db/catalog-store.ts";
import type { LeaderLease } from "../../../src/db/leader-lease.ts";

/**
 * What the change monitor needs of the store, in memory and on the test's clock: the rules of the SQL functions of the same
 * names, as far as one process at a time can meet them. Several monitors may share one.
 */
export interface MemoryStore {
  store: CatalogStore;
  lease: (workerId: string, leaseMs: number) => LeaderLease;
  state: { cursor: number | null; bulkCompletedAt: string | null; reconciledAt: number | null };
  leader: { id: string; untilMs: number } | null;
  gap: { from: number; to: number } | null;
  apps: Map<number, Row>;
  unnamedTags: number[];
  /** Called at the begin of each call; a promise makes the call wait. */
  onCall: (name: string) => unknown;
}

export interface Row {
  stored: number | null;
  pending: number | null;
  attempts: number;
  dueMs: number;
  error: string | null;
  lease: { id: string; untilMs: number; change: number } | null;
}

export function createMemoryStore(): MemoryStore {
  const memory: MemoryStore = {
    store: {} as CatalogStore,
    lease: () => ({}) as LeaderLease,
    state: { cursor: null, bulkCompletedAt: "2026-01-01T00:00:00Z", reconciledAt: Date.now() },
    leader: null,
    gap: null,
    apps: new Map(),
    unnamedTags: [],
    onCall: () => {},
  };
  const isLeader = (id: string) => memory.leader?.id === id && memory.leader.untilMs > Date.now();
  const isFree = (row: Row) => row.lease === null || row.lease.untilMs <= Date.now();
  const row = (appid: number): Row => {
    const found = memory.apps.get(appid);
    if (found) return found;
    const fresh: Row = { stored: null, pending: null, attempts: 0, dueMs: 0, error: null, lease: null };
    memory.apps.set(appid, fresh);
    return fresh;
  };
  function mark(appid: number, change: number): number {
    const app = row(appid);
    if ((app.stored ?? 0) >= change || (app.pending ?? 0) >= change) return 0;
    Object.assign(app, { pending: change, attempts: 0, dueMs: 0 });
    return 1;
  }
  const heldBy = (appid: number, leaseId: string) => {
    const app = row(appid);
    return app.lease?.id === leaseId && app.lease.untilMs > Date.now() ? app : null;
  };

  const calls: Partial<CatalogStore> = {
    async monitorState() {
      const { cursor, bulkCompletedAt, reconciledAt } = memory.state;
      return {
        last_change_number: cursor,
        bulk_completed_at: bulkCompletedAt,
        reconciled_seconds_ago: reconciledAt === null ? null : (Date.now() - reconciledAt) / 1_000,
        gap: memory.gap && { from_change: memory.gap.from, to_change: memory.gap.to },
      };
    },
    async poll({ workerId, since, changeNumber, apps }) {
      if (!isLeader(workerId)) return { accepted: false, last_change_number: null, marked: 0 };
      let marked = 0;
      for (const app of apps) marked += mark(app.appid, app.changeNumber);
      const { state } = memory;
      if ((state.cursor === null || state.cursor === since) && memory.gap === null) {
        state.cursor = Math.max(state.cursor ?? 0, changeNumber);
      }
      return { accepted: true, last_change_number: state.cursor, marked };
    },
    async openGap({ workerId, from, to }) {
      if (!isLeader(workerId)) return;
      memory.gap = { from: memory.gap?.from ?? from, to: Math.max(memory.gap?.to ?? 0, to) };
    },
    async finishSweep({ workerId, changeNumber }) {
      if (!isLeader(workerId)) return { accepted: false, last_change_number: null };
      memory.gap = null;
      memory.state.cursor = Math.max(memory.state.cursor ?? 0, changeNumber);
      memory.state.reconciledAt = Date.now();
      return { accepted: true, last_change_number: memory.state.cursor };
    },
    async mark({ apps }) {
      let marked = 0;
      for (const app of apps) marked += mark(app.appid, app.changeNumber);
      return { known: apps.length, marked, now: new Date().toISOString() };
    },
    async storedAppids(after, max) {
      const stored = [...memory.apps].filter(([appid, app]) => appid > after && app.stored !== null);
      return stored
        .map(([appid]) => appid)
        .sort((a, b) => a - b)
        .slice(0, max);
    },
    async claim({ leaseId, max, leaseMs }) {
      const pending = [...memory.apps].filter(([, app]) => app.pending !== null);
      const due = pending.filter(([, app]) => isFree(app) && app.dueMs <= Date.now());
      const fresh = due.filter(([, app]) => app.attempts === 0);
      const taken = (fresh.length > 0 ? fresh : due).slice(0, max);
      const apps = taken.map(([appid, app]): ClaimedApp => {
        const change = app.pending ?? 0;
        app.lease = { id: leaseId, untilMs: Date.now() + leaseMs, change };
        const { attempts } = app;
        const token = { access_token: null, needs_token: false, token_denied: false };
        return { appid, change_number: change, attempts, ...token };
      });
      const dueMs = pending.map(([, app]) => Math.max(app.dueMs, app.lease?.untilMs ?? 0) - Date.now());
      const dueInSeconds = pending.length > 0 ? Math.max(0, Math.min(...dueMs)) / 1_000 : null;
      return {
        apps,
        waiting: apps.length > 0 ? 0 : pending.length,
        due_in_seconds: apps.length > 0 ? null : dueInSeconds,
      };
    },
    async renew() {
      return 0;
    },
    async release(leaseId) {
      for (const app of memory.apps.values()) if (app.lease?.id === leaseId) app.lease = null;
    },
    async apply({ leaseId, apps, unknown, failed, appBackoff }) {
      const reply = { stored: 0, stale: 0, unknown: 0, failed: 0, lease_lost: 0 };
      for (const { appid, change_number } of apps) {
        const app = heldBy(appid, leaseId);
        if (!app) reply.lease_lost += 1;
        else {
          reply.stored += 1;
          const pending = (app.pending ?? 0) > change_number ? app.pending : null;
          Object.assign(app, { stored: change_number, pending, attempts: 0, dueMs: 0, error: null, lease: null });
        }
      }
      for (const appid of unknown) if (heldBy(appid, leaseId)) memory.apps.delete(appid);
      for (const { appid, error } of failed) {
        const app = heldBy(appid, leaseId);
        if (!app) continue;
        reply.failed += 1;
        const dueMs = Date.now() + Math.min(appBackoff.maxMs, appBackoff.firstMs * 2 ** app.attempts);
        Object.assign(app, { attempts: app.attempts + 1, dueMs, error, lease: null });
      }
      return reply;
    },
    async unnamedTags(after) {
      return memory.unnamedTags.filter((id) => id > after);
    },
  };
  memory.lease = (workerId, leaseMs) => ({
    leaseMs,
    async acquire() {
      await memory.onCall("lease");
      if (memory.leader === null || memory.leader.id === workerId || memory.leader.untilMs <= Date.now()) {
        memory.leader = { id: workerId, untilMs: Date.now() + leaseMs };
      }
      const leading = memory.leader.id === workerId;
      return { leading, freeInMs: leading ? null : memory.leader.untilMs - Date.now() };
    },
    async release() {
      if (memory.leader?.id === workerId) memory.leader = null;
    },
  });
  memory.store = new Proxy(calls, {
    get:
      (target, name: keyof CatalogStore) =>
      async (...args: unknown[]) => {
        await memory.onCall(name);
        const call = target[name] as ((...args: unknown[]) => Promise<unknown>) | undefined;
        if (!call) throw new Error(`the store in memory has no ${name}`);
        return call(...args);
      },
  }) as CatalogStore;
  return memory;
}

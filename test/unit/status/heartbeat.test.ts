import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { CatalogState, Heard, ReportRequest } from "../../../src/db/sync-calls.ts";
import { createHeartbeat } from "../../../src/status/heartbeat.ts";
import { silent } from "../../support/templates.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const minuteMs = 60_000;

function setUp() {
  const database = { completedAt: "2026-01-01T00:00:00Z" as string | null, fails: false, dueInSeconds: null };
  const reports: { atMs: number; isPoll: boolean }[] = [];
  const counts: number[] = [];
  const startedAt = Date.now();
  const store = {
    async report({ lease }: ReportRequest): Promise<Heard> {
      reports.push({ atMs: Date.now() - startedAt, isPoll: lease !== undefined });
      if (database.fails) throw new Error("no");
      return {
        workers: [],
        backlog: {
          pending: 0,
          failing: 0,
          unconfirmed: 0,
          mass_unknown_at: null,
          lag_seconds: null,
          due_in_seconds: database.dueInSeconds,
          failing_apps: [],
          webhooks: { total: 0, failing: 0, dead: 0, disabled: 0, lag_seconds: null },
        },
        monitor: {
          last_change_number: 7,
          bulk_completed_at: database.completedAt,
          reconciled_seconds_ago: null,
          gap: null,
        },
        lease: null,
      };
    },
    forget: async () => {},
  };
  const heartbeat = createHeartbeat({
    store,
    async countState() {
      counts.push(Date.now() - startedAt);
      return { bulk_completed_at: database.completedAt, last_change_number: 5 } as CatalogState;
    },
    logger: silent,
    workerId: "worker",
    mode: "change_monitor",
    snapshot: () => ({}),
  });
  return { database, reports, counts, heartbeat };
}

describe("heartbeat", () => {
  it("is one call every 10 s, and the polls' calls are heartbeats", async () => {
    const { heartbeat, reports } = setUp();
    void heartbeat.run();
    await vi.advanceTimersByTimeAsync(minuteMs - 1);
    expect(reports).toHaveLength(6);
    const poll = () => void heartbeat.beat({ role: "monitor", leaseMs: 90_000 });
    poll();
    const polling = setInterval(poll, 30_000);
    const before = reports.length;
    await vi.advanceTimersByTimeAsync(10 * minuteMs);
    const calls = reports.slice(before);
    expect(calls.filter(({ isPoll }) => isPoll)).toHaveLength(20);
    expect(calls.filter(({ isPoll }) => !isPoll)).toHaveLength(40);
    clearInterval(polling);
    await heartbeat.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("counts the catalog every 10 s during the first load, at its end, and once a minute afterwards", async () => {
    const { heartbeat, counts, database } = setUp();
    database.completedAt = null;
    void heartbeat.run();
    await vi.advanceTimersByTimeAsync(minuteMs - 1);
    expect(counts).toHaveLength(6);
    database.completedAt = "2026-01-02T00:00:00Z";
    await vi.advanceTimersByTimeAsync(10_250);
    expect(counts).toHaveLength(7);
    await vi.advanceTimersByTimeAsync(10 * minuteMs);
    expect(counts.length).toBeGreaterThanOrEqual(7 + 8);
    expect(counts.length).toBeLessThanOrEqual(7 + 10);
    expect(heartbeat.catalog()).toMatchObject({ last_change_number: 7 });
    await heartbeat.stop();
  });

  it("goes on after a failure, and hands each backlog on", async () => {
    const { heartbeat, reports, database } = setUp();
    const heard: (number | null)[] = [];
    heartbeat.onBacklog(({ due_in_seconds }) => heard.push(due_in_seconds));
    database.fails = true;
    void heartbeat.run();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reports).toHaveLength(1);
    expect(heartbeat.backlog()).toBeNull();
    database.fails = false;
    await vi.advanceTimersByTimeAsync(10_250);
    expect(heard).toEqual([null]);
    await heartbeat.stop();
  });
});

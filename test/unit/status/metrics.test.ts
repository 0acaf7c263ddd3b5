import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DatabaseError } from "../../../src/process/errors.ts";
import { createMetrics, type Metrics } from "../../../src/status/metrics.ts";
import type { ServiceSnapshot } from "../../../src/status/snapshot.ts";

const snapshot: ServiceSnapshot = {
  mode: "change_monitor",
  started_at: new Date().toISOString(),
  steam: {
    connected: true,
    connected_since: null,
    reconnect_attempts: 3,
    last_error: null,
    requests: {
      changes: 0,
      metadata: 0,
      product_info: 0,
      access_tokens: 0,
      tag_names: 0,
      category_names: 0,
      http_payload: 0,
    },
  },
  database: { driver: "postgres", reachable: true, reachable_since: null, last_error: null },
  bulk: null,
  monitor: {
    last_change_number: 37_494_854,
    pending: 4,
    failing: 1,
    unconfirmed: 0,
    mass_unknown_at: null,
    leading: true,
    sweeping: false,
    unanswered: 0,
    empty_changelists: 0,
    last_poll_at: "2026-07-01T12:00:00.000Z",
    lag_seconds: null,
    poll_interval_seconds: 30,
    bulk_completed_at: null,
    drain_only: false,
  },
  collector: null,
  library: null,
  apps_stored: 0,
  failing_apps: [],
  loops: [],
};

const catalog = {
  apps: 1,
  last_change_number: 1,
  bulk_started_at: null,
  bulk_completed_at: null,
  last_verified_at: null,
  pending: 0,
  failing: 0,
  unconfirmed: 0,
  skipped: 3,
  size: { bytes: 412_300_000, tables: [{ name: "apps", bytes: 412_300_000 }], growth_per_day: 1_250_000 },
  mass_unknown_at: null,
  lag_seconds: null,
};

async function read(metrics: Metrics): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ") + 1))]),
  );
}

describe("createMetrics", () => {
  it("counts events by label, starting at 0", async () => {
    const metrics = createMetrics();
    metrics.watch(() => snapshot);
    expect((await read(metrics)).get('steam_requests_total{kind="changes",result="timeout"}')).toBe(0);
    metrics.steamAnswered("changes", "ok", 0.2);
    metrics.steamAnswered("changes", "timeout", 60);
    metrics.batchStep("extract", 0.02);
    const failures = [{ appid: 1, error: "x", step: "extract" as const }];
    const none = { skipped: 0, unknown: 0, unconfirmed: 0, withheld: 0, lease_lost: 0, mass_unknown: false };
    metrics.batchOutcome({ ...none, stored: 5, stale: 1, failed: 1, failures });
    metrics.databaseFailed(new DatabaseError("retryable", "40P01", "deadlock"));
    const values = await read(metrics);
    expect(values.get('steam_requests_total{kind="changes",result="ok"}')).toBe(1);
    expect(values.get('steam_requests_total{kind="changes",result="timeout"}')).toBe(1);
    expect(values.get('steam_request_seconds_count{kind="changes"}')).toBe(1);
    expect(values.get('pics_batch_seconds_count{step="extract"}')).toBe(1);
    expect(values.get('pics_apps_total{result="stored"}')).toBe(5);
    expect(values.get('pics_app_failures_total{step="extract"}')).toBe(1);
    expect(values.get('database_errors_total{code="40P01",fault="retryable"}')).toBe(1);
  });

  it("reads the snapshot on each scrape and omits metrics that do not apply", async () => {
    let current = snapshot;
    const metrics = createMetrics();
    metrics.watch(() => current);
    const first = await read(metrics);
    expect(first.get("pics_change_number")).toBe(37_494_854);
    expect(first.get("pics_lag_seconds")).toBe(0);
    expect(first.get("steam_reconnects_total")).toBe(3);
    expect(first.get("pics_last_poll_timestamp_seconds")).toBe(1_782_907_200);
    expect(first.get('service_health{status="starting"}')).toBe(1);
    expect([...first.keys()].filter((name) => /bulk|collector|web_api|library/.test(name))).toEqual([]);
    expect(first.has("pics_unread_keys")).toBe(false);
    current = { ...snapshot, catalog: { ...catalog, unread_keys: { count: 512, new_count: 2, new: [] } } };
    const counted = await read(metrics);
    expect([counted.get("pics_unread_keys"), counted.get("pics_unread_keys_new")]).toEqual([512, 2]);
    current = { ...snapshot, monitor: null, steam: null };
    const later = await read(metrics);
    expect([...later.keys()].filter((name) => /^(pics_(change|lag|pending)|steam_connected)/.test(name))).toEqual([]);
  });

  it("are all documented, and the Grafana dashboard queries all of them and no others", async () => {
    const metrics = createMetrics();
    metrics.watch(() => snapshot);
    const text = await metrics.text();
    const types = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => [name, type]));
    const ours = [...types.keys()].filter((name) => !/^(process|nodejs)_/.test(name)).toSorted();

    const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
    const rows = [...page.matchAll(/^\| `(\w+)` +\| (\w+) +\|/gm)].map(([, name = "", type = ""]) => [name, type]);
    expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(ours.map((name) => [name, types.get(name)])));

    const grafana = readFileSync(new URL("../../../docs/grafana.json", import.meta.url), "utf8");
    const expressions = [...grafana.matchAll(/"expr": "((?:[^"\\]|\\.)*)"/g)].map(([, expression = ""]) => expression);
    const queried = new Set(
      expressions
        .flatMap(
          (expression) =>
            expression.match(
              /\b(service|steam|pics|database|collector|web_api|webhook|library|http|nodejs|process)_\w+/g,
            ) ?? [],
        )
        .map((name) => (types.has(name) ? name : name.replace(/_(bucket|count|sum)$/, ""))),
    );
    expect([...queried].filter((name) => !types.has(name))).toEqual([]);
    expect(ours.filter((name) => !queried.has(name))).toEqual([]);
  });
});

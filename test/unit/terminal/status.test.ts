import { describe, expect, it } from "vitest";
import type { StatusDocument } from "../../../src/catalog-source/port.ts";
import { formatStatus } from "../../../src/terminal/status.ts";
import { ago, now, plain } from "./samples.ts";

const catalog = {
  apps: 254_113,
  last_change_number: 37_494_854,
  bulk_started_at: ago(90_000),
  bulk_completed_at: ago(3_600),
  last_verified_at: null,
  pending: 12,
  failing: 3,
  unconfirmed: 0,
  skipped: 0,
  size: { bytes: 412_300_000, tables: [{ name: "apps", bytes: 412_300_000 }], growth_per_day: 1_250_000 },
  mass_unknown_at: null,
  unread_keys: { count: 0, new_count: 0, new: [] },
  lag_seconds: 14.4,
};
const connected = { connected: true, connected_since: ago(11_100), reconnect_attempts: 0, last_error: null };
const loading = {
  phase: "syncing",
  swept_ids: 5_000_000,
  sweep_end: 5_325_000,
  total: 60_000,
  done: 11_990,
  failed: 7,
  unknown: 3,
  unconfirmed: 0,
  rate_per_second: 249.6,
  eta_seconds: 192,
};
const following = {
  leading: true,
  sweeping: false,
  drain_only: false,
  last_change_number: 37_494_854,
  pending: 12,
  failing: 3,
  lag_seconds: 14.4,
};

function worker(mode: string, snapshot: object, seen_seconds_ago = 3.6): StatusDocument["workers"][number] {
  return { id: mode, mode, snapshot: { started_at: ago(187_000), ...snapshot }, seen_at: ago(3), seen_seconds_ago };
}

const statusOf = (document: Partial<StatusDocument>, columns = 80) =>
  formatStatus(
    { catalog, failing_apps: [], workers: [], webhooks: null, ...document },
    "Postgres (db/app)",
    { ...plain, columns },
    now,
  );

describe("formatStatus", () => {
  it("shows the catalog and the workers side by side, without empty rows", () => {
    const workers = [
      worker("change_monitor", { steam: connected, bulk: null, monitor: following }),
      worker("bulk_sync", { steam: { connected: false, last_error: "EResult 84" }, bulk: loading, monitor: null }, 61),
    ];
    expect(statusOf({ workers })).toBe(`\
The catalog in Postgres (db/app)
  Apps                254,113
  Loaded              2026-11-26 11:00:00 UTC (1 h 00 min ago)
  Change number       37494854
  Pending             12, the oldest for 14 s
  Failing             3
  Size                412 MB, +1.3 MB a day

Workers
  Mode                change_monitor                bulk_sync
  Doing               following, polls Steam        syncing
  Done                                              12,000 of 60,000, 7 failed
  Rate                                              250/s
  Left                                              3 min 12 s
  Change number       37494854
  Lag                 14 s
  Pending             12
  Failing             3
  Steam               connected for 3 h 05 min      disconnected: EResult 84
  Up for              2 days                        2 days
  Seen                4 s ago                       1 min 01 s ago
`);
  });

  it.each([
    ["sweeping", { bulk: { ...loading, phase: "sweeping" } }, /Doing +sweeping\n +Done +5,000,000 of 5,325,000 ids\n/],
    ["draining", { monitor: { ...following, drain_only: true } }, /Doing +fetching pending apps only\n/],
    ["unanswered", { monitor: { ...following, unanswered: 7 } }, /Failing +3\n +Unanswered +7\n/],
    ["comparing", { monitor: { ...following, sweeping: true } }, /Doing +following, full sweep\n/],
    [
      "following",
      { bulk: { ...loading, phase: "done" }, monitor: { ...following, leading: false } },
      /Doing +following\n +Change/,
    ],
    ["loaded", { bulk: { ...loading, phase: "done", eta_seconds: null } }, /Doing +done\n +Done +12,000 of 60,000/],
    [
      "collecting",
      { collector: { phase: "all_games", done: 12, total: 80, rate_per_minute: 1, eta_seconds: 4_080 } },
      /Doing +all games\n +Done +12 of 80\n +Rate +1\/min\n +Left +1 h 08 min\n/,
    ],
    [
      "collecting beside following",
      {
        monitor: following,
        collector: { phase: "details", done: 3, total: null, rate_per_minute: 60, eta_seconds: null },
      },
      /Doing +following, polls Steam\n +Collector +details: 3\n +Rate +60\/min\n +Change/,
    ],
    [
      "importing",
      { library: { phase: "igdb_enrichment", done: 40, total: 350 } },
      /Doing +igdb enrichment\n +Done +40 of 350\n/,
    ],
    ["starting", {}, /Mode +starting\n +Doing +starting\n +Up/],
    ["of another version", { bulk: "?", monitor: { leading: 1 }, steam: [] }, /Doing +starting\n +Up for/],
  ])("shows a worker that is %s", (name, snapshot, lines) => {
    expect(statusOf({ workers: [worker(name, snapshot)] })).toMatch(lines);
  });

  it("continues workers that do not fit in another table", () => {
    const workers = Array.from({ length: 7 }, (_, index) => worker(`worker_${index}`, { monitor: following }));
    const text = statusOf({ workers });
    expect(text.match(/^ {2}Mode .*$/gm)).toEqual([
      expect.stringMatching(/worker_0 +worker_1 +worker_2$/),
      expect.stringMatching(/worker_3 +worker_4 +worker_5$/),
      expect.stringMatching(/Mode +worker_6$/),
    ]);
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    expect(statusOf({ workers }, 120).match(/^ {2}Mode /gm)).toHaveLength(2);
  });

  it("lists failing apps with their last error and the number of others", () => {
    const app = {
      appid: 440,
      name: "Team Fortress 2",
      error: "cut\u001b[2J off",
      attempts: 4,
      next_attempt_at: ago(-90),
    };
    const text = statusOf({ failing_apps: [app, { ...app, appid: 2_000_000_000, name: null, next_attempt_at: null }] });
    expect(text).toMatch(/^ {2}App +Failed {2}Retry in +Last error$/m);
    expect(text).toMatch(/^ {2}440 +Team Fortress 2 +4 × +1 min 30 s +cut \[2J off$/m);
    expect(text).toMatch(/^ {2}2000000000 +4 × +cut/m);
    expect(text).toContain("  and 1 more, see sync_status.last_error\n");
  });

  it("shows state and lag of webhooks where there are any, and fits a narrow terminal", () => {
    const none = { total: 0, failing: 0, dead: 0, disabled: 0, lag_seconds: null };
    expect(statusOf({ webhooks: none })).not.toContain("Webhooks");
    expect(statusOf({ webhooks: { ...none, total: 2, lag_seconds: 0 } })).toContain(
      "  Webhooks            2, up to date\n",
    );
    const failing_apps = [
      { appid: 440, name: "Team Fortress 2", error: "cut off", attempts: 4, next_attempt_at: null },
    ];
    const text = statusOf(
      { webhooks: { total: 3, failing: 1, dead: 1, disabled: 0, lag_seconds: 75 }, failing_apps },
      40,
    );
    expect(text.replace(/\s+/g, " ")).toContain(
      "Webhooks 3, 1 failing, 1 given up, 1 min 15 s behind; `webhook list` says why",
    );
    expect(text).toContain("\n  440 Team Fortress 2: 4 × cut off\n");
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(40);
  });

  it("handles an unfinished or uncounted catalog and no workers", () => {
    const text = statusOf({
      catalog: { ...catalog, bulk_completed_at: null, lag_seconds: null, last_change_number: null },
    });
    expect(text).toContain("Loaded              not yet; started 2026-11-25 11:00:00 UTC (25 h 00 min ago)");
    expect(text).toContain("Pending             12\n");
    expect(text).toContain("Workers\n  None seen within the last minute.\n");
    expect(statusOf({ catalog: null })).toContain("  Not counted yet.\n");
  });
});

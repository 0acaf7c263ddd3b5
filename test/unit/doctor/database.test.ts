import { describe, expect, it } from "vitest";
import type { CatalogSource, StatusDocument } from "../../../src/catalog-source/port.ts";
import { DataDirInUseError } from "../../../src/db/owner-lock.ts";
import { runChecks } from "../../../src/doctor/check.ts";
import { databaseChecks } from "../../../src/doctor/database.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { ConfigError, DatabaseError, type DatabaseFault, NotFoundError } from "../../../src/process/errors.ts";

const config = loadConfig({});
const { signal } = new AbortController();
const catalog = {
  apps: 254_113,
  last_change_number: 1,
  bulk_started_at: null,
  bulk_completed_at: "2026-11-20T10:00:00+00:00",
  last_verified_at: null,
  pending: 0,
  failing: 0,
  unconfirmed: 0,
  skipped: 0,
  size: { bytes: 412_300_000, tables: [{ name: "apps", bytes: 412_300_000 }], growth_per_day: 1_250_000 },
  mass_unknown_at: null,
  unread_keys: { count: 0, new_count: 0, new: [] },
  lag_seconds: null,
};

/** Runs the checks through a fake owner. */
async function examine(status: Partial<StatusDocument>, broken?: () => Promise<never>) {
  let closed = 0;
  // The first call is the connection check's.
  let asked = 0;
  const source: CatalogSource = {
    name: "the folder ./data, read through process 7 on box",
    db: null,
    app: async () => null,
    whyNotStored: async () => null,
    status: async () =>
      asked++ > 0 && broken ? await broken() : { catalog, failing_apps: [], workers: [], webhooks: null, ...status },
    async close() {
      closed += 1;
    },
  };
  const outcomes = await run(async () => source);
  return { outcomes, closed };
}

const run = (open: () => Promise<CatalogSource>, given: typeof config | null = config) =>
  runChecks([{ title: "Database", checks: databaseChecks(given, open) }], { signal, onOutcome: () => {} });

describe("databaseChecks", () => {
  it("checks the database through its owner and closes it", async () => {
    const { outcomes, closed } = await examine({});
    expect(outcomes).toMatchObject([
      {
        result: "ok",
        summary: expect.stringMatching(/^the folder .*read through process 7 on box answered in [\d.]+ ms$/),
      },
      { result: "skipped", summary: expect.stringContaining("applied them when it started") },
      { name: "row security", result: "skipped" },
      { result: "ok", summary: "254,113 apps; loaded 2026-11-20; 0 pending; 0 failing; 0 workers" },
      { result: "skipped", summary: "The process that owns the database answers searches." },
      { result: "ok", summary: "0 keys of Steam's app info are not read; none is new within 7 days" },
    ]);
    expect(closed).toBe(1);
  });

  it("warns of failing apps and of a long lag", async () => {
    const worst = { appid: 440, name: null, error: "cut\noff", attempts: 3, next_attempt_at: null };
    const failing = await examine({ catalog: { ...catalog, failing: 2 }, failing_apps: [worst] });
    expect(failing.outcomes[3]).toMatchObject({
      result: "warning",
      summary: expect.stringContaining("2 failing; 0 workers; last error of app 440: cut off"),
    });
    const late = await examine({ catalog: { ...catalog, pending: 5, lag_seconds: 901, bulk_completed_at: null } });
    expect(late.outcomes[3]).toMatchObject({
      result: "warning",
      summary: expect.stringContaining("the first bulk sync is not complete; 5 pending, the oldest for 15 min 01 s"),
    });
    expect((await examine({ catalog: null })).outcomes[3]).toMatchObject({ result: "skipped" });
  });

  it("names new keys of Steam's app info, with their count and first app", async () => {
    const key = {
      path: "common.steam_\u001b[2Jvr",
      payloads: 1_234,
      first_appid: 440,
      first_seen_at: "2026-11-27T10:00:00Z",
    };
    const unread_keys = { count: 512, new_count: 3, new: [key, { ...key, path: "ufo", payloads: 1 }] };
    expect((await examine({ catalog: { ...catalog, unread_keys } })).outcomes[5]).toMatchObject({
      name: "unread keys",
      result: "warning",
      summary:
        "512 keys of Steam's app info are not read; new within 7 days: " +
        "common.steam_ [2Jvr (1,234 ×, first on app 440), ufo (1 ×, first on app 440), 1 more",
    });
    expect((await examine({ catalog: null })).outcomes[4]).toMatchObject({ result: "skipped" });
  });

  it("closes the database when the catalog cannot be read", async () => {
    const { outcomes, closed } = await examine({}, () => Promise.reject(new Error("broken")));
    expect(outcomes.slice(3)).toMatchObject([{ result: "failed" }, { result: "skipped" }, { result: "skipped" }]);
    expect(closed).toBe(1);
  });

  const fault = (kind: DatabaseFault) => new DatabaseError(kind, "CODE", "its message");
  it.each([
    [fault("unreachable"), "failed", "unreachable", "its message (CODE)"],
    [fault("timeout"), "failed", "unreachable", "its message (CODE)"],
    [fault("denied"), "failed", "configuration", "its message"],
    [fault("misconfigured"), "failed", "configuration", "its message"],
    [fault("fatal"), "failed", "other", "its message (CODE)"],
    [
      new DatabaseError("denied", "28P01", "connecting: no such user (check the user)", { remedy: "check the user" }),
      "failed",
      "configuration",
      "connecting: no such user (28P01)",
    ],
    [new ConfigError("no URL"), "failed", "configuration", "no URL"],
    [new DataDirInUseError("./data", null), "failed", "other", "the data folder ./data is in use"],
    [new NotFoundError("There is no catalog yet."), "skipped", null, "There is no catalog yet."],
    [new Error("a mistake"), "failed", "other", "a mistake"],
  ])("classifies the error of opening the database: %s", async (error, result, blame, words) => {
    const [connection, ...others] = await run(() => Promise.reject(error));
    expect(connection).toMatchObject({ result, blame, summary: expect.stringContaining(words) });
    if (result === "failed") expect(connection?.remedy).toMatch(/^[A-Z].*[.]$/);
    const cause = result === "failed" ? "the database cannot be opened" : "there is no catalog yet";
    for (const other of others) expect(other).toMatchObject({ result: "skipped", cause });
  });

  it("does not open the database without a valid configuration", async () => {
    const outcomes = await run(() => Promise.reject(new Error("opened")), null);
    expect(outcomes.map(({ result }) => result)).toEqual(Array(6).fill("skipped"));
  });
});

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
  mass_unknown_at: null,
  lag_seconds: null,
};

/** Runs the checks through a fake owner. */
async function examine(status: Partial<StatusDocument>) {
  let closed = 0;
  const source: CatalogSource = {
    name: "the folder ./data, read through process 7 on box",
    db: null,
    app: async () => null,
    status: async () => ({ catalog, failing_apps: [], workers: [], ...status }),
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
      { result: "ok", summary: "254,113 apps; loaded 2026-11-20; 0 pending; 0 failing; 0 workers" },
    ]);
    expect(closed).toBe(1);
  });

  it("warns of failing apps and of a long lag", async () => {
    const worst = { appid: 440, name: null, error: "cut\noff", attempts: 3, next_attempt_at: null };
    const failing = await examine({ catalog: { ...catalog, failing: 2 }, failing_apps: [worst] });
    expect(failing.outcomes[2]).toMatchObject({
      result: "warning",
      summary: expect.stringContaining("2 failing; 0 workers; last error of app 440: cut off"),
    });
    const late = await examine({ catalog: { ...catalog, pending: 5, lag_seconds: 901, bulk_completed_at: null } });
    expect(late.outcomes[2]).toMatchObject({
      result: "warning",
      summary: expect.stringContaining("the first bulk sync is not complete; 5 pending, the oldest for 15 min 01 s"),
    });
    expect((await examine({ catalog: null })).outcomes[2]).toMatchObject({ result: "skipped" });
  });

  const fault = (kind: DatabaseFault) => new DatabaseError(kind, "CODE", "its message");
  it.each([
    [fault("unreachable"), "failed", "unreachable", "its message (CODE)"],
    [fault("timeout"), "failed", "unreachable", "its message (CODE)"],
    [fault("denied"), "failed", "configuration", "its message"],
    [fault("fatal"), "failed", "other", "its message (CODE)"],
    [new ConfigError("no URL"), "failed", "configuration", "no URL"],
    [new DataDirInUseError("./data", null), "failed", "other", "the data folder ./data is in use"],
    [new NotFoundError("There is no catalog yet."), "skipped", null, "There is no catalog yet."],
    [new Error("a mistake"), "failed", "other", "a mistake"],
  ])("classifies the error of opening the database: %s", async (error, result, blame, words) => {
    const [connection, ...others] = await run(() => Promise.reject(error));
    expect(connection).toMatchObject({ result, blame, summary: expect.stringContaining(words) });
    for (const other of others)
      expect(other).toMatchObject({ result: "skipped", summary: "The database is not open." });
  });

  it("does not open the database without a valid configuration", async () => {
    const outcomes = await run(() => Promise.reject(new Error("opened")), null);
    expect(outcomes.map(({ result }) => result)).toEqual(["skipped", "skipped", "skipped"]);
  });
});

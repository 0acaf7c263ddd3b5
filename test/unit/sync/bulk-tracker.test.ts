import { describe, expect, it } from "vitest";
import type { BatchOutcome } from "../../../src/sync/apply-batch.ts";
import { createBulkTracker } from "../../../src/sync/bulk-tracker.ts";
import type { Failure } from "../../../src/sync/extract-batch.ts";

const outcome = (parts: Partial<BatchOutcome>): BatchOutcome => ({
  stored: 0,
  stale: 0,
  unknown: 0,
  unconfirmed: 0,
  skipped: 0,
  withheld: 0,
  failed: 0,
  lease_lost: 0,
  mass_unknown: false,
  failures: [],
  ...parts,
});
const silence = (appid: number): Failure => ({ appid, error: "Steam did not mention it", step: "fetch", silent: true });

describe("bulk tracker", () => {
  it("counts an app once that Steam leaves unanswered again and again", () => {
    const tracker = createBulkTracker(null);
    for (let attempt = 0; attempt < 3; attempt++) {
      tracker.batch([10, 20], outcome({ failed: 2, failures: [silence(10), silence(20)] }));
    }
    expect(tracker.answers()).toEqual({ answered: 0, silent: 2 });
  });

  it("counts no longer as silent what a later attempt had answered, or what failed for another reason", () => {
    const tracker = createBulkTracker(null);
    const unreadable: Failure = { appid: 30, error: "line 7: no value", step: "extract" };
    tracker.batch([10, 20, 30], outcome({ failed: 3, failures: [silence(10), silence(20), unreadable] }));
    expect(tracker.answers()).toEqual({ answered: 0, silent: 2 });
    tracker.batch([10], outcome({ stored: 1 }));
    expect(tracker.answers()).toEqual({ answered: 1, silent: 1 });
  });

  it.each(["stored", "stale", "unknown"] as const)("counts %s as an answer", (result) => {
    const tracker = createBulkTracker(null);
    tracker.batch([10, 20], outcome({ [result]: 2 }));
    expect(tracker.answers()).toEqual({ answered: 2, silent: 0 });
  });

  it("keeps the totals, the mean rate and the time of a finished pass, and an unknown time left before the first app", () => {
    let ms = 0;
    const tracker = createBulkTracker(null, () => ms);
    expect(tracker.progress()).toMatchObject({ phase: "starting", eta_seconds: null, rate_per_second: 0 });
    tracker.enter("sweeping");
    tracker.swept(5_000, 300);
    ms = 20_000;
    tracker.batch([10], outcome({ stored: 300 }));
    tracker.enter("done");
    ms = 3_600_000;
    expect(tracker.progress()).toMatchObject({
      ...{ phase: "done", done: 300, total: 300, share: 1 },
      ...{ rate_per_second: 15, eta_seconds: 0, elapsed_seconds: 20 },
    });
  });
});

import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { MarkRequest } from "../../../src/db/sync-calls.ts";
import { createGapSweep, type GapSweepDeps } from "../../../src/sync/gap-sweep.ts";
import { silent } from "../../support/templates.ts";

const hourMs = 3_600_000;

/** Steam has apps 10 and 12,000; 10 is stored. `before` runs at the start of each request, `omitted` are left out. */
function setUp(before: (ids: readonly number[], signal: AbortSignal | undefined) => Promise<void> = async () => {}) {
  const stopping = new AbortController();
  const windows: [first: number, last: number][] = [];
  const marked: number[] = [];
  const omitted = new Set<number>();
  const deps = {
    pics: {
      async metadata(ids: readonly number[], signal?: AbortSignal) {
        windows.push([ids[0] ?? 0, ids.at(-1) ?? 0]);
        await before(ids, signal);
        signal?.throwIfAborted();
        const isApp = (id: number) => id === 10 || id === 12_000;
        const answered = ids.filter((id) => !omitted.has(id));
        return {
          apps: answered.filter(isApp).map((appid) => ({ appid, changeNumber: 1 })),
          unknown: answered.filter((id) => !isApp(id)),
        };
      },
    },
    store: {
      storedAppids: async (after: number) => (after < 10 ? [10] : []),
      knownAmong: async (ids: readonly number[]) => ids.filter((id) => id === 10),
      mark: async ({ apps }: MarkRequest) => ({ known: apps.length, marked: apps.length, now: "" }),
    },
    logger: silent,
    concurrency: 1,
    appIdMax: 14_000,
    signal: stopping.signal,
    retryBackoff: { firstMs: 30_000, maxMs: hourMs },
    sweepBackoff: { firstMs: 0, maxMs: 0 },
    onMarked: (apps: number) => void marked.push(apps),
  };
  const sweep = createGapSweep(deps as unknown as GapSweepDeps);
  return { sweep, windows, marked, omitted, stopping };
}

describe("gap sweep", () => {
  it("compares the stored apps first, then the whole id space", async () => {
    const { sweep, windows, marked } = setUp();
    expect(sweep.state()).toBe("idle");
    sweep.start();
    expect(sweep.state()).toBe("running");
    expect(sweep.collect()).toBeNull();
    await sweep.settled();
    expect(windows).toEqual([
      [10, 10],
      [10, 14_000],
      [1, 5_555],
      [5_556, 11_111],
      [11_112, 13_999],
    ]);
    expect(marked).toEqual([1, 2]);
    expect(sweep.unanswered()).toBe(0);
    expect(sweep.state()).toBe("complete");
    expect(sweep.collect()).toEqual({ seconds: expect.any(Number) });
    expect(sweep.state()).toBe("idle");
  });

  it("has no result when it was invalidated: apps compared before may have changed since", async () => {
    const { sweep } = setUp();
    sweep.start();
    sweep.invalidate();
    await sweep.settled();
    expect(sweep.state()).toBe("complete");
    expect(sweep.collect()).toBeNull();
    sweep.start();
    await sweep.settled();
    expect(sweep.collect()).not.toBeNull();
  });

  it("has no result when it fails", async () => {
    const { sweep } = setUp(async () => {
      throw new TypeError("broken");
    });
    sweep.start();
    await sweep.settled();
    expect(sweep.state()).toBe("failed");
    expect(sweep.collect()).toBeNull();
    expect(sweep.state()).toBe("idle");
  });

  it("fails when Steam leaves a stored app unanswered", async () => {
    const { sweep, marked, omitted } = setUp();
    omitted.add(10);
    sweep.start();
    await sweep.settled();
    expect(sweep.state()).toBe("failed"); // Alone in its request, without a control id: Steam seems to be mute.
    expect(sweep.unanswered()).toBe(1);
    expect(sweep.collect()).toBeNull();
    expect(marked).toEqual([]);
  });

  it("reports ids that were never stored and that Steam leaves unanswered", async () => {
    const { sweep, omitted } = setUp();
    for (const id of [7, 9_999, 12_000]) omitted.add(id);
    sweep.start();
    await sweep.settled();
    expect(sweep.state()).toBe("complete");
    expect(sweep.unanswered()).toBe(3);
  });

  it("waits longer after each failure in a row, an hour at most, and not at all after a success", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    onTestFinished(() => void vi.useRealTimers());
    const { sweep, omitted } = setUp();
    const run = async () => {
      expect(sweep.isReady()).toBe(true);
      sweep.start();
      expect(sweep.isReady()).toBe(false);
      await sweep.settled();
      sweep.collect();
    };
    omitted.add(10);
    // The delay is jittered: between half of each ceiling and all of it.
    for (const ceilingMs of [30_000, 60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, hourMs, hourMs]) {
      await run();
      vi.advanceTimersByTime(ceilingMs / 2 - 1);
      expect(sweep.isReady()).toBe(false);
      vi.advanceTimersByTime(ceilingMs / 2 + 1);
    }
    omitted.clear();
    await run();
    expect(sweep.isReady()).toBe(true);
    omitted.add(10);
    await run();
    vi.advanceTimersByTime(30_000);
    expect(sweep.isReady()).toBe(true);
  });

  it.each(["cancel", "stop"])("ends at once on %s", async (how) => {
    const aborted = (_: readonly number[], signal: AbortSignal | undefined) =>
      new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
    const { sweep, windows, stopping } = setUp(aborted);
    sweep.start();
    await expect.poll(() => windows.length).toBe(1);
    if (how === "cancel") sweep.cancel(new Error("another worker leads"));
    else stopping.abort(new Error("stopped"));
    await sweep.settled();
    expect(sweep.state()).toBe("failed");
    expect(windows).toHaveLength(1);
    sweep.collect();
    expect(sweep.isReady()).toBe(true);
  });
});

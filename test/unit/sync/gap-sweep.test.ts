import { describe, expect, it } from "vitest";
import type { MarkRequest } from "../../../src/db/catalog-store.ts";
import { createGapSweep, type GapSweepDeps } from "../../../src/sync/gap-sweep.ts";
import { silent } from "../../support/templates.ts";

/** Steam has apps 10 and 12,000; 10 is stored. `before` runs at the start of each request. */
function setUp(before: (ids: readonly number[], signal: AbortSignal | undefined) => Promise<void> = async () => {}) {
  const stopping = new AbortController();
  const windows: [first: number, last: number][] = [];
  const marked: number[] = [];
  const deps = {
    pics: {
      async metadata(ids: readonly number[], signal?: AbortSignal) {
        windows.push([ids[0] ?? 0, ids.at(-1) ?? 0]);
        await before(ids, signal);
        signal?.throwIfAborted();
        const apps = [10, 12_000].filter((appid) => ids.includes(appid));
        return { apps: apps.map((appid) => ({ appid, changeNumber: 1 })), unknown: [] };
      },
    },
    store: {
      storedAppids: async (after: number) => (after < 10 ? [10] : []),
      mark: async ({ apps }: MarkRequest) => ({ known: apps.length, marked: apps.length, now: "" }),
    },
    logger: silent,
    concurrency: 1,
    appIdMax: 14_000,
    signal: stopping.signal,
    onMarked: (apps: number) => void marked.push(apps),
  };
  const sweep = createGapSweep(deps as unknown as GapSweepDeps);
  return { sweep, windows, marked, stopping };
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
      [1, 5_000],
      [5_001, 10_000],
      [10_001, 14_000],
    ]);
    expect(marked).toEqual([1, 1, 1]);
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
  });
});

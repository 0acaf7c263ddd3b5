import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type SupervisedThread, superviseThread } from "../../../src/db/pglite-supervisor.ts";
import { lost, type PgliteThread } from "../../../src/db/pglite-thread.ts";
import type { WorkerJob } from "../../../src/db/pglite-worker.ts";
import { DatabaseError } from "../../../src/process/errors.ts";
import { silent } from "../../support/templates.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const hangLimitMs = 60_000;
const hourMs = 3_600_000;
const job: WorkerJob = { kind: "query", sql: "select 1", params: [] };

type Conduct = "answers" | "hangs" | "panics" | "cannot be ended";

/** A thread that behaves as told; what it does can be changed while it runs. */
function fakeThread(conduct: Conduct): PgliteThread & { conduct: Conduct; isStopped: boolean } {
  let fail: ((reason: DatabaseError) => void) | null = null;
  return {
    conduct,
    isStopped: false,
    async request() {
      if (this.conduct === "answers") return [conduct];
      if (this.conduct === "panics") throw lost("the embedded database has failed: no space");
      return await new Promise((_, reject) => {
        fail = reject;
      });
    },
    isRunning: () => true,
    async stop(reason) {
      if (this.conduct === "cannot be ended") return await new Promise(() => {});
      this.isStopped = true;
      fail?.(reason);
    },
  };
}

/** Threads in the order in which they are started; an error is a start that fails. */
async function setUp(...conducts: (Conduct | Error)[]) {
  const threads: ReturnType<typeof fakeThread>[] = [];
  const hopeless: string[] = [];
  const supervised: SupervisedThread = await superviseThread({
    async start() {
      const conduct = conducts[threads.length];
      if (conduct instanceof Error) throw conduct;
      const thread = fakeThread(conduct ?? "hangs");
      threads.push(thread);
      return thread;
    },
    hangLimitMs,
    scriptLimitMs: 10 * hangLimitMs,
    logger: silent,
    onHopeless: (reason) => hopeless.push(reason),
  });
  const outcome = (what: string, given: Parameters<PgliteThread["request"]>[1] = job) =>
    supervised.request(what, given).catch((error: unknown) => error);
  return { supervised, threads, hopeless, outcome };
}

describe("superviseThread", () => {
  it("replaces a thread without an answer, fails its call as unreachable, and runs the next one on the new thread", async () => {
    const { supervised, threads, hopeless, outcome } = await setUp("hangs", "answers");
    const silentCall = outcome("pics_apply");
    await vi.advanceTimersByTimeAsync(hangLimitMs - 1_000);
    expect(threads).toHaveLength(1);
    expect(supervised.fault()).toMatch(/has not answered for 59 s; it is restarted after 60 s/);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await silentCall).toMatchObject({ fault: "unreachable", message: expect.stringContaining("pics_apply") });
    expect(await outcome("pics_apply")).toEqual(["answers"]);
    expect(threads.map(({ isStopped }) => isStopped)).toEqual([true, false]);
    expect([supervised.fault(), supervised.isRunning(), hopeless]).toEqual([null, true, []]);
  });

  it("replaces a thread that reports a panic at once", async () => {
    const { hopeless, outcome } = await setUp("panics", "answers");
    expect(await outcome("pics_apply")).toMatchObject({
      fault: "unreachable",
      message: expect.stringMatching(/no space/),
    });
    expect(await outcome("pics_apply")).toEqual(["answers"]);
    expect(hopeless).toEqual([]);
  });

  it.each<[string, Conduct, Conduct | Error, RegExp]>([
    ["hangs, too", "hangs", "hangs", /although its thread had been restarted/],
    ["panics, too", "panics", "panics", /although its thread had been restarted/],
    ["cannot be opened", "panics", new Error("disk full"), /cannot be opened again: disk full/],
    ["cannot be started because the old one cannot be ended", "cannot be ended", "answers", /cannot be ended/],
  ])("gives up when the replacement %s", async (_name, first, second, reason) => {
    const { supervised, hopeless, outcome } = await setUp(first, second);
    void outcome("pics_apply");
    await vi.advanceTimersByTimeAsync(hangLimitMs + 10_000);
    void outcome("pics_apply");
    await vi.advanceTimersByTimeAsync(hangLimitMs);
    expect(hopeless).toEqual([expect.stringMatching(reason)]);
    expect(supervised.isRunning()).toBe(false);
    expect(supervised.fault()).toMatch(reason);
    expect(await outcome("pics_apply")).toMatchObject({ fault: "unreachable" });
  });

  it("replaces the replacement once that has worked for an hour", async () => {
    const { threads, hopeless, outcome } = await setUp("hangs", "answers", "answers");
    for (const replaced of [0, 1]) {
      void outcome("pics_apply");
      await vi.advanceTimersByTimeAsync(hangLimitMs);
      expect(await outcome("pics_apply")).toEqual(["answers"]);
      await vi.advanceTimersByTimeAsync(hourMs);
      const current = threads[replaced + 1];
      if (current) current.conduct = "hangs";
    }
    expect([threads.length, hopeless]).toEqual([3, []]);
  });

  it("gives a script its longer limit", async () => {
    const { threads, outcome } = await setUp("hangs", "answers");
    void outcome("transaction", { kind: "script", sql: "" });
    await vi.advanceTimersByTimeAsync(9 * hangLimitMs);
    expect(threads).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(hangLimitMs);
    expect(threads).toHaveLength(2);
  });

  it("does not count the time in which the process did not run", async () => {
    const { threads, outcome } = await setUp("hangs", "answers");
    void outcome("pics_apply");
    await vi.advanceTimersByTimeAsync(10_000);
    vi.setSystemTime(Date.now() + hourMs);
    await vi.advanceTimersByTimeAsync(hangLimitMs - 11_000);
    expect(threads).toHaveLength(1);
  });

  it("neither replaces a thread that was stopped nor gives up on it", async () => {
    const { supervised, threads, hopeless, outcome } = await setUp("hangs", "answers");
    const call = outcome("pics_apply");
    await supervised.stop(new DatabaseError("fatal", "lock_lost", "taken over"));
    expect(await call).toMatchObject({ code: "lock_lost" });
    await vi.advanceTimersByTimeAsync(hourMs);
    expect(await outcome("pics_apply")).toMatchObject({ code: "lock_lost" });
    expect([threads.length, hopeless]).toEqual([1, []]);
  });
});

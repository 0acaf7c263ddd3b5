import { getEventListeners } from "node:events";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LeaderLease, LeaseLostError, whileLeading } from "../../../src/db/leader-lease.ts";
import { sleep } from "../../../src/process/time.ts";

const leaseMs = 90_000;
type LeaseAnswer = { leading: boolean; freeInMs: number | null } | Error;
const held: LeaseAnswer = { leading: true, freeInMs: null };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A lease that answers with `answers` in turn, then always with the last. */
function setUp(...answers: LeaseAnswer[]) {
  const calls: { call: string; atMs: number }[] = [];
  const messages: string[] = [];
  const startedAt = Date.now();
  const stopping = new AbortController();
  const log = (call: string) => calls.push({ call, atMs: Date.now() - startedAt });
  let answer: LeaseAnswer = held;
  const lease: LeaderLease = {
    leaseMs,
    async acquire() {
      log("acquire");
      answer = answers.shift() ?? answer;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async release() {
      log("release");
    },
  };
  const logger = pino({}, { write: (line: string) => messages.push(JSON.parse(line).msg) });
  const options = { logger, signal: stopping.signal };
  return { options, lease, calls, messages, stopping };
}
/** Work of `ms` milliseconds that rejects with the reason of the signal when it aborts first. */
const workFor = (ms: number) => async (signal: AbortSignal) => {
  await sleep(ms, signal);
  return "the result";
};

describe("whileLeading", () => {
  it("renews the lease during the work, releases it and returns the result of the work", async () => {
    const { options, lease, calls, messages, stopping } = setUp(held);
    const result = whileLeading(lease, options, workFor(80_000));
    await vi.advanceTimersByTimeAsync(80_000);
    expect(await result).toBe("the result");
    expect(calls).toEqual([
      { call: "acquire", atMs: 0 },
      { call: "acquire", atMs: 30_000 },
      { call: "acquire", atMs: 60_000 },
      { call: "release", atMs: 80_000 },
    ]);
    expect(messages).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(stopping.signal, "abort")).toEqual([]);
  });

  it("waits for another worker's lease, at most a third of a lease at a time, and logs it once", async () => {
    const { options, lease, calls, messages } = setUp(
      { leading: false, freeInMs: 80_000 },
      { leading: false, freeInMs: 5_000 },
      { leading: false, freeInMs: 0 },
      { leading: false, freeInMs: null },
      held,
    );
    const work = vi.fn(async () => "the result");
    const result = whileLeading(lease, options, work);
    await vi.advanceTimersByTimeAsync(35_199);
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toBe("the result");
    expect(calls.map(({ atMs }) => atMs)).toEqual([0, 30_000, 35_000, 35_100, 35_200, 35_200]);
    expect(messages).toEqual([expect.stringContaining("another worker collects")]);
  });

  it("stops waiting on abort, without work and without a release", async () => {
    const { options, lease, calls, stopping } = setUp({ leading: false, freeInMs: leaseMs });
    const work = vi.fn(workFor(0));
    const result = expect(whileLeading(lease, options, work)).rejects.toThrow("stopped");
    await vi.advanceTimersByTimeAsync(10_000);
    stopping.abort(new Error("stopped"));
    await result;
    await vi.advanceTimersByTimeAsync(leaseMs);
    expect(calls).toEqual([{ call: "acquire", atMs: 0 }]);
    expect(work).not.toHaveBeenCalled();

    const late = setUp(held);
    late.stopping.abort(new Error("stopped"));
    await expect(whileLeading(late.lease, late.options, work)).rejects.toThrow("stopped");
    expect(late.calls).toEqual([]);
  });

  it("forwards an abort to the work, waits for it and releases the lease", async () => {
    const { options, lease, calls, stopping } = setUp(held);
    const saving = vi.fn();
    const result = whileLeading(lease, options, async (signal) => {
      await sleep(leaseMs, signal).catch(() => {});
      await sleep(2_000);
      saving(signal.reason.message);
      signal.throwIfAborted();
    });
    const ended = expect(result).rejects.toThrow("stopped");
    await vi.advanceTimersByTimeAsync(10_000);
    stopping.abort(new Error("stopped"));
    await vi.advanceTimersByTimeAsync(1_999);
    expect(saving).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    await ended;
    expect(saving).toHaveBeenCalledWith("stopped");
    expect(calls.at(-1)).toEqual({ call: "release", atMs: 12_000 });
  });

  it("forwards an abort that came while the lease was acquired", async () => {
    const { options, stopping, lease } = setUp(held);
    const { acquire } = lease;
    lease.acquire = async () => {
      stopping.abort(new Error("stopped"));
      return acquire();
    };
    const seen = vi.fn();
    await whileLeading(lease, options, async (signal) => seen(signal.aborted));
    expect(seen).toHaveBeenCalledWith(true);
  });

  it("aborts the work with LeaseLostError when another worker has taken over, and does not acquire again", async () => {
    const { options, lease, calls } = setUp(held, held, { leading: false, freeInMs: 60_000 }, held);
    const result = whileLeading(lease, options, async (signal) => {
      await sleep(10 * leaseMs, signal).catch(() => {});
      await sleep(leaseMs);
      signal.throwIfAborted();
    });
    const ended = expect(result).rejects.toThrow(LeaseLostError);
    await vi.advanceTimersByTimeAsync(3 * leaseMs);
    await ended;
    expect(calls).toEqual([
      { call: "acquire", atMs: 0 },
      { call: "acquire", atMs: 30_000 },
      { call: "acquire", atMs: 60_000 },
      { call: "release", atMs: 150_000 },
    ]);
  });

  it("waits for a renewal in flight before it releases, because the renewal would acquire the lease again", async () => {
    const { options, lease, calls } = setUp(held);
    const { acquire } = lease;
    lease.acquire = async () => {
      const answer = await acquire();
      if (calls.length > 1) await sleep(5_000);
      calls.push({ call: "acquired", atMs: 0 });
      return answer;
    };
    const result = whileLeading(lease, options, workFor(31_000));
    await vi.advanceTimersByTimeAsync(35_000);
    expect(await result).toBe("the result");
    expect(calls.map(({ call }) => call)).toEqual(["acquire", "acquired", "acquire", "acquired", "release"]);
  });

  it("aborts the work with the error of a renewal that fails permanently", async () => {
    const { options, lease, calls } = setUp(held, new Error("the schema is older"));
    const result = expect(whileLeading(lease, options, workFor(leaseMs))).rejects.toThrow("the schema is older");
    await vi.advanceTimersByTimeAsync(30_000);
    await result;
    expect(calls.map(({ call }) => call)).toEqual(["acquire", "acquire", "release"]);
  });

  it.each(["result", "fault"])("logs a failed release, and keeps the %s of the work", async (end) => {
    const { options, messages, lease } = setUp(held);
    lease.release = () => Promise.reject(new Error("the database is away"));
    const result = whileLeading(lease, options, async () => {
      if (end === "fault") throw new Error("the work failed");
      return "the result";
    });
    if (end === "fault") await expect(result).rejects.toThrow("the work failed");
    else expect(await result).toBe("the result");
    expect(messages).toEqual(["the leader lease could not be released; it lapses"]);
  });

  it("throws when the lease cannot be acquired because of an error", async () => {
    const { options, lease, calls } = setUp(new Error("the schema is older"));
    await expect(whileLeading(lease, options, workFor(0))).rejects.toThrow("the schema is older");
    expect(calls.map(({ call }) => call)).toEqual(["acquire"]);
  });
});

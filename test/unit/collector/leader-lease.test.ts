import { getEventListeners } from "node:events";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type LeadOptions, whileLeading } from "../../../src/collector/leader-lease.ts";
import { LeaseLost } from "../../../src/collector/store.ts";
import { sleep } from "../../../src/process/time.ts";

const leaseMs = 90_000;
type LeaseAnswer = { leading: boolean; freeInMs: number | null } | Error;
const held: LeaseAnswer = { leading: true, freeInMs: null };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** `answers` in turn, the last one from then on. */
function setUp(...answers: LeaseAnswer[]) {
  const calls: { call: string; atMs: number }[] = [];
  const messages: string[] = [];
  const startedAt = Date.now();
  const stopping = new AbortController();
  const log = (call: string) => calls.push({ call, atMs: Date.now() - startedAt });
  let answer: LeaseAnswer = held;
  const store: LeadOptions["store"] = {
    async lead(ms) {
      expect(ms).toBe(leaseMs);
      log("lead");
      answer = answers.shift() ?? answer;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async resign() {
      log("resign");
    },
  };
  const logger = pino({}, { write: (line: string) => messages.push(JSON.parse(line).msg) });
  const options: LeadOptions = { store, leaseMs, logger, signal: stopping.signal };
  return { options, store, calls, messages, stopping };
}
/** Work of so many milliseconds, which ends with the signal's reason when that comes first. */
const workFor = (ms: number) => async (signal: AbortSignal) => {
  await sleep(ms, signal);
  return "the result";
};

describe("whileLeading", () => {
  it("renews the lease while it works, gives it back and returns what the work does", async () => {
    const { options, calls, messages, stopping } = setUp(held);
    const result = whileLeading(options, workFor(80_000));
    await vi.advanceTimersByTimeAsync(80_000);
    expect(await result).toBe("the result");
    expect(calls).toEqual([
      { call: "lead", atMs: 0 },
      { call: "lead", atMs: 30_000 },
      { call: "lead", atMs: 60_000 },
      { call: "resign", atMs: 80_000 },
    ]);
    expect(messages).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
    expect(getEventListeners(stopping.signal, "abort")).toEqual([]);
  });

  it("waits for another worker's lease, at most a third of one at a time, and says so once", async () => {
    const { options, calls, messages } = setUp(
      { leading: false, freeInMs: 80_000 },
      { leading: false, freeInMs: 5_000 },
      { leading: false, freeInMs: 0 },
      { leading: false, freeInMs: null },
      held,
    );
    const work = vi.fn(async () => "the result");
    const result = whileLeading(options, work);
    await vi.advanceTimersByTimeAsync(35_199);
    expect(work).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(await result).toBe("the result");
    expect(calls.map(({ atMs }) => atMs)).toEqual([0, 30_000, 35_000, 35_100, 35_200, 35_200]);
    expect(messages).toEqual([expect.stringContaining("another worker collects")]);
  });

  it("stops waiting when it is told to, without any work or lease to give back", async () => {
    const { options, calls, stopping } = setUp({ leading: false, freeInMs: leaseMs });
    const work = vi.fn(workFor(0));
    const result = expect(whileLeading(options, work)).rejects.toThrow("stopped");
    await vi.advanceTimersByTimeAsync(10_000);
    stopping.abort(new Error("stopped"));
    await result;
    await vi.advanceTimersByTimeAsync(leaseMs);
    expect(calls).toEqual([{ call: "lead", atMs: 0 }]);
    expect(work).not.toHaveBeenCalled();

    const late = setUp(held);
    late.stopping.abort(new Error("stopped"));
    await expect(whileLeading(late.options, work)).rejects.toThrow("stopped");
    expect(late.calls).toEqual([]);
  });

  it("hands the stop on to the work, waits for it and gives the lease back", async () => {
    const { options, calls, stopping } = setUp(held);
    const saving = vi.fn();
    const result = whileLeading(options, async (signal) => {
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
    expect(calls.at(-1)).toEqual({ call: "resign", atMs: 12_000 });
  });

  it("hands on a stop that came while the lease was taken", async () => {
    const { options, stopping, store } = setUp(held);
    const { lead } = store;
    store.lead = async (ms) => {
      stopping.abort(new Error("stopped"));
      return lead(ms);
    };
    const seen = vi.fn();
    await whileLeading(options, async (signal) => seen(signal.aborted));
    expect(seen).toHaveBeenCalledWith(true);
  });

  it("ends the work with LeaseLost when another worker has taken over, and never takes the lease back", async () => {
    const { options, calls } = setUp(held, held, { leading: false, freeInMs: 60_000 }, held);
    const result = whileLeading(options, async (signal) => {
      await sleep(10 * leaseMs, signal).catch(() => {});
      await sleep(leaseMs);
      signal.throwIfAborted();
    });
    const ended = expect(result).rejects.toThrow(LeaseLost);
    await vi.advanceTimersByTimeAsync(3 * leaseMs);
    await ended;
    expect(calls).toEqual([
      { call: "lead", atMs: 0 },
      { call: "lead", atMs: 30_000 },
      { call: "lead", atMs: 60_000 },
      { call: "resign", atMs: 150_000 },
    ]);
  });

  it("waits for a renewal in flight, which would take the lease back once it was given back", async () => {
    const { options, calls, store } = setUp(held);
    const { lead } = store;
    store.lead = async (ms) => {
      const answer = await lead(ms);
      if (calls.length > 1) await sleep(5_000);
      calls.push({ call: "led", atMs: 0 });
      return answer;
    };
    const result = whileLeading(options, workFor(31_000));
    await vi.advanceTimersByTimeAsync(35_000);
    expect(await result).toBe("the result");
    expect(calls.map(({ call }) => call)).toEqual(["lead", "led", "lead", "led", "resign"]);
  });

  it("ends the work with the fault of a renewal that fails for good", async () => {
    const { options, calls } = setUp(held, new Error("the schema is older"));
    const result = expect(whileLeading(options, workFor(leaseMs))).rejects.toThrow("the schema is older");
    await vi.advanceTimersByTimeAsync(30_000);
    await result;
    expect(calls.map(({ call }) => call)).toEqual(["lead", "lead", "resign"]);
  });

  it.each(["result", "fault"])("says that the lease could not be given back, and keeps the work's %s", async (end) => {
    const { options, messages, store } = setUp(held);
    store.resign = () => Promise.reject(new Error("the database is away"));
    const result = whileLeading(options, async () => {
      if (end === "fault") throw new Error("the work failed");
      return "the result";
    });
    if (end === "fault") await expect(result).rejects.toThrow("the work failed");
    else expect(await result).toBe("the result");
    expect(messages).toEqual(["the lease could not be given back; it lapses"]);
  });

  it("throws when the lease cannot be asked for", async () => {
    const { options, calls } = setUp(new Error("the schema is older"));
    await expect(whileLeading(options, workFor(0))).rejects.toThrow("the schema is older");
    expect(calls.map(({ call }) => call)).toEqual(["lead"]);
  });
});

import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createDatabaseRetry } from "../../../src/db/retry.ts";
import { DatabaseError, type DatabaseFault } from "../../../src/process/errors.ts";
import { silent } from "../../support/templates.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Fails the given number of times, then returns. */
function failing(times: number, fault: DatabaseFault) {
  let calls = 0;
  const work = async () => {
    calls += 1;
    if (calls <= times) throw new DatabaseError(fault, "CODE", "no");
    return "answer";
  };
  return { work, calls: () => calls };
}
const setUp = (signal?: AbortSignal) =>
  createDatabaseRetry("postgres", { logger: silent, random: () => 1, ...(signal && { signal }) });

describe("createDatabaseRetry", () => {
  it("logs an outage when it begins and once a minute, not with every attempt", async () => {
    const levels: number[] = [];
    const write = (line: string) => void levels.push((JSON.parse(line) as { level: number }).level);
    const retry = createDatabaseRetry("postgres", { logger: pino({}, { write }), random: () => 1 });
    const results = [1, 2, 3].map(() => retry.call(failing(12, "unreachable").work));
    await vi.advanceTimersByTimeAsync(59_000);
    expect(levels.filter((level) => level === 40)).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(59_000);
    expect(levels.filter((level) => level === 40)).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await Promise.all(results)).toEqual(["answer", "answer", "answer"]);
  });

  it.each(["unreachable", "retryable", "timeout"] as const)(
    "retries a call that fails as %s, with exponential backoff",
    async (fault) => {
      const retry = setUp();
      const { work, calls } = failing(3, fault);
      const result = retry.call(work);
      await vi.advanceTimersByTimeAsync(250 + 500 + 1_000 - 1);
      expect(calls()).toBe(3);
      await vi.advanceTimersByTimeAsync(1);
      expect(await result).toBe("answer");
    },
  );

  it.each(["data", "schema", "denied", "misconfigured", "fatal"] as const)(
    "does not retry a call that fails as %s",
    async (fault) => {
      await expect(setUp().call(failing(1, fault).work)).rejects.toMatchObject({ fault });
    },
  );

  it.each(["denied", "misconfigured", "fatal"] as const)(
    "takes a connection that fails as %s for an outage once a call has succeeded, and not before",
    async (fault) => {
      const retry = setUp();
      const rejected = new DatabaseError(fault, "28P01", "no", { atConnection: true });
      await expect(retry.call(() => Promise.reject(rejected))).rejects.toBe(rejected);
      await retry.call(async () => "first");
      let calls = 0;
      const result = retry.call(async () => {
        calls += 1;
        if (calls <= 3) throw rejected;
        return "back";
      });
      await vi.advanceTimersByTimeAsync(250);
      expect(retry.status()).toMatchObject({ reachable: false, reachable_since: null, last_error: "28P01: no" });
      await vi.advanceTimersByTimeAsync(500 + 1_000);
      expect(await result).toBe("back");
      expect(retry.status().reachable).toBe(true);
    },
  );

  it("throws a missing privilege although calls have succeeded", async () => {
    const retry = setUp();
    await retry.call(async () => "first");
    await expect(retry.call(failing(1, "denied").work)).rejects.toMatchObject({ fault: "denied" });
  });

  it("throws a timeout to a caller that can split its batch", async () => {
    await expect(setUp().call(failing(1, "timeout").work, { splittable: true })).rejects.toMatchObject({
      fault: "timeout",
    });
  });

  it("retries through an outage of ten minutes, and reports it in its status", async () => {
    const retry = setUp();
    await retry.call(async () => "first");
    expect(retry.status()).toMatchObject({ reachable: true, last_error: null });
    const awaySince = new Date().toISOString();
    const backAt = Date.now() + 600_000;
    const result = retry.call(async () => {
      if (Date.now() < backAt) throw new DatabaseError("unreachable", "ECONNREFUSED", "away");
      return "back";
    });
    await vi.advanceTimersByTimeAsync(300_000);
    expect(retry.status()).toMatchObject({
      reachable: false,
      reachable_since: null,
      last_error: "ECONNREFUSED: away",
      away_since: awaySince,
    });
    expect(Date.parse(retry.status().next_attempt_at ?? "")).toBeGreaterThanOrEqual(Date.now());
    await vi.advanceTimersByTimeAsync(315_000);
    expect(await result).toBe("back");
    expect(retry.status()).toMatchObject({ reachable: true, away_since: null, next_attempt_at: null });
  });

  it("throws the last error when its signal aborts", async () => {
    const stopping = new AbortController();
    const result = setUp(stopping.signal).call(failing(99, "unreachable").work);
    const rejected = expect(result).rejects.toMatchObject({ fault: "unreachable" });
    await vi.advanceTimersByTimeAsync(1_000);
    stopping.abort();
    await rejected;
  });

  it.each([
    ["25006", /read-only/],
    ["53100", /disk.*is full/],
  ])(
    "reports writes that are refused with %s until one of them succeeds, though reads succeed meanwhile",
    async (code, remedy) => {
      const retry = setUp();
      const acceptsAt = Date.now() + 60_000;
      const write = retry.call(async () => {
        if (Date.now() < acceptsAt) throw new DatabaseError("retryable", code, "refused");
        return "written";
      });
      await vi.advanceTimersByTimeAsync(30_000);
      expect(retry.status()).toMatchObject({ reachable: true, fault: expect.stringMatching(remedy) });
      await retry.call(async () => "read");
      expect(retry.status()).toMatchObject({ reachable: true, fault: expect.stringMatching(remedy) });
      await vi.advanceTimersByTimeAsync(45_000);
      expect(await write).toBe("written");
      expect(retry.status()).toMatchObject({ reachable: true, fault: null });
      expect(Date.parse(retry.status().reachable_since ?? "")).toBeGreaterThanOrEqual(acceptsAt);
    },
  );

  it("reports no refusal any more once the refused call has ended otherwise", async () => {
    const stopping = new AbortController();
    const retry = setUp(stopping.signal);
    const write = retry.call(async () => {
      throw new DatabaseError("retryable", "25006", "read-only");
    });
    const rejected = expect(write).rejects.toMatchObject({ code: "25006" });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(retry.status().fault).toMatch(/read-only/);
    stopping.abort();
    await rejected;
    expect(retry.status().fault).toBe(null);
  });
});

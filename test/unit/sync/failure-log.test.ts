import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createFailureLog, describeFailures } from "../../../src/sync/failure-log.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] }));
afterEach(() => void vi.useRealTimers());

const failures = (count: number, error: (appid: number) => string, first = 1) =>
  Array.from({ length: count }, (_, index) => ({ appid: first + index, error: error(first + index) }));

describe("describeFailures", () => {
  it("names the commonest errors first, and counts those that differ in numbers alone together", () => {
    const all = [
      ...failures(2, () => "cut off"),
      ...failures(300, (appid) => `no answer for app ${appid}`, 10),
      ...["a", "b", "c"].map((error, index) => ({ appid: 900 + index, error })),
    ];
    expect(describeFailures(all)).toBe(
      "305 apps failed: 300 × no answer for app 10; 2 × cut off; a; 2 with other errors",
    );
    expect(describeFailures([{ appid: 440, error: "cut off" }])).toBe("app 440 failed: cut off");
  });
});

describe("createFailureLog", () => {
  it("logs many failures as one line per interval, each app once, and nothing after the end", () => {
    const lines: string[] = [];
    const write = (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg);
    const log = createFailureLog({ logger: pino({}, { write }) });
    log.add([]);
    vi.advanceTimersByTime(3_600_000);
    expect(lines).toEqual([]);
    for (let batch = 0; batch < 10; batch++) log.add(failures(50, () => "cut off"));
    vi.advanceTimersByTime(5_000);
    expect(lines).toEqual(["50 apps failed: 50 × cut off; retried with backoff"]);
    log.add(failures(1, () => "cut off"));
    vi.advanceTimersByTime(590_000);
    expect(lines).toHaveLength(1);
    vi.advanceTimersByTime(10_000);
    expect(lines).toHaveLength(2);
    log.add(failures(1, () => "cut off"));
    log.stop();
    vi.advanceTimersByTime(3_600_000);
    expect(lines).toHaveLength(2);
  });
});

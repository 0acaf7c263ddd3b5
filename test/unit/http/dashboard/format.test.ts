import { describe, expect, it, test } from "vitest";
import {
  ago,
  count,
  difference,
  duration,
  grouped,
  share,
  shortValue,
  sizeWithGrowth,
} from "../../../../src/http/dashboard/page/format.js";

describe("formatting of values", () => {
  test.each([
    [null, "–"],
    [0, "0 s"],
    [119.4, "119 s"],
    [120, "2 min"],
    [7_199, "119 min"],
    [7_500, "2 h 05 min"],
    [200_000, "2 d 7 h"],
    [-3, "0 s"],
  ])("duration of %s s is %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  it("formats counts and ages", () => {
    expect([count(null), count(0), count(1_234_567.89)]).toEqual(["–", "0", "1,234,567.9"]);
    const now = Date.parse("2026-07-01T12:00:00Z");
    expect([ago("2026-07-01T11:00:00Z", now), ago(null, now)]).toEqual(["60 min ago", "–"]);
  });

  it("formats a size and its growth, once that is known", () => {
    expect(sizeWithGrowth({ bytes: 412_300_000, growth_per_day: null })).toBe("412 MB");
    expect(sizeWithGrowth({ bytes: 4_230_000, growth_per_day: 1_250 })).toBe("4.2 MB, +1.3 kB a day");
    expect(sizeWithGrowth({ bytes: 812, growth_per_day: -9 })).toBe("812 B, -9 B a day");
  });

  it("shortens long values and formats objects and times", () => {
    expect(shortValue("x".repeat(500))).toBe(`${"x".repeat(120)}…`);
    expect(shortValue({ token: "#Test_Result", display: 3 })).toBe("#Test_Result 3");
    expect(shortValue("2022-11-29T08:10:03+00:00")).toBe("2022-11-29 08:10");
    expect(shortValue("written on 2022-11-29T08:10:03+00:00")).toBe("written on 2022-11-29T08:10:03+00:00");
  });
});

describe("difference", () => {
  test.each([
    [null, 5, { removed: [], added: ["5"] }],
    ["old", null, { removed: ["old"], added: [] }],
    [false, 0, { removed: ["false"], added: ["0"] }],
    [["a", "b"], ["b", "c"], { removed: ["a"], added: ["c"] }],
    [null, ["a"], { removed: [], added: ['["a"]'] }],
    [
      { category: "playable", tested_build: 7, tests: [{ token: "#A", display: 3 }] },
      { category: "verified", tested_build: 7, tests: [{ token: "#A", display: 4 }] },
      { removed: ["category: playable", "tests: #A 3"], added: ["category: verified", "tests: #A 4"] },
    ],
  ])("from %j to %j lists what was removed and added", (before, after, expected) =>
    expect(difference(before, after)).toEqual(expected),
  );
});

describe("grouped", () => {
  it("groups consecutive changes of the same app and change number", () => {
    const of = (appid: number, change_number: number) => ({ appid, change_number });
    const [a, b, c, d] = [of(1, 7), of(1, 7), of(2, 7), of(1, 8)];
    expect(grouped([a, b, c, d])).toEqual([[a, b], [c], [d]]);
    expect(grouped([])).toEqual([]);
  });
});

test("share is null without a total and at most 1", () => {
  const shares = [share(3, null), share(undefined, 5), share(0, 0), share(1, 4), share(9, 4)];
  expect(shares).toEqual([null, null, null, 0.25, 1]);
});

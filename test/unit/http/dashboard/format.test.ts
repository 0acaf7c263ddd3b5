import { describe, expect, it, test } from "vitest";
import {
  ago,
  clock,
  count,
  dateAndClock,
  duration,
  percent,
  share,
  sizeWithGrowth,
} from "../../../../src/http/dashboard/page/format.js";

describe("formatting of values", () => {
  test.each([
    [null, "–"],
    [0, "0 s"],
    [59.4, "59 s"],
    [106, "1 min 46 s"],
    [120, "2 min"],
    [599.6, "10 min"],
    [3_599, "59 min"],
    [3_600, "1 h 00 min"],
    [7_500, "2 h 05 min"],
    [200_000, "2 d 7 h"],
    [-3, "0 s"],
  ])("duration of %s s is %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  test.each([
    [null, "–"],
    [0, "0 %"],
    [0.001, "< 1 %"],
    [0.554, "55 %"],
    [0.9996, "99.9 %"],
    [1, "100 %"],
  ])("share %s is %s", (value, text) => expect(percent(value)).toBe(text));

  it("formats counts and ages", () => {
    expect([count(null), count(0), count(1_234_567.89)]).toEqual(["–", "0", "1,234,567.9"]);
    const now = Date.parse("2026-07-01T12:00:00Z");
    expect([ago("2026-07-01T11:59:18Z", now), ago(null, now)]).toEqual(["42 s ago", "–"]);
  });

  it("formats times with 24 hours and their zone", () => {
    expect(clock("2026-07-01T13:07:05Z")).toMatch(/^\d\d:07:05 \S+$/);
    expect(dateAndClock("2026-07-01T23:59:59Z")).toMatch(/^2026-07-0[12] \d\d:\d\d:59 \S+$/);
    expect(clock(new Date(2026, 6, 1, 0, 5, 6).getTime())).toMatch(/^00:05:06 /);
  });

  it("formats a size and its growth, once that is known", () => {
    expect(sizeWithGrowth({ bytes: 412_300_000, growth_per_day: null })).toBe("412 MB");
    expect(sizeWithGrowth({ bytes: 4_230_000, growth_per_day: 1_250 })).toBe("4.2 MB, +1.3 kB a day");
    expect(sizeWithGrowth({ bytes: 812, growth_per_day: -9 })).toBe("812 B, −9 B a day");
  });
});

test("share is null without a total and at most 1", () => {
  const shares = [share(3, null), share(undefined, 5), share(0, 0), share(1, 4), share(9, 4)];
  expect(shares).toEqual([null, null, null, 0.25, 1]);
});

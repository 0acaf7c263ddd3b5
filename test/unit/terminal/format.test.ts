import { describe, expect, it } from "vitest";
import { formatCount, formatDuration, formatLine } from "../../../src/terminal/format.ts";

describe("formatLine", () => {
  it.each([
    [0, "syncing   ░░░░░░░░░░░░░░░░░░░░░░░░   0%  5 apps, 1/s"],
    [0.999, "syncing   ████████████████████████  99%  5 apps, 1/s"],
    [1, "syncing   ████████████████████████ 100%  5 apps, 1/s"],
    [null, "syncing   ░░░░░░░░░░░░░░░░░░░░░░░░       5 apps, 1/s"],
  ])("shows a share of %s", (share, line) => {
    expect(formatLine("syncing", share, ["5 apps", "1/s"], 80)).toBe(line);
  });

  it("leaves the last column free, where some terminals wrap", () => {
    expect(formatLine("syncing", 1, ["x".repeat(80)], 60)).toHaveLength(59);
  });
});

describe("formatCount", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [254_113, "254,113"],
    [-1_200, "-1,200"],
  ])("writes %d as %s", (count, text) => {
    expect(formatCount(count)).toBe(text);
  });
});

describe("formatDuration", () => {
  it.each([
    [0.42, "0.4 s"],
    [8, "8 s"],
    [59.6, "1 min 00 s"],
    [9.96, "10 s"],
    [80, "1 min 20 s"],
    [3599.6, "1 h 00 min"],
    [3600 + 5 * 60, "1 h 05 min"],
  ])("writes %d seconds as %s", (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });
});

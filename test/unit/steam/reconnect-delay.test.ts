import { expect, test } from "vitest";
import { reconnectDelayMs } from "../../../src/steam/reconnect-delay.ts";

const limits = { minDelayMs: 1_000, maxDelayMs: 300_000 };
const delays = (random: () => number) =>
  Array.from({ length: 12 }, (_, i) => reconnectDelayMs(i + 1, { ...limits, random }));

test("doubles from the shortest to the longest pause", () => {
  const lowest = delays(() => 0);
  expect(lowest).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150, 150].map((seconds) => seconds * 1_000));
  expect(reconnectDelayMs(10_000, { ...limits, random: () => 0 })).toBe(150_000);
});

test("spreads over the upper half, at the limit too", () => {
  const highest = delays(() => 0.999_999);
  expect(highest).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300].map((seconds) => seconds * 1_000));
});

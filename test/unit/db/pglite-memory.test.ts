import { describe, expect, it } from "vitest";
import { profileFor } from "../../../src/db/pglite-memory.ts";
import { memoryLimit } from "../../../src/process/memory.ts";

const gigabyte = 2 ** 30;

describe("memoryLimit", () => {
  it.each([
    ["the cgroup's limit", 0.5 * gigabyte, 0.5 * gigabyte],
    ["all memory without a limit (version 2 reports 0)", 0, 8 * gigabyte],
    ["all memory without a limit (version 1 reports about 2^63)", 2 ** 63, 8 * gigabyte],
  ])("is %s", (_name, constrained, limit) => {
    expect(memoryLimit(constrained, 8 * gigabyte)).toBe(limit);
  });
});

describe("profileFor", () => {
  it("chooses the small profile below 1.5 GB", () => {
    expect([0.6, 1.49, 1.5, 8].map((size) => profileFor(size * gigabyte))).toEqual([
      "small",
      "small",
      "roomy",
      "roomy",
    ]);
  });
});

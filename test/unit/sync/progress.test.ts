import { describe, expect, it } from "vitest";
import { secondsLeft } from "../../../src/sync/progress.ts";

describe("secondsLeft", () => {
  it("is that of the sweep and of what waits, and unknown while either is", () => {
    expect(secondsLeft("sweeping", 5, 100)).toBe(105);
    expect(secondsLeft("sweeping", 0, 100)).toBe(100);
    expect(secondsLeft("sweeping", 5, null)).toBeNull();
    expect(secondsLeft("sweeping", null, 100)).toBeNull();
    expect(secondsLeft("syncing", 5, null)).toBe(5);
    expect(secondsLeft("starting", null, null)).toBeNull();
    expect(secondsLeft("done", null, null)).toBe(0);
  });
});

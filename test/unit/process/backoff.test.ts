import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Backoff, backoffMs } from "../../../src/process/backoff.ts";

const backoffs = fc.record({
  firstMs: fc.integer({ min: 0, max: 60_000 }),
  maxMs: fc.integer({ min: 0, max: 3_600_000 }),
});
const attempts = fc.integer({ min: 1, max: 1_000_000 });
const fractions = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const ceiling = (attempt: number, backoff: Backoff) => backoffMs(attempt, backoff, () => 1);

describe("backoffMs", () => {
  it("doubles from the first delay up to the maximum", () => {
    const delays = [1, 2, 3, 4, 5].map((attempt) => ceiling(attempt, { firstMs: 250, maxMs: 3_000 }));
    expect(delays).toEqual([250, 500, 1_000, 2_000, 3_000]);
  });

  it("lies between half of the ceiling and the ceiling, which never exceeds the maximum", () => {
    fc.assert(
      fc.property(attempts, backoffs, fractions, (attempt, backoff, fraction) => {
        const delayMs = backoffMs(attempt, backoff, () => fraction);
        expect(delayMs).toBeGreaterThanOrEqual(Math.floor(ceiling(attempt, backoff) / 2));
        expect(delayMs).toBeLessThanOrEqual(ceiling(attempt, backoff));
        expect(ceiling(attempt, backoff)).toBeLessThanOrEqual(backoff.maxMs);
      }),
    );
  });

  it("has a ceiling that grows with the attempts", () => {
    fc.assert(
      fc.property(attempts, backoffs, (attempt, backoff) => {
        expect(ceiling(attempt + 1, backoff)).toBeGreaterThanOrEqual(ceiling(attempt, backoff));
      }),
    );
  });
});

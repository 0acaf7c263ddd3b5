import { describe, expect, it } from "vitest";
import { batches } from "../../../src/collector/batches.ts";

describe("batches", () => {
  it.each([
    [[], 3, [[[], true]]],
    [[1], 3, [[[1], true]]],
    [[1, 2, 3], 3, [[[1, 2, 3], true]]],
    [
      [1, 2, 3, 4],
      3,
      [
        [[1, 2, 3], false],
        [[4], true],
      ],
    ],
    [
      [1, 2, 3, 4],
      2,
      [
        [[1, 2], false],
        [[3, 4], true],
      ],
    ],
    [
      [1, 2],
      1,
      [
        [[1], false],
        [[2], true],
      ],
    ],
  ])("splits %j into batches of %i", (items: number[], size, parts) => {
    expect([...batches(items, size)]).toEqual(parts);
  });
});

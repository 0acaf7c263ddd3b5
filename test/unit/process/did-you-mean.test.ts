import { describe, expect, it } from "vitest";
import { didYouMean, nearest } from "../../../src/process/did-you-mean.ts";

describe("nearest", () => {
  const verdicts = ["unknown", "unsupported", "playable", "verified"];

  it.each([
    ["verifed", verdicts, "verified"],
    ["VERIFIED", verdicts, "verified"],
    ["unsuported", verdicts, "unsupported"],
    ["tagg", ["type", "tag"], "tag"],
    // The beginning of a name, which is many edits away; the shortest such name.
    ["win", ["windows_server", "windows"], "windows"],
    ["BULK_BATCHSIZE", ["BATCH_SIZE", "BULK_BATCH_SIZE"], "BULK_BATCH_SIZE"],
    ["great", verdicts, null],
    ["", verdicts, null],
    ["ve", verdicts, null],
    ["x".repeat(10_000), ["x".repeat(9_999)], null],
    ["tag", [], null],
  ])("finds what %j means among %j: %j", (text, names, expected) => {
    expect(nearest(text, names)).toBe(expected);
  });

  it("asks for the name in a sentence, and asks nothing when none is near", () => {
    expect(didYouMean("tagg", ["tag"])).toBe("; did you mean tag?");
    expect(didYouMean("tagg", ["tag"], JSON.stringify)).toBe('; did you mean "tag"?');
    expect(didYouMean("x", ["tag"])).toBe("");
  });
});

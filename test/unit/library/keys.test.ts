import { describe, expect, it } from "vitest";
import { ImportRejectedError } from "../../../src/library/errors.ts";
import { checkEnrichedKey, enrichedKey, rawKey } from "../../../src/library/keys.ts";

const now = new Date("2026-11-20T21:18:05.123Z");

describe("rawKey", () => {
  it("depends on user and execution id alone when an execution id is given", () => {
    expect(rawKey("u1", "run-7", now)).toBe("imports/u1/run-7-raw.csv");
    expect(rawKey("u1", "run-7", new Date(0))).toBe(rawKey("u1", "run-7", now));
    expect(rawKey("u1", "run-8", now)).not.toBe(rawKey("u1", "run-7", now));
  });

  it("is unique without an execution id, even within a millisecond", () => {
    const keys = Array.from({ length: 500 }, () => rawKey("u1", undefined, now));
    expect(new Set(keys).size).toBe(500);
    for (const key of keys) expect(key).toMatch(/^imports\/u1\/20261120T211805123Z-[0-9a-f]{8}-raw\.csv$/);
  });

  it("contains the user id", () => {
    expect(rawKey("u2", "run-7", now)).toBe("imports/u2/run-7-raw.csv");
  });
});

describe("enrichedKey and checkEnrichedKey", () => {
  it("give the key beside the raw file, deterministically", () => {
    expect(enrichedKey("u1", rawKey("u1", "run-7", now))).toBe("imports/u1/run-7-enriched.csv");
    const key = rawKey("u1", undefined, now);
    expect(enrichedKey("u1", key)).toBe(key.replace("-raw.csv", "-enriched.csv"));
    expect(() => checkEnrichedKey("u1", enrichedKey("u1", key))).not.toThrow();
  });

  it("replace only the suffix", () => {
    expect(enrichedKey("u1", "imports/u1/a-raw.csv-raw.csv")).toBe("imports/u1/a-raw.csv-enriched.csv");
  });

  const foreign: [string, string][] = [
    ["of another user", "imports/u2/run-7-raw.csv"],
    ["of a user whose id has this prefix", "imports/u10/run-7-raw.csv"],
    ["without a user", "imports/run-7-raw.csv"],
    ["of another folder", "exports/u1/run-7-raw.csv"],
    ["below the folder", "imports/u1/deeper/run-7-raw.csv"],
    ["with a path traversal", "imports/u1/../u2/run-7-raw.csv"],
    ["from the root", "/imports/u1/run-7-raw.csv"],
    ["of another kind", "imports/u1/run-7-enriched.csv"],
    ["of another type", "imports/u1/run-7-raw.json"],
    ["without a run", "imports/u1/-raw.csv"],
    ["that is a folder", "imports/u1/"],
    ["with an empty key", ""],
    ["with a NUL", "imports/u1/run\u0000-raw.csv"],
    ["with a line break", "imports/u1/run\n-raw.csv"],
    ["with a space", "imports/u1/run 7-raw.csv"],
    ["with an overlong run", `imports/u1/${"x".repeat(1_000)}-raw.csv`],
  ];
  it.each(foreign)("throw for a file %s", (_, key) => {
    expect(() => enrichedKey("u1", key)).toThrow(ImportRejectedError);
    expect(() => enrichedKey("u1", key)).toThrow("does not belong to user u1; expected imports/u1/…-raw.csv");
    const other = key.endsWith("-enriched.csv") ? "imports/u1/run-7-raw.csv" : key.replace("-raw", "-enriched");
    expect(() => checkEnrichedKey("u1", other)).toThrow(
      "does not belong to user u1; expected imports/u1/…-enriched.csv",
    );
  });
});

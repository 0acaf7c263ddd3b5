import { describe, expect, it } from "vitest";
import { ImportRejectedError } from "../../../src/library/errors.ts";
import { checkEnrichedKey, enrichedKey, rawKey } from "../../../src/library/keys.ts";

const now = new Date("2026-11-20T21:18:05.123Z");

describe("the key of a raw file", () => {
  it("is the same for the same execution, whenever it runs", () => {
    expect(rawKey("u1", "run-7", now)).toBe("imports/u1/run-7-raw.csv");
    expect(rawKey("u1", "run-7", new Date(0))).toBe(rawKey("u1", "run-7", now));
    expect(rawKey("u1", "run-8", now)).not.toBe(rawKey("u1", "run-7", now));
  });

  it("is unique without one, also within a millisecond", () => {
    const keys = Array.from({ length: 500 }, () => rawKey("u1", undefined, now));
    expect(new Set(keys).size).toBe(500);
    for (const key of keys) expect(key).toMatch(/^imports\/u1\/20261120T211805123Z-[0-9a-f]{8}-raw\.csv$/);
  });

  it("is another for each user", () => {
    expect(rawKey("u2", "run-7", now)).toBe("imports/u2/run-7-raw.csv");
  });
});

describe("the key of an enriched file", () => {
  it("stands beside the raw one, the same each time", () => {
    expect(enrichedKey("u1", rawKey("u1", "run-7", now))).toBe("imports/u1/run-7-enriched.csv");
    const key = rawKey("u1", undefined, now);
    expect(enrichedKey("u1", key)).toBe(key.replace("-raw.csv", "-enriched.csv"));
    expect(() => checkEnrichedKey("u1", enrichedKey("u1", key))).not.toThrow();
  });

  it("replaces only the end", () => {
    expect(enrichedKey("u1", "imports/u1/a-raw.csv-raw.csv")).toBe("imports/u1/a-raw.csv-enriched.csv");
  });

  const foreign: [string, string][] = [
    ["of another user", "imports/u2/run-7-raw.csv"],
    ["of a user whose id begins so", "imports/u10/run-7-raw.csv"],
    ["of no user", "imports/run-7-raw.csv"],
    ["of another folder", "exports/u1/run-7-raw.csv"],
    ["below the folder", "imports/u1/deeper/run-7-raw.csv"],
    ["that climbs out", "imports/u1/../u2/run-7-raw.csv"],
    ["from the root", "/imports/u1/run-7-raw.csv"],
    ["of another kind", "imports/u1/run-7-enriched.csv"],
    ["of another type", "imports/u1/run-7-raw.json"],
    ["without a run", "imports/u1/-raw.csv"],
    ["that is the folder", "imports/u1/"],
    ["of nothing", ""],
  ];
  it.each(foreign)("is none for a file %s", (_, key) => {
    expect(() => enrichedKey("u1", key)).toThrow(ImportRejectedError);
    expect(() => enrichedKey("u1", key)).toThrow("does not belong to user u1; expected imports/u1/…-raw.csv");
    const other = key.endsWith("-enriched.csv") ? "imports/u1/run-7-raw.csv" : key.replace("-raw", "-enriched");
    expect(() => checkEnrichedKey("u1", other)).toThrow(
      "does not belong to user u1; expected imports/u1/…-enriched.csv",
    );
  });
});

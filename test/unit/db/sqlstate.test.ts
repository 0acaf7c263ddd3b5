import { describe, expect, test } from "vitest";
import { faultOfStatus, findErrorCode, toDatabaseError } from "../../../src/db/sqlstate.ts";

describe("findErrorCode", () => {
  test.each([
    ["08006", "unreachable"],
    ["57P01", "unreachable"],
    ["57P03", "unreachable"],
    ["53300", "unreachable"],
    ["ECONNREFUSED", "unreachable"],
    ["PGRST003", "unreachable"],
    ["40001", "retryable"],
    ["40P01", "retryable"],
    ["55P03", "retryable"],
    ["57014", "timeout"],
    ["22003", "data"],
    ["23505", "data"],
    ["23514", "data"],
    ["54000", "data"],
    ["42P01", "schema"],
    ["42883", "schema"],
    ["PGRST202", "schema"],
    ["28P01", "denied"],
    ["42501", "denied"],
    ["PGRST301", "denied"],
    ["42601", null],
    ["XX000", null],
    // Two leading digits do not make a SQLSTATE.
    ["22", null],
    ["", null],
  ])("classifies %s as %s", (code, fault) => expect(findErrorCode(code)?.fault ?? null).toBe(fault));
});

describe("faultOfStatus", () => {
  test.each([
    [401, "denied"],
    [402, "unreachable"],
    [403, "denied"],
    [413, "timeout"],
    [429, "retryable"],
    [502, "unreachable"],
    [503, "unreachable"],
    [504, "unreachable"],
    [522, "unreachable"],
    [540, "unreachable"],
    [404, "fatal"],
    [500, "fatal"],
  ])("classifies %i as %s", (status, fault) => expect(faultOfStatus(status)).toBe(fault));
});

describe("toDatabaseError", () => {
  test("uses the code of the cause of an error", () => {
    const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
    const error = toDatabaseError("supabase", "claim", new TypeError("fetch failed", { cause: refused }));
    expect(error).toMatchObject({ fault: "unreachable", code: "ECONNREFUSED" });
  });

  test("classifies by code, never by message text", () => {
    const error = toDatabaseError("postgres", "claim", new Error("connection refused, deadlock detected, 57014"));
    expect(error).toMatchObject({ fault: "fatal", code: "unknown" });
  });

  test("puts the remedy for a missing schema into the message", () => {
    const missing = Object.assign(new Error("no function"), { code: "42883" });
    expect(toDatabaseError("supabase", "claim", missing).message).toContain("supabase db push");
    expect(toDatabaseError("postgres", "claim", missing).message).toContain("npm start -- migrate");
  });
});

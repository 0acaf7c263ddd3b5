import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { errorCodes } from "../../../src/db/error-codes.ts";
import { findErrorCode, remedyOf } from "../../../src/db/sqlstate.ts";
import { errorTable, faultTable } from "../../support/error-table.ts";

const documentation = readFileSync(new URL("../../../docs/database-errors.md", import.meta.url), "utf8");

describe("the table of error codes", () => {
  const cases = errorCodes.flatMap((row) => (row.tokens ?? [""]).map((token) => [row.code, token, row] as const));

  it.each(cases)("finds the row of %s %s, which no other row hides", (code, token, row) => {
    const given = code.replace("xxx", "Z9Z");
    expect(findErrorCode(given, `FATAL: (${token.toUpperCase()}) words`, row.atConnection ?? false)).toBe(row);
    // Without its condition, the row does not apply.
    if (token) expect(findErrorCode(given, "words", true)).not.toBe(row);
    if (row.atConnection) expect(findErrorCode(given, "words", false)).not.toBe(row);
  });

  it("has a remedy, in terms of the settings, for whatever only an operator can correct", () => {
    for (const row of errorCodes.filter(({ fault }) => fault === "misconfigured" || fault === "denied")) {
      for (const driver of ["postgres", "supabase"] as const) expect(remedyOf(row, driver)).toMatch(/^.{10,}[^.]$/);
    }
  });

  it("has no row for a code that it does not know", () => {
    expect(findErrorCode("42601")).toBeNull();
    expect(findErrorCode("XX000", "cache lookup failed")).toBeNull();
  });

  it("stands in docs/database-errors.md, which `npm run docs` writes", () => {
    expect(documentation).toContain(errorTable());
    expect(documentation).toContain(faultTable());
  });
});

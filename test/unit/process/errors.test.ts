import { describe, expect, it } from "vitest";
import { errorCode } from "../../../src/process/errors.ts";

const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
const wrapped = new TypeError("fetch failed", { cause: refused });
const wrappedTwice = new Error("request failed", { cause: wrapped });

describe("errorCode", () => {
  it.each([
    ["its own code", refused, "ECONNREFUSED"],
    ["the code of its cause", wrapped, "ECONNREFUSED"],
    ["the code of a cause three levels deep", wrappedTwice, "ECONNREFUSED"],
    ["null for a cause deeper than that", new Error("failed", { cause: wrappedTwice }), null],
    [
      "the code behind an empty one",
      Object.assign(new Error("failed", { cause: refused }), { code: "" }),
      "ECONNREFUSED",
    ],
    ["null for a code that is no string", Object.assign(new Error("failed"), { code: 7 }), null],
    ["null for what is no error", "ECONNREFUSED", null],
  ])("returns %s", (_, error, code) => expect(errorCode(error)).toBe(code));
});

import { describe, expect, it } from "vitest";
import { describeNetworkError, networkErrorCode } from "../../../src/doctor/probe.ts";

const withCode = (code: string) => Object.assign(new Error("a message without a code"), { code });

describe("networkErrorCode", () => {
  it.each([
    ["of the error itself", withCode("ECONNRESET"), "ECONNRESET"],
    ["of its cause", new TypeError("fetch failed", { cause: withCode("ENOTFOUND") }), "ENOTFOUND"],
    [
      "of the first of several addresses",
      new TypeError("fetch failed", { cause: new AggregateError([withCode("ECONNREFUSED")]) }),
      "ECONNREFUSED",
    ],
    [
      "of a tunnel that a proxy refuses",
      new TypeError("fetch failed", {
        cause: Object.assign(new Error("Proxy response (502)"), { name: "AbortError", code: "UND_ERR_ABORTED" }),
      }),
      "UND_ERR_ABORTED",
    ],
    ["of a timeout", new DOMException("late", "TimeoutError"), "ETIMEDOUT"],
    ["unknown for an error without a code", new Error("ENOTFOUND"), "unknown"],
    ["unknown for a value that is no error", "ENOTFOUND", "unknown"],
  ])("returns the code %s", (_name, error, code) => {
    expect(networkErrorCode(error)).toBe(code);
  });
});

describe("describeNetworkError", () => {
  it.each([
    ["ENOTFOUND", "host name not found (DNS) (ENOTFOUND)"],
    ["ECONNREFUSED", "connection refused (ECONNREFUSED)"],
    ["UND_ERR_CONNECT_TIMEOUT", "timeout (UND_ERR_CONNECT_TIMEOUT)"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "the certificate is not trusted (SELF_SIGNED_CERT_IN_CHAIN)"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "the certificate is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)"],
    ["ESOMETHING", "no response (ESOMETHING)"],
  ])("describes %s", (code, words) => {
    expect(describeNetworkError(code, "")).toContain(words);
  });

  it("attributes connection errors, but not certificate errors, to the proxy", () => {
    const proxy = "http://user:hunter22@proxy.example:3128";
    expect(describeNetworkError("ECONNREFUSED", proxy)).toBe(
      "the proxy http://proxy.example:3128: connection refused (ECONNREFUSED)",
    );
    expect(describeNetworkError("UND_ERR_ABORTED", proxy)).toBe(
      "the proxy http://proxy.example:3128 refuses the tunnel (UND_ERR_ABORTED)",
    );
    expect(describeNetworkError("CERT_HAS_EXPIRED", proxy)).toMatch(/^the certificate is not trusted/);
  });
});

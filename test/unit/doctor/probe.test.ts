import { describe, expect, it } from "vitest";
import { causeOf, codeOf } from "../../../src/doctor/probe.ts";

const withCode = (code: string) => Object.assign(new Error("its text says nothing"), { code });

describe("codeOf", () => {
  it.each([
    ["of the error itself", withCode("ECONNRESET"), "ECONNRESET"],
    ["of what caused it", new TypeError("fetch failed", { cause: withCode("ENOTFOUND") }), "ENOTFOUND"],
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
    ["of a limit that passed", new DOMException("late", "TimeoutError"), "ETIMEDOUT"],
    ["of nothing that is known", new Error("ENOTFOUND"), "unknown"],
    ["of what is no error", "ENOTFOUND", "unknown"],
  ])("finds the code %s", (_name, error, code) => {
    expect(codeOf(error)).toBe(code);
  });
});

describe("causeOf", () => {
  it.each([
    ["ENOTFOUND", "its name is unknown (DNS) (ENOTFOUND)"],
    ["ECONNREFUSED", "it refuses the connection (ECONNREFUSED)"],
    ["UND_ERR_CONNECT_TIMEOUT", "it does not answer in time (UND_ERR_CONNECT_TIMEOUT)"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "the certificate is not trusted (SELF_SIGNED_CERT_IN_CHAIN)"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "the certificate is not trusted (ERR_TLS_CERT_ALTNAME_INVALID)"],
    ["ESOMETHING", "there is no answer (ESOMETHING)"],
  ])("has words for %s", (code, words) => {
    expect(causeOf(code, "")).toContain(words);
  });

  it("blames the proxy for connections, which are all made to it, and not for certificates", () => {
    const proxy = "http://user:hunter22@proxy.example:3128";
    expect(causeOf("ECONNREFUSED", proxy)).toBe(
      "the proxy http://proxy.example:3128: it refuses the connection (ECONNREFUSED)",
    );
    expect(causeOf("UND_ERR_ABORTED", proxy)).toBe(
      "the proxy http://proxy.example:3128 does not open the way there (UND_ERR_ABORTED)",
    );
    expect(causeOf("CERT_HAS_EXPIRED", proxy)).toMatch(/^the certificate is not trusted/);
  });
});

import { describe, expect, it } from "vitest";
import { createRedactor, redactTexts } from "../../../src/process/redactor.ts";

describe("createRedactor", () => {
  it.each([
    ["Authorization: Bearer abc.def-1", "Authorization: Bearer [hidden]"],
    ["key eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoieCJ9.c2ln!", "key [hidden]!"],
    ["sb_secret_AbC-1 refused", "[hidden] refused"],
    ['body {\\"access_token\\":\\"abc\\",\\"appid\\":440}', 'body {\\"access_token\\":\\"[hidden]\\",\\"appid\\":440}'],
    ["http://user:p@ss@proxy:3128 is away", "http://user:[hidden]@proxy:3128 is away"],
  ])("cleans %s", (given, expected) => {
    expect(createRedactor()(given)).toBe(expected);
  });

  it.each([
    "connect ECONNREFUSED 127.0.0.1:5432",
    "wss://cm1.steam.example:443/cmsocket/ closed",
    '{"token":"#SteamDeckVerified","missing_token":true,"keys":3}',
    "https://store.example/app/440?l=english",
  ])("leaves %s alone", (text) => {
    expect(createRedactor()(text)).toBe(text);
  });

  it("redacts values in their JSON form too, and ignores very short ones", () => {
    const redact = createRedactor(['a"b\\cdef', "ab"]);
    expect(redact(JSON.stringify({ text: 'x a"b\\cdef y ab' }))).toBe('{"text":"x [hidden] y ab"}');
  });

  // Of the shape of no known key, so that only its value gives it away.
  const secret = "kX7-q_Zr9+Wb/3mTtY8.vNcL2pQ";
  const base64 = Buffer.from(secret).toString("base64");
  const encodings: Record<string, string> = {
    plainly: secret,
    "in JSON inside JSON": JSON.stringify(JSON.stringify({ said: secret })),
    "as a query parameter": `?apikey=${encodeURIComponent(secret)}`,
    "percent-encoded as a whole": [...secret].map((c) => `%${c.charCodeAt(0).toString(16)}`).join(""),
    "percent-encoded twice": encodeURIComponent(encodeURIComponent(secret)),
    "with \\u escapes": [...secret].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join(""),
    "in base64": base64,
    "in base64url": Buffer.from(secret).toString("base64url"),
    "in base64 behind one byte": Buffer.from(`:${secret}`).toString("base64"),
    "in base64 behind a user's name": Buffer.from(`me:${secret}\n`).toString("base64"),
    "over lines": secret.replace(/(.{5})/g, "$1\r\n  "),
    "over lines inside JSON": JSON.stringify(secret.replace(/(.{5})/g, "$1\n\t")),
    "in base64 over lines": base64.replace(/(.{7})/g, "$1\n"),
    "cut off": `${secret.slice(0, 14)}…`,
    "without its beginning": secret.slice(9),
  };
  it.each(Object.entries(encodings))("redacts a key that is written %s", (_how, written) => {
    const clean = createRedactor([secret])(`before ${written} after`);
    expect(clean).toMatch(/^before .*\[hidden\].* after$/s);
    // Each character of the key that is left would make the text longer than its frame.
    const frame = /before|after|hidden|said|apikey|\W/g;
    expect(clean.replace(frame, "").length).toBeLessThan(12);
  });

  it("leaves words alone that a connection string shares with its surroundings", () => {
    const redact = createRedactor(["postgres://steam:pw-0123456@catalog.database.example/steam"]);
    expect(redact("catalog.database.example is away")).toBe("catalog.database.example is away");
  });

  it("redacts every text of a document and keeps the rest", () => {
    const given = { a: [{ text: `x ${secret}`, n: 1, none: null }], flag: true };
    expect(redactTexts(given, createRedactor([secret]))).toEqual({
      a: [{ text: "x [hidden]", n: 1, none: null }],
      flag: true,
    });
  });
});

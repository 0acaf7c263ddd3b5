import { expect, test } from "vitest";
import { isHostName, isInDomains, valveDomains } from "../../../src/process/host-name.ts";

test.each([
  "clientconfig.akamai.steamstatic.com",
  "cache1-fra1.steamcontent.com",
  "steamcontent.com",
  "a.b",
  "xn--bcher-kva.example",
])("accepts the host name %s", (host) => {
  expect(isHostName(host)).toBe(true);
});

test.each([
  "",
  "localhost",
  "127.0.0.1",
  "2130706433",
  "0x7f000001",
  "0x7f.0.0.1",
  "0177.0.0.1",
  "127.1",
  "1.2.3.4.5",
  "::1",
  "[::1]",
  "[::ffff:127.0.0.1]",
  "steamcontent.com.",
  ".steamcontent.com",
  "a..steamcontent.com",
  "-a.steamcontent.com",
  "a-.steamcontent.com",
  "SteamContent.com",
  "steamcontent.com:80",
  "steamcontent.com/",
  "steamcontent.com/../x",
  "steamcontent.com?x",
  "steamcontent.com#x",
  "steamcontent.com\\x",
  "user@steamcontent.com",
  "evil.example#.steamcontent.com",
  "evil.example/.steamcontent.com",
  "steamcontent.com\n",
  "steamcontent.com\0",
  "steam content.com",
  "steamcontent%2ecom",
  "%61.steamcontent.com",
  "ѕteamcontent.com",
  "\u212A.steamcontent.com",
  "steamcontent。com",
  "a_b.steamcontent.com",
  "http://steamcontent.com",
  `${"a".repeat(64)}.steamcontent.com`,
  `${"a.".repeat(127)}com`,
])("rejects %j as a host name", (text) => {
  expect(isHostName(text)).toBe(false);
});

test("matches a domain and what is below it, at a label boundary only", () => {
  for (const host of ["steamcontent.com", "a.steamcontent.com", "a.b.steamstatic.com"]) {
    expect(isInDomains(host, valveDomains)).toBe(true);
  }
  for (const host of ["evilsteamcontent.com", "steamcontent.com.evil.example", "com", "content.com", ""]) {
    expect(isInDomains(host, valveDomains)).toBe(false);
  }
  expect(isInDomains("a.steamcontent.com", [])).toBe(false);
});

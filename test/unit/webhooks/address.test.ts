import type dns from "node:dns";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { addressFault, guardedLookup, isPublicAddress } from "../../../src/webhooks/address.ts";
import { webhookUrlFault } from "../../../src/webhooks/check-url.ts";
import { createPoster } from "../../../src/webhooks/post.ts";
import { shownUrl } from "../../../src/webhooks/shown.ts";

const forbidden = [
  ["this machine", "127.0.0.1 127.255.255.254 0.0.0.0 ::1 ::"],
  ["private networks", "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12:3456::1"],
  ["link-local addresses and the metadata of clouds", "169.254.169.254 169.254.0.1 fe80::1 fe80::1%eth0 fd00:ec2::254"],
  ["carrier-grade NAT", "100.64.0.1 100.127.255.255"],
  ["groups and broadcast", "224.0.0.1 239.255.255.255 255.255.255.255 ff02::1"],
  ["documentation, benchmarks and reserved", "192.0.2.1 198.51.100.1 203.0.113.1 198.18.0.1 240.0.0.1 2001:db8::1"],
  [
    "IPv4 inside IPv6",
    "::ffff:127.0.0.1 ::ffff:a00:1 ::ffff:169.254.169.254 64:ff9b::7f00:1 64:ff9b::10.0.0.1 2002:7f00:1::",
  ],
  ["what is no address", "localhost 2130706433 0x7f.1 127.1"],
] as const;
const allowed =
  "8.8.8.8 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 2606:4700:4700::1111 ::ffff:8.8.8.8 64:ff9b::808:808";

describe("addresses that webhooks may reach", () => {
  it.each(forbidden)("do not include %s", (_, addresses) => {
    for (const address of addresses.split(" ")) expect([address, isPublicAddress(address)]).toEqual([address, false]);
  });

  it("include those of the internet, over https alone", () => {
    for (const address of allowed.split(" ")) {
      expect([address, isPublicAddress(address)]).toEqual([address, true]);
      expect(addressFault(address, { protocol: "https:", allowPrivate: false })).toBeNull();
      expect(addressFault(address, { protocol: "http:", allowPrivate: true })).toContain("needs https");
    }
  });

  it("include private ones where they are allowed, also over http", () => {
    expect(addressFault("10.0.0.1", { protocol: "http:", allowPrivate: true })).toBeNull();
    expect(addressFault("10.0.0.1", { protocol: "https:", allowPrivate: false })).toContain("WEBHOOK_ALLOW_PRIVATE");
  });
});

/** A resolver that answers with one list of addresses after the other. */
function resolving(...answers: string[][]): typeof dns.lookup {
  const lookup = (_: string, __: object, callback: (error: null, found: object[]) => void) =>
    callback(
      null,
      (answers.shift() ?? []).map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
  return lookup as unknown as typeof dns.lookup;
}

describe("a name", () => {
  const rule = { protocol: "https:", allowPrivate: false };
  const look = (lookup: ReturnType<typeof guardedLookup>, all: boolean) =>
    new Promise((resolve) => lookup("a.example", { all }, (error, found) => resolve(error?.message ?? found)));

  it("is checked by every address, each time that it is resolved", async () => {
    const lookup = guardedLookup(rule, resolving(["8.8.8.8"], ["8.8.8.8", "10.0.0.1"], ["127.0.0.1"]));
    expect(await look(lookup, true)).toEqual([{ address: "8.8.8.8", family: 4 }]);
    expect(await look(lookup, true)).toContain("10.0.0.1 is an address of a private network");
    expect(await look(lookup, false)).toContain("127.0.0.1 is an address of a private network");
  });

  it("that resolves to a private address gets no request", async () => {
    const poster = createPoster({ allowPrivate: false, resolve: resolving(["169.254.169.254"]) });
    expect(await poster.post({ url: "https://rebound.example/", headers: {}, body: "" })).toEqual({
      kind: "refused",
      reason: expect.stringContaining("169.254.169.254"),
    });
  });

  it.each([
    "https://127.0.0.1/",
    "https://[::1]/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://[::ffff:10.0.0.1]/",
  ])("that is a literal address is checked as well: %s", async (url) => {
    const poster = createPoster({ allowPrivate: false });
    expect(await poster.post({ url, headers: {}, body: "" })).toMatchObject({ kind: "refused" });
  });
});

describe("behind a proxy", () => {
  afterEach(() => vi.unstubAllEnvs());

  it("requests go through HTTPS_PROXY, and what this machine can resolve is checked first", async () => {
    const targets: (string | undefined)[] = [];
    const proxy = createServer().on("connect", (request, socket) => {
      targets.push(request.url);
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    });
    await once(proxy.listen(0, "127.0.0.1"), "listening");
    onTestFinished(() => void proxy.close());
    vi.stubEnv("HTTPS_PROXY", `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    const poster = createPoster({ allowPrivate: false, resolve: resolving([], ["10.0.0.1"]) });
    onTestFinished(() => poster.close());
    const post = (url: string) => poster.post({ url, headers: {}, body: "" });
    // The first name is known to the proxy alone.
    expect(await post("https://inside.example/")).toMatchObject({ kind: "unreachable" });
    expect(await post("https://private.example/")).toMatchObject({ kind: "refused" });
    expect(await post("https://169.254.169.254/")).toMatchObject({ kind: "refused" });
    expect(targets).toEqual(["inside.example:443"]);
  });
});

describe("the address of a webhook", () => {
  const fault = (url: string, options: { format?: "standard" | "discord"; allowPrivate?: boolean } = {}) =>
    webhookUrlFault(url, { format: "standard", allowPrivate: false, ...options });

  it.each([
    ["ftp://a.example/", "begins with https://"],
    ["example.org/hook", "begins with https://"],
    ["http://8.8.8.8/", "must begin with https://"],
    ["https://user:pw@8.8.8.8/", "must not hold a user"],
    ["https://10.0.0.1/", "private network"],
    ["https://discord.com/api/webhooks/1/abc", "add --format discord"],
  ])("%s is refused", async (url, words) => {
    expect(await fault(url)).toContain(words);
  });

  it("is accepted otherwise", async () => {
    expect(await fault("https://8.8.8.8/hook")).toBeNull();
    expect(await fault("http://127.0.0.1:9/hook", { allowPrivate: true })).toBeNull();
    expect(await fault("http://8.8.8.8/hook", { allowPrivate: true })).toContain("needs https");
    expect(await fault("https://discord.com/channels/1/2", { format: "discord" })).toContain("no webhook of Discord");
  });

  it("is shown without what may be secret", () => {
    expect(shownUrl("https://discord.com/api/webhooks/12/To-ken_1")).toBe("https://discord.com/api/webhooks/12/…");
    expect(shownUrl("https://a.example/hook?key=1")).toBe("https://a.example/hook?…");
  });
});

import type { LookupAddress, lookup } from "node:dns";
import { expect, test } from "vitest";
import { isPublicAddress, publicLookup } from "../../../src/steam/public-lookup.ts";

test.each([
  ...["0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1"],
  ...["172.31.255.255", "192.0.0.1", "192.168.1.1", "198.18.0.1", "203.0.113.9", "224.0.0.1", "255.255.255.255"],
  ...["::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "fc00::1", "fd12:3456::1", "fe80::1", "ff02::1"],
  ...["2001::1", "2001:db8::1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"],
])("%s is not public", (address) => {
  expect(isPublicAddress(address)).toBe(false);
});

test.each([
  ...["8.8.8.8", "23.32.0.1", "172.15.0.1", "172.32.0.1", "192.167.1.1", "100.63.0.1", "100.128.0.1", "223.255.255.1"],
  ...["2600:1400::1", "2a02:26f0::1", "64:ff9b::808:808"],
])("%s is public", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

/** The result of a lookup that DNS answers with `addresses`. */
function look(addresses: LookupAddress[], options: { all?: boolean } = { all: true }) {
  const resolve = ((_host: string, _options: object, callback: (...args: unknown[]) => void) =>
    callback(null, addresses)) as unknown as typeof lookup;
  return new Promise((done) => {
    publicLookup(resolve)("cache.steamcontent.com", options, (error, found) => done(error ?? found));
  });
}

test("passes on public addresses, all of them or the first", async () => {
  const addresses = [
    { address: "2600:1400::1", family: 6 },
    { address: "8.8.8.8", family: 4 },
  ];
  expect(await look(addresses)).toEqual(addresses);
  expect(await look(addresses, {})).toBe("2600:1400::1");
  expect(await look([])).toEqual([]);
});

test("fails when one of several addresses is private", async () => {
  const addresses = [
    { address: "8.8.8.8", family: 4 },
    { address: "169.254.169.254", family: 4 },
  ];
  expect(await look(addresses)).toMatchObject({
    fault: "protocol",
    message: "cache.steamcontent.com resolves to 169.254.169.254, not a public address",
  });
});

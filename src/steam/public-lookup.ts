import { lookup as dnsLookup } from "node:dns";
import { BlockList, isIPv4, type LookupFunction } from "node:net";
import { SteamError } from "../process/errors.ts";

/** IPv4 networks that are not reached over the Internet (IANA's special-purpose registry), multicast included. */
const specialIPv4: readonly [network: string, prefix: number][] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
];
/** Networks inside of 2000::/3 that stand for IPv4 addresses (Teredo, 6to4) or for no host (ORCHID, documentation). */
const specialIPv6: readonly [network: string, prefix: number][] = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
];
/** RFC 6052: IPv4 behind NAT64, as networks without IPv4 of their own resolve it. */
const nat64 = "64:ff9b::";

const special = new BlockList();
const globalIPv6 = new BlockList();
globalIPv6.addSubnet("2000::", 3, "ipv6");
globalIPv6.addSubnet(nat64, 96, "ipv6");
for (const [network, prefix] of specialIPv6) special.addSubnet(network, prefix, "ipv6");
for (const [network, prefix] of specialIPv4) {
  special.addSubnet(network, prefix, "ipv4");
  special.addSubnet(`${nat64}${network}`, 96 + prefix, "ipv6");
}

/** Whether the IP address is one of the public Internet: not loopback, private, link-local, reserved or multicast. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !special.check(address, "ipv4");
  return globalIPv6.check(address, "ipv6") && !special.check(address, "ipv6");
}

/**
 * A `lookup` for sockets that fails with SteamError `protocol` when a host has an address that is not public. The
 * socket connects to the very addresses that were checked, so a second DNS answer cannot differ (DNS rebinding).
 * Behind a proxy it is not called: the proxy resolves the name, and what it may reach is its own rule.
 */
export function publicLookup(resolve: typeof dnsLookup = dnsLookup): LookupFunction {
  return (host, options, callback) => {
    resolve(host, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, []);
      const refused = addresses.find(({ address }) => !isPublicAddress(address));
      const [first] = addresses;
      if (refused)
        callback(new SteamError("protocol", `${host} resolves to ${refused.address}, not a public address`), []);
      else if (options.all || !first) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

import dns from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { Address4, Address6 } from "ip-address";
import { ExpectedError } from "../process/errors.ts";

/**
 * Protection against server-side request forgery: which addresses a webhook may reach. Names are checked by what they resolve to at the moment
 * of the connection, so that a name that resolves to another address the second time (DNS rebinding) gains nothing.
 */

const subnets4 = (list: string) => list.split(" ").map((subnet) => new Address4(subnet));
const subnets6 = (list: string) => list.split(" ").map((subnet) => new Address6(subnet));

/** Special-purpose addresses that are no hosts of the internet: https://www.iana.org/assignments/iana-ipv4-special-registry */
const special4 = subnets4(
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 " +
    "192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4",
);
/** The only unicast addresses of the internet, and what of them is special (Teredo, documentation, 6to4). */
const global6 = subnets6("2000::/3");
const special6 = subnets6("2001::/23 2001:db8::/32 2002::/16 3fff::/20");
/** These stand for the IPv4 address in their last 32 bits: IPv4-mapped, and NAT64. */
const embedding4 = subnets6("::ffff:0:0/96 64:ff9b::/96");

/** Whether an IP address is that of a host of the internet: not of this machine, a private network, a cloud's metadata or a group. */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 4) {
    const ip = new Address4(address);
    return !special4.some((subnet) => ip.isInSubnet(subnet));
  }
  if (isIP(address) !== 6) return false;
  const ip = new Address6(address);
  const isIn = (subnets: Address6[]) => subnets.some((subnet) => ip.isInSubnet(subnet));
  if (isIn(embedding4)) return isPublicAddress(ip.to4().correctForm());
  return isIn(global6) && !isIn(special6);
}

/** What may be reached: over https the internet, and where it is allowed private networks; over http private networks alone. */
export interface AddressRule {
  protocol: string;
  allowPrivate: boolean;
}

/** Why the rule forbids an address; null when it does not. */
export function addressFault(address: string, { protocol, allowPrivate }: AddressRule): string | null {
  const isPublic = isPublicAddress(address);
  if (!isPublic && !allowPrivate) {
    return `${address} is an address of a private network: WEBHOOK_ALLOW_PRIVATE=on allows those`;
  }
  if (isPublic && protocol !== "https:") return `${address} is an address of the internet, which needs https`;
  return null;
}

/** The host does not answer to the rule. */
export class AddressRefusedError extends ExpectedError {
  override readonly name = "AddressRefusedError";
}

type Resolve = typeof dns.lookup;

/** A `lookup` for sockets that fails with {@link AddressRefusedError} when any of the addresses is forbidden. */
export function guardedLookup(rule: AddressRule, resolve: Resolve = dns.lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "");
      const fault = addresses.map(({ address }) => addressFault(address, rule)).find((each) => each !== null);
      if (fault) return callback(new AddressRefusedError(`${hostname}: ${fault}`), "");
      const [first] = addresses;
      if (options.all) callback(null, addresses);
      else callback(null, first?.address ?? "", first?.family);
    });
  };
}

/** The literal address of a URL's host, which no socket looks up; null for a name. */
export function literalAddress({ hostname }: URL): string | null {
  const address = hostname.replace(/^\[|\]$/g, "");
  return isIP(address) === 0 ? null : address;
}

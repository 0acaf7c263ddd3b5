import { isIPv6 } from "node:net";
import { Address6 } from "ip-address";

/** Bits of an IPv6 address that a provider assigns to one customer, who has all addresses below them. */
const customerPrefix = 64;

/**
 * The key under which limits count a client: its IPv4 address (also where it is mapped into IPv6), or the /64 of its IPv6 address. The same
 * rule as that of `@fastify/rate-limit`.
 *
 * @param ip an address as `request.ip` or a socket gives it.
 */
export function clientAddress(ip: string): string {
  if (!isIPv6(ip)) return ip;
  const address = new Address6(ip);
  if (address.isMapped4()) return address.to4().correctForm();
  return new Address6(`${ip}/${customerPrefix}`).startAddress().correctForm();
}

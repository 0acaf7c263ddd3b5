import { BlockList, isIP } from "node:net";
import type { FastifyInstance } from "fastify";

/**
 * Which proxies are believed about the client's address (`request.ip`): a number of them, counted from this server, that each append to
 * `X-Forwarded-For`; or Railway's edge.
 */
export type TrustedProxies = number | "railway";

/**
 * Addresses of Railway's edge as a container sees it (RFC 6598). Not documented; seen in its users' logs. A peer of the project's private
 * network (IPv6) has none of them, so that it cannot pass for another client.
 */
const railwayEdge = new BlockList();
railwayEdge.addSubnet("100.64.0.0", 10);

/** Fastify's option `trustProxy`. */
export function trustProxy(proxies: TrustedProxies): (address: string, hop: number) => boolean {
  if (proxies !== "railway") return (_address, hop) => hop < proxies;
  return (address, hop) => hop === 0 && railwayEdge.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/**
 * Makes `request.ip` the client's address behind Railway's edge. It sets `X-Real-IP`, in place of what a client sends
 * (docs.railway.com/networking/public-networking/specs-and-limits), while its `X-Forwarded-For` ends with an address of its own that changes
 * from request to request. So the one takes the place of the other. Must run before anything reads `request.ip`.
 */
export function readRailwayAddress(server: FastifyInstance, proxies: TrustedProxies): void {
  if (proxies !== "railway") return;
  server.addHook("onRequest", async ({ raw: { headers } }) => {
    const address = headers["x-real-ip"];
    if (typeof address === "string" && isIP(address) !== 0) headers["x-forwarded-for"] = address;
    else delete headers["x-forwarded-for"];
  });
}

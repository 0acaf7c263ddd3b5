import type { FastifyInstance, FastifyRequest } from "fastify";
import { hostOf, isAllowedHost } from "../process/host-name.ts";
import { sendProblem } from "./problem.ts";

/** Platforms probe these by an address or an internal name; they tell a page of another site nothing. */
const openRoutes = ["/health", "/ready"];

/**
 * Protection against DNS rebinding: a page of another site whose name was made to resolve to this server reaches it with that name in the Host
 * header. Answers 421 (Misdirected Request: this server does not serve that authority, RFC 9110) for every host that is not allowed. An
 * `X-Forwarded-Host` is not read, since such a page may set it.
 *
 * @param allowedHosts empty for any host.
 */
export function checkHosts(server: FastifyInstance, allowedHosts: readonly string[]): void {
  if (allowedHosts.length === 0) return;
  server.addHook("onRequest", async (request, reply) => {
    if (openRoutes.includes(request.routeOptions.url ?? "")) return;
    if (authoritiesOf(request).every((authority) => isAllowedHost(hostOf(authority), allowedHosts))) return;
    return sendProblem(
      reply,
      421,
      "This host name is not served here; the setting ALLOWED_HOSTS lists those that are.",
    );
  });
}

/** The Host header, and the host of a request target in absolute form (`GET http://host/path`), which replaces it (RFC 9112). */
function authoritiesOf({ raw }: FastifyRequest): string[] {
  const absolute = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(raw.url ?? "");
  return [raw.headers.host ?? "", ...(absolute ? [absolute[1] ?? ""] : [])];
}

import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import type { HttpSettings } from "./deps.ts";
import { Problem } from "./problem.ts";

/** Registers the rate limit, once for the server: its scopes share the count of a client. Routes are limited by {@link limitRate}. */
export function registerRateLimit(server: FastifyInstance, { rateLimit: { count, periodMs } }: HttpSettings): void {
  server.register(rateLimit, {
    global: false,
    max: count,
    timeWindow: periodMs,
    // The plugin sets Retry-After.
    errorResponseBuilder: (_request, { after }) =>
      new Problem(429, `The rate limit of ${count} requests per address is exceeded; try again in ${after}.`),
  });
}

/** Limits all routes of this scope. */
export function limitRate(scope: FastifyInstance): void {
  scope.addHook("onRequest", scope.rateLimit());
}

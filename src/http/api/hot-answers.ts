import type { FastifyRequest } from "fastify";
import type { ServerDeps } from "../deps.ts";
import { type Answer, createAnswerCache } from "./answer-cache.ts";
import type { ApiScope } from "./scope.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Its answer depends on nothing but the URL and the rows that are committed: no clock, no locks, no caller. */
    isCacheable?: boolean;
  }
  interface FastifyRequest {
    /** Keeps the answer to this request, once it is known. */
    keepAnswer: ((answer: Answer) => void) | null;
  }
}

const contentType = "application/json; charset=utf-8";

/**
 * Serves repeated requests of cacheable routes from memory (answer-cache.ts). Register it after the policies, which apply to every request,
 * and after the ETag, which is kept with the answer. Errors are not kept.
 */
export function serveHotAnswers(scope: ApiScope, { reader }: Pick<ServerDeps, "reader">): void {
  const cache = createAnswerCache({ version: async () => (await reader()?.version()) ?? null });
  const isCacheable = ({ method, routeOptions }: FastifyRequest) =>
    method === "GET" && routeOptions.config.isCacheable === true;

  scope.decorateRequest("keepAnswer", null);
  scope.addHook("onRequest", async (request, reply) => {
    if (!isCacheable(request)) return;
    const kept = await cache.get(request.url);
    if (kept) return reply.headers({ "content-type": contentType, etag: kept.etag }).send(kept.payload);
    request.keepAnswer = cache.begin(request.url);
  });
  scope.addHook("onSend", async ({ keepAnswer }, reply, payload) => {
    const etag = reply.getHeader("etag");
    if (keepAnswer === null || reply.statusCode !== 200 || typeof payload !== "string" || typeof etag !== "string")
      return;
    keepAnswer({ etag, payload: Buffer.from(payload) });
  });
}

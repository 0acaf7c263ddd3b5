import type { FastifyReply, FastifyRequest } from "fastify";
import { didYouMean } from "../../process/did-you-mean.ts";
import { sendProblem } from "../problem.ts";
import { documentPath, pagePath, version } from "./documentation.ts";
import { noParameters } from "./parameters.ts";
import { faults, index } from "./replies.ts";
import type { ApiScope } from "./scope.ts";

/**
 * The API's list of its own endpoints, taken from the routes: served at `GET /v1`, and the source of suggestions for a path that does not
 * exist. Register it before the routes.
 */
export function registerEndpoints(scope: ApiScope): void {
  const endpoints: Record<string, string> = {};
  scope.addHook("onRoute", ({ url, method, schema }) => {
    if (method === "GET" && schema?.summary) endpoints[url.replaceAll(/:(\w+)/g, "{$1}")] = schema.summary;
  });
  scope.setNotFoundHandler({ preHandler: scope.rateLimit() }, (request, reply) =>
    sendNotFound(request, reply, Object.keys(endpoints)),
  );
  scope.get(
    "",
    {
      schema: {
        operationId: "listEndpoints",
        tags: ["API"],
        summary: "What the API offers: its endpoints and where they are documented",
        querystring: noParameters,
        response: { 200: index, ...faults },
      },
    },
    async () => ({ name: "steam-pics-sync", version, documentation: pagePath, openapi: documentPath, endpoints }),
  );
}

function sendNotFound({ method, url }: FastifyRequest, reply: FastifyReply, paths: readonly string[]) {
  const path = url.split("?")[0] ?? "";
  const isRead = method === "GET" || method === "HEAD";
  const hint = isRead ? didYouMean(path, fitting(path, paths)) : "; the API is read-only.";
  return sendProblem(reply, 404, `${method} ${path} does not exist${hint || "."} GET /v1 lists the endpoints.`);
}

/** The paths with as many segments, parameters filled in: `/v1/apps/10/branches` for `/v1/apps/10/branch`. */
function fitting(path: string, paths: readonly string[]): string[] {
  const given = path.replace(/\/$/, "").split("/");
  return paths
    .map((each) => each.split("/"))
    .filter(({ length }) => length === given.length)
    .map((segments) => segments.map((segment, at) => (segment.startsWith("{") ? given[at] : segment)).join("/"));
}

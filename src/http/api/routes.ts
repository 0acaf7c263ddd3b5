import cors from "@fastify/cors";
import etag from "@fastify/etag";
import rateLimit from "@fastify/rate-limit";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DatabaseError } from "../../process/errors.ts";
import { guard } from "../access.ts";
import type { HttpSettings, ServerParts } from "../parts.ts";
import { Problem } from "../problem.ts";
import { registerApps } from "./apps.ts";
import { registerChanges } from "./changes.ts";
import { registerDocumentation } from "./documentation.ts";
import { registerLists } from "./lists.ts";
import type { ApiParts, ApiScope } from "./scope.ts";
import { validatorCompiler } from "./validation.ts";

/** The read API under `/v1`, its OpenAPI document and the page that explains it. */
export async function registerApi(server: FastifyInstance, parts: ServerParts): Promise<void> {
  const { settings, reader } = parts;
  const scope = server.withTypeProvider<ZodTypeProvider>();
  scope.setValidatorCompiler(validatorCompiler);
  // Replies come as the database built them; tests hold them against the document.
  scope.setSerializerCompiler(() => (reply) => JSON.stringify(reply));
  await registerDocumentation(scope, settings);

  await scope.register(
    async (v1) => {
      await keepOrder(v1, settings);
      const apiParts: ApiParts = {
        ...parts,
        catalog() {
          const open = reader();
          if (open === null) throw new Problem(503, "The database is not open yet; try again soon.");
          return open;
        },
      };
      registerApps(v1, apiParts);
      registerChanges(v1, apiParts);
      registerLists(v1, apiParts);
    },
    { prefix: "/v1" },
  );
}

/** Whose pages may ask, who may ask, and how often; and that nobody asks twice for what has not changed. */
async function keepOrder(scope: ApiScope, { corsOrigins, apiKey, rateLimit: limit }: HttpSettings): Promise<void> {
  if (corsOrigins.length > 0) {
    await scope.register(cors, {
      origin: corsOrigins.includes("*") ? "*" : [...corsOrigins],
      methods: ["GET", "HEAD"],
      allowedHeaders: ["authorization", "x-api-key", "last-event-id", "if-none-match"],
      exposedHeaders: ["etag", "retry-after"],
    });
  }
  await scope.register(rateLimit, {
    max: limit.count,
    timeWindow: limit.periodMs,
    errorResponseBuilder: (_request, { after }) =>
      new Problem(429, `This address asked more than ${limit.count} times; try again in ${after}.`),
  });
  guard(scope, apiKey);
  await scope.register(etag);
  scope.addHook("onRequest", async (_request, reply) => {
    // Kept by the reader, but asked for again: an answer is as old as the catalog.
    reply.header("cache-control", apiKey === null ? "no-cache" : "private, no-cache");
  });
  scope.addHook("onError", async (_request, _reply, error) => {
    // A value that no check of ours refuses and the database does.
    if (error instanceof DatabaseError && error.fault === "data") Object.assign(error, { statusCode: 400 });
  });
}

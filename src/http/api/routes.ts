import cors from "@fastify/cors";
import etag from "@fastify/etag";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { DatabaseError } from "../../process/errors.ts";
import { clientAddress } from "../client-address.ts";
import type { ServerDeps } from "../deps.ts";
import { Problem } from "../problem.ts";
import { limitRate } from "../rate-limit.ts";
import { registerApps } from "./apps.ts";
import { registerChanges } from "./changes.ts";
import { registerContent } from "./content.ts";
import { registerDocumentation } from "./documentation.ts";
import { registerEndpoints } from "./endpoints.ts";
import { registerEvents } from "./events.ts";
import { serveHotAnswers } from "./hot-answers.ts";
import { registerLists } from "./lists.ts";
import type { ApiDeps, ApiScope } from "./scope.ts";
import { validatorCompiler } from "./validation.ts";

const retryAfterSeconds = 5;

/** Registers the read API under `/v1` and its documentation (OpenAPI document and page). */
export async function registerApi(server: FastifyInstance, deps: ServerDeps): Promise<void> {
  const { reader } = deps;
  const scope = server.withTypeProvider<ZodTypeProvider>();
  scope.setValidatorCompiler(validatorCompiler);
  // Replies are sent as the database built them; tests validate them against the OpenAPI document.
  scope.setSerializerCompiler(() => (reply) => JSON.stringify(reply));
  await registerDocumentation(scope, deps);

  await scope.register(
    async (v1) => {
      await registerPolicies(v1, deps);
      const apiDeps: ApiDeps = {
        ...deps,
        catalog({ ip, signal }) {
          const open = reader();
          if (open === null)
            throw new Problem(503, "The database is not open yet; try again later.", { retryAfterSeconds });
          return open.for({ client: clientAddress(ip), signal });
        },
      };
      serveHotAnswers(v1, deps);
      registerEndpoints(v1);
      registerApps(v1, apiDeps);
      registerChanges(v1, apiDeps);
      registerEvents(v1, apiDeps);
      registerContent(v1, apiDeps);
      registerLists(v1, apiDeps);
    },
    { prefix: "/v1" },
  );
}

/** CORS, rate limit, authentication, ETag and cache headers, in this order. */
async function registerPolicies(scope: ApiScope, { settings, keys }: ServerDeps) {
  const { corsOrigins, apiKey } = settings;
  if (corsOrigins.length > 0) {
    await scope.register(cors, {
      origin: corsOrigins.includes("*") ? "*" : [...corsOrigins],
      methods: ["GET", "HEAD"],
      allowedHeaders: ["authorization", "x-api-key", "last-event-id", "if-none-match"],
      exposedHeaders: ["etag", "retry-after"],
    });
  }
  limitRate(scope);
  keys.protect(scope);
  await scope.register(etag);
  scope.addHook("onRequest", async (_request, reply) => {
    // Clients may cache a reply but must revalidate it: any app may change at any time.
    reply.header("cache-control", apiKey === null ? "no-cache" : "private, no-cache");
  });
  scope.addHook("onError", async (_request, _reply, error) => {
    // A value that passes validation and is rejected by the database.
    if (error instanceof DatabaseError && error.fault === "data") Object.assign(error, { statusCode: 400 });
  });
}

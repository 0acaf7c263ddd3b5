import { readFileSync } from "node:fs";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { requireApiKey } from "../authentication.ts";
import type { HttpSettings } from "../deps.ts";
import type { ApiScope } from "./scope.ts";

const description = `
Read-only API of the Steam catalog that this service mirrors.

Times are ISO 8601 in UTC. Errors are \`application/problem+json\` (RFC 9457). Lists are paginated by cursor.
Each app carries its own freshness: \`synced_at\` and \`change_number\`.`;

/** Serves the OpenAPI document at `/docs/json`, generated from the schemas of the routes, and its page at `/docs`. */
export async function registerDocumentation(scope: ApiScope, { apiKey }: HttpSettings): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  await scope.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Steam catalog", version, description: description.trim() },
      tags: [{ name: "Apps" }, { name: "Changes" }, { name: "Lists" }],
      ...(apiKey !== null && {
        components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
        security: [{ key: [] }],
      }),
    },
    transform: jsonSchemaTransform,
    transformObject: jsonSchemaTransformObject,
  });
  await scope.register(async (docs) => {
    requireApiKey(docs, apiKey);
    await docs.register(swaggerUi, { routePrefix: "/docs", staticCSP: true, uiConfig: { deepLinking: true } });
  });
}

import { readFileSync } from "node:fs";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { guard } from "../access.ts";
import type { HttpSettings } from "../parts.ts";
import type { ApiScope } from "./scope.ts";

const description = `
What Steam says about its apps, as this service has stored it. Read only.

Times are ISO 8601 in UTC. Faults are \`application/problem+json\` (RFC 9457). Lists come in pages and never whole.
How fresh an app is stands in it: \`synced_at\` and \`change_number\`.`;

/** The OpenAPI document at `/docs/json`, made from the schemas of the routes, and the page at `/docs`. */
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
    guard(docs, apiKey);
    await docs.register(swaggerUi, { routePrefix: "/docs", staticCSP: true, uiConfig: { deepLinking: true } });
  });
}

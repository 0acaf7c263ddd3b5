import { readFileSync } from "node:fs";
import swagger, { type SwaggerTransformObject } from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { jsonSchemaTransform, jsonSchemaTransformObject } from "fastify-type-provider-zod";
import { contentSecurityPolicy } from "../content-security-policy.ts";
import type { ServerDeps } from "../deps.ts";
import type { ApiScope } from "./scope.ts";

export const pagePath = "/docs";
export const documentPath = "/docs/json";
export const { version }: { version: string } = JSON.parse(
  readFileSync(new URL("../../../package.json", import.meta.url), "utf8"),
);

const title = "Steam catalog API";
/** The icon of the dashboard. */
const favicon = {
  filename: "icon.svg",
  rel: "icon",
  sizes: "any",
  type: "image/svg+xml",
  content: readFileSync(new URL("../dashboard/page/icon.svg", import.meta.url)),
};

const description = `
Read-only API of the Steam catalog that this service mirrors.

Times are ISO 8601 in UTC. Errors are \`application/problem+json\` (RFC 9457).
Every list has \`data\` and \`next\`: repeat the request with \`cursor\` = \`next\` until \`next\` is null.
Each app carries its own freshness: \`synced_at\` and \`change_number\`. Every reply has an \`ETag\`; send it as \`If-None-Match\` to get 304
while nothing changes.`;

/** Serves the OpenAPI document, generated from the schemas of the routes, and its page. */
export async function registerDocumentation(scope: ApiScope, { settings, keys }: ServerDeps): Promise<void> {
  const { apiKey } = settings;
  await scope.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Steam catalog", version, description: description.trim() },
      tags: ["Apps", "Content", "Changes", "Lists", "API"].map((name) => ({ name })),
      ...(apiKey !== null && {
        components: { securitySchemes: { key: { type: "http", scheme: "bearer" } } },
        security: [{ key: [] }],
      }),
    },
    transform: jsonSchemaTransform,
    transformObject: withoutInputs,
  });
  await scope.register(async (docs) => {
    keys.protect(docs);
    await docs.register(swaggerUi, {
      routePrefix: pagePath,
      // The icons of its style sheet are data: URLs. Swagger UI writes markup as text, so trusted types cannot be required; all of it
      // comes from this server's own document.
      staticCSP: contentSecurityPolicy({ "img-src": "'self' data:" }),
      // Without the top bar: it has Swagger's logo and a field that loads any other document.
      uiConfig: { layout: "BaseLayout", deepLinking: true },
      theme: { title, favicon: [favicon] },
    });
  });
}

/** Each schema once: the transform adds a second one for input, `…Input`, while no route takes a body. */
const withoutInputs: SwaggerTransformObject = (document) => {
  const transformed = jsonSchemaTransformObject(document);
  const schemas = "components" in transformed ? (transformed.components?.schemas ?? {}) : {};
  const outputs = Object.entries(schemas).filter(([name]) => !(name.endsWith("Input") && name.slice(0, -5) in schemas));
  return {
    ...transformed,
    components: { ...("components" in transformed && transformed.components), schemas: Object.fromEntries(outputs) },
  } as typeof transformed;
};

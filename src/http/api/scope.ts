import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { CatalogReader } from "../../db/catalog-reader.ts";
import type { ServerParts } from "../parts.ts";

/** What the routes of the API are built with. */
export type ApiScope = FastifyInstance<
  FastifyInstance["server"],
  Parameters<FastifyInstance["routing"]>[0],
  Parameters<FastifyInstance["routing"]>[1],
  FastifyInstance["log"],
  ZodTypeProvider
>;

export interface ApiParts extends ServerParts {
  /** @throws {Problem} 503 while the database is not open yet. */
  catalog: () => CatalogReader;
}

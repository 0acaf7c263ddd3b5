import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import type { CatalogReader } from "../../db/catalog-reader.ts";
import type { ServerDeps } from "../deps.ts";

/** A Fastify scope whose route schemas are zod types. */
export type ApiScope = FastifyInstance<
  FastifyInstance["server"],
  Parameters<FastifyInstance["routing"]>[0],
  Parameters<FastifyInstance["routing"]>[1],
  FastifyInstance["log"],
  ZodTypeProvider
>;

export interface ApiDeps extends ServerDeps {
  /**
   * The catalog for one request: its time budget begins with this call, so call it once.
   *
   * @throws {Problem} 503 while the database is not open yet.
   */
  catalog: (request: Pick<FastifyRequest, "ip" | "signal">) => CatalogReader;
}

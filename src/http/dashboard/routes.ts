import type { FastifyInstance } from "fastify";
import type { ServerParts } from "../server.ts";
import { endpointsOf } from "../server.ts";

/** The page at `/` and the stream that feeds it. */
export async function registerDashboard(scope: FastifyInstance, { settings }: ServerParts): Promise<void> {
  scope.get("/", () => ({ service: "steam-pics-sync", endpoints: endpointsOf(settings) }));
}

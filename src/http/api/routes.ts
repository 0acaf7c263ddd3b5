import type { FastifyInstance } from "fastify";
import type { ServerParts } from "../server.ts";

/** The read API under `/v1`, and its documentation. */
export async function registerApi(_scope: FastifyInstance, _parts: ServerParts): Promise<void> {}

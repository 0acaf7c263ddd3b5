import { z } from "zod";
import type { Database } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";

/** Reserves up to `block` requests of a quota that all processes share. Returns how many were granted. */
export type Reserve = (request: {
  endpoint: string;
  periodStart: string;
  limit: number;
  block: number;
}) => Promise<number>;

const reply = z.object({ granted: z.number() });

/** Reserves by the SQL function `web_reserve`. If a reply is lost, its block stays unused. */
export function createReserve(db: Database, retry: Pick<DatabaseRetry, "call">): Reserve {
  return async ({ endpoint, periodStart, limit, block }) => {
    const request = { endpoint, period_start: periodStart, limit, block };
    return reply.parse(await retry.call(() => db.rpc("web_reserve", { request }))).granted;
  };
}

import { z } from "zod";
import type { Database } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";

/** Reserves a block of requests from a rate limit that all processes share; returns the number granted. */
export type Reserve = (request: {
  endpoint: string;
  periodStart: string;
  limit: number;
  block: number;
}) => Promise<number>;

const reply = z.object({ granted: z.number() });

/** Shared quota in the database, counted by `web_reserve`. A block whose reply was lost stays unused. */
export function createReserve(db: Database, retry: Pick<DatabaseRetry, "call">): Reserve {
  return async ({ endpoint, periodStart, limit, block }) => {
    const request = { endpoint, period_start: periodStart, limit, block };
    return reply.parse(await retry.call(() => db.rpc("web_reserve", { request }))).granted;
  };
}

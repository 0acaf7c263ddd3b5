import { z } from "zod";
import type { Database } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";

/** Takes requests out of a quota that all processes share; how many were granted. */
export type Reserve = (request: {
  endpoint: string;
  periodStart: string;
  limit: number;
  block: number;
}) => Promise<number>;

const reply = z.object({ granted: z.number() });

/** The quota as `web_reserve` counts it. A block whose reply was lost stays unused. */
export function createReserve(db: Database, retry: Pick<DatabaseRetry, "call">): Reserve {
  return async ({ endpoint, periodStart, limit, block }) => {
    const request = { endpoint, period_start: periodStart, limit, block };
    return reply.parse(await retry.call(() => db.rpc("web_reserve", { request }))).granted;
  };
}

import { pino } from "pino";
import { createWebClient, type WebClient } from "./client.ts";

/** The web client with the default limits, for the one list that bulk sync reads. */
export function createHttpClient(): WebClient {
  const minuteMs = 60_000;
  return createWebClient({
    limits: {
      steamWebApi: { count: 100_000, periodMs: 24 * 60 * minuteMs },
      steamStoreApi: { count: 200, periodMs: 5 * minuteMs },
      steamSpy: { count: 60, periodMs: minuteMs },
      steamSpyAll: { count: 1, periodMs: minuteMs },
      igdb: { count: 4, periodMs: 1_000 },
    },
    retryAttempts: 3,
    reserve: async ({ block }) => block,
    logger: pino({ level: "silent" }),
  });
}

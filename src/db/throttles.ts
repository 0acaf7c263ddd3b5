import { z } from "zod";
import type { Database } from "./database.ts";
import type { DatabaseRetry } from "./retry.ts";

/** Which servers of web APIs answered 429 in the last day, shared by all processes. */
export interface Throttles {
  note(server: string): Promise<void>;
  forget(server: string): Promise<void>;
  isNoted(server: string): Promise<boolean>;
}

const reply = z.object({ noted: z.boolean() });

/** By the SQL function `web_throttle`. */
export function createThrottles(db: Database, retry: Pick<DatabaseRetry, "call">): Throttles {
  async function throttle(server: string, action: "note" | "forget" | "look"): Promise<boolean> {
    return reply.parse(await retry.call(() => db.rpc("web_throttle", { request: { server, action } }))).noted;
  }
  return {
    async note(server) {
      await throttle(server, "note");
    },
    async forget(server) {
      await throttle(server, "forget");
    },
    isNoted: (server) => throttle(server, "look"),
  };
}

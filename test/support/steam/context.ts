import type { Catalog } from "./catalog.ts";
import type { Faults } from "./faults.ts";
import type { RequestLog } from "./request-log.ts";

/** Settings of the simulation's replies. */
export interface ReplySettings {
  /** Delay of every reply; default 0. */
  latencyMs: number;
  /** How many change numbers back ChangesSince lists; beyond it the force flags are set. Default 5,000. */
  changeWindow: number;
  /** Apps in one message of a product info reply; all but the last message set `response_pending`. Default 100. */
  appsPerMessage: number;
  /** Texts of at least this many bytes are offered over HTTP instead of in the reply. Default: none. */
  httpMinSize: number;
  /** The Web API key that the app list accepts. Default: any. */
  apiKey: string;
  /** Default 9, as Steam's. */
  heartbeatSeconds: number;
}

/** What the parts of the simulation share. */
export interface SimulationContext extends ReplySettings {
  catalog: Catalog;
  log: RequestLog;
  faults: Faults;
}

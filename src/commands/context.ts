import type { Config } from "../process/config.ts";
import type { Lifecycle } from "../process/lifecycle.ts";
import type { Logger, Output } from "../process/logger.ts";

/** What every command gets: configuration, terminal, logger and lifecycle of the process. */
export interface Context {
  config: Config;
  output: Output;
  logger: Logger;
  lifecycle: Lifecycle;
}

import { type Config, loadConfig, secretsOf } from "../process/config.ts";
import { readEnv } from "../process/environment.ts";
import { ConfigError, DatabaseError, SteamError } from "../process/errors.ts";
import { createLifecycle, exitCodeOf, exitCodes } from "../process/lifecycle.ts";
import { createLogger, createOutput, type Logger } from "../process/logger.ts";
import { nextTurn } from "../process/time.ts";
import { visibleText } from "../process/visible.ts";
import { commandOfMode, parseCommand, type ReadCommand, type Work } from "./args.ts";

/** Runs a command, or what MODE says without one, and turns its end into an exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  const output = createOutput();
  let config: Config;
  let command: Work | ReadCommand;
  try {
    const parsed = parseCommand(argv);
    if (parsed?.kind === "text") {
      output.write(parsed.text);
      return;
    }
    if (parsed?.kind === "doctor") {
      const { runDoctor } = await import("./doctor.ts");
      return await runDoctor(parsed, output);
    }
    const { environment, fileNames } = readEnv();
    config = loadConfig(environment, fileNames);
    command = parsed ?? commandOfMode(config.mode);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${visibleText(error.message)}\n`);
    process.exitCode = exitCodes.badConfiguration;
    return;
  }
  if (command.kind === "status" || command.kind === "app" || command.kind === "fetch") {
    const { runReadCommand } = await import("./read.ts");
    return await runReadCommand(command, config, output);
  }

  const { isService, runCommand } = await import("./commands.ts");
  // A signal that arrived meanwhile is delivered once the event loop has polled: in the second turn at the latest.
  await nextTurn();
  await nextTurn();
  const logger = createLogger({ level: config.logLevel, output, secrets: secretsOf(config) });
  const lifecycle = createLifecycle({ kind: isService(command, config) ? "service" : "one-off", logger });
  for (const warning of config.warnings) logger.warn(warning);
  try {
    await runCommand(command, { config, output, logger, lifecycle });
    await lifecycle.exitWith(exitCodes.done);
  } catch (error) {
    // What fails because the process is stopping has been logged already.
    if (!lifecycle.signal.aborted) logFatal(logger, error);
    await lifecycle.exitWith(exitCodeOf(error), "a fault");
  }
}

/** Where an operator can mend the fault, or Steam left it, the stack stays for LOG_LEVEL=debug. */
function logFatal(logger: Logger, error: unknown): void {
  const isBug = error instanceof DatabaseError && (error.fault === "fatal" || error.fault === "data");
  if ((error instanceof SteamError || error instanceof DatabaseError) && !isBug) {
    logger.fatal({ fault: error.fault }, error.message);
    logger.debug({ err: error }, "where the fault came from");
  } else if (error instanceof ConfigError) {
    logger.fatal(error.message);
    logger.debug({ err: error }, "where the fault came from");
  } else {
    logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
  }
}

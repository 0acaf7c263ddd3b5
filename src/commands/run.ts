import { type Config, loadConfig, secretsOf } from "../process/config.ts";
import { readEnv } from "../process/environment.ts";
import { ConfigError, DatabaseError, SteamError } from "../process/errors.ts";
import { createLifecycle, exitCodeOf, exitCodes, type Lifecycle } from "../process/lifecycle.ts";
import { createLogger, createOutput, type Output } from "../process/logger.ts";
import { nextTurn } from "../process/time.ts";
import { visibleText } from "../process/visible.ts";
import {
  commandOfMode,
  packageVersion,
  parseCommand,
  type ReadCommand,
  type WebhookCommand,
  type Work,
} from "./args.ts";
import { startLine } from "./start-line.ts";

/** Runs a command, or what MODE says without one, and turns its end into an exit code. */
export async function run(argv: readonly string[]): Promise<void> {
  let output = createOutput();
  let config: Config;
  let command: Work | ReadCommand | WebhookCommand;
  try {
    const parsed = parseCommand(argv);
    if (parsed?.kind === "text") {
      output.write(parsed.text);
      return;
    }
    if (parsed?.kind === "doctor") {
      // Before its modules are loaded, which takes seconds.
      if (!parsed.json) output.write(`steam-pics-sync ${packageVersion()}, Node ${process.version}: checking\n`);
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
  if (command.kind === "webhook") {
    const { runWebhookCommand } = await import("./webhook.ts");
    return await runWebhookCommand(command, config, output);
  }

  if (command.kind === "library_import" && command.report === "-") output = createOutput(process.stderr);
  const logger = createLogger({ level: config.logLevel, output, secrets: secretsOf(config) });
  const [fields, line] = startLine(config, command.kind);
  // Its words say what the fields do.
  logger.info(output.isTerminal ? {} : fields, line);
  for (const warning of config.warnings) logger.warn(warning);
  const { isService, runCommand } = await import("./commands.ts");
  // A signal that arrived meanwhile is delivered once the event loop has polled: in the second turn at the latest.
  await nextTurn();
  await nextTurn();
  const kind = isService(command, config) ? "service" : "one-off";
  const lifecycle = createLifecycle({ kind, logger });
  // The first step that is added is the last one to run.
  if (kind === "service" && output.isTerminal) lifecycle.onShutdown("farewell", () => sayFarewell(lifecycle, output));
  try {
    await runCommand(command, { config, output, logger, lifecycle });
    await lifecycle.exitWith(exitCodes.done);
  } catch (error) {
    // What fails because the process is stopping has been logged already.
    if (!lifecycle.signal.aborted) logger.fatal({ err: error, ...faultOf(error) }, messageOf(error));
    await lifecycle.exitWith(exitCodeOf(error), "a fault");
  }
}

/** Once everything is closed after a signal. What is announced and not fetched yet is in the database. */
function sayFarewell({ signal }: Lifecycle, output: Output): void {
  const wasSignal = signal.reason instanceof Error && signal.reason.message.startsWith("stopped by ");
  if (wasSignal) output.write("Stopped; nothing is lost. The next start goes on from here.\n");
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** The class of the error, where there are classes. */
const faultOf = (error: unknown) =>
  error instanceof SteamError || error instanceof DatabaseError ? { fault: error.fault } : {};

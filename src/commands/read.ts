import { openSource } from "../catalog-source/open.ts";
import type { CatalogSource } from "../catalog-source/port.ts";
import { DataDirInUseError } from "../db/owner-lock.ts";
import { type Config, secretsOf } from "../process/config.ts";
import { ConfigError, DatabaseError, isExpected, NotFoundError, SteamError } from "../process/errors.ts";
import { createLifecycle, exitCodeOf, exitCodes, type Lifecycle } from "../process/lifecycle.ts";
import { createLogger, createOutput, type Logger, type Output } from "../process/logger.ts";
import { applyProxySettings } from "../process/proxy.ts";
import { createRedactor, redactTexts } from "../process/redactor.ts";
import { visibleText } from "../process/visible.ts";
import { formatApp } from "../terminal/app.ts";
import { fetchedDocument, formatFetched, type StoredSide } from "../terminal/fetched.ts";
import { type Terminal, terminalOf } from "../terminal/layout.ts";
import { formatStatus } from "../terminal/status.ts";
import type { ReadCommand } from "./args.ts";
import { askLimitSeconds, askSteam, loadSteam } from "./ask-steam.ts";

/** The read-only commands: status, app and fetch. */

interface Context {
  config: Config;
  terminal: Terminal;
  logger: Logger;
  lifecycle: Lifecycle;
}

/**
 * Runs a read-only command, and ends the process. Standard output gets the result and nothing else; warnings and errors go to standard
 * error.
 */
export async function runReadCommand(command: ReadCommand, config: Config, output: Output): Promise<void> {
  // `fetch` reports why Steam cannot be reached at its end, not once an attempt.
  const logger = createQuietLogger(config, command.kind === "fetch" ? "silent" : "warn");
  const lifecycle = createLifecycle({ kind: "one-off", logger });
  applyProxySettings();
  try {
    output.write(await resultOf(command, { config, terminal: terminalOf(output.stream), logger, lifecycle }));
    await output.flushed();
    await lifecycle.exitWith(exitCodes.done);
  } catch (error) {
    if (!lifecycle.signal.aborted) printError(error, config, logger);
    await lifecycle.exitWith(exitCodeOf(error), "a fault");
  }
}

/** A logger on standard error, with the given level unless LOG_LEVEL is set. */
export function createQuietLogger(config: Config, quiet: "warn" | "silent" = "warn"): Logger {
  const level = process.env.LOG_LEVEL?.trim() ? config.logLevel : quiet;
  return createLogger({ level, output: createOutput(process.stderr), secrets: secretsOf(config) });
}

/** Prints expected errors as their message, any other with its stack. With LOG_LEVEL=debug every error has one. */
export function printError(error: unknown, config: Config, logger: Logger): void {
  if (isExpected(error)) {
    process.stderr.write(`${visibleText(createRedactor(secretsOf(config))(error.message))}\n`);
    logger.debug({ err: error }, "where the fault comes from");
  } else logger.fatal({ err: error }, error instanceof Error ? error.message : String(error));
}

async function resultOf(command: ReadCommand, context: Context): Promise<string> {
  switch (command.kind) {
    case "status":
      return await status(command, context);
    case "app":
      return await app(command, context);
    case "fetch":
      return await fetchApp(command, context);
  }
}

async function status({ json }: { json: boolean }, context: Context): Promise<string> {
  const source = await open(context);
  const document = await source.status();
  // Reports of older workers may hold what this version redacts before it stores it.
  const clean = redactTexts(document, createRedactor(secretsOf(context.config)));
  return json ? asJson(clean) : formatStatus(clean, source.name, context.terminal, Date.now());
}

async function app({ appid, json }: { appid: number; json: boolean }, context: Context): Promise<string> {
  const source = await open(context);
  const found = await source.app(appid);
  if (found === null) {
    const why = await source.whyNotStored(appid);
    const reason = why === null ? "" : ` ${why}`;
    throw new NotFoundError(`App ${appid} is not stored in ${source.name}; \`fetch ${appid}\` asks Steam.${reason}`);
  }
  return json
    ? asJson({ ...found.app, branches: found.branches, depots: found.depots })
    : formatApp(found, context.terminal, Date.now());
}

async function fetchApp({ appid, json }: { appid: number; json: boolean }, context: Context): Promise<string> {
  if (process.stderr.isTTY) process.stderr.write(`Asking Steam for app ${appid}, for ${askLimitSeconds} s at most\n`);
  // Before any time limit runs, the database's too: loading steam-user blocks the event loop for seconds.
  await loadSteam();
  const [stored, steam] = await Promise.all([
    storedSide(appid, context),
    askSteam(appid, context).catch((error: unknown) => {
      if (error instanceof SteamError) return error;
      throw error;
    }),
  ]);
  const kept = stored.stored === null ? "" : ` It is stored: \`app ${appid}\` shows it.`;
  if (steam === null) throw new NotFoundError(`Steam does not know app ${appid}.${kept}`);
  if (steam instanceof SteamError) {
    throw new SteamError(steam.fault, `${steam.message}.${kept}`, steam.eresult, { cause: steam });
  }
  return json ? asJson(fetchedDocument(stored, steam)) : formatFetched(stored, steam, context.terminal, Date.now());
}

async function open({ config, logger, lifecycle }: Context): Promise<CatalogSource> {
  const source = await openSource({ ...config, logger });
  lifecycle.onShutdown("database", () => source.close());
  return source;
}

/** The stored app, or why there is none: what Steam says is useful without a database, too. */
async function storedSide(appid: number, context: Context): Promise<StoredSide> {
  try {
    const source = await open(context);
    const found = await source.app(appid);
    if (found !== null) return { stored: found, note: null };
    const why = await source.whyNotStored(appid);
    return { stored: null, note: `not stored in ${source.name}${why === null ? "" : `. ${why}`}` };
  } catch (error) {
    const kinds = [ConfigError, DatabaseError, DataDirInUseError, NotFoundError];
    if (!kinds.some((kind) => error instanceof kind)) throw error;
    return { stored: null, note: (error as Error).message };
  }
}

const asJson = (document: object) => `${JSON.stringify(document, null, 2)}\n`;

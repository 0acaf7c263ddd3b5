import { readFileSync } from "node:fs";
import { Argument, Command as Commander, CommanderError, InvalidArgumentError } from "commander";
import { steamId64Pattern, userIdPattern } from "../library/ids.ts";
import type { Mode } from "../process/config.ts";
import { ConfigError } from "../process/errors.ts";
import { int32Max } from "../process/limits.ts";

/** The parsed command, by the names of `MODE`; `text` is output of the command line itself, such as its help. */
export type Command = Work | ReadCommand | { kind: "doctor"; json: boolean } | { kind: "text"; text: string };

/** Commands that work on the catalog. */
export type Work =
  | { kind: "sync" }
  | { kind: "bulk_sync"; appids: number[] | null; full: boolean; acceptUnknown: boolean }
  | { kind: "change_monitor" }
  | CollectCommand
  | { kind: "library_import"; userId: string; steamId64: string }
  | { kind: "migrate" }
  | { kind: "reextract" };

/** Read-only commands. `json`: one JSON document instead of text. */
export type ReadCommand =
  | { kind: "status"; json: boolean }
  | { kind: "app"; appid: number; json: boolean }
  | { kind: "fetch"; appid: number; json: boolean };

export interface CollectCommand {
  kind: "collect";
  /** Fetch everything again. */
  fullRefresh: boolean;
  /** SteamSpy only. */
  updateMetadata: boolean;
  /** Apps per transaction, and games per run; null for the configured value. */
  batchSize: number | null;
  maxDetails: number | null;
}

/** The command of each `MODE`; a mode that is missing here needs options. */
const commandsByMode: Partial<Record<Mode, Work>> = {
  sync: { kind: "sync" },
  bulk_sync: { kind: "bulk_sync", appids: null, full: false, acceptUnknown: false },
  change_monitor: { kind: "change_monitor" },
  collect: { kind: "collect", fullRefresh: false, updateMetadata: false, batchSize: null, maxDetails: null },
  migrate: { kind: "migrate" },
};

const maxAppid = int32Max;

const mainHelp = `
Without a command, MODE decides (default: sync).
Settings are environment variables; .env.example explains each.

status, app, fetch and doctor change nothing and work beside a running service.
With --json they print one JSON document and nothing else; --silent keeps npm
from adding lines of its own: npm start --silent -- status --json

Exit codes:
  0        done, or a service stopped by a signal
  1        unexpected fault, or no such app
  2        bad configuration or command line
  70       unhealthy for WATCHDOG_SECONDS
  75       Steam, a web API or the database could not be reached
  130, 143 interrupted`;
const shownFaults = 5;

/**
 * Parses the command line, without the program's name. Null when it names no command: then `MODE` decides, see
 * {@link commandOfMode}.
 *
 * @throws {ConfigError} for an unknown command or option, or a list of appids that cannot be read.
 */
export function parseCommand(argv: readonly string[]): Command | null {
  if (argv.length === 0) return null;
  let chosen: Command | null = null;
  const printed: string[] = [];
  const program = buildProgram((command) => {
    chosen = command;
  });
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeOut: (text) => printed.push(text), writeErr: () => {} });
  }
  try {
    program.parse(argv, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "text", text: printed.join("") };
    throw new ConfigError(`${error.message.replace(/^error: /, "")}\n--help lists commands and options.`);
  }
  return chosen;
}

/** @throws {ConfigError} when the command needs options. */
export function commandOfMode(mode: Mode): Work {
  const command = commandsByMode[mode];
  if (command) return command;
  throw new ConfigError(`MODE=${mode} cannot run by itself; give the command with its options, see --help.`);
}

type Choose = (command: Command) => void;

function buildProgram(choose: Choose): Commander {
  const program = new Commander("steam-pics-sync")
    .description("Mirrors Steam's whole catalog into Postgres and keeps it up to date.")
    .version(packageVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print this help; `COMMAND --help` explains one command")
    .helpCommand(false)
    .addHelpText("after", mainHelp);
  addSyncCommands(program, choose);
  addCollect(program, choose);
  addLibraryImport(program, choose);
  addCommand(
    program,
    "migrate",
    "apply the missing database migrations and print their names",
    "npm start -- migrate",
  ).action(() => choose({ kind: "migrate" }));
  addCommand(
    program,
    "reextract",
    "read the kept app info again after an upgrade that reads more of it; Steam is not asked",
    "npm start -- reextract",
  ).action(() => choose({ kind: "reextract" }));
  addReadCommands(program, choose);
  return program;
}

function addCommand(program: Commander, name: string, description: string, example: string): Commander {
  return program.command(name).description(description).addHelpText("after", `\nExample:\n  ${example}`);
}

function addSyncCommands(program: Commander, choose: Choose): void {
  addCommand(
    program,
    "sync",
    "load the whole catalog unless that is done, then keep it up to date",
    "npm start -- sync",
  ).action(() => choose({ kind: "sync" }));

  addCommand(
    program,
    "bulk-sync",
    "one pass over Steam's apps; resumes, and fetches only what is missing or changed",
    "npm start -- bulk-sync --app-ids 440,570",
  )
    .option("--app-ids <list>", "only these: comma-separated appids, or @FILE with commas or one per line", parseAppids)
    .option("--full", "fetch every app, changed or not", false)
    .option("--accept-unknown", "believe Steam at once where it no longer knows apps, however many", false)
    .action(({ appIds, ...options }: { appIds?: number[]; full: boolean; acceptUnknown: boolean }) =>
      choose({ kind: "bulk_sync", appids: appIds ?? null, ...options }),
    );

  addCommand(
    program,
    "change-monitor",
    "follow Steam's change numbers from the stored one on",
    "npm start -- change-monitor",
  ).action(() => choose({ kind: "change_monitor" }));
}

function addCollect(program: Commander, choose: Choose): void {
  addCommand(
    program,
    "collect",
    "the store's app list, then SteamSpy's numbers; every COLLECT_INTERVAL when that is set",
    "npm start -- collect --max-details 500",
  )
    .option("--full-refresh", "fetch everything again; nothing is deleted first", false)
    .option("--update-metadata", "SteamSpy only, least recently fetched first", false)
    .option("--batch-size <apps>", "apps per transaction (BATCH_SIZE)", int(1, 1_000))
    .option(
      "--max-details <games>",
      "games per run whose details are fetched one by one (MAX_DETAILS)",
      int(0, 1_000_000),
    )
    .action((options: Partial<CollectCommand> & { fullRefresh: boolean; updateMetadata: boolean }) =>
      choose({ kind: "collect", batchSize: null, maxDetails: null, ...options }),
    );
}

function addLibraryImport(program: Commander, choose: Choose): void {
  addCommand(
    program,
    "library-import",
    "import a Steam library, matched with IGDB, as a user's library: all three stages",
    "npm start -- library-import --user u1 --steam-id 76561198000000001",
  )
    .requiredOption(
      "--user <id>",
      "the user who gets the library",
      matching(userIdPattern, "letters, digits and . _ @ | : + -"),
    )
    .requiredOption(
      "--steam-id <id64>",
      "the SteamID64 of a profile with public game details",
      matching(steamId64Pattern, "17 digits that begin with 7656119"),
    )
    .action(({ user, steamId }: { user: string; steamId: string }) =>
      choose({ kind: "library_import", userId: user, steamId64: steamId }),
    );
}

function addReadCommands(program: Commander, choose: Choose): void {
  const json = ["--json", "print one JSON document", false] as const;
  const appid = () => new Argument("<appid>", "the appid").argParser(int(1, maxAppid));

  addCommand(
    program,
    "status",
    "what every worker is doing, and the state of the catalog",
    "npm start --silent -- status --json",
  )
    .option(...json)
    .action((options: { json: boolean }) => choose({ kind: "status", ...options }));

  addCommand(program, "app", "an app as stored, and how fresh it is", "npm start -- app 620")
    .addArgument(appid())
    .option(...json)
    .action((number: number, options: { json: boolean }) => choose({ kind: "app", appid: number, ...options }));

  addCommand(
    program,
    "fetch",
    "what Steam says about an app now, next to what is stored; stores nothing",
    "npm start -- fetch 620",
  )
    .addArgument(appid())
    .option(...json)
    .action((number: number, options: { json: boolean }) => choose({ kind: "fetch", appid: number, ...options }));

  addCommand(
    program,
    "doctor",
    "check configuration, database, services, and the assumptions about Steam",
    "npm start -- doctor",
  )
    .option(...json)
    .addHelpText("after", "\nIt ends with a report to paste into an issue.")
    .action((options: { json: boolean }) => choose({ kind: "doctor", ...options }));
}

function matching(pattern: RegExp, rule: string): (argument: string) => string {
  return (argument) => {
    if (pattern.test(argument)) return argument;
    throw new InvalidArgumentError(`Expected ${rule}.`);
  };
}

function int(min: number, max: number): (argument: string) => number {
  return (argument) => {
    const value = /^\d+$/.test(argument) ? Number(argument) : Number.NaN;
    if (value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Parses a list separated by commas or white space; in a file `#` begins a comment. Deduplicates, keeps the order. */
function parseAppids(argument: string): number[] {
  const fromFile = argument.startsWith("@");
  const text = fromFile ? readList(argument.slice(1)) : argument;
  const items = text.split("\n").flatMap((line, index) =>
    (fromFile ? line.replace(/#.*/, "") : line)
      .split(/[\s,]+/)
      .filter((item) => item !== "")
      .map((item) => ({ item, line: index + 1 })),
  );
  const faults = items.filter(({ item }) => !/^\d+$/.test(item) || Number(item) < 1 || Number(item) > maxAppid);
  if (faults.length > 0) {
    const shown = faults
      .slice(0, shownFaults)
      .map(({ item, line }) => (fromFile ? `"${item}" (line ${line})` : `"${item}"`));
    const more = faults.length > shownFaults ? ` and ${faults.length - shownFaults} more` : "";
    throw new InvalidArgumentError(
      `Not an appid: ${shown.join(", ")}${more}. Expected whole numbers from 1 to ${maxAppid}.`,
    );
  }
  if (items.length === 0) throw new InvalidArgumentError("The list names no appid.");
  return [...new Set(items.map(({ item }) => Number(item)))];
}

function readList(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : error;
    throw new InvalidArgumentError(`The file "${path}" cannot be read (${code}).`);
  }
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String(version);
}

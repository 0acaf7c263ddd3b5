import { readFileSync } from "node:fs";
import { Argument, Command as Commander, CommanderError, InvalidArgumentError, Option } from "commander";
import { type FileFormat, fileFormats } from "../exchange/manifest.ts";
import { exportedTables, tablesOf } from "../exchange/tables.ts";
import { parseProfile, userIdPattern, userIdRule } from "../library/ids.ts";
import type { Mode } from "../process/config.ts";
import { ConfigError } from "../process/errors.ts";
import { int32Max } from "../process/limits.ts";
import { type WebhookFormat, webhookFormats } from "../webhooks/store.ts";
import { checkCommandNames } from "./command-names.ts";

/** The parsed command, by the names of `MODE`; `text` is output of the command line itself, such as its help. */
export type Command =
  | Work
  | ReadCommand
  | WebhookCommand
  | { kind: "doctor"; json: boolean; report: boolean }
  | { kind: "text"; text: string };

/** Commands that work on the catalog. */
export type Work =
  | { kind: "sync" }
  | { kind: "bulk_sync"; appids: number[] | null; full: boolean; acceptUnknown: boolean }
  | { kind: "change_monitor" }
  | CollectCommand
  | LibraryImportCommand
  | { kind: "migrate" }
  | { kind: "reextract" }
  | ExportCommand
  | { kind: "import"; folder: string };

/** Read-only commands. `json`: one JSON document instead of text. */
export type ReadCommand =
  | { kind: "status"; json: boolean }
  | { kind: "app"; appid: number; json: boolean }
  | { kind: "fetch"; appid: number; json: boolean };

export type WebhookCommand =
  | WebhookAdd
  | { kind: "webhook"; action: "list"; json: boolean }
  /** `id`: its beginning is enough. */
  | { kind: "webhook"; action: "test" | "retry" | "remove"; id: string };

export interface WebhookAdd {
  kind: "webhook";
  action: "add";
  url: string;
  format: WebhookFormat;
  /** Id of the last event that it does not want; null for all up to now. */
  after: number | null;
  /** Filters as texts, by the names of the parameters of `/v1/events`. */
  parameters: Record<string, string | string[] | undefined>;
}

export interface LibraryImportCommand {
  kind: "library_import";
  /** Null for LIBRARY_USER and LIBRARY_STEAM_ID. */
  userId: string | null;
  steamId: string | null;
  /** File for the report on every game, `-` for standard output; null for none. */
  report: string | null;
}

export interface ExportCommand {
  kind: "export";
  format: FileFormat;
  folder: string;
  /** Names of tables, or of groups of them; null for all. */
  only: string[] | null;
  /** Manifest of the export that this one continues, or its folder; null for everything. */
  since: string | null;
}

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

/** The command of each `MODE`. */
const commandsByMode: Record<Mode, Work> = {
  sync: { kind: "sync" },
  bulk_sync: { kind: "bulk_sync", appids: null, full: false, acceptUnknown: false },
  change_monitor: { kind: "change_monitor" },
  collect: { kind: "collect", fullRefresh: false, updateMetadata: false, batchSize: null, maxDetails: null },
  library_import: { kind: "library_import", userId: null, steamId: null, report: null },
  migrate: { kind: "migrate" },
};

const maxAppid = int32Max;

const programName = "steam-pics-sync";
const mainHelp = `
Without a command, MODE decides (default: sync).
Settings are environment variables; .env.example explains each.

\`npm start -- COMMAND\` does the same as \`npx ${programName} COMMAND\`, from any
folder of the project, with some lines of npm before it.
The commands under "Look" change nothing and work beside a running service;
library-import and webhook do so, too.
With --json they print one JSON document and nothing else.

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
 * {@link commandOfMode}. `help COMMAND` is `COMMAND --help`.
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
  for (const command of [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)]) {
    command.exitOverride().configureOutput({ writeOut: (text) => printed.push(text), writeErr: () => {} });
  }
  const words = argv[0] === "help" ? helpOf(argv.slice(1)) : argv;
  checkCommandNames(program, words);
  try {
    program.parse(words, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return { kind: "text", text: printed.join("") };
    throw new ConfigError(`${error.message.replace(/^error: /, "")}\n--help lists commands and options.`);
  }
  return chosen;
}

/** `help status` is `status --help`. */
const helpOf = (words: readonly string[]) => [...words.filter((word) => word !== "help"), "--help"];

export function commandOfMode(mode: Mode): Work {
  return commandsByMode[mode];
}

type Choose = (command: Command) => void;

function buildProgram(choose: Choose): Commander {
  const program = new Commander(programName)
    .usage(`[COMMAND] [OPTIONS]\n       ${programName} help COMMAND`)
    .description("Mirrors Steam's whole catalog into Postgres and keeps it up to date.")
    .version(packageVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .addHelpText("after", mainHelp);
  program.commandsGroup("Mirror Steam:");
  addSyncCommands(program, choose);
  program.commandsGroup("Look:");
  addReadCommands(program, choose);
  program.commandsGroup("Add to it:");
  addCollect(program, choose);
  addLibraryImport(program, choose);
  addWebhookCommands(program, choose);
  program.commandsGroup("Maintain it:");
  addMaintenance(program, choose);
  addExchange(program, choose);
  return program;
}

/** @param example the command line after the program's name. */
function addCommand(program: Commander, name: string, description: string, example: string): Commander {
  const line = `npx ${programName} ${example}`;
  return program.command(name).description(description).addHelpText("after", `\nExample:\n  ${line}`);
}

function addMaintenance(program: Commander, choose: Choose): void {
  addCommand(program, "migrate", "apply the missing database migrations and print their names", "migrate").action(() =>
    choose({ kind: "migrate" }),
  );
  addCommand(
    program,
    "reextract",
    "read the kept app info again after an upgrade that reads more of it; Steam is not asked",
    "reextract",
  ).action(() => choose({ kind: "reextract" }));
}

function addSyncCommands(program: Commander, choose: Choose): void {
  addCommand(program, "sync", "load the whole catalog unless that is done, then keep it up to date", "sync").action(
    () => choose({ kind: "sync" }),
  );

  addCommand(
    program,
    "bulk-sync",
    "one pass over Steam's apps; resumes, and fetches only what is missing or changed",
    "bulk-sync --app-ids 440,570",
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
    "change-monitor",
  ).action(() => choose({ kind: "change_monitor" }));
}

function addCollect(program: Commander, choose: Choose): void {
  addCommand(
    program,
    "collect",
    "the store's app list, then SteamSpy's numbers; every COLLECT_INTERVAL when that is set",
    "collect --max-details 500",
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
    "library-import --user u1 --steam-id 76561197960287930",
  )
    .option("--user <id>", "the user who gets the library (LIBRARY_USER)", userId)
    .option(
      "--steam-id <profile>",
      "whose games: a SteamID64, the profile's address or its name (LIBRARY_STEAM_ID)",
      steamId,
    )
    .option("--report <file>", "write what became of each game to a CSV file; - for standard output")
    .action(({ user, steamId, report }: { user?: string; steamId?: string; report?: string }) =>
      choose({ kind: "library_import", userId: user ?? null, steamId: steamId ?? null, report: report ?? null }),
    );
}

function addExchange(program: Commander, choose: Choose): void {
  const groups = [...new Set(exportedTables.map(({ group }) => group))].join(", ");
  addCommand(
    program,
    "export",
    "write the catalog into files, as of one change number; the database only has to be read",
    "export --out ./export",
  )
    .addOption(new Option("--format <format>", "of the files").choices(fileFormats).default("parquet"))
    .requiredOption("--out <folder>", "an empty folder, or one that does not exist")
    .option("--only <names>", `only these tables: ${groups}, or names of tables`, tableNames)
    .option("--since <manifest>", "only what changed since an export: its manifest.json, or its folder")
    .action(({ out, only, since, format }: { out: string; only?: string[]; since?: string; format: FileFormat }) =>
      choose({ kind: "export", format, folder: out, only: only ?? null, since: since ?? null }),
    );

  addCommand(
    program,
    "import",
    "seed a new database from an export; a bulk sync then fetches only what changed since",
    "import ./export",
  )
    .addArgument(new Argument("<folder>", "the folder of the export"))
    .action((folder: string) => choose({ kind: "import", folder }));
}

function addReadCommands(program: Commander, choose: Choose): void {
  const json = ["--json", "print one JSON document", false] as const;
  const appid = () => new Argument("<appid>", "the appid").argParser(int(1, maxAppid));

  addCommand(program, "status", "what every worker is doing, and the state of the catalog", "status --json")
    .option(...json)
    .action((options: { json: boolean }) => choose({ kind: "status", ...options }));

  addCommand(program, "app", "an app as stored, and how fresh it is", "app 620")
    .addArgument(appid())
    .option(...json)
    .action((number: number, options: { json: boolean }) => choose({ kind: "app", appid: number, ...options }));

  addCommand(
    program,
    "fetch",
    "what Steam says about an app now, next to what is stored; gives up after 20 s",
    "fetch 620",
  )
    .addArgument(appid())
    .option(...json)
    .action((number: number, options: { json: boolean }) => choose({ kind: "fetch", appid: number, ...options }));

  addCommand(program, "doctor", "check configuration, database, services, and the assumptions about Steam", "doctor")
    .option(...json)
    .option("--report", "end with a report to paste into an issue", false)
    .action((options: { json: boolean; report: boolean }) => choose({ kind: "doctor", ...options }));
}

/** Filters of `webhook add`, with the parameter of `/v1/events` that each is. All may be repeated. */
const webhookFilters: readonly [flag: string, parameter: string, description: string][] = [
  ["--event <kinds>", "event", "any of these kinds, joined by commas: build,released; docs/events.md has them"],
  ["--app <appids>", "appid", "any of these apps, joined by commas"],
  ["--branch <name>", "branch", "of builds and branches: this one, such as public"],
  ["--type <types>", "type", "any of these types, joined by commas: game,dlc"],
  ["--tag <name>", "tag", "with this tag, by name or id; repeat it, or one of the next five, for several"],
  ["--genre <name>", "genre", "with this genre"],
  ["--category <name>", "category", "with this feature"],
  ["--developer <name>", "developer", "of this developer"],
  ["--publisher <name>", "publisher", "of this publisher"],
  ["--franchise <name>", "franchise", "of this franchise"],
  ["--min-reviews <n>", "min_reviews", "with at least this number of reviews, as SteamSpy counts them"],
];

function addWebhookCommands(program: Commander, choose: Choose): void {
  const webhook = program.command("webhook").description("tell other programs of events over HTTP (docs/webhooks.md)");
  webhook.action(() => webhook.help());
  const repeated = (value: string, before: string[] = []) => [...before, value];
  const add = addCommand(
    webhook,
    "add",
    "send events to an address from now on; without filters, all events",
    "webhook add https://example.org/hook --event build --app 730 --branch public",
  ).argument("<url>", "where events are posted to");
  for (const [flag, , description] of webhookFilters) add.option(flag, description, repeated);
  add
    .addOption(new Option("--format <format>", "form of the messages").choices(webhookFormats).default("standard"))
    .addOption(new Option("--from-now", "begin with the next event (the default)").conflicts("after"))
    .option(
      "--after <id>",
      "begin after the event with this id; 0 for all that are kept",
      int(0, Number.MAX_SAFE_INTEGER),
    )
    .action((url: string, options: Record<string, unknown> & { format: WebhookFormat; after?: number }) => {
      const given = webhookFilters.flatMap(([flag, parameter]) => {
        const value = options[optionName(flag)] as string[] | undefined;
        // As a query string gives them: a text, or a list where it is repeated.
        return value === undefined ? [] : [[parameter, value.length === 1 ? value[0] : value] as const];
      });
      const { format, after = null } = options;
      choose({ kind: "webhook", action: "add", url, format, after, parameters: Object.fromEntries(given) });
    });

  addCommand(webhook, "list", "webhooks, how far each has come and what is wrong with it", "webhook list")
    .option("--json", "print one JSON document", false)
    .action(({ json }: { json: boolean }) => choose({ kind: "webhook", action: "list", json }));
  for (const [action, description] of [
    ["test", "send a test message now and show the answer"],
    ["retry", "revive one that is dead or disabled, or try one that fails at once"],
    ["remove", "remove it"],
  ] as const) {
    addCommand(webhook, action, description, `webhook ${action} 3f2a`)
      .addArgument(
        new Argument("<id>", "its id, or the beginning").argParser(
          matching(/^[0-9a-f-]{1,36}$/i, "an id as `webhook list` shows it"),
        ),
      )
      .action((id: string) => choose({ kind: "webhook", action, id }));
  }
}

/** `--min-reviews <n>` is `minReviews`, as commander names it. */
const optionName = (flag: string) =>
  (/^--([a-z-]+)/.exec(flag)?.[1] ?? "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

function matching(pattern: RegExp, rule: string): (argument: string) => string {
  return (argument) => {
    if (pattern.test(argument)) return argument;
    throw new InvalidArgumentError(`Expected ${rule}.`);
  };
}

function userId(argument: string): string {
  if (userIdPattern.test(argument)) return argument;
  throw new InvalidArgumentError(`It ${userIdRule}.`);
}

function steamId(argument: string): string {
  const profile = parseProfile(argument);
  if ("fault" in profile) throw new InvalidArgumentError(`It ${profile.fault}.`);
  return argument;
}

function tableNames(argument: string): string[] {
  const names = argument.split(",").map((name) => name.trim());
  try {
    tablesOf(names);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
  return names;
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

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandOfMode, parseCommand } from "../../../src/commands/args.ts";
import { ConfigError } from "../../../src/process/errors.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cli-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

function listFile(text: string): string {
  const path = join(folder, "list.txt");
  writeFileSync(path, text);
  return `@${path}`;
}

const asConfigured = { kind: "collect", fullRefresh: false, updateMetadata: false, batchSize: null, maxDetails: null };

function faultOf(...argv: string[]): string {
  try {
    parseCommand(argv);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error("the command line was accepted");
}

describe("parseCommand", () => {
  it("returns null without a command, so that MODE decides", () => {
    expect(parseCommand([])).toBeNull();
  });

  it.each([
    [["sync"], { kind: "sync" }],
    [["migrate"], { kind: "migrate" }],
    [["bulk-sync"], { kind: "bulk_sync", appids: null, full: false, acceptUnknown: false }],
    [["bulk-sync", "--accept-unknown"], { kind: "bulk_sync", appids: null, full: false, acceptUnknown: true }],
    [["bulk-sync", "--full"], { kind: "bulk_sync", appids: null, full: true, acceptUnknown: false }],
    [
      ["bulk-sync", "--app-ids", "10,20,10"],
      { kind: "bulk_sync", appids: [10, 20], full: false, acceptUnknown: false },
    ],
    [
      ["bulk-sync", "--app-ids=2147483647, 1"],
      { kind: "bulk_sync", appids: [2_147_483_647, 1], full: false, acceptUnknown: false },
    ],
    [["change-monitor"], { kind: "change_monitor" }],
    [["collect"], asConfigured],
    [["collect", "--full-refresh"], { ...asConfigured, fullRefresh: true }],
    [["collect", "--update-metadata", "--batch-size", "1"], { ...asConfigured, updateMetadata: true, batchSize: 1 }],
    [["collect", "--max-details=0"], { ...asConfigured, maxDetails: 0 }],
    [
      ["collect", "--full-refresh", "--update-metadata", "--batch-size=1000", "--max-details", "1000000"],
      { kind: "collect", fullRefresh: true, updateMetadata: true, batchSize: 1_000, maxDetails: 1_000_000 },
    ],
    [["library-import"], { kind: "library_import", userId: null, steamId: null, report: null }],
    [
      ["library-import", "--user", "u1", "--steam-id", "https://steamcommunity.com/id/name/", "--report", "-"],
      { kind: "library_import", userId: "u1", steamId: "https://steamcommunity.com/id/name/", report: "-" },
    ],
    [["status"], { kind: "status", json: false }],
    [
      [
        "webhook",
        "add",
        "https://a.example",
        "--event",
        "build,released",
        "--app=730",
        "--tag",
        "A",
        "--tag",
        "B",
        "--min-reviews",
        "9",
      ],
      {
        ...{ kind: "webhook", action: "add", url: "https://a.example", format: "standard", after: null },
        parameters: { event: "build,released", appid: "730", tag: ["A", "B"], min_reviews: "9" },
      },
    ],
    [
      ["webhook", "add", "https://a.example", "--format", "discord", "--after", "0"],
      { kind: "webhook", action: "add", url: "https://a.example", format: "discord", after: 0, parameters: {} },
    ],
    [["webhook", "list"], { kind: "webhook", action: "list", json: false }],
    [["webhook", "remove", "3f2a"], { kind: "webhook", action: "remove", id: "3f2a" }],
    [["status", "--json"], { kind: "status", json: true }],
    [["app", "620"], { kind: "app", appid: 620, json: false }],
    [["app", "--json", "2147483647"], { kind: "app", appid: 2_147_483_647, json: true }],
    [["fetch", "1", "--json"], { kind: "fetch", appid: 1, json: true }],
    [["export", "--out", "x"], { kind: "export", format: "parquet", folder: "x", only: null, since: null }],
    [
      ["export", "--out=x", "--format", "csv", "--only", "apps, tags,app_dlc", "--since", "y/manifest.json"],
      { kind: "export", format: "csv", folder: "x", only: ["apps", "tags", "app_dlc"], since: "y/manifest.json" },
    ],
    [["import", "x"], { kind: "import", folder: "x" }],
    [["doctor", "--report"], { kind: "doctor", json: false, report: true }],
    [["doctor", "--json"], { kind: "doctor", json: true, report: false }],
  ])("reads %j", (argv, command) => {
    expect(parseCommand(argv)).toEqual(command);
  });

  it("reads appids from a file with commas, lines and comments", () => {
    const file = listFile("# favourites\r\n440, 570 # two of them\r\n\r\n730\n440");
    expect(parseCommand(["bulk-sync", "--app-ids", file])).toMatchObject({ appids: [440, 570, 730] });
  });

  it.each([
    ["10,x,0,-5", '"x", "0", "-5". Expected whole numbers from 1 to 2147483647'],
    ["2147483648", '"2147483648"'],
    ["1.5", '"1.5"'],
    ["a,b,c,d,e,f,g", '"e" and 2 more'],
    [" , ", "The list names no appid"],
    ["@does/not/exist", 'The file "does/not/exist" cannot be read (ENOENT)'],
  ])("refuses the list %j", (list, message) => {
    expect(faultOf("bulk-sync", "--app-ids", list)).toContain(message);
  });

  it("reports the line of a bad appid in a file", () => {
    expect(faultOf("bulk-sync", "--app-ids", listFile("10\n\nPortal 2\n"))).toContain('"Portal" (line 3).');
  });

  it.each([
    [["bulk"], 'There is no command "bulk"; did you mean bulk-sync?\nCommands: sync, bulk-sync, change-monitor, '],
    [["bulk_sync"], "did you mean bulk-sync?"],
    [["STATUS"], "did you mean status?"],
    [["620"], "did you mean app 620?"],
    [["nonsense", "--help"], 'There is no command "nonsense"\nCommands: '],
    [["help", "stauts"], "did you mean status?"],
    [
      ["webhook", "ad"],
      'There is no command "webhook ad"; did you mean webhook add?\nCommands of webhook: add, list, ',
    ],
    [["help", "webhook", "drop"], 'There is no command "webhook drop"'],
    [["library-import", "--user", "../u1", "--steam-id", "76561197960287930"], "It must be letters, digits"],
    [["library-import", "--user", "u1", "--steam-id", "620"], "76561197960265729 to 76561202255233023"],
    [["library-import", "--user", "u1", "--steam-id", "https://example.org"], "STEAM_0:0:11101 or [U:1:22202]"],
    [["library-import", "--report"], "argument missing"],
    [["collect", "--batch-size"], "argument missing"],
    [["collect", "440"], "too many arguments"],
    [["bulk-sync", "--ful"], "unknown option '--ful'"],
    [["bulk-sync", "--app-ids"], "argument missing"],
    [["bulk-sync", "10"], "too many arguments"],
    [["app"], "missing required argument 'appid'"],
    [["app", "620", "570"], "too many arguments"],
    [["status", "620"], "too many arguments"],
    [["doctor", "--jsn"], "unknown option '--jsn'"],
    [["export"], "required option '--out <folder>' not specified"],
    [["export", "--out", "x", "--format", "xlsx"], "Allowed choices are parquet, ndjson, csv"],
    [
      ["export", "--out", "x", "--only", "apps,sync_states"],
      "There is no sync_states to export; there are apps, tags,",
    ],
    [["import"], "missing required argument 'folder'"],
    [["--full"], "unknown option '--full'"],
  ])("refuses %j", (argv, message) => {
    const fault = faultOf(...argv);
    expect(fault).toContain(message);
    expect(fault).toContain("--help");
  });

  it.each([
    ["--batch-size", "0", "from 1 to 1000"],
    ["--batch-size", "1001", "from 1 to 1000"],
    ["--batch-size", "2.5", "from 1 to 1000"],
    ["--batch-size", "", "from 1 to 1000"],
    ["--max-details", "-1", "from 0 to 1000000"],
    ["--max-details", "1e3", "from 0 to 1000000"],
    ["--max-details", "all", "from 0 to 1000000"],
  ])("refuses collect %s %j", (option, value, range) => {
    const fault = faultOf("collect", `${option}=${value}`);
    expect(fault).toContain(`argument '${value}' is invalid. Expected a whole number ${range}.`);
    expect(fault).toContain(option);
    expect(fault).toContain("--help");
  });

  it.each(["0", "2147483648", "1.5", "1e3", "portal", ""])("rejects %j as an appid", (given) => {
    for (const command of ["app", "fetch"]) {
      const fault = faultOf(command, given);
      expect(fault).toContain(`'${given}' is invalid for argument 'appid'`);
      expect(fault).toContain("from 1 to 2147483647.");
    }
  });

  it("prints every command for --help and help, and the options of a command for its --help and `help COMMAND`", () => {
    const help = parseCommand(["--help"]);
    if (help?.kind !== "text") throw new Error("no help");
    const names = ["sync", "bulk-sync", "change-monitor", "collect", "library-import", "migrate"];
    names.push("export", "import", "status", "app", "fetch", "doctor");
    for (const word of [...names, "MODE", ".env.example", "Exit codes:", "npx steam-pics-sync"]) {
      expect(help.text).toContain(word);
    }
    for (const line of help.text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const bulk = parseCommand(["bulk-sync", "--help"]);
    expect(bulk).toMatchObject({ kind: "text", text: expect.stringContaining("--app-ids <list>") });
    expect(parseCommand(["app", "--help"])).toMatchObject({
      text: expect.stringContaining("the appid"),
    });
    const collect = parseCommand(["collect", "--help"]);
    if (collect?.kind !== "text") throw new Error("no help");
    for (const word of [
      ...["--full-refresh", "--update-metadata", "COLLECT_INTERVAL"],
      ...["--batch-size <apps>", "BATCH_SIZE", "--max-details <games>", "MAX_DETAILS"],
    ]) {
      expect(collect.text).toContain(word);
    }
    for (const line of collect.text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    for (const name of names) {
      const one = parseCommand([name, "--help"]);
      if (one?.kind !== "text") throw new Error("no help");
      expect(one.text).toMatch(new RegExp(`Example:\\n {2}npx steam-pics-sync ${name}`));
      for (const line of one.text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    }
    expect(parseCommand(["help"])).toEqual(help);
    expect(parseCommand(["help", "help"])).toEqual(help);
    expect(parseCommand(["help", "collect"])).toEqual(collect);
    expect(parseCommand(["help", "webhook", "add"])).toEqual(parseCommand(["webhook", "add", "--help"]));
    expect(parseCommand(["--version"])).toMatchObject({
      kind: "text",
      text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe("commandOfMode", () => {
  it("maps each MODE to its command without options", () => {
    expect(commandOfMode("sync")).toEqual({ kind: "sync" });
    expect(commandOfMode("bulk_sync")).toEqual({ kind: "bulk_sync", appids: null, full: false, acceptUnknown: false });
    expect(commandOfMode("change_monitor")).toEqual({ kind: "change_monitor" });
    expect(commandOfMode("collect")).toEqual(asConfigured);
    expect(commandOfMode("library_import")).toEqual({
      kind: "library_import",
      userId: null,
      steamId: null,
      report: null,
    });
    expect(commandOfMode("migrate")).toEqual({ kind: "migrate" });
  });
});

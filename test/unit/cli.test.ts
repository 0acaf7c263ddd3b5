import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandOfMode, parseCommand } from "../../src/cli.ts";
import { ConfigError } from "../../src/errors.ts";

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
  it("leaves an empty command line to MODE", () => {
    expect(parseCommand([])).toBeNull();
  });

  it.each([
    [["sync"], { kind: "sync" }],
    [["migrate"], { kind: "migrate" }],
    [["bulk-sync"], { kind: "bulk_sync", appids: null, full: false }],
    [["bulk-sync", "--full"], { kind: "bulk_sync", appids: null, full: true }],
    [["bulk-sync", "--app-ids", "10,20,10"], { kind: "bulk_sync", appids: [10, 20], full: false }],
    [["bulk-sync", "--app-ids=2147483647, 1"], { kind: "bulk_sync", appids: [2_147_483_647, 1], full: false }],
  ])("reads %j", (argv, command) => {
    expect(parseCommand(argv)).toEqual(command);
  });

  it("reads a file with commas, lines and comments", () => {
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

  it("names the line of a faulty file", () => {
    expect(faultOf("bulk-sync", "--app-ids", listFile("10\n\nPortal 2\n"))).toContain('"Portal" (line 3).');
  });

  it.each([
    [["bulk"], "unknown command 'bulk'"],
    [["collect"], "unknown command 'collect'"],
    [["bulk-sync", "--ful"], "unknown option '--ful'"],
    [["bulk-sync", "--app-ids"], "argument missing"],
    [["bulk-sync", "10"], "too many arguments"],
    [["--full"], "unknown option '--full'"],
  ])("refuses %j", (argv, message) => {
    const fault = faultOf(...argv);
    expect(fault).toContain(message);
    expect(fault).toContain("--help");
  });

  it("answers --help with every command, and each command's with its options", () => {
    const help = parseCommand(["--help"]);
    if (help?.kind !== "text") throw new Error("no help");
    for (const word of ["sync", "bulk-sync", "migrate", "MODE", ".env.example"]) expect(help.text).toContain(word);
    for (const line of help.text.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const bulk = parseCommand(["bulk-sync", "--help"]);
    expect(bulk).toMatchObject({ kind: "text", text: expect.stringContaining("--app-ids <list>") });
    expect(parseCommand(["--version"])).toMatchObject({
      kind: "text",
      text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });
});

describe("commandOfMode", () => {
  it("gives each mode of this version its command without options", () => {
    expect(commandOfMode("sync")).toEqual({ kind: "sync" });
    expect(commandOfMode("bulk_sync")).toEqual({ kind: "bulk_sync", appids: null, full: false });
    expect(commandOfMode("migrate")).toEqual({ kind: "migrate" });
  });

  it("says that a mode is not part of this version", () => {
    expect(() => commandOfMode("library_import")).toThrow(ConfigError);
    expect(() => commandOfMode("library_import")).toThrow("MODE=library_import is not part of this version");
  });
});

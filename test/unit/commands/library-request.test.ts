import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { checkReportFile, importRequest, writeReportFile } from "../../../src/commands/library-request.ts";
import { loadConfig } from "../../../src/process/config.ts";
import { ConfigError } from "../../../src/process/errors.ts";

const nothing = { kind: "library_import", userId: null, steamId: null, report: null } as const;
const variables = { LIBRARY_USER: "u1", LIBRARY_STEAM_ID: "https://steamcommunity.com/id/name" };

describe("importRequest", () => {
  it("takes LIBRARY_USER and LIBRARY_STEAM_ID where the options do not say so", () => {
    const configured = { userId: "u1", steamId: variables.LIBRARY_STEAM_ID, report: null };
    expect(importRequest(nothing, loadConfig(variables))).toEqual(configured);
    const given = { ...nothing, userId: "u2", report: "-" };
    expect(importRequest(given, loadConfig(variables))).toEqual({ ...configured, userId: "u2", report: "-" });
    // A variable that the option replaces is not read.
    const broken = loadConfig({ ...variables, LIBRARY_STEAM_ID: "Gabe Newell" });
    expect(importRequest({ ...nothing, steamId: "[U:1:22202]" }, broken)).toMatchObject({ steamId: "[U:1:22202]" });
  });

  it.each([
    [{}, "library-import needs LIBRARY_USER (or --user) and LIBRARY_STEAM_ID (or --steam-id)."],
    [{ LIBRARY_USER: "u1", LIBRARY_STEAM_ID: " " }, "library-import needs LIBRARY_STEAM_ID (or --steam-id)."],
    [{ LIBRARY_STEAM_ID: "name" }, "library-import needs LIBRARY_USER (or --user)."],
    [{ ...variables, LIBRARY_USER: "../u1" }, "LIBRARY_USER must be letters, digits"],
    [{ ...variables, LIBRARY_STEAM_ID: "Gabe Newell" }, "LIBRARY_STEAM_ID must be a SteamID64"],
    [{ ...variables, LIBRARY_STEAM_ID: "620" }, "76561197960265729 to 76561202255233023"],
  ] as [Record<string, string>, string][])("refuses %j", (environment, message) => {
    const request = () => importRequest(nothing, loadConfig(environment));
    expect(request).toThrow(ConfigError);
    expect(request).toThrow(message);
  });
});

describe("the file of the report", () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), "spsync-report-"));
    onTestFinished(() => rmSync(path, { recursive: true }));
    return path;
  }

  it("is checked before the import without a change, and written with access for its owner alone", async () => {
    const [old, fresh] = [join(folder(), "old.csv"), join(folder(), "fresh.csv")];
    writeFileSync(old, "earlier");
    await checkReportFile(old);
    expect(readFileSync(old, "utf8")).toBe("earlier");
    await writeReportFile(old, "now");
    expect(readFileSync(old, "utf8")).toBe("now");
    await checkReportFile(fresh);
    await writeReportFile(fresh, "now");
    expect(statSync(fresh).mode & 0o777).toBe(0o600);
    await checkReportFile("-");
    await checkReportFile(null);
  });

  it("is refused with the reason when it cannot be written", async () => {
    const path = folder();
    for (const [file, code] of [
      [path, "EISDIR"],
      [join(path, "none", "report.csv"), "ENOENT"],
    ] as const) {
      const message = `The report cannot be written to ${file} (${code}): give --report another file.`;
      await expect(checkReportFile(file)).rejects.toThrow(new ConfigError(message));
      await expect(writeReportFile(file, "")).rejects.toThrow(/^The import is done, but its report cannot be written/);
    }
  });
});

import { describe, expect, it } from "vitest";
import type { Outcome } from "../../../src/doctor/check.ts";
import { createPrinter, formatClosing, formatCounts, formatReport } from "../../../src/doctor/report.ts";
import type { Terminal } from "../../../src/terminal/layout.ts";
import { coloured, plain } from "../terminal/samples.ts";

const outcome: Outcome = {
  group: "Services",
  name: "Steam servers",
  result: "failed",
  summary: "api.steampowered.com is unreachable: host name not found (DNS) (ENOTFOUND)",
  blame: "unreachable",
  remedy: "Check the name servers.",
  cause: null,
  duration_ms: 41,
};
const blocked: Outcome = {
  ...outcome,
  result: "skipped",
  summary: "Steam cannot be reached.",
  remedy: null,
  cause: "Steam cannot be reached",
};

function printed(terminal: Terminal, outcomes: readonly Outcome[]): string {
  let text = "";
  const write = (written: string) => {
    text += written;
  };
  const printer = createPrinter(write, terminal);
  for (const [index, each] of outcomes.entries()) {
    if (each.group !== outcomes[index - 1]?.group) printer.group(each.group);
    printer.outcome(each);
  }
  printer.end();
  return text;
}

describe("createPrinter", () => {
  it("shows results as words, remedies below findings, and what was skipped for one cause as one row", () => {
    const outcomes = [
      { ...blocked, name: "clock" },
      outcome,
      { ...outcome, name: "SteamSpy", result: "ok" as const, summary: "fine", remedy: null, duration_ms: 12_340 },
      { ...blocked, name: "logon" },
      { ...blocked, group: "Steam", name: "metadata" },
    ];
    expect(printed(plain, outcomes)).toBe(`
Services
  failed   Steam servers    api.steampowered.com is unreachable: host name not
                            found (DNS) (ENOTFOUND)
                            → Check the name servers.
  ok       SteamSpy         fine (12 s)
  –        2 checks skipped: Steam cannot be reached (clock, logon)

Steam
  –        1 check skipped: Steam cannot be reached (metadata)
`);
    expect(printed({ ...plain, columns: 40 }, [outcome])).toBe(`
Services
  failed   Steam servers
    api.steampowered.com is unreachable:
    host name not found (DNS)
    (ENOTFOUND)
    → Check the name servers.
`);
  });

  it("adds colours on a terminal only", () => {
    expect(printed(coloured, [{ ...outcome, result: "ok" }])).toContain("\u001b[32m  ok\u001b[39m");
    expect(printed(plain, [outcome])).not.toContain("\u001b");
  });
});

describe("formatClosing", () => {
  it("says what to do next", () => {
    const good = formatClosing([{ ...outcome, result: "ok" }], { terminal: plain, report: true });
    expect(good).toBe("\n1 ok. Nothing stands in the way of `npm start`.\n");
    const bad = formatClosing([outcome], { terminal: plain, report: false });
    expect(bad).toMatch(/^\n1 failed\. Correct what failed.*doctor --report/s);
  });
});

describe("formatReport", () => {
  const subject = {
    version: "1.2.3",
    node: "v24.21.0",
    platform: "linux x64",
    driver: "postgres",
    checked_at: "2026-11-26T12:00:00.000Z",
  };

  it("formats the environment and all findings as Markdown", () => {
    const outcomes: Outcome[] = [
      outcome,
      {
        ...outcome,
        name: "SteamSpy",
        result: "warning",
        remedy: null,
        summary: "a | b\n<img src=x> `c` *d* \\",
        duration_ms: 10_020,
      },
      { ...outcome, name: "clock", result: "warning", summary: "STEAM_API_KEY", remedy: null },
    ];
    expect(formatReport(subject, outcomes)).toBe(`\
**steam-pics-sync 1.2.3, Node v24.21.0, linux x64, database: postgres, 2026-11-26T12:00:00.000Z**: 2 warnings, 1 failed

| Check | Result | Found | ms |
| --- | --- | --- | --- |
| Services: Steam servers | failed | api.steampowered.com is unreachable: host name not found (DNS) (ENOTFOUND) → Check the name servers. | 41 |
| Services: SteamSpy | warning | a \\| b \\<img src=x\\> \\\`c\\\` \\*d\\* \\\\ | 10,020 |
| Services: clock | warning | STEAM_API_KEY | 41 |
`);
  });

  it("counts by result and omits results that did not occur", () => {
    const results = ["skipped", "ok", "warning", "ok"] as const;
    expect(formatCounts(results.map((result) => ({ ...outcome, result })))).toBe("2 ok, 1 warning, 1 skipped");
  });

  it("shows an unknown driver when the configuration is invalid", () => {
    expect(formatReport({ ...subject, driver: null }, [])).toContain("database: unknown");
  });
});

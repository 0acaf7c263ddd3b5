import { describe, expect, it } from "vitest";
import type { Outcome } from "../../../src/doctor/check.ts";
import { formatCounts, formatOutcome, formatReport } from "../../../src/doctor/report.ts";
import { coloured, plain } from "../terminal/samples.ts";

const outcome: Outcome = {
  group: "Services",
  name: "Steam servers",
  result: "failed",
  summary: "api.steampowered.com is unreachable: host name not found (DNS) (ENOTFOUND)",
  blame: "unreachable",
  duration_ms: 41,
};

describe("formatOutcome", () => {
  it("shows the result as a word and wraps the finding", () => {
    expect(formatOutcome(outcome, plain)).toBe(`\
  failed   Steam servers    api.steampowered.com is unreachable: host     41 ms
                            name not found (DNS) (ENOTFOUND)
`);
    expect(formatOutcome({ ...outcome, result: "ok", summary: "fine", duration_ms: 12_340 }, plain)).toBe(
      "  ok       Steam servers    fine                                          12 s\n",
    );
  });

  it("adds colours on a terminal only", () => {
    expect(formatOutcome({ ...outcome, result: "ok" }, coloured)).toContain("\u001b[32m  ok\u001b[39m");
    expect(formatOutcome(outcome, plain)).not.toContain("\u001b");
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
        summary: "a | b\n<img src=x> `c` *d* \\",
        duration_ms: 10_020,
      },
      { ...outcome, name: "clock", result: "warning", summary: "STEAM_API_KEY" },
    ];
    expect(formatReport(subject, outcomes)).toBe(`\
**steam-pics-sync 1.2.3, Node v24.21.0, linux x64, database: postgres, 2026-11-26T12:00:00.000Z**: 2 warnings, 1 failed

| Check | Result | Found | ms |
| --- | --- | --- | --- |
| Services: Steam servers | failed | api.steampowered.com is unreachable: host name not found (DNS) (ENOTFOUND) | 41 |
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

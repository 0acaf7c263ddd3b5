import { parse } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { namedGames, type ReportedGame, writeReport } from "../../../src/library/report.ts";
import { enrichedGame, igdbGame } from "./samples.ts";

const game = (game: Partial<ReportedGame>): ReportedGame => ({ ...enrichedGame(), igdb: null, reason: null, ...game });

describe("namedGames", () => {
  it("names the first ten of a status with their reason, and counts all", () => {
    const games = Array.from({ length: 25 }, (_, i) =>
      game({ appid: i + 1, name: i === 1 ? "" : `Game ${i + 1}`, match_status: i < 23 ? "UNMATCHED" : "IGNORED" }),
    );
    games[2] = { ...(games[2] as ReportedGame), reason: "not in IGDB" };
    const { count, first } = namedGames(games, "UNMATCHED");
    expect(count).toBe(23);
    expect(first).toHaveLength(10);
    expect(first.slice(0, 3)).toEqual(["Game 1 (1)", "App 2", "Game 3 (3): not in IGDB"]);
    expect(namedGames(games, "IGNORED")).toEqual({ count: 2, first: ["Game 24 (24)", "Game 25 (25)"] });
    expect(namedGames([], "MATCHED")).toEqual({ count: 0, first: [] });
  });
});

describe("writeReport", () => {
  it("has a row for every game, and no name that a spreadsheet reads as a formula", () => {
    const report = writeReport([
      game({ appid: 620, name: 'Portal "2", 夜', match_status: "MATCHED", igdb: igdbGame({ name: "Portal 2" }) }),
      game({ appid: 7, name: "=1+1", classification: "DLC", match_status: "IGNORED", reason: "Steam: dlc" }),
    ]);
    const rows = parse(report, { columns: true });
    expect(report.split("\n")[0]).toBe("appid,name,classification,status,reason,matched_name");
    expect(rows).toEqual([
      {
        appid: "620",
        name: 'Portal "2", 夜',
        classification: "GAME",
        status: "MATCHED",
        reason: "",
        matched_name: "Portal 2",
      },
      { appid: "7", name: "'=1+1", classification: "DLC", status: "IGNORED", reason: "Steam: dlc", matched_name: "" },
    ]);
    expect(writeReport([])).toBe("appid,name,classification,status,reason,matched_name\n");
  });
});

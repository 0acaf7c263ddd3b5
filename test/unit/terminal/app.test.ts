import { describe, expect, it } from "vitest";
import { formatApp } from "../../../src/terminal/app.ts";
import { coloured, now, plain, portal, portalStored } from "./samples.ts";

describe("formatApp", () => {
  it("shows title, freshness and all stored fields in groups", () => {
    expect(formatApp(portalStored, plain, now)).toBe(`\
Portal 2 (620), game
Synced 2026-11-26 11:55:00 UTC (5 min 00 s ago), change number 36053620; up to
date

Store
  State               released
  Released            2011-04-18 17:00:00 UTC
  Free                no
  Belongs to          Portal (400)
  DLC                 652, Soundtrack (323180)
  Developers          Valve
  Publishers          Valve
  Family sharing      not excluded

Classification
  Tags                Puzzle (1664), 5055
  Genres              Action (1), Adventure (25)
  Primary genre       Action (1)
  Categories          Single-player (2)
  Content             frequent violence or gore (2), general mature content (5)
  Workshop            yes

Reviews
  Score               overwhelmingly positive (9)
  Positive            98 %
  Metacritic          95
  Metacritic page     https://www.metacritic.com/game/pc/portal-2-portal-2-porta
                      l-2-portal-2-portal-2-portal-2-portal-2-portal-2-portal-2-

Platform support
  Platforms           windows, linux
  Controllers         full
  Languages           english (audio, subtitles), french (subtitles, no
                      interface), thai
  Steam Deck          verified, SteamOS compatible, Steam Machine playable,
                      tested 2024-02-24 00:00:00 UTC, build 13439412
                      verified: runs well with its default graphics settings
                      SteamOS compatible: starts and runs
                      Steam Machine no result: SomethingNew

Files
  Built               2026-01-02 03:04:05 UTC
  Build               19000000

Record
  First stored        2026-11-16 12:00:00 UTC (10 days ago)
  Last changed        2026-11-26 10:00:00 UTC (2 h 00 min ago)
`);
  });

  it.each([
    [{ is_pending: true }, "; a newer change is pending\n"],
    [{ synced_at: null }, "Never synced with Steam.\n"],
    [{ is_known: false }, "Unknown to Steam: it was removed.\n"],
    [{ is_listed: false }, "Delisted: it is no longer in the store's app list.\n"],
    [{ missing_token: true }, "Incomplete: Steam shows anonymous sessions only the public part.\n"],
    [{ name: null, type: null }, "Unnamed app (620)\n"],
  ])("shows for %j: %s", (fields, sentence) => {
    const text = formatApp({ ...portalStored, app: { ...portal, ...fields } }, plain, now).replaceAll(
      /(?<=.)\n(?=[a-z])/g,
      " ",
    );
    expect(text).toContain(sentence);
    expect(formatApp(portalStored, plain, now)).not.toContain(sentence);
  });

  it("wraps long names and lists at the width of the terminal", () => {
    const name = "An unreasonably long name ".repeat(12);
    const developers = Array.from({ length: 40 }, (_, index) => `Studio ${index}`);
    for (const columns of [40, 80, 120]) {
      const text = formatApp({ ...portalStored, app: { ...portal, name, developers } }, { ...plain, columns }, now);
      for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(columns);
      expect(text.replaceAll(/\s+/g, " ")).toContain("Studio 38, Studio 39");
    }
  });

  it("removes control and bidirectional characters from names", () => {
    const hostile = "\u001b]0;owned\u0007\u001b[2J\u009b31mDoom\r\nfake line\u202e";
    for (const terminal of [plain, coloured]) {
      const text = formatApp(
        { ...portalStored, app: { ...portal, name: hostile, developers: [hostile], homepage_url: hostile } },
        terminal,
        now,
      );
      const unstyled = ["\u001b[1m", "\u001b[22m"].reduce((rest, style) => rest.replaceAll(style, ""), text);
      expect(unstyled.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(unstyled).toContain("[2J 31mDoom fake line (620), game");
    }
  });

  it("adds styles on a terminal only", () => {
    expect(formatApp(portalStored, plain, now)).not.toContain("\u001b");
    expect(formatApp(portalStored, coloured, now)).toContain("\u001b[1mStore\u001b[22m");
  });
});

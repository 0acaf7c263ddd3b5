import { describe, expect, it } from "vitest";
import { differenceOf } from "../../../../src/http/dashboard/page/app/difference.js";
import { chipsOf, titleOf, withFilter } from "../../../../src/http/dashboard/page/apps/filters.js";
import { dateAndClock } from "../../../../src/http/dashboard/page/format.js";
import { testName } from "../../../../src/http/dashboard/page/names.js";

describe("the filters of a list", () => {
  const query = (text: string) => new URLSearchParams(text);

  it("become one chip for each value, each with the list without it", () => {
    const chips = chipsOf(query("type=game,dlc&tag=Puzzle&tag=Cozy&deck=verified&q=portal&sort=name&cursor=x&limit=9"));
    expect(chips.map(({ label, address }) => [label, decodeURIComponent(address)])).toEqual([
      ["game", "/apps?type=dlc&tag=Puzzle&tag=Cozy&deck=verified&q=portal&sort=name&limit=9"],
      ["dlc", "/apps?type=game&tag=Puzzle&tag=Cozy&deck=verified&q=portal&sort=name&limit=9"],
      ["tag: Puzzle", "/apps?type=game,dlc&tag=Cozy&deck=verified&q=portal&sort=name&limit=9"],
      ["tag: Cozy", "/apps?type=game,dlc&tag=Puzzle&deck=verified&q=portal&sort=name&limit=9"],
      ["Deck: verified", "/apps?type=game,dlc&tag=Puzzle&tag=Cozy&q=portal&sort=name&limit=9"],
      ["named “portal”", "/apps?type=game,dlc&tag=Puzzle&tag=Cozy&deck=verified&sort=name&limit=9"],
    ]);
    expect(titleOf(chips.slice(2, 4))).toBe("Apps: tag: Puzzle, tag: Cozy");
    expect(titleOf([])).toBe("Apps");
    expect(chipsOf(query("type=game")).map(({ address }) => address)).toEqual(["/apps"]);
  });

  it.each([
    ["", "type", "game", "/apps?type=game"],
    ["type=game&cursor=x", "type", "dlc", "/apps?type=game,dlc"],
    ["type=game,dlc", "type", "dlc", "/apps?type=game,dlc"],
    ["tag=Puzzle", "tag", "Cozy", "/apps?tag=Puzzle&tag=Cozy"],
    ["tag=Puzzle", "tag", "Puzzle", "/apps?tag=Puzzle"],
    ["free=true", "free", "false", "/apps?free=false"],
  ])("%s with %s=%s is %s", (before, name, value, address) => {
    expect(decodeURIComponent(withFilter(query(before), name, value))).toBe(address);
  });
});

describe("differenceOf", () => {
  const names = new Map([[19, "Action"]]);

  it.each([
    [5, 7, "5 → 7 + − "],
    [null, "", "none → none + − "],
    [[19, 21], [21, 492], "null → null + 492 − Action"],
    [null, [19], "null → null + Action − "],
    [{ english: { full_audio: true, subtitles: false } }, null, "null → null + − english: full audio"],
    [
      { category: "playable", tests: null },
      { category: "verified", tests: null },
      "null → null + category: verified − category: playable",
    ],
    ["<b>", "2026-11-28T02:08:05+00:00", `<b> → ${dateAndClock("2026-11-28T02:08:05Z")} + − `],
  ])("of %j and %j is %s", (old, now, text) => {
    const { before, after, removed, added } = differenceOf(old, now, names);
    expect(`${before} → ${after} + ${added}${added.length > 0 ? " " : ""}− ${removed}`).toBe(text);
  });
});

describe("testName", () => {
  it.each([
    ["#SteamDeckVerified_TestResult_InterfaceTextIsLegible", "Interface text is legible"],
    ["#SteamOS_TestResult_GameStartupFunctional", "Game startup functional"],
    [
      "#SteamDeckVerified_TestResult_NotFunctionalWithoutExternalUSBDevice2",
      "Not functional without external USB device 2",
    ],
    ["#SteamDeckVerified_TestResult_UnsupportedAntiCheat_Other", "Unsupported anti cheat other"],
    ["plain text", "Plain text"],
    ["", ""],
  ])("of %s is %s", (token, words) => {
    expect(testName(token)).toBe(words);
  });
});

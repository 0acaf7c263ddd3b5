import { describe, expect, it } from "vitest";
import { time } from "../../../src/catalog/values.ts";
import { common, extended, whole } from "./sample-app.ts";
import { numbered, type Tree } from "./writer.ts";

describe("text", () => {
  it.each([
    ["  Spaced out\t\n", "Spaced out"],
    ["", null],
    [" \u00a0\r\n", null],
    ["\0", null],
    [" \0 ", null],
    ["A\0B", "AB"],
    ["\0 A", "A"],
    ["\ud83d!", "\ufffd!"],
    ["\ude00\ud83d", "\ufffd\ufffd"],
    ["\ud83d\0\ude00", "\u{1f600}"],
    ["\u{1f600}", "\u{1f600}"],
    ["\u200bA\u200b", "\u200bA\u200b"],
    ["12345", "12345"],
    ["\ufffd", "\ufffd"],
  ])("%j reads as %j", (raw, expected) => {
    expect(common({ name: raw }).name).toBe(expected);
  });

  it("is lower-cased only where it is a code", () => {
    const codes = { name: "NAME", type: " DLC ", releasestate: "Released", controller_support: "FULL" };
    expect(whole({ common: codes, extended: { state: "eStateAvailable" } })).toMatchObject({
      name: "NAME",
      type: "dlc",
      release_state: "released",
      controller_support: "full",
      app_state: "eStateAvailable",
    });
  });

  it("keeps unknown codes", () => {
    const record = common({ type: "Hologram", releasestate: "preloadonly" });
    expect(record).toMatchObject({ type: "hologram", release_state: "preloadonly" });
  });

  it("is the first one of a repeated key, whatever its case", () => {
    const twice: Tree = [
      ["ReleaseState", "Released"],
      ["releasestate", "prerelease"],
      ["RELEASESTATE", "disabled"],
    ];
    expect(common(twice).release_state).toBe("released");
  });

  it("stays text for a build id of any size", () => {
    const build = { branches: { public: { buildid: " 90071992547409931 " } } };
    expect(whole({ depots: build }).current_build_id).toBe("90071992547409931");
  });
});

describe("numbers", () => {
  it.each([
    ["0", 0],
    ["100", 100],
    ["101", null],
    ["-1", null],
    ["+5", null],
    ["05", 5],
    [" 5 ", 5],
    ["5\0", 5],
    ["5.0", null],
    ["5e1", null],
    ["0x5", null],
    ["5 5", null],
    ["٥", null],
    ["", null],
    ["9".repeat(400), null],
    ["Infinity", null],
    ["NaN", null],
  ])("%j as a percentage is %j", (raw, expected) => {
    const record = common({ review_percentage: raw, metacritic_score: raw });
    expect(record).toMatchObject({ pics_review_percentage: expected, metacritic_score: expected });
  });

  it.each([
    ["0", 0],
    ["9", 9],
    ["10", null],
  ])("%j as a review score is %j", (raw, expected) => {
    expect(common({ review_score: raw }).pics_review_score).toBe(expected);
  });

  it.each([
    ["1", 1],
    ["2147483647", 2147483647],
    ["2147483648", null],
    ["0", null],
    ["9007199254740993", null],
  ])("%j as an id is %j", (raw, expected) => {
    const ids = expected === null ? [] : [expected];
    const ofCommon = { primary_genre: raw, parent: raw, store_tags: numbered(raw), genres: numbered(raw) };
    expect(whole({ common: ofCommon, extended: { listofdlc: raw } })).toMatchObject({
      primary_genre_id: expected,
      parent_appid: expected,
      tags: ids,
      genres: ids,
      dlc: ids,
    });
  });
});

describe("times", () => {
  it.each([
    ["1", "1970-01-01T00:00:01.000Z"],
    ["1303171200", "2011-04-19T00:00:00.000Z"],
    ["253402300799", "9999-12-31T23:59:59.000Z"],
    ["253402300800", null],
    ["0", null],
    ["-5", null],
    ["2011-04-19", null],
    ["", null],
  ])("%j is %j", (raw, expected) => {
    const dates = { steam_release_date: raw, original_release_date: raw, store_asset_mtime: raw };
    expect(whole({ common: dates, depots: { branches: { public: { timeupdated: raw } } } })).toMatchObject({
      steam_release_date: expected,
      original_release_date: expected,
      store_asset_mtime: expected,
      last_content_update: expected,
    });
  });

  it("are written as the platform writes them, at every second of a day and on every day", () => {
    const seconds = [
      ...Array.from({ length: 86_400 }, (_, second) => 1_709_164_800 + second),
      ...Array.from({ length: 20_000 }, (_, day) => 1 + day * 86_400 * 10),
    ];
    const written = seconds.map((value) => time(String(value)));
    expect(written).toEqual(seconds.map((value) => new Date(value * 1_000).toISOString()));
  });
});

describe("the last content update", () => {
  it.each<[{ [key: string]: string }, string | null]>([
    [{ timebuildupdated: "1", timeupdated: "5" }, "1970-01-01T00:00:01.000Z"],
    [{ timebuildupdated: "1" }, "1970-01-01T00:00:01.000Z"],
    [{ timebuildupdated: "0", timeupdated: "5" }, "1970-01-01T00:00:05.000Z"],
    [{ timebuildupdated: "soon", timeupdated: "5" }, "1970-01-01T00:00:05.000Z"],
    [{ buildid: "7" }, null],
  ])("is that of the build, not of the branch: %j", (branch, expected) => {
    expect(whole({ depots: { branches: { public: branch } } }).last_content_update).toBe(expected);
  });
});

describe("platforms", () => {
  it.each([
    ["windows", "windows"],
    ["linux,windows,macos", "windows,macos,linux"],
    [" Windows , MACOS", "windows,macos"],
    ["windows,android", "windows,android"],
    ["zunix,android,LINUX,android,macos,", "macos,linux,android,zunix"],
    ["macos,macos", "macos"],
    ["android", "android"],
    ["windowsxp", "windowsxp"],
    [",", null],
    ["", null],
  ])("%j is %j", (raw, expected) => {
    expect(common({ oslist: raw }).platforms).toBe(expected);
  });
});

describe("addresses", () => {
  const built = "https://www.metacritic.com/game/pc/portal-2";
  const full = `${built}?ftag=x`;

  it.each<[Tree, string | null]>([
    [{ metacritic_fullurl: full, metacritic_url: "pc/other" }, full],
    [{ metacritic_fullurl: " ", metacritic_url: " pc/portal-2 " }, built],
    [{ metacritic_url: "pc/portal-2" }, built],
    [{ metacritic_url: "" }, null],
    [{ metacritic_name: "Portal 2" }, null],
  ])("metacritic: %j is %j", (inner, expected) => {
    expect(common(inner).metacritic_url).toBe(expected);
  });

  it.each<[Tree, string | null]>([
    [{ homepage: "http://a.example", developer_url: "http://b.example" }, "http://a.example"],
    [{ homepage: "", developer_url: "http://b.example" }, "http://b.example"],
    [{ developer_url: " http://b.example " }, "http://b.example"],
    [{ homepage: "" }, null],
  ])("homepage: %j is %j", (inner, expected) => {
    expect(extended(inner).homepage_url).toBe(expected);
  });
});

describe("parent", () => {
  it.each<[Tree, Tree, number | null]>([
    [{ parent: "10" }, { dlcforappid: "20" }, 10],
    [{}, { dlcforappid: "20", demoofappid: "30", betaforappid: "40" }, 20],
    [{}, { demoofappid: "30", betaforappid: "40" }, 30],
    [{}, { betaforappid: "40" }, 40],
    [{ parent: "500" }, { dlcforappid: "20" }, 20],
    [{ parent: "500" }, { dlcforappid: "500" }, null],
    [{ parent: "garbage" }, { dlcforappid: "0", demoofappid: "30" }, 30],
    [{ parent: "-10" }, {}, null],
  ])("common %j, extended %j is %j", (inCommon, inExtended, expected) => {
    expect(whole({ common: { ...inCommon, name: "A" }, extended: inExtended }).parent_appid).toBe(expected);
  });
});

describe("flags", () => {
  it.each([
    ["1", true],
    [" 1 ", true],
    ["0", false],
    ["true", false],
    ["2", false],
    ["", false],
  ])("%j is %j", (raw, expected) => {
    expect(whole({ common: { name: "A" }, extended: { isfreeapp: raw } }).is_free).toBe(expected);
    expect(common({ freetodownload: raw }).is_free).toBe(expected);
    expect(common({ workshop_visible: raw }).has_workshop).toBe(expected);
    expect(common({ category: { category_30: raw } }).has_workshop).toBe(expected);
  });

  it.each<[Tree, Tree, boolean]>([
    [{ freetodownload: "1" }, {}, true],
    [{ freetodownload: "0" }, {}, false],
    [{ freetodownload: "0" }, { isfreeapp: "1" }, true],
    [{ type: "Demo" }, { isfreeapp: "0" }, true],
    [{ type: " BETA " }, {}, true],
    [{ type: "Game" }, {}, false],
    [{ type: "demos" }, {}, false],
    [{ isfreeapp: "1" }, { freetodownload: "1" }, false],
  ])("is_free: common %j, extended %j is %j", (inCommon, inExtended, expected) => {
    expect(whole({ common: inCommon, extended: inExtended }).is_free).toBe(expected);
  });
});

describe("names in other languages", () => {
  it("are by language, without those that are empty or no language", () => {
    const names = { japanese: " ポータル ", sc_schinese: "传送门", french: "", "german;": "Portal", thai: { x: "1" } };
    expect(common({ name_localized: names }).name_localized).toEqual({ japanese: "ポータル", sc_schinese: "传送门" });
    expect(common({ name_localized: { french: "\0" } }).name_localized).toBeNull();
    const odd: Tree = [["__proto__", "A"]];
    expect(JSON.stringify(common({ name_localized: odd }).name_localized)).toBe('{"__proto__":"A"}');
  });
});

describe("AI content", () => {
  it.each([
    ["1", ["pre_generated"]],
    ["2", ["live"]],
    ["3", ["pre_generated", "live"]],
    ["0", null],
    ["4", null],
    ["", null],
    ["x", null],
  ])("%j is %j", (raw, expected) => {
    expect(common({ aicontenttype: raw }).ai_content).toEqual(expected);
  });
});

describe("virtual reality", () => {
  it.each<[Tree, string | null]>([
    [{ onlyvrsupport: "1" }, "only"],
    [{ onlyvrsupport: "1", openvrsupport: "1" }, "only"],
    [{ openvrsupport: "1" }, "supported"],
    [{ openxrsupport: "1", onlyvrsupport: "0" }, "supported"],
    [{ othervrsupport: "1" }, "supported"],
    [{ openvrsupport: "0" }, null],
    [{ controllervr: { steamvr: "1" } }, null],
  ])("%j is %j", (inner, expected) => {
    expect(common({ ...inner, name: "A" }).vr_support).toBe(expected);
  });
});

describe("restrictions", () => {
  it.each([
    ["DE", ["DE"]],
    ["CN,DE,SA", ["CN", "DE", "SA"]],
    ["sa, de,,DE,CN", ["CN", "DE", "SA"]],
    ["DEU,x,1", null],
    ["", null],
  ])("countries %j are %j", (raw, expected) => {
    expect(common({ restricted_countries: raw }).restricted_countries).toEqual(expected);
  });

  it.each([
    ["1", true],
    ["9", true],
    ["0", false],
    ["", false],
    ["x", false],
  ])("exfgls %j excludes from family sharing: %j", (raw, expected) => {
    expect(common({ exfgls: raw }).family_sharing_excluded).toBe(expected);
    expect(common({ name: "A" }).family_sharing_excluded).toBe(false);
  });

  it("is another app that must be owned", () => {
    expect(extended({ mustownapptopurchase: "400" }).must_own_appid).toBe(400);
    expect(extended({ mustownapptopurchase: "500" }).must_own_appid).toBeNull();
    expect(extended({ mustownapptopurchase: "0" }).must_own_appid).toBeNull();
  });

  it.each([
    ["0", 0],
    ["1", 1],
    ["32767", 32_767],
    ["32768", null],
    ["", null],
  ])("playtest type %j is %j", (raw, expected) => {
    expect(extended({ playtest_type: raw }).playtest_type).toBe(expected);
  });
});

describe("other texts and numbers", () => {
  it("are read as the fields of their kind", () => {
    const inner = { osarch: " 64 ", review_score_bombs: "9", review_percentage_bombs: "95" };
    expect(whole({ common: inner, config: { installdir: " Portal 2 " } })).toMatchObject({
      os_arch: "64",
      pics_review_score_without_bombs: 9,
      pics_review_percentage_without_bombs: 95,
      install_dir: "Portal 2",
    });
    const invalid = { osarch: "", review_score_bombs: "10", review_percentage_bombs: "101" };
    expect(whole({ common: invalid, config: { installdir: "" } })).toMatchObject({
      os_arch: null,
      pics_review_score_without_bombs: null,
      pics_review_percentage_without_bombs: null,
      install_dir: null,
    });
  });
});

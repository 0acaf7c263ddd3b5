import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { isFull, onlyFull } from "../../support/full.ts";
import { type CommonSection, commonToText } from "../../support/independent-reading/common-to-text.ts";
import { readIndependently, rowsAfter } from "../../support/independent-reading/expected.ts";
import { at, blockAt, type Pairs, readPairs } from "../../support/independent-reading/pairs.ts";
import { readPayload } from "../../support/independent-reading/read.ts";
import type { ExpectedRows } from "../../support/independent-reading/rows.ts";
import { sampleRows, sampleText } from "../../support/independent-reading/sample.ts";

describe("readPairs", () => {
  it("keeps order, repeated keys, line breaks and escapes", () => {
    expect(readPairs('"a" { "b" "1\r\n\t2" "b" "x\\n\\t\\\\\\"y" } "c" ""')).toEqual([
      [
        "a",
        [
          ["b", "1\r\n\t2"],
          ["b", 'x\n\t\\"y'],
        ],
      ],
      ["c", ""],
    ]);
  });

  it.each(['"a"', '"a" "b', '"a" {', '"a" "b" }', '{ "a" "b" }', '"a" b', '"a" { "b" }'])("throws for %s", (text) => {
    expect(() => readPairs(text)).toThrow();
  });
});

describe("readIndependently", () => {
  it("reads every field", () => {
    expect(readIndependently(620, 77, sampleText)).toEqual(sampleRows);
  });

  it("reads empty sections and misplaced values as null", () => {
    const rows = readIndependently(
      5,
      1,
      '"appinfo" { "common" { "name" { } "store_tags" "1" "genres" { } } "extended" "" }',
    );
    expect(rows).toMatchObject({ partial: false, tags: [], genres: [], categories: [], developers: [], dlc: [] });
    expect(rows.steam_deck).toBeNull();
    const { appid, is_known, is_active, is_free, has_workshop, family_sharing_excluded, ...others } = rows.apps;
    expect({ appid, is_known, is_active, is_free, has_workshop, family_sharing_excluded }).toEqual({
      appid: 5,
      is_known: true,
      is_active: true,
      is_free: false,
      has_workshop: false,
      family_sharing_excluded: false,
    });
    expect(new Set(Object.values(others))).toEqual(new Set([null]));
  });

  it("leaves fields undetermined that a public-only text lacks", () => {
    const bare = readIndependently(5, 1, '"appinfo" { "appid" "5" "public_only" "1" }');
    expect(bare).toMatchObject({ partial: true, apps: { is_free: null, has_workshop: null } });
    const common = readIndependently(5, 1, '"appinfo" { "public_only" "1" "common" { "name" "x" } }');
    expect(common).toMatchObject({ partial: true, apps: { name: "x", is_free: null, has_workshop: false } });
  });

  it("keeps what a payload does not determine, and DLC by the rules of removal", () => {
    const read = (text: string, withheld = false) => readPayload(620, text, withheld);
    const depots = '"depots" { "621" { } }';
    const extended = (list: string) => `"extended" { "listofdlc" "${list}" }`;
    const first = rowsAfter(null, 620, 77, read(sampleText));
    expect(rowsAfter(first, 620, 78, read('"appinfo" { "appid" "620" }', true))).toEqual({
      ...sampleRows,
      partial: true,
      changeNumber: 78,
    });
    expect(rowsAfter(first, 620, 77, read('"appinfo" { "common" { } "depots" "" }'))).toEqual(sampleRows);
    const fewer = rowsAfter(first, 620, 78, read(`"appinfo" { ${extended("7")} ${depots} }`), new Map([[9, 620]]));
    expect(fewer).toEqual({
      ...sampleRows,
      changeNumber: 78,
      apps: {
        ...sampleRows.apps,
        homepage_url: null,
        app_state: null,
        current_build_id: null,
        last_content_update: null,
        must_own_appid: null,
      },
      dlc: [7, 9],
      branches: [],
      depots: [{ ...sampleRows.depots[1], depot_id: 621, dlc_appid: null }],
    });
    const cut = Array.from({ length: 64 }, (_, index) => 1_000 + index);
    const dlcAfter = (text: string) => rowsAfter(first, 620, 78, read(text)).dlc;
    expect(dlcAfter(`"appinfo" { ${extended(cut.join())} ${depots} }`)).toEqual([7, 9, ...cut, 323180]);
    expect(dlcAfter(`"appinfo" { ${extended(cut.slice(1).join())} ${depots} }`)).toEqual(cut.slice(1));
    expect(dlcAfter(`"appinfo" { ${extended("7")} }`)).toEqual(sampleRows.dlc);
    expect(dlcAfter(`"appinfo" { ${depots} }`)).toEqual(sampleRows.dlc);
  });

  it("falls back to older blocks and cleans text", () => {
    const common = {
      name: "\u0000a\ud800b",
      metacritic_url: "pc/x",
      metacritic_fullurl: "http://m/",
      developer: "D",
      languages: { english: "1", french: "0", "#odd": "1" },
      steam_deck_compatibility: { category: "9", steamos_compatibility: "7" },
      parent: "2147483648",
    };
    expect(readIndependently(5, 1, commonToText(5, common))).toMatchObject({
      apps: {
        name: "a\ufffdb",
        metacritic_url: "http://m/",
        languages: { english: { supported: true, full_audio: false, subtitles: false } },
        parent_appid: null,
      },
      developers: ["D"],
      steam_deck: {
        category: "unknown",
        steamos_category: "unknown",
        machine_category: null,
        test_timestamp: null,
        tests: null,
      },
    });
  });
});

const picsFolder = fileURLToPath(new URL("../../../../shared/pics/", import.meta.url));
const hasRealData = existsSync(picsFolder);

describe.skipIf(!hasRealData)("real payloads (skipped without ../shared/pics)", () => {
  it.skipIf(!isFull)(`round-trips common sections, with the shares counted in data.md${onlyFull}`, () => {
    const games = readJsonLines<{ appid: number; common: CommonSection }>("common-2026.jsonl.gz");
    const rows = games.map(({ appid, common }) => {
      const text = commonToText(appid, common);
      expect(toJson(blockAt(readPairs(text), "appinfo", "common") ?? [])).toEqual(common);
      return readIndependently(appid, 1, text);
    });
    // Percentages that data.md counts in 124,356 games; these are a sample of them.
    const counted: [percent: number, holds: (row: ExpectedRows) => boolean][] = [
      [99.95, (row) => row.tags.length > 0],
      [41, (row) => row.tags.length === 20],
      [99.9, (row) => row.genres.length > 0],
      [100, (row) => row.categories.length > 0],
      [100, (row) => row.developers.length > 0],
      [99.9, (row) => row.apps.languages !== null],
      [98.8, (row) => row.apps.release_state !== null],
      [98.7, (row) => row.apps.steam_release_date !== null],
      [98.4, (row) => row.apps.platforms !== null],
      [64, (row) => row.apps.pics_review_score !== null],
      [34, (row) => row.apps.controller_support !== null],
      [27, (row) => row.steam_deck !== null],
      [23, (row) => row.apps.content_descriptors !== null],
      [9, (row) => row.apps.original_release_date !== null],
      [3.3, (row) => row.apps.metacritic_score !== null],
    ];
    for (const [percent, holds] of counted) {
      const found = (100 * rows.filter(holds).length) / rows.length;
      expect(Math.abs(found - percent), `${found} % beside ${percent} %: ${holds}`).toBeLessThan(1);
    }
  });

  it("reads every whole text", () => {
    const payloads = readJsonLines<{ appid: number; change_number: number; text: string }>("appinfo.jsonl.gz");
    for (const { appid, change_number, text } of payloads) {
      const rows = readIndependently(appid, change_number, text);
      expect(Number(at(readPairs(text), "appinfo", "appid"))).toBe(appid);
      expect(rows.partial).toBe(/^\t"public_only"/m.test(text));
      expect(rows.apps.name !== null).toBe(/^\t\t"name"/m.test(text));
    }
  });
});

function readJsonLines<T>(name: string): T[] {
  const lines = gunzipSync(readFileSync(picsFolder + name))
    .toString("utf8")
    .trimEnd()
    .split("\n");
  return lines.map((line) => JSON.parse(line) as T);
}

function toJson(pairs: Pairs): CommonSection {
  return Object.fromEntries(pairs.map(([key, value]) => [key, typeof value === "string" ? value : toJson(value)]));
}

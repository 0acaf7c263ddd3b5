import { describe, expect, it } from "vitest";
import { common, extended, whole } from "./sample-app.ts";
import { numbered, type Tree } from "./writer.ts";

describe("ordered lists", () => {
  it("are in numeric order of their keys, deduplicated at the first place", () => {
    const unordered: Tree = [
      ["10", "1000"],
      ["2", "200"],
      ["0", "19"],
      ["11", "19"],
      ["1", "492"],
      ["3", "200"],
    ];
    const ordered = [19, 492, 200, 1000];
    expect(common({ store_tags: unordered, genres: unordered })).toMatchObject({ tags: ordered, genres: ordered });
  });

  it("put keys that are not numbers last", () => {
    expect(common({ store_tags: { x: "1", "7": "2", "-1": "3" } }).tags).toEqual([2, 1, 3]);
  });

  it("leave out invalid ids", () => {
    expect(common({ store_tags: numbered("19", "", "x", "0", numbered("5"), "492") }).tags).toEqual([19, 492]);
  });

  it("are ascending for content descriptors, and null when none is valid", () => {
    expect(common({ content_descriptors: numbered("5", "1", "5") }).content_descriptors).toEqual([1, 5]);
    expect(common({ content_descriptors: numbered("x") }).content_descriptors).toBeNull();
    expect(common({ content_descriptors: {} }).content_descriptors).toBeNull();
  });

  it("are in Steam's order for DLC, without the app itself", () => {
    expect(extended({ listofdlc: "30, 20,500,,x,30,10" }).dlc).toEqual([30, 20, 10]);
    expect(extended({ listofdlc: "7" }).dlc).toEqual([7]);
    expect(extended({ listofdlc: "" }).dlc).toEqual([]);
  });
});

describe("DLC", () => {
  const depots = (...dlc: (string | Tree)[]) =>
    Object.fromEntries(dlc.map((dlcappid, index) => [String(501 + index), { dlcappid }]));
  const list = (count: number) => Array.from({ length: count }, (_, index) => 1000 + index).join(",");
  const dlcOf = (listofdlc: string, inDepots: Tree = { branches: {} }) => {
    const { dlc, dlc_complete } = whole({ common: { name: "A" }, extended: { listofdlc }, depots: inDepots });
    return [dlc, dlc_complete];
  };

  it("are those of the list, then those that only depots name", () => {
    expect(dlcOf("30,20", depots("20", "40", "500", "x", numbered("7"), "40"))).toEqual([[30, 20, 40], true]);
    expect(dlcOf("", depots("20"))).toEqual([[20], true]);
  });

  it("are not read from blocks that are no depots, nor from depots that are texts", () => {
    const odd = { branches: { dlcappid: "20" }, overridescddb: "30", "501": "40", "502": { DlcAppId: "50" } };
    expect(dlcOf("", odd)).toEqual([[50], true]);
  });

  it.each([
    ["63 entries are all", list(63), true],
    ["64 entries were cut", list(64), false],
    ["more entries were cut", list(65), false],
    ["invalid entries count, since Steam counted them", `x,${list(63)}`, false],
    ["empty entries do not", `,${list(63)},,`, true],
  ])("are complete below 64 entries: %s", (_, listofdlc, expected) => {
    expect(dlcOf(listofdlc)[1]).toBe(expected);
  });
});

describe("genres and categories", () => {
  it("accepts a primary genre outside the genres, and reads 0 as none", () => {
    expect(common({ genres: numbered("1"), primary_genre: "23" })).toMatchObject({ genres: [1], primary_genre_id: 23 });
    expect(common({ primary_genre: "0" }).primary_genre_id).toBeNull();
  });

  it("returns the categories that are set, ascending", () => {
    const set = { category_22: "1", category_2: "1", category_02: "1" };
    const unset = { category_9: "0", category_30: "", category_41: numbered("1") };
    const odd = { category_0: "1", category_99999999999: "1", category_x: "1", category_: "1", "category_8 ": "1" };
    const others = { Category_8: "1", subcategory_7: "1" };
    const record = common({ category: { ...set, ...unset, ...odd, ...others } });
    expect(record).toMatchObject({ categories: [2, 8, 22], has_workshop: false });
  });
});

describe("companies and franchises", () => {
  it("are the associations of their type in order, trimmed and deduplicated", () => {
    const associations = numbered(
      { type: "developer", name: " Studio B " },
      { type: "developer", name: "Studio A" },
      { type: "Developer", name: "Studio A" },
      { type: "developer", name: "studio a" },
      { type: "publisher", name: "Big, Inc." },
      { type: "franchise", name: "Saga" },
      { type: "award", name: "Best" },
      { type: "developer", name: "" },
      { type: "", name: "Nobody" },
      { type: "developer" },
      "developer",
    );
    expect(common({ associations })).toMatchObject({
      developers: ["Studio B", "Studio A", "studio a"],
      publishers: ["Big, Inc."],
      franchises: ["Saga"],
    });
  });

  it.each<[string, Tree, Tree, object]>([
    [
      "associations of one kind do not replace those of the other",
      { associations: numbered({ type: "developer", name: "New" }), developer: "Old" },
      { developer: "Old", publisher: " Old Pub " },
      { developers: ["New"], publishers: ["Old Pub"] },
    ],
    [
      "extended before common, and names are not split",
      { developer: "Old, Ltd.", publisher: "Common" },
      { developer: "", publisher: "Extended" },
      { developers: ["Old, Ltd."], publishers: ["Extended"] },
    ],
    ["no name anywhere", { associations: {}, developer: "\0" }, { publisher: " " }, { developers: [], publishers: [] }],
    ["franchises have no fallback", { franchise: "Saga" }, { franchise: "Saga" }, { franchises: [] }],
  ])("fall back to older names: %s", (_, inCommon, inExtended, expected) => {
    expect(whole({ common: inCommon, extended: inExtended })).toMatchObject(expected);
  });
});

describe("languages", () => {
  const both = { supported: true, full_audio: true, subtitles: true };
  const neither = { supported: true, full_audio: false, subtitles: false };

  it("are those with any flag set, with the flags of each", () => {
    const supported = {
      english: { supported: "true", full_audio: "true", subtitles: "true" },
      german: { supported: "1", full_audio: "1", subtitles: "1" },
      french: { supported: "true", full_audio: "false", subtitles: "" },
      latam_spanish: { supported: " true ", full_audio: numbered("1") },
      polish: { supported: "", full_audio: "true" },
      czech: { subtitles: "1" },
      danish: "true",
      thai: { supported: "0", full_audio: "", subtitles: "yes" },
      greek: {},
    };
    const expected = {
      english: both,
      german: both,
      french: neither,
      latam_spanish: neither,
      polish: { supported: false, full_audio: true, subtitles: false },
      czech: { supported: false, full_audio: false, subtitles: true },
    };
    expect(common({ supported_languages: supported, languages: { thai: "1" } }).languages).toEqual(expected);
  });

  it.each(["#lang_russian*#lang_full_audio", "english (full audio)", "german;", "Korean", "thai ", ""])(
    "leave out the key %j",
    (key) => {
      expect(common({ supported_languages: { [key]: { supported: "true" } } }).languages).toBeNull();
      expect(common({ languages: { [key]: "1" } }).languages).toBeNull();
    },
  );

  it("are read from the older block only when the newer is absent", () => {
    const languages = { english: "1", german: "0", greek: numbered("1") };
    expect(common({ languages }).languages).toEqual({ english: neither });
    expect(common({ supported_languages: "", languages }).languages).toEqual({ english: neither });
    expect(common({ supported_languages: {}, languages }).languages).toBeNull();
  });

  it("are null when there is none, and plain data for any key", () => {
    expect(common({ languages: { english: "0" } }).languages).toBeNull();
    const { languages } = common({ languages: { ["__proto__"]: "1", constructor: "1" } });
    expect(JSON.stringify(languages)).toBe(
      '{"__proto__":{"supported":true,"full_audio":false,"subtitles":false},"constructor":{"supported":true,"full_audio":false,"subtitles":false}}',
    );
  });
});

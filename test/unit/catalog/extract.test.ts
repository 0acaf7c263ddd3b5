import { describe, expect, it } from "vitest";
import { ExtractError, extractApp } from "../../../src/catalog/extract.ts";
import { KeyValuesError } from "../../../src/catalog/key-values.ts";
import { wholeRecord } from "./record-schema.ts";
import { partial, whole } from "./sample-app.ts";
import { numbered, type Tree } from "./writer.ts";

describe("extractApp: root", () => {
  it.each([
    ["another root", '"depots" { "appid" "500" }', 'Expected appinfo of app 500, found "depots"'],
    ["a root in other casing", '"AppInfo" { }', 'Expected appinfo of app 500, found "AppInfo"'],
    ["another appid", '"appinfo" { "appid" "501" }', 'Expected appid 500, found "501"'],
    ["an appid that is none", '"appinfo" { "appid" "many\0 \\"" }', 'Expected appid 500, found "many \\""'],
    ["a block as appid", '"appinfo" { "appid" { } }', "Expected appid 500, found a block"],
  ])("%s is an ExtractError", (_, text, message) => {
    expect(() => extractApp(500, text, false)).toThrow(new ExtractError(message));
  });

  it("throws KeyValuesError for a text that is not KeyValues", () => {
    expect(() => extractApp(500, '"appinfo" { "appid" "500"', false)).toThrow(KeyValuesError);
  });

  it("accepts a text without appid", () => {
    expect(extractApp(500, '"appinfo" { "common" { "name" "A" } }', false)).toMatchObject({ appid: 500, name: "A" });
  });
});

describe("extractApp: whole payload", () => {
  it("returns every key, also for an empty payload", () => {
    const record = whole({});
    expect(Object.keys(record).sort()).toEqual(Object.keys(wholeRecord.shape).sort());
    expect(record).toEqual({
      appid: 500,
      name: null,
      type: null,
      is_free: false,
      release_state: null,
      steam_release_date: null,
      original_release_date: null,
      store_asset_mtime: null,
      platforms: null,
      controller_support: null,
      pics_review_score: null,
      pics_review_percentage: null,
      metacritic_score: null,
      metacritic_url: null,
      parent_appid: null,
      homepage_url: null,
      app_state: null,
      last_content_update: null,
      current_build_id: null,
      content_descriptors: null,
      languages: null,
      has_workshop: false,
      tags: [],
      genres: [],
      primary_genre: null,
      categories: [],
      franchises: [],
      developers: [],
      publishers: [],
      dlc: [],
      steam_deck: null,
    });
  });

  it.each<[string, { [name: string]: string | Tree }]>([
    ["sections are texts", { common: "x", extended: "", depots: "1" }],
    ["sections are empty", { common: {}, extended: {}, depots: {} }],
    ["depots have no public branch", { depots: { branches: { beta: { buildid: "7", timeupdated: "7" } } } }],
    ["branches are a text", { depots: { branches: "public" } }],
    ["the public branch is a text", { depots: { branches: { public: "7" } } }],
  ])("reads like an empty one when its %s", (_, sections) => {
    expect(whole(sections)).toEqual(whole({}));
  });

  it("reads a payload with swapped texts and blocks like an empty one", () => {
    const lists = "content_descriptors supported_languages languages category store_tags genres associations";
    const texts = "name type releasestate steam_release_date oslist controller_support review_score parent developer";
    const sections = {
      common: {
        ...Object.fromEntries(`${lists} steam_deck_compatibility`.split(" ").map((key) => [key, "1"])),
        ...Object.fromEntries(`${texts} metacritic_url workshop_visible`.split(" ").map((key) => [key, numbered("1")])),
      },
      extended: Object.fromEntries("isfreeapp homepage listofdlc state".split(" ").map((key) => [key, numbered("1")])),
    };
    expect(whole(sections)).toEqual(whole({}));
  });
});

describe("extractApp: partial payload", () => {
  const ofCommon =
    "categories content_descriptors controller_support franchises genres has_workshop languages metacritic_score " +
    "metacritic_url name original_release_date pics_review_percentage pics_review_score platforms primary_genre " +
    "release_state steam_deck steam_release_date store_asset_mtime tags type";
  const ofExtended = "app_state dlc homepage_url is_free";
  const ofDepots = "current_build_id last_content_update";
  const name = { name: "A" };
  const some = { x: "1" };

  it("is recognised by the wire's flag or by the text's own", () => {
    expect(partial({})).toEqual({ appid: 500 });
    expect(whole({ public_only: "1" })).toEqual({ appid: 500 });
    expect(whole({ public_only: "0" })).toHaveProperty("name");
  });

  it.each<[string, { [name: string]: string | Tree }, string]>([
    ["nothing", {}, ""],
    ["common", { common: name }, ofCommon],
    ["extended", { extended: some }, ofExtended],
    ["depots", { depots: some }, ofDepots],
    ["common and depots", { common: name, depots: some }, `${ofCommon} ${ofDepots}`],
    [
      "common and extended",
      { common: name, extended: some },
      `${ofCommon} ${ofExtended} developers parent_appid publishers`,
    ],
    ["extended and depots", { extended: some, depots: some }, `${ofExtended} ${ofDepots}`],
    ["sections that are empty or texts", { common: {}, extended: "", depots: "1" }, ""],
    ["sections that are not used", { config: some, ufs: some }, ""],
  ])("returns only the keys of %s", (_, sections, keys) => {
    expect(Object.keys(partial(sections)).sort()).toEqual(["appid", ...keys.split(" ").filter(Boolean)].sort());
  });

  it("returns the keys of the sections that it has", () => {
    expect(partial({ common: name })).toMatchObject({ name: "A", type: null, tags: [], steam_deck: null });
  });

  it("determines the parent only when no missing section could", () => {
    expect(partial({ common: { parent: "10" } })).toHaveProperty("parent_appid", 10);
    expect(partial({ common: { parent: "500" } })).not.toHaveProperty("parent_appid");
    expect(partial({ extended: { dlcforappid: "20" } })).not.toHaveProperty("parent_appid");
    expect(partial({ common: name, extended: { dlcforappid: "20" } })).toHaveProperty("parent_appid", 20);
    expect(partial({ common: name, extended: some })).toHaveProperty("parent_appid", null);
  });

  it("determines companies only when no missing section could", () => {
    const common = { associations: numbered({ type: "developer", name: "New" }), publisher: "Old" };
    expect(partial({ common })).toHaveProperty("developers", ["New"]);
    expect(partial({ common })).not.toHaveProperty("publishers");
    expect(partial({ extended: { developer: "Ext" } })).not.toHaveProperty("developers");
    expect(partial({ common, extended: some })).toMatchObject({ developers: ["New"], publishers: ["Old"] });
  });
});

import { describe, expect, it } from "vitest";
import { ExtractError, extractApp } from "../../../src/catalog/extract.ts";
import { KeyValuesError } from "../../../src/catalog/key-values.ts";
import { wholeRecord } from "./record-schema.ts";
import { partial, whole } from "./sample-app.ts";
import { numbered, type Tree, write } from "./writer.ts";

describe("extractApp: root", () => {
  it.each([
    ["another root", '"depots" { "appid" "500" }', 'Expected appinfo of app 500, found "depots"'],
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
    const { record } = extractApp(500, '"appinfo" { "common" { "name" "A" } }', false);
    expect(record).toMatchObject({ appid: 500, name: "A" });
  });
});

const some = { x: "1" };
/** Sections with content that no field is read from. */
const unused = { common: some, extended: some, config: some, depots: some };

describe("extractApp: whole payload", () => {
  it("returns every key when it has the three sections", () => {
    const record = whole(unused);
    expect(Object.keys(record).sort()).toEqual(Object.keys(wholeRecord.shape).sort());
    expect(record).toEqual({
      appid: 500,
      name: null,
      name_localized: null,
      type: null,
      is_free: false,
      release_state: null,
      steam_release_date: null,
      original_release_date: null,
      store_asset_mtime: null,
      platforms: null,
      controller_support: null,
      os_arch: null,
      vr_support: null,
      pics_review_score: null,
      pics_review_percentage: null,
      pics_review_score_without_bombs: null,
      pics_review_percentage_without_bombs: null,
      metacritic_score: null,
      metacritic_url: null,
      parent_appid: null,
      must_own_appid: null,
      homepage_url: null,
      app_state: null,
      last_content_update: null,
      current_build_id: null,
      content_descriptors: null,
      languages: null,
      has_workshop: false,
      ai_content: null,
      restricted_countries: null,
      family_sharing_excluded: false,
      playtest_type: null,
      install_dir: null,
      assets: null,
      primary_genre_id: null,
      tags: [],
      genres: [],
      categories: [],
      franchises: [],
      developers: [],
      publishers: [],
      dlc: [],
      dlc_complete: true,
      steam_deck: null,
      branches: [],
      depots: [],
    });
  });

  it.each<[string, Tree]>([
    ["the branches are a text", { branches: "public" }],
    ["the public branch is a text", { branches: { public: "7" } }],
  ])("lists no build when depots are there and %s", (_, depots) => {
    expect(whole({ ...unused, depots })).toEqual(whole(unused));
  });

  it("reads a payload with swapped texts and blocks like an empty one", () => {
    const lists = "content_descriptors supported_languages languages category store_tags genres associations";
    const blocks = `${lists} steam_deck_compatibility name_localized header_image small_capsule library_assets_full`;
    const texts =
      "aicontenttype exfgls osarch onlyvrsupport restricted_countries icon name type releasestate steam_release_date oslist controller_support review_score parent developer";
    const sections = {
      common: {
        ...Object.fromEntries(blocks.split(" ").map((key) => [key, "1"])),
        ...Object.fromEntries(`${texts} metacritic_url workshop_visible`.split(" ").map((key) => [key, numbered("1")])),
      },
      extended: Object.fromEntries(
        "isfreeapp homepage listofdlc state playtest_type".split(" ").map((key) => [key, numbered("1")]),
      ),
      config: { installdir: numbered("1") },
      depots: { "501": "1", branches: "1" },
    };
    expect(whole(sections)).toEqual(whole(unused));
  });
});

describe("extractApp: missing sections", () => {
  const ofCommon =
    "ai_content assets categories content_descriptors controller_support family_sharing_excluded franchises genres has_workshop languages metacritic_score " +
    "metacritic_url name name_localized original_release_date os_arch pics_review_percentage pics_review_score " +
    "pics_review_percentage_without_bombs pics_review_score_without_bombs restricted_countries vr_support platforms primary_genre_id " +
    "release_state steam_deck steam_release_date store_asset_mtime tags type";
  const ofExtended = "app_state dlc dlc_complete homepage_url must_own_appid playtest_type";
  const ofConfig = "install_dir";
  const ofDepots = "branches current_build_id depots dlc dlc_complete last_content_update";
  const ofBoth = `${ofCommon} ${ofExtended} developers is_free parent_appid publishers`;
  const name = { name: "A" };
  const keysOf = (record: object) => Object.keys(record).sort();
  const sorted = (keys: string) => [...new Set(["appid", ...keys.split(" ").filter(Boolean)])].sort();

  it("are told by the caller's flag or by the text's own", () => {
    expect(partial({ common: name })).not.toHaveProperty("homepage_url");
    expect(whole({ public_only: "1", common: name })).not.toHaveProperty("homepage_url");
    expect(whole({ public_only: "0", common: name })).toHaveProperty("homepage_url", null);
  });

  it.each<[string, { [name: string]: string | Tree }, string]>([
    ["nothing", {}, ""],
    ["common", { common: name }, ofCommon],
    ["extended", { extended: some }, ofExtended],
    ["depots", { depots: some }, ofDepots],
    ["common and depots", { common: name, depots: some }, `${ofCommon} ${ofDepots}`],
    ["common and extended", { common: name, extended: some }, ofBoth],
    ["extended and depots", { extended: some, depots: some }, `${ofExtended} ${ofDepots}`],
    ["sections that are empty or texts", { common: {}, extended: "", depots: "1", config: {} }, ""],
    ["config and a section that is not used", { config: some, ufs: some }, ofConfig],
  ])("of a partial payload determine nothing: one with %s", (_, sections, keys) => {
    expect(keysOf(partial(sections))).toEqual(sorted(keys));
  });

  it.each<[string, { [name: string]: string | Tree }, string]>([
    ["nothing", {}, ""],
    ["extended and depots", { extended: some, depots: some }, `${ofExtended} ${ofDepots}`],
    ["common and extended", { common: name, extended: some }, `${ofBoth} ${ofConfig}`],
    ["common", { common: name }, `${ofBoth} ${ofConfig}`],
    ["common and depots", { common: name, depots: some }, `${ofBoth} ${ofConfig} ${ofDepots}`],
    ["depots", { depots: some }, ofDepots],
    ["sections that are empty or texts", { common: {}, extended: "", depots: "1" }, ""],
    ["an empty common beside others", { common: {}, extended: some, depots: {} }, ofExtended],
    ["config and a section that is not used", { config: some, ufs: some }, ofConfig],
  ])(
    "of a whole payload determine nothing, except that extended and config beside common list none: %s",
    (_, sections, keys) => {
      expect(keysOf(whole(sections))).toEqual(sorted(keys));
    },
  );

  it("are reported, also in a whole payload", () => {
    const sections = { common: {}, extended: "x", depots: some };
    for (const isPartial of [true, false]) {
      const text = write({ appinfo: { appid: "500", ...sections } });
      expect(extractApp(500, text, isPartial)).toMatchObject({ isPartial, lacks: ["common", "extended"] });
      expect(extractApp(500, '"appinfo" { }', isPartial).lacks).toEqual(["common", "extended", "depots"]);
    }
  });

  it("leave the keys of the sections that are there", () => {
    expect(partial({ common: name })).toMatchObject({ name: "A", type: null, tags: [], steam_deck: null });
  });

  it("leave the parent open only when they could tell it", () => {
    expect(partial({ common: { parent: "10" } })).toHaveProperty("parent_appid", 10);
    expect(partial({ common: { parent: "500" } })).not.toHaveProperty("parent_appid");
    expect(partial({ extended: { dlcforappid: "10" } })).not.toHaveProperty("parent_appid");
    expect(partial({ common: { parent: "0" }, extended: some })).toHaveProperty("parent_appid", null);
  });

  it("leave open whether an app is free only when they could tell it", () => {
    expect(partial({ common: { freetodownload: "1" } })).toHaveProperty("is_free", true);
    expect(partial({ common: { type: "Beta" } })).toHaveProperty("is_free", true);
    expect(partial({ extended: { isfreeapp: "1" } })).toHaveProperty("is_free", true);
    expect(partial({ extended: { isfreeapp: "0" } })).not.toHaveProperty("is_free");
  });

  it("leave companies open only when they could tell them", () => {
    const common = { associations: numbered({ type: "developer", name: "New" }), publisher: "Old" };
    expect(partial({ common })).toHaveProperty("developers", ["New"]);
    expect(partial({ common })).not.toHaveProperty("publishers");
    expect(partial({ extended: { developer: "Ext" } })).not.toHaveProperty("developers");
    expect(partial({ common, extended: some })).toMatchObject({ developers: ["New"], publishers: ["Old"] });
  });

  it("make a list of DLC incomplete in a partial payload", () => {
    const extended = { listofdlc: "10,20" };
    const depots = { "501": { dlcappid: "30" } };
    expect(whole({ common: some, extended, depots })).toMatchObject({ dlc: [10, 20, 30], dlc_complete: true });
    expect(partial({ extended, depots })).toMatchObject({ dlc: [10, 20, 30], dlc_complete: true });
    expect(partial({ common: some, extended })).toMatchObject({ dlc: [10, 20], dlc_complete: false });
    expect(partial({ common: some, depots })).toMatchObject({ dlc: [30], dlc_complete: false });
    expect(whole({ common: some, extended })).toMatchObject({ dlc: [10, 20], dlc_complete: true });
    expect(whole({ common: some, depots })).toMatchObject({ dlc: [30], dlc_complete: true });
    expect(whole({ common: some })).toMatchObject({ dlc: [], dlc_complete: true });
    expect(whole({ extended })).toMatchObject({ dlc: [10, 20], dlc_complete: false });
  });
});

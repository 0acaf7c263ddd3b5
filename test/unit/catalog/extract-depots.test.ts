import { describe, expect, it } from "vitest";
import { extractApp } from "../../../src/catalog/extract.ts";
import { whole } from "./sample-app.ts";
import { numbered, type Tree, write } from "./writer.ts";

const branchesOf = (branches: string | Tree) => whole({ depots: { "501": {}, branches } }).branches;
const depotsOf = (depots: Tree) => whole({ depots }).depots;

const bareBranch = {
  build_id: null,
  built_at: null,
  updated_at: null,
  description: null,
  password_required: false,
};
const bareDepot = {
  name: null,
  os_list: null,
  os_arch: null,
  language: null,
  dlc_appid: null,
  from_appid: null,
  shared_install: false,
  manifests: [],
};

describe("branches", () => {
  it("are all of them by name, with build, times, description and password", () => {
    const branches = {
      public: { buildid: "7", timebuildupdated: "1", timeupdated: "2" },
      Beta: { buildid: " 90071992547409931 ", description: " Try it ", pwdrequired: "1" },
      "old v1": { pwdrequired: "0", timeupdated: "0", description: "" },
    };
    expect(branchesOf(branches)).toEqual([
      { ...bareBranch, branch: "Beta", build_id: "90071992547409931", description: "Try it", password_required: true },
      { ...bareBranch, branch: "old v1" },
      {
        ...bareBranch,
        branch: "public",
        build_id: "7",
        built_at: "1970-01-01T00:00:01.000Z",
        updated_at: "1970-01-01T00:00:02.000Z",
      },
    ]);
  });

  it("leave out what is no block or has no usable name, and keep the first of equal names", () => {
    const branches: Tree = [
      ["a", { buildid: "1" }],
      [" a ", { buildid: "2" }],
      ["b", "2"],
      ["\0", { buildid: "3" }],
      ["x".repeat(501), { buildid: "4" }],
    ];
    expect(branchesOf(branches)).toEqual([{ ...bareBranch, branch: "a", build_id: "1" }]);
    expect(branchesOf("public")).toEqual([]);
  });
});

describe("depots", () => {
  it("are those with a number, by number, with all that Steam says of them", () => {
    const depot = {
      name: " Content ",
      config: { oslist: "linux,windows", osarch: "64", language: "german" },
      dlcappid: "600",
      depotfromapp: "228980",
      sharedinstall: "1",
    };
    expect(depotsOf({ "1000": {}, "502": depot, baselanguages: "english", branches: {}, "503 ": {}, "0": {} })).toEqual(
      [
        {
          ...bareDepot,
          depot_id: 502,
          name: "Content",
          os_list: "windows,linux",
          os_arch: "64",
          language: "german",
          dlc_appid: 600,
          from_appid: 228980,
          shared_install: true,
        },
        { ...bareDepot, depot_id: 1000 },
      ],
    );
  });

  it("leave out texts, ids that are none, and the second of equal ids", () => {
    const depots: Tree = [
      ["502", "1"],
      ["99999999999", {}],
      ["0503", { name: "first" }],
      ["503", { name: "second" }],
      ["-1", {}],
    ];
    expect(depotsOf(depots)).toEqual([{ ...bareDepot, depot_id: 503, name: "first" }]);
  });

  it.each([
    ["1", true],
    ["2", true],
    ["0", false],
    ["", false],
    ["x", false],
  ])("share their installation for %j: %j", (sharedinstall, expected) => {
    expect(depotsOf({ "502": { sharedinstall } })?.[0]?.shared_install).toBe(expected);
  });

  it("are the app's own when they are from the app itself or from none", () => {
    expect(depotsOf({ "502": { depotfromapp: "500" } })?.[0]?.from_appid).toBeNull();
    expect(depotsOf({ "502": { depotfromapp: "0", config: "windows" } })).toEqual([{ ...bareDepot, depot_id: 502 }]);
  });
});

describe("manifests", () => {
  const manifestsOf = (manifests: string | Tree) => depotsOf({ "502": { manifests } })?.[0]?.manifests;

  it("are read in both forms, by branch", () => {
    const manifests = {
      public: { gid: "18446744073709551615", size: "9007199254740991", download: "0" },
      beta: " 12 ",
    };
    expect(manifestsOf(manifests)).toEqual([
      { branch: "beta", manifest_id: "12", size_bytes: null, download_bytes: null },
      {
        branch: "public",
        manifest_id: "18446744073709551615",
        size_bytes: Number.MAX_SAFE_INTEGER,
        download_bytes: 0,
      },
    ]);
  });

  it("have no size that cannot be told exactly", () => {
    const sizes = { size: "9007199254740992", download: "-1" };
    expect(manifestsOf({ a: { gid: "1", ...sizes } })).toEqual([
      { branch: "a", manifest_id: "1", size_bytes: null, download_bytes: null },
    ]);
  });

  it("leave out what is no id: encrypted ones and blocks", () => {
    const odd = { a: "4E9E39E8F4DED37C", b: { gid: "4E9E39E8" }, c: {}, d: { gid: numbered("1") }, e: "9".repeat(21) };
    expect(manifestsOf(odd)).toEqual([]);
    expect(manifestsOf("1")).toEqual([]);
    const encryptedmanifests = { beta: { encrypted_gid_2: "AF8A", gid: "7" } };
    expect(depotsOf({ "502": { encryptedmanifests } })).toEqual([{ ...bareDepot, depot_id: 502 }]);
  });
});

describe("without depots", () => {
  it("lists none, and everything else that the section says", () => {
    const depots = {
      "501": { dlcappid: "502", manifests: { public: { gid: "1" } } },
      branches: { public: { buildid: "7", timeupdated: "2" } },
    };
    const text = write({ appinfo: { appid: "500", common: { name: "A" }, depots } });
    const { record, ...others } = extractApp(500, text, false);
    expect(record).toMatchObject({ depots: [{ depot_id: 501 }], dlc: [502], current_build_id: "7" });
    expect(extractApp(500, text, false, { withDepots: false })).toEqual({
      record: { ...record, depots: [] },
      ...others,
    });
    const bare = write({ appinfo: { appid: "500", common: { name: "A" } } });
    expect(extractApp(500, bare, false, { withDepots: false }).record).not.toHaveProperty("depots");
  });
});

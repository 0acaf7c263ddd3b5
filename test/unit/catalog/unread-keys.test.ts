import { describe, expect, it } from "vitest";
import { extractAppInfo } from "../../../src/catalog/extract.ts";
import { type KeyValues, parseKeyValues } from "../../../src/catalog/key-values.ts";
import { readPaths, unreadKeys } from "../../../src/catalog/unread-keys.ts";
import { readRealPayloads } from "./real-payloads.ts";
import { numbered, type Tree, write } from "./writer.ts";

function appinfoOf(text: string): KeyValues {
  const appinfo = parseKeyValues(text).get("appinfo");
  if (typeof appinfo !== "object") throw new Error("no appinfo");
  return appinfo;
}

const unread = (tree: Tree) => unreadKeys(appinfoOf(write({ appinfo: tree }))).sort();

/** `appinfo` with one value at a path. */
function treeAt(path: string, value: string | Tree): Tree {
  const [key = "", ...rest] = path.split(".");
  return { [key]: rest.length === 0 ? value : treeAt(rest.join("."), value) };
}

describe("unreadKeys", () => {
  it.each([
    ["common.steam_foo_compatibility", "common.steam_foo_compatibility"],
    ["common.steam_deck_compatibility.foo_tests", "common.steam_deck_compatibility.foo_tests"],
    ["depots.branches.beta.foo", "depots.branches.*.foo"],
    ["depots.501.bar", "depots.*.bar"],
    ["depots.501.config.bar", "depots.*.config.bar"],
    ["depots.501.manifests.public.bar", "depots.*.manifests.*.bar"],
    ["depots.bar", "depots.bar"],
    ["extended.foo", "extended.foo"],
    ["config.foo", "config.foo"],
    ["config.launch.0.foo", "config.launch.*.foo"],
    ["ufs.foo", "ufs.foo"],
    ["foo", "foo"],
    ["common.supported_languages.thai.foo", "common.supported_languages.*.foo"],
    ["common.library_assets_full.library_logo.logo_position", "common.library_assets_full.*.logo_position"],
    ["COMMON.Foo", "common.foo"],
  ])("lists %s as %s, whether it is a text or a block", (path, expected) => {
    expect(unread(treeAt(path, "1"))).toEqual([expected]);
    expect(unread(treeAt(path, { "0": { x: "1" }, y: "2" }))).toEqual([expected]);
  });

  it("lists nothing that is read, and each path once", () => {
    expect(unread({ appid: "5", public_only: "1", common: { Name: "A", store_tags: numbered("1", "2") } })).toEqual([]);
    expect(unread({ depots: { "1": { maxsize: "1" }, "2": { maxsize: "2" } } })).toEqual(["depots.*.maxsize"]);
  });

  it("lists freely named keys as *", () => {
    const extended = { "#token": "1", "HKEY_LOCAL_MACHINE\\x": {}, "\0": "1", ["a".repeat(61)]: "1", "12": "1" };
    expect(unread({ extended })).toEqual(["extended.*"]);
    expect(unread({ extended: { convar_a: "1", "convar_@b": "1" } })).toEqual(["extended.convar_*"]);
  });

  it("lists a section or a text that stands in the place of a block", () => {
    expect(unread({ common: "1", depots: { branches: { public: "7" } } })).toEqual(["common", "depots.branches.*"]);
  });

  it("has the same paths for keys of objects' own properties", () => {
    expect(unread({ extended: { constructor: "1", tostring: "1" } })).toEqual([
      "extended.constructor",
      "extended.tostring",
    ]);
  });
});

/** Records every key that is asked for: `get` with its key, `entries` and `each` as `*`. */
function recorded(block: KeyValues, path: string, asked: Set<string>): KeyValues {
  const at = (key: string) => (path === "" ? key : `${path}.${key}`);
  const wrapped = (value: string | KeyValues, key: string) =>
    typeof value === "string" ? value : recorded(value, at(key), asked);
  // Keys that the table names stay apart from the others.
  const generalized = (key: string) => (namedBelow(path).has(key) ? key : "*");
  return {
    size: block.size,
    get(key) {
      asked.add(at(key));
      const value = block.get(key);
      return value === undefined ? undefined : wrapped(value, key);
    },
    entries() {
      asked.add(at("*"));
      return block.entries().map(([key, value]) => [key, wrapped(value, generalized(key))]);
    },
    each(visit) {
      // Of the whole it is the census that reads so.
      if (path === "") return;
      asked.add(at("*"));
      block.each((key, value, written) => visit(key, wrapped(value, generalized(key)), written));
    },
  };
}

/** The table with `*` for numbers, as the recording has it. */
const table = new Set(readPaths.map((path) => path.replaceAll("#", "*")));
const prefixes = new Set(
  [...table].flatMap((path) => path.split(".").map((_, i, keys) => keys.slice(0, i + 1).join("."))),
);

function namedBelow(path: string): Set<string> {
  const below = [...prefixes].filter((other) => other.startsWith(path === "" ? "" : `${path}.`));
  return new Set(
    below.map((other) => other.slice(path === "" ? 0 : path.length + 1)).filter((key) => !key.includes(".")),
  );
}

/** A key that the table covers by `*`, as in the table. */
function generic(path: string): string {
  return path.split(".").reduce((before, key) => {
    const exact = before === "" ? key : `${before}.${key}`;
    return prefixes.has(exact) || !prefixes.has(`${before}.*`) ? exact : `${before}.*`;
  }, "");
}

function keysRead(appid: number, text: string): Set<string> {
  const asked = new Set<string>();
  extractAppInfo(appid, recorded(appinfoOf(text), "", asked), false);
  return new Set([...asked].map(generic));
}

/** `appid` is compared before the record is made. */
const readElsewhere = new Set(["appid"]);

describe("the table of read keys", () => {
  it("is what the extractor reads, of texts that have each of these keys", () => {
    const seen = new Set<string>();
    for (const path of readPaths) {
      const concrete = path.replaceAll("#", "501").replaceAll("*", "english");
      for (const value of ["1", ""]) {
        // A name is read of associations of a wanted type only; without any, older names are.
        const common: Tree = value === "" ? { associations: numbered({ type: "developer" }) } : { x: "1" };
        const asked = keysRead(500, write({ appinfo: { common, ...treeAt(concrete, value) } }));
        for (const key of asked) {
          expect(prefixes.has(key), `${key} is read, and not in the table`).toBe(true);
          seen.add(key);
        }
      }
    }
    expect([...table].filter((path) => !seen.has(path) && !readElsewhere.has(path))).toEqual([]);
  });

  it("is what the extractor reads of real texts", (ctx) => {
    const payloads = readRealPayloads();
    if (payloads === null) return ctx.skip("skipped: ../shared/pics/appinfo.jsonl.gz is absent");
    const seen = new Set(payloads.flatMap(({ appid, text }) => [...keysRead(appid, text)]));
    expect([...seen].filter((path) => !prefixes.has(path))).toEqual([]);
    // No app of these has a Steam Frame report, nor art in twice the size beside the header.
    const unseen = [...table].filter((path) => !seen.has(path) && !readElsewhere.has(path));
    expect(unseen.filter((path) => !/steam_(frame|machine)_tests|image2x/.test(path))).toEqual([]);
  });

  it("leaves a list of real keys that a person can read", (ctx) => {
    const payloads = readRealPayloads();
    if (payloads === null) return ctx.skip("skipped: ../shared/pics/appinfo.jsonl.gz is absent");
    const paths = new Set(payloads.flatMap(({ text }) => unreadKeys(appinfoOf(text))));
    expect(paths.size).toBeLessThan(350);
    expect(paths).toContain("common.sortas");
    expect(paths).toContain("config.launch.*.executable");
    for (const path of paths) expect(path).toMatch(/^[\w@:*. -]{1,90}$/);
  });
});

import { parse } from "kvparser";
import { describe, expect, it } from "vitest";
import type { Catalog } from "../../support/steam/catalog.ts";
import { generateCatalog } from "../../support/steam/generate.ts";
import { toKeyValues } from "../../support/steam/key-values-writer.ts";

const texts = (catalog: Catalog) =>
  [...catalog.apps.values()].map((app) => catalog.body(app, "whole").bytes.toString());

describe("generateCatalog", () => {
  const catalog = generateCatalog({ seed: 1, count: 2_000 });
  const parsed = texts(catalog).map((text) => parse(text).appinfo as Record<string, Record<string, unknown>>);

  it("is deterministic for a seed, also after the same changes", () => {
    const again = generateCatalog({ seed: 1, count: 2_000 });
    expect(texts(again)).toEqual(texts(catalog));
    expect(texts(generateCatalog({ seed: 2, count: 50 }))).not.toEqual(texts(catalog).slice(0, 50));
    const [one, two] = [1, 2].map(() => generateCatalog({ seed: 4, count: 30 })) as [Catalog, Catalog];
    const before = texts(one)[0];
    expect(one.change(10)).toBe(two.change(10));
    expect(texts(one)[0]).not.toBe(before);
    expect(texts(one)).toEqual(texts(two));
  });

  it("writes KeyValues with the appid, in realistic sizes", () => {
    const appids = [...catalog.apps.keys()];
    expect(parsed.map(({ appid }) => Number(appid))).toEqual(appids);
    const sizes = texts(catalog)
      .map((text) => text.length)
      .sort((a, b) => a - b);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    // Real payloads: median 2.8 KB, mean 4.2 KB, the largest over 100 KB.
    expect(sizes[1_000]).toBeGreaterThan(2_300);
    expect(sizes[1_000]).toBeLessThan(3_300);
    expect(mean).toBeGreaterThan(3_500);
    expect(mean).toBeLessThan(5_000);
    expect(sizes.at(-1)).toBeGreaterThan(50_000);
    expect(appids).toEqual(appids.toSorted((a, b) => a - b));
    expect(appids.at(-1)).toBeLessThanOrEqual(50_000);
    expect(appids.filter((appid) => appid % 10 === 0).length).toBeGreaterThan(1_700);
  });

  it("has the types, relations, access and odd values of the real catalog", () => {
    const types = new Set(parsed.map(({ common }) => String(common?.type).toLowerCase()));
    for (const type of ["game", "dlc", "demo", "music", "tool", "beta", "application", "config", "video"])
      expect(types).toContain(type);
    const dlcOf = new Map(parsed.map(({ appid, extended }) => [Number(appid), String(extended?.listofdlc ?? "")]));
    const plain = parsed.filter(({ extended }) => extended?.dlcforappid);
    expect(plain.length).toBeGreaterThan(200);
    for (const { appid, extended } of plain)
      expect(dlcOf.get(Number(extended?.dlcforappid))?.split(",")).toContain(String(appid));
    const accesses = [...catalog.apps.values()].map(({ access }) => access);
    for (const access of ["token", "denied"])
      expect(accesses.filter((one) => one === access).length).toBeGreaterThan(20);
    const whole = texts(catalog).join("");
    expect(whole).toContain("\u0000");
    expect(whole).toContain("\ufffd");
    expect(whole).toContain('\\"');
    expect(whole).toContain("🦊");
  });

  it("rejects more apps than ids", () => {
    expect([...generateCatalog({ seed: 1, count: 40, maxAppid: 40 }).apps.keys()]).toHaveLength(40);
    expect(() => generateCatalog({ seed: 1, count: 41, maxAppid: 40 })).toThrow("do not fit");
  });
});

describe("toKeyValues", () => {
  it("writes tabs, escapes, repeated keys and order as PICS does", () => {
    const text = toKeyValues({
      a: [
        ["2", 'say "x"\\y\n'],
        ["1", 5],
        ["1", undefined],
        ["2", {}],
      ],
    });
    expect(text).toBe('"a"\n{\n\t"2"\t\t"say \\"x\\"\\\\y\n"\n\t"1"\t\t"5"\n\t"2"\n\t{\n\t}\n}\n');
  });
});

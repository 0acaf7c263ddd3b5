import fc from "fast-check";
import { parse as parseWithKvparser } from "kvparser";
import { describe, expect, it } from "vitest";
import { type KeyValues, KeyValuesError, keyValuesToJson, parseKeyValues } from "../../../src/catalog/key-values.ts";
import { readRealPayloads } from "./real-payloads.ts";
import { type Pairs, write } from "./writer.ts";

/** The value of `"a" { "v" "…" }` written with these raw characters between the quotes. */
function rawValue(raw: string): unknown {
  return (parseKeyValues(`"a"\n{\n\t"v"\t\t"${raw}"\n}\n`).get("a") as KeyValues).get("v");
}

function faultOf(text: string): KeyValuesError {
  try {
    parseKeyValues(text);
  } catch (error) {
    if (error instanceof KeyValuesError) return error;
    throw error;
  }
  throw new Error("parsed");
}

function toPairs(tree: KeyValues): Pairs {
  return tree.entries().map(([key, value]) => [key, typeof value === "string" ? value : toPairs(value)]);
}

const keysOf = (tree: KeyValues) => tree.entries().map(([key]) => key);

function toPlain(tree: KeyValues): object {
  return Object.fromEntries(
    tree.entries().map(([key, value]) => [key, typeof value === "string" ? value : toPlain(value)]),
  );
}

describe("parseKeyValues: tree", () => {
  it("returns texts, blocks and empty blocks", () => {
    const text =
      '"appinfo"\n{\n\t"appid"\t\t"10"\n\t"common"\n\t{\n\t\t"name"\t\t"A"\n\t\t"list"\n\t\t{\n\t\t}\n\t}\n}\n';
    expect(toPairs(parseKeyValues(text))).toEqual([
      [
        "appinfo",
        [
          ["appid", "10"],
          [
            "common",
            [
              ["name", "A"],
              ["list", []],
            ],
          ],
        ],
      ],
    ]);
  });

  it("accepts a text without white space", () => {
    expect(toPairs(parseKeyValues('"a"{"b""c""d"{}}'))).toEqual([
      [
        "a",
        [
          ["b", "c"],
          ["d", []],
        ],
      ],
    ]);
  });

  it("keeps the order of keys, also of numeric ones", () => {
    const tree = parseKeyValues('"a" { "10" "x" "2" "y" "b" "z" "0" "w" }');
    expect(keysOf(tree.get("a") as KeyValues)).toEqual(["10", "2", "b", "0"]);
  });

  it("accepts empty keys and values", () => {
    expect(toPairs(parseKeyValues('"" { "" "" }'))).toEqual([["", [["", ""]]]]);
  });

  it("accepts names of object members as keys", () => {
    const tree = parseKeyValues('"__proto__" { "__proto__" { "x" "1" } "constructor" "c" "toString" "t" }');
    expect(toPairs(tree)).toEqual([
      [
        "__proto__",
        [
          ["__proto__", [["x", "1"]]],
          ["constructor", "c"],
          ["toString", "t"],
        ],
      ],
    ]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  it.each([
    [
      "two texts",
      '"k" "1" "m" "2" "k" "3"',
      [
        ["k", "1"],
        ["m", "2"],
      ],
    ],
    ["two blocks, not merged", '"k" { "x" "1" } "k" { "y" "2" }', [["k", [["x", "1"]]]]],
    ["a block after a text", '"k" "1" "k" { "y" "2" }', [["k", "1"]]],
    ["a text after a block", '"k" { "y" "2" } "k" "1"', [["k", [["y", "2"]]]]],
    ["an empty text before another", '"k" "" "k" "1"', [["k", ""]]],
    [
      "keys that differ in case",
      '"Key" "1" "KEY" "2" "m" "3" "key" { }',
      [
        ["Key", "1"],
        ["m", "3"],
      ],
    ],
    [
      "keys that differ in case beyond ASCII, which are two",
      '"É" "1" "é" "2"',
      [
        ["É", "1"],
        ["é", "2"],
      ],
    ],
    [
      "keys that lose or gain a character in lower case",
      '"\u0130" "1" "\u212a" "2" "k" "3"',
      [
        ["\u0130", "1"],
        ["\u212a", "2"],
        ["k", "3"],
      ],
    ],
  ])("keeps the first of repeated keys: %s", (_, inner, expected) => {
    expect(toPairs(parseKeyValues(`"a" { ${inner} }`).get("a") as KeyValues)).toEqual(expected);
  });

  it("finds a key whatever its case, and lists it as it is written", () => {
    const tree = parseKeyValues('"AppInfo" { "ReleaseState" "1" "É" "2" }').get("appinfo") as KeyValues;
    expect(tree.get("releasestate")).toBe("1");
    expect(tree.get("É")).toBe("2");
    expect(tree.get("é")).toBeUndefined();
    expect(keysOf(tree)).toEqual(["ReleaseState", "É"]);
  });

  it("accepts trailing NULs and white space", () => {
    for (const end of ["", "\0", "\n\0", "\0\0", "\r\n \t", "\0\n"]) {
      expect(toPairs(parseKeyValues(`"a" {}${end}`))).toEqual([["a", []]]);
    }
  });
});

describe("parseKeyValues: quoted string", () => {
  it.each([
    [String.raw`\"`, '"'],
    [String.raw`\\`, "\\"],
    [String.raw`\n`, "\n"],
    [String.raw`\t`, "\t"],
    [String.raw`\\\"`, '\\"'],
    [String.raw`\\\\`, "\\\\"],
    [String.raw`\\n`, "\\n"],
    [String.raw`\\\n`, "\\\n"],
    [String.raw`a \"b\" c`, 'a "b" c'],
    [String.raw`C:\\Games\\new\\`, "C:\\Games\\new\\"],
    [String.raw`\q\r\x`, String.raw`\q\r\x`],
    ["\\\n", "\\\n"],
    ["line\nline\r\nline\ttab", "line\nline\r\nline\ttab"],
    ["{ } // /* [$X]", "{ } // /* [$X]"],
    ["\0", "\0"],
    ["🎮 \u200b\uFFFD", "🎮 \u200b\uFFFD"],
  ])("%j reads as %j", (raw, expected) => {
    expect(rawValue(raw)).toBe(expected);
  });

  it("decodes escapes in keys too", () => {
    expect(keysOf(parseKeyValues(String.raw`"a\"\\" {}`))).toEqual(['a"\\']);
  });
});

describe("parseKeyValues: position of a fault", () => {
  it.each([
    ["unterminated value: its opening quote", '"a"\n{\n\t"b"\t\t"cut off', "Unterminated string", 12, 3],
    ["unterminated key", '"a"\n{\n\t"b', "Unterminated string", 7, 3],
    ["unterminated by an escaped quote", String.raw`"a" { "b" "c\" }`, "Unterminated string", 10, 1],
    ["missing brace: the end", '"a"\n{\n\t"b"\t\t"c"\n', "Missing closing brace", 16, 4],
    ["missing inner brace", '"a" { "b" { }\0', "Missing closing brace", 14, 1],
    ["stray brace", '"a"\n{\n}\n}\n', "Stray closing brace", 8, 4],
    ["stray brace at the start", "}", "Stray closing brace", 0, 1],
    ["key without a value", '"a" {\n"b" }', "Key without a value", 10, 2],
    ["block without a key", '"a" { { } }', "Block without a key", 6, 1],
    ["unquoted token", '"a" {\n"b" c }', "Text outside of quotes", 10, 2],
    ["unescaped quote inside a value", '"a" { "b" "say "hi" now" }', "Text outside of quotes", 16, 1],
    ["comment", '// x\n"a" {}', "Text outside of quotes", 0, 1],
    ["root that is a text", '"a" "b"', "Expected one block", 4, 1],
    ["second root", '"a" {}\n"b" {}', "Expected one block", 7, 2],
    ["second root without a key", '"a" {} {}', "Block without a key", 7, 1],
    ["root key alone", '"a"\n', "No block", 4, 2],
    ["nothing", "", "No block", 0, 1],
    ["NUL alone", "\0", "No block", 1, 1],
  ])("%s", (_, text, problem, offset, line) => {
    const fault = faultOf(text);
    expect({ message: fault.message, offset: fault.offset, line: fault.line }).toEqual({
      message: `${problem} at line ${line}, offset ${offset}`,
      offset,
      line,
    });
  });

  it("is reported for a text truncated anywhere", () => {
    const text = write([["a", [["b", [["c", 'd "e" \\']]]]]]);
    for (let end = 0; end < text.trimEnd().length; end++) {
      expect(faultOf(text.slice(0, end)).offset).toBeLessThanOrEqual(end);
    }
  });

  it("is reported for unlimited nesting, without a stack overflow", () => {
    expect(faultOf('"a"{'.repeat(100_000)).message).toContain("deeper than 100");
    expect(faultOf('"a" { '.repeat(101) + "}".repeat(101)).offset).toBe(604);
    expect(parseKeyValues('"a" { '.repeat(100) + "}".repeat(100)).size).toBe(1);
  });
});

describe("keyValuesToJson", () => {
  it("keeps keys as they are written, texts and blocks, and keys of objects' own properties", () => {
    const tree = parseKeyValues('"appinfo" { "AppId" "10" "Common" { "__proto__" { "x" "1" } "constructor" "" } }');
    const json = '{"appinfo":{"AppId":"10","Common":{"__proto__":{"x":"1"},"constructor":""}}}';
    expect(JSON.stringify(keyValuesToJson(tree))).toBe(json);
  });
});

describe("parseKeyValues with any tree (property)", () => {
  const token = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.string({ unit: fc.constantFrom('"', "\\", "n", "t", "{", "}", "\n", "\0", " ", "a"), maxLength: 8 }),
  );
  const { block } = fc.letrec<{ value: string | Pairs; block: Pairs }>((tie) => ({
    value: fc.oneof({ maxDepth: 6, withCrossShrink: true }, token, tie("block")),
    block: fc.uniqueArray(fc.tuple(token, tie("value")), {
      selector: ([key]) => key.replace(/[A-Z]/g, (letter) => letter.toLowerCase()),
      maxLength: 5,
    }),
  }));

  it("parses what was written", () => {
    fc.assert(
      fc.property(token, block, (root, inner) => {
        expect(toPairs(parseKeyValues(write([[root, inner]])))).toEqual([[root, inner]]);
      }),
    );
  });

  it("returns a tree or throws a KeyValuesError with a position inside any text", () => {
    const unit = fc.constantFrom('"', '"', "\\", "{", "}", "\n", "\0", " ", "a");
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 40 }), (text) => {
        try {
          expect(parseKeyValues(text).size).toBe(1);
        } catch (error) {
          if (!(error instanceof KeyValuesError)) throw error;
          expect(error.offset).toBeGreaterThanOrEqual(0);
          expect(error.offset).toBeLessThanOrEqual(text.length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe("real payloads (../shared beside the repository)", () => {
  const payloads = readRealPayloads();

  it("parse as kvparser reads them, except for three with repeated keys", (ctx) => {
    if (payloads === null) return ctx.skip("skipped: ../shared/pics/appinfo.jsonl.gz is absent");
    expect(payloads.length).toBeGreaterThan(1000);
    // kvparser is wrong about `\n`, `\t` and unknown escapes; real payloads have `\\` and `\"` only. Of repeated keys it keeps the last.
    const differing = payloads.filter(
      ({ text }) => JSON.stringify(toPlain(parseKeyValues(text))) !== JSON.stringify(parseWithKvparser(text)),
    );
    expect(differing.map(({ appid }) => appid)).toEqual([4720, 225640, 335150]);
  });

  it("throw with a position when they lose their last brace", (ctx) => {
    if (payloads === null) return ctx.skip("skipped: ../shared/pics/appinfo.jsonl.gz is absent");
    for (const { text } of payloads) {
      const cut = text.slice(0, text.lastIndexOf("}"));
      expect(faultOf(cut).offset).toBe(cut.length);
    }
  });
});

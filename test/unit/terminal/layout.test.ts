import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { facts, gap, paint, paragraph, type Style, styled, table } from "../../../src/terminal/layout.ts";
import { cut, widthOf, wrap } from "../../../src/terminal/wrap.ts";
import { stripped } from "../../support/pty.ts";
import { coloured, plain } from "./samples.ts";

const letters = fc.constantFrom(
  ...("ab—é漢한ﾊ👍🏽e\u0301\u200b".match(/\P{M}\p{M}*/gu) ?? []),
  " ",
  "  ",
  "\n",
  "ttp://x.y/",
);
const text = fc.string({ unit: letters, maxLength: 120 });

describe("widthOf", () => {
  it.each([
    ["abc", 3],
    ["漢字", 4],
    ["한글", 4],
    ["ﾊﾟ", 2],
    ["（）", 4],
    ["👍🏽", 2],
    ["e\u0301\u200b", 1],
    ["–…░█", 4],
  ])("of %j is %i columns", (given, width) => {
    expect(widthOf(given)).toBe(width);
  });
});

describe("wrap", () => {
  it("wraps between words, breaks only longer words, and keeps line breaks and indentation", () => {
    expect(wrap("see https://example.org/a/b now", 12)).toEqual(["see", "https://exam", "ple.org/a/b", "now"]);
    expect(wrap("  one two\n\nthree", 6)).toEqual(["  one", "two", "", "three"]);
    expect(wrap("漢字漢字", 5)).toEqual(["漢字", "漢字"]);
    expect(wrap("abcd  \u200b ef", 2)).toEqual(["ab", "cd\u200b", "ef"]);
    expect(cut("abcdef", 4)).toBe("abc…");
    expect(cut("abcd", 4)).toBe("abcd");
  });

  it("keeps every line within the width and loses no character but spaces", () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 30 }), (given, width) => {
        const lines = wrap(given, width);
        for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(width);
        expect(lines.join("").replace(/\s/g, "")).toBe(given.normalize().replace(/\s/g, ""));
      }),
    );
  });
});

describe("table", () => {
  it("styles each line of a cell by itself, and cuts no escape code at any width", () => {
    const cell = fc.record({
      text,
      style: fc.constantFrom<Style | null>("bold", ["red", "bold"], null),
    });
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 4 }), fc.integer({ min: 2, max: 20 }), (cells, width) => {
        const row = cells.map(({ text, style }) => (style === null ? text : styled(coloured, style, text)));
        for (const line of table(
          [row],
          row.map(() => width),
        )) {
          expect(widthOf(stripped(line))).toBeLessThanOrEqual(row.length * (width + gap));
        }
      }),
    );
  });

  it("removes a style that was added before the text is wrapped", () => {
    expect(table([[paint(coloured, "red", "warning"), "x"]], [7, 1])).toEqual(["warning  x"]);
  });

  it("aligns the columns of wide characters", () => {
    expect(facts([["漢", "one two"]], plain)).toEqual([`  漢${" ".repeat(18)}one two`]);
    expect(paragraph(styled(coloured, "bold", "a b"), { ...coloured, columns: 2 })).toEqual([
      "\u001b[1ma\u001b[22m",
      "\u001b[1mb\u001b[22m",
    ]);
  });
});

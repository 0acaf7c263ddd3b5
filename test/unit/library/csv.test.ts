import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readEnrichedCsv, readRawCsv, writeEnrichedCsv, writeRawCsv } from "../../../src/library/csv.ts";
import { ImportRejectedError } from "../../../src/library/errors.ts";
import type { EnrichedGame, IgdbGame, LibraryGame } from "../../../src/library/rows.ts";
import { enrichedGame, igdbGame, libraryGame } from "./samples.ts";

const oddTexts = [
  "a,b",
  'say "cheese"',
  '"',
  '""',
  "two\nlines",
  "two\r\nlines",
  "a lone\rCR",
  "\r",
  "\n",
  "\r\n",
  "=1+1",
  "+1",
  "-1",
  "@SUM(A1)",
  "\t",
  " untrimmed ",
  "\u0000",
  "\ufeffBOM",
  "🎮🧑‍🚀",
  "夜勤事件",
  "null",
  "0",
  "\\",
  '\\"',
  "a;b|c",
  "\u2028",
];
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom(...'",\n\r= \t\0é🎮\\;') }),
  fc.constantFrom(...oddTexts),
);
// An empty cell reads as null, so that nullable texts are never empty.
const someText = anyText.filter((text) => text !== "");
const textOrNull = fc.option(someText, { nil: null });
const number = fc.nat(2 ** 31 - 1);
const positive = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const label = fc.record({ id: positive, name: anyText, slug: anyText });

const rawFields = {
  appid: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  name: anyText,
  playtime_forever: number,
  playtime_windows: number,
  playtime_mac: number,
  playtime_linux: number,
  playtime_deck: number,
  playtime_2weeks: number,
  last_played_at: textOrNull,
  img_icon_url: textOrNull,
};
const anyRaw: fc.Arbitrary<LibraryGame> = fc.record(rawFields);
const anyIgdb: fc.Arbitrary<IgdbGame> = fc.record({
  id: positive,
  name: someText,
  slug: someText,
  summary: textOrNull,
  release_date: textOrNull,
  cover_url: textOrNull,
  game_type: fc.option(number, { nil: null }),
  genres: fc.array(label, { maxLength: 3 }),
  platforms: fc.array(
    fc.record({ id: positive, name: anyText, slug: anyText, abbreviation: fc.option(anyText, { nil: null }) }),
    { maxLength: 3 },
  ),
});
const anyEnriched: fc.Arbitrary<EnrichedGame> = fc.record({
  ...rawFields,
  classification: fc.constantFrom("GAME", "DLC", "MULTIPLAYER_COMPONENT", "NON_GAME"),
  match_status: fc.constantFrom("MATCHED", "UNMATCHED", "IGNORED"),
  matched_by: fc.constantFrom("external_id", "name_and_year", null),
  igdb: fc.option(anyIgdb, { nil: null }),
  reason: textOrNull,
});

/** The text after a round trip through an object store. */
const stored = (text: string) => Buffer.from(text, "utf8").toString("utf8");

describe("the round trip of a file is", () => {
  it("lossless for any raw row", () => {
    fc.assert(
      fc.property(fc.array(anyRaw, { maxLength: 6 }), (games) => {
        expect(readRawCsv(stored(writeRawCsv(games)))).toEqual(games);
      }),
      { numRuns: 400 },
    );
  });

  it("lossless for any enriched row", () => {
    fc.assert(
      fc.property(fc.array(anyEnriched, { maxLength: 4 }), (games) => {
        expect(readEnrichedCsv(stored(writeEnrichedCsv(games)))).toEqual(games);
      }),
      { numRuns: 300 },
    );
  });

  it("lossless for odd characters, in every column", () => {
    const games = oddTexts.map((text) => {
      const genres = [{ id: 1, name: text, slug: text }];
      const platforms = [{ id: 1, name: text, slug: text, abbreviation: text }];
      const igdb = igdbGame({ name: text, slug: text, summary: text, genres, platforms });
      return enrichedGame({ name: text, last_played_at: text, img_icon_url: text, igdb });
    });
    expect(readEnrichedCsv(writeEnrichedCsv(games))).toEqual(games);
    for (const game of games) expect(readEnrichedCsv(writeEnrichedCsv([game]))).toEqual([game]);
  });

  it("lossless for 20,000 games", () => {
    const games = Array.from({ length: 20_000 }, (_, i) => libraryGame({ appid: i + 1, name: `"${i}",\n` }));
    expect(readRawCsv(writeRawCsv(games))).toEqual(games);
  });

  it("lossless for an empty library", () => {
    expect(readRawCsv(writeRawCsv([]))).toEqual([]);
    expect(readEnrichedCsv(writeEnrichedCsv([]))).toEqual([]);
  });

  it("a header and one numbered line per game", () => {
    const [header, ...lines] = writeRawCsv([libraryGame(), libraryGame({ name: "a,b" })]).split("\n");
    expect(header).toBe(
      "row_number,row_count,appid,name,playtime_forever,playtime_windows,playtime_mac,playtime_linux,playtime_deck,playtime_2weeks,last_played_at,img_icon_url",
    );
    expect(lines).toEqual(["1,2,620,Portal 2,0,0,0,0,0,0,,", '2,2,620,"a,b",0,0,0,0,0,0,,', ""]);
  });
});

it("an enriched file of an older version, without the column reason, is read", () => {
  const games = [
    enrichedGame({ igdb: igdbGame() }),
    enrichedGame({ appid: 30, match_status: "IGNORED", classification: "DLC" }),
  ];
  const withoutReason = (text: string) => text.replace(",reason\n", "\n").replaceAll(",\n", "\n");
  const older = withoutReason(writeEnrichedCsv(games));
  expect(older).not.toContain("reason");
  expect(readEnrichedCsv(older)).toEqual(games);
  expect(readEnrichedCsv(withoutReason(writeEnrichedCsv([])))).toEqual([]);
  for (let length = 0; length < older.length; length += 1)
    expect(rejection(() => readEnrichedCsv(older.slice(0, length)))).toMatch(/^Line \d+: /);
});

const rejection = (read: () => unknown): string => {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(ImportRejectedError);
    return (error as Error).message;
  }
  return expect.fail("the file was accepted");
};

/** Line breaks, quotes, multi-byte characters, and an unquoted text at the end of the file. */
const games = [
  libraryGame({ appid: 1, name: 'one, "two"\nthree\n', img_icon_url: "https://a.example/é🎮.jpg" }),
  libraryGame({ appid: 2, name: "夜勤事件", last_played_at: "2026-01-01T00:00:00.000Z" }),
  libraryGame({ appid: 33, name: "=last", playtime_forever: 12, img_icon_url: "https://a.example/icon.jpg" }),
];
const enriched = [
  enrichedGame({ name: 'a "b"\n', igdb: igdbGame({ genres: [{ id: 4, name: 'Fight,"ing"', slug: "f" }] }) }),
  enrichedGame({ igdb: igdbGame({ platforms: [{ id: 6, name: "PC 🎮", slug: "win", abbreviation: null }] }) }),
];

describe("a truncated file", () => {
  const files: [string, Buffer, (text: string) => unknown][] = [
    ["raw", Buffer.from(writeRawCsv(games)), readRawCsv],
    ["enriched", Buffer.from(writeEnrichedCsv(enriched)), readEnrichedCsv],
    ["empty raw", Buffer.from(writeRawCsv([])), readRawCsv],
    ["empty enriched", Buffer.from(writeEnrichedCsv([])), readEnrichedCsv],
  ];
  it.each(files)("is rejected with a line number, whatever the length: %s", (_, whole, read) => {
    expect(read(whole.toString())).toBeDefined();
    for (let length = 0; length < whole.length; length += 1) {
      const message = rejection(() => read(whole.subarray(0, length).toString()));
      expect(message, `after byte ${length} of ${whole.length}`).toMatch(/^Line \d+: /);
    }
  });

  it("is rejected when its beginning is missing", () => {
    const whole = writeRawCsv(games);
    for (let start = 1; start < whole.length; start += 1)
      expect(rejection(() => readRawCsv(whole.slice(start)))).toMatch(/^Line \d+: /);
  });

  it("is rejected with the line in which it ends", () => {
    const lines = writeRawCsv(games).split("\n");
    expect(rejection(() => readRawCsv(`${lines.slice(0, 1).join("\n")}\n`))).toBe(
      "Line 1: the file is truncated after its header.",
    );
    expect(rejection(() => readRawCsv(`${lines.slice(0, -2).join("\n")}\n`))).toBe(
      "Line 5: the file ends after row 2 of 3.",
    );
    expect(rejection(() => readRawCsv(lines.slice(0, -1).join("\n")))).toBe(
      "Line 6: the file is truncated within this line.",
    );
  });
});

describe("an invalid file", () => {
  const [header = "", first = "", second = "", third = ""] = writeRawCsv(
    [1, 2, 3].map((appid) => libraryGame({ appid })),
  ).split("\n");
  const file = (...lines: string[]) => `${lines.join("\n")}\n`;
  const swapped = header.replace("appid,name", "name,appid");

  const bad: [string, string, RegExp][] = [
    ["nothing", "", /^Line 1: unexpected columns/],
    ["a foreign header", file("id,title", "1,x"), /^Line 1: unexpected columns; expected row_number/],
    ["columns in another order", file(swapped, first, second, third), /^Line 1: unexpected columns/],
    ["a column less", file(header.replace(",img_icon_url", ""), first), /^Line [12]: /],
    ["a column more", file(`${header},more`, `${first},1`), /^Line 1: unexpected columns/],
    ["an enriched file", writeEnrichedCsv([enrichedGame()]), /^Line 1: unexpected columns/],
    ["JSON", '{"response":{"games":[]}}', /^Line 1: /],
    ["HTML", "<!DOCTYPE html>\n<html></html>\n", /^Line 1: /],
    ["a row without a cell", file(header, first, second.replace(/,$/, ""), third), /^Line 3: /],
    ["a row with a cell more", file(header, first, `${second},`, third), /^Line 3: /],
    ["a blank line", file(header, first, "", second, third), /^Line 3: /],
    ["a row missing in the middle", file(header, first, third), /^Line 3: row 3 follows row 1/],
    ["the first row missing", file(header, second, third), /^Line 2: row 2 follows row 0/],
    ["rows in another order", file(header, first, third, second), /^Line 3: row 3 follows row 1/],
    ["a row twice", file(header, first, second, second), /^Line 4: row 2 follows row 2/],
    ["a row too many", file(header, first, second, third, "4,3,4,x,0,0,0,0,0,0,,"), /^Line 5: .*after row 4 of 3/],
    ["an appid of 0", file(header, "1,1,0,x,0,0,0,0,0,0,,"), /^Line 2: appid: /],
    ["an appid too large", file(header, "1,1,2147483648,x,0,0,0,0,0,0,,"), /^Line 2: appid: /],
    ["a negative playtime", file(header, "1,1,1,x,-5,0,0,0,0,0,,"), /^Line 2: playtime_forever: expected a whole/],
    ["a fraction", file(header, "1,1,1,x,0,1.5,0,0,0,0,,"), /^Line 2: playtime_windows: expected a whole number/],
    ["a number in words", file(header, first, "2,2,1,x,0,0,many,0,0,0,,"), /^Line 3: playtime_mac: /],
    ["a blank number", file(header, "1,1,,x,0,0,0,0,0,0,,"), /^Line 2: appid: /],
    ["a number with an exponent", file(header, "1,1,1,x,0,0,0,1e3,0,0,,"), /^Line 2: playtime_linux: /],
    ["a quote in the open", file(header, '1,1,1,x"y,0,0,0,0,0,0,,'), /^Line 2: .*INVALID_OPENING_QUOTE/],
    ["text after a quote", file(header, '1,1,1,"x"y,0,0,0,0,0,0,,'), /^Line 2: .*CSV_/],
    ["other ends of line", file(header, first).replaceAll("\n", "\r\n"), /^Line 1: /],
  ];
  it.each(bad)("is rejected with its line: %s", (_, text, line) => {
    expect(rejection(() => readRawCsv(text))).toMatch(line);
  });

  it("is rejected: a raw file instead of an enriched one", () => {
    expect(rejection(() => readEnrichedCsv(writeRawCsv([libraryGame()])))).toMatch(/^Line 1: unexpected columns/);
  });

  const [top = "", row = ""] = writeEnrichedCsv([enrichedGame({ igdb: igdbGame({ game_type: 3 }) })]).split("\n");
  const badEnriched: [string, string, string, RegExp][] = [
    ["bad JSON", ",[],[]", ",[],[{]", /^Line 2: igdb_platforms: expected JSON/],
    ["JSON of another shape", ",[],[]", ',"[{""id"":1}]",[]', /^Line 2: igdb\.genres\.0\.name/],
    ["no JSON where a list belongs", ",[],[]", ",[],", /^Line 2: igdb\.platforms/],
    ["another status", "MATCHED", "MAYBE", /^Line 2: match_status/],
    ["another classification", ",GAME,", ",TOY,", /^Line 2: classification/],
    ["another way of matching", "external_id", "guess", /^Line 2: matched_by/],
    ["no slug", ",portal-2,", ",,", /^Line 2: igdb\.slug/],
    ["an id in words", ",72,", ",seventy,", /^Line 2: igdb_id/],
  ];
  it.each(badEnriched)("is rejected with its line, enriched: %s", (_, from, to, line) => {
    expect(row).toContain(from);
    expect(rejection(() => readEnrichedCsv(file(top, row.replace(from, to))))).toMatch(line);
  });
});

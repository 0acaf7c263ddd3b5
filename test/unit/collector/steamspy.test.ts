import { describe, expect, it } from "vitest";
import { gameDetails, gamesPage } from "../../../src/collector/steamspy.ts";
import { WebError } from "../../../src/process/errors.ts";
import type { WebClient } from "../../../src/web/client.ts";

const { signal } = new AbortController();

/** A client whose API answers `reply`, and its requests. */
function answering(reply: unknown) {
  const asked: unknown[] = [];
  const web: WebClient = {
    async json(endpoint, request, shape) {
      asked.push([endpoint, request.url, request.searchParams]);
      expect(request.signal).toBe(signal);
      const parsed = shape.safeParse(JSON.parse(JSON.stringify(reply)));
      if (parsed.success) return parsed.data;
      throw new WebError("invalid", `${endpoint}: another shape`, 200);
    },
    status: () => [],
  };
  return { web, asked };
}

const page = (reply: unknown) => gamesPage(answering(reply).web, 0, signal);
const details = (reply: unknown, listed = false) => gameDetails(answering(reply).web, { appid: 10, listed }, signal);

/** An entry as SteamSpy sends it, and its parsed values. */
const sent = {
  appid: 10,
  name: "Counter-Strike",
  developer: "Valve",
  publisher: "Valve",
  score_rank: "",
  positive: 216_345,
  negative: 5_530,
  userscore: 0,
  owners: "10,000,000 .. 20,000,000",
  average_forever: 1_200,
  average_2weeks: 0,
  median_forever: 0,
  median_2weeks: 0,
  price: "999",
  initialprice: "999",
  discount: "0",
  ccu: 10_775,
};
const numbers = {
  appid: 10,
  developer: "Valve",
  publisher: "Valve",
  owners_estimate: "10,000,000 .. 20,000,000",
  positive_reviews: 216_345,
  negative_reviews: 5_530,
  score_rank: null,
  average_playtime_forever: 1_200,
  average_playtime_2weeks: 0,
  price: 999,
};
const named = { ...numbers, named: true };
const sentDetails = {
  ...sent,
  languages: "English, French",
  genre: "Action",
  tags: { Action: 5_448, "1990's": 1_212 },
};

/** Raw value of a field and parsed value of its column. Both requests parse these fields alike. */
const oddValues: [string, unknown, keyof typeof numbers, unknown][] = [
  ["score_rank", "", "score_rank", null],
  ["score_rank", 98, "score_rank", 98],
  ["score_rank", "12", "score_rank", 12],
  ["score_rank", " 12 ", "score_rank", 12],
  ["score_rank", null, "score_rank", null],
  ["score_rank", undefined, "score_rank", null],
  ["score_rank", 0, "score_rank", 0],
  ["score_rank", true, "score_rank", null],
  ["price", null, "price", null],
  ["price", "0", "price", 0],
  ["price", "1999", "price", 1_999],
  ["price", 1_999, "price", 1_999],
  ["price", "19.99", "price", null],
  ["price", 19.99, "price", null],
  ["price", "-1", "price", null],
  ["price", "free", "price", null],
  ["price", ["999"], "price", null],
  ["price", { cents: 999 }, "price", null],
  ["positive", 2_147_483_647, "positive_reviews", 2_147_483_647],
  ["positive", 2_147_483_648, "positive_reviews", null],
  ["positive", 1e300, "positive_reviews", null],
  ["positive", "99999999999999999999", "positive_reviews", null],
  ["negative", -5, "negative_reviews", null],
  ["negative", "5e3", "negative_reviews", null],
  ["average_forever", 12.5, "average_playtime_forever", null],
  ["average_2weeks", "90", "average_playtime_2weeks", 90],
  ["developer", null, "developer", null],
  ["developer", " \n", "developer", null],
  ["developer", "  D\u0000ev \t", "developer", "Dev"],
  ["developer", "lone \ud83d surrogate", "developer", "lone \ufffd surrogate"],
  ["developer", "whole \ud83d\ude00 pair", "developer", "whole \ud83d\ude00 pair"],
  ["developer", 42, "developer", null],
  ["publisher", "\u0000", "publisher", null],
  ["publisher", ["Valve"], "publisher", null],
  ["owners", "", "owners_estimate", null],
  ["owners", "0 .. 20,000", "owners_estimate", "0 .. 20,000"],
  ["owners", 20_000, "owners_estimate", null],
];

describe("gamesPage", () => {
  it("requests a page of all games", async () => {
    const { web, asked } = answering([]);
    await gamesPage(web, 7, signal);
    expect(asked).toEqual([["steamspy_all", "https://steamspy.com/api.php", { request: "all", page: "7" }]]);
  });

  it("reads the fields of pages, and no others", async () => {
    expect(await page({ 10: sentDetails, 20: { ...sent, appid: 20 } })).toEqual({
      games: [named, { ...named, appid: 20 }],
      entries: 2,
    });
  });

  it.each(oddValues)("reads %s of %j as %s %j", async (field, value, column, expected) => {
    expect((await page({ 10: { ...sent, [field]: value } })).games).toEqual([{ ...named, [column]: expected }]);
  });

  it.each([[{}], [[]]])("reads %j as a page past the end", async (reply) => {
    expect(await page(reply)).toEqual({ games: [], entries: 0 });
  });

  it.each([
    ["a name", { developer: "" }, { developer: null }, true],
    ["a developer", { name: null }, {}, true],
    ["neither", { name: " ", developer: "" }, { developer: null }, false],
  ])("keeps a game with %s, and says whether it is named", async (_name, change, expected, isNamed) => {
    const { games } = await page({ 10: { ...sent, ...change } });
    expect(games).toEqual([{ ...numbers, ...expected, named: isNamed }]);
  });

  it.each([
    [20, 20, false],
    [21, 42, false],
    [21, 41, true],
  ])("with %i blank of %i games, rejects it as an outage: %j", async (blank, games, isRejected) => {
    const entry = (appid: number) => ({ ...sent, appid, ...(appid <= blank && { name: "", developer: null }) });
    const reply = Object.fromEntries(Array.from({ length: games }, (_, index) => [index + 1, entry(index + 1)]));
    if (isRejected) await expect(page(reply)).rejects.toMatchObject({ fault: "unreachable", status: 200 });
    else expect((await page(reply)).games).toHaveLength(games);
  });

  it("reads an appid that is a string", async () => {
    expect((await page({ 10: { ...sent, appid: "10" } })).games).toEqual([named]);
  });

  it("skips entries that are not games, but counts them", async () => {
    const reply = {
      10: sent,
      // Placeholder of games that SteamSpy hides.
      999999: { ...sent, appid: 999_999 },
      20: { ...sent, appid: 30 },
      40: null,
      50: "text",
      60: [sent],
      70: {},
      80: { ...sent, appid: null },
      0: { ...sent, appid: 0 },
      "-5": { ...sent, appid: -5 },
      2147483648: { ...sent, appid: 2_147_483_648 },
      1.5: { ...sent, appid: 1.5 },
      length: 12,
      error: "a warning of PHP",
    };
    expect(await page(reply)).toEqual({ games: [named], entries: 14 });
  });

  it.each([
    ["an error in place of games", { error: "too many connections" }],
    ["hidden games alone", { 999999: { ...sent, appid: 999_999 } }],
    ["games under other keys", { 1: sent, 2: sent }],
    ["a list of games", [sent]],
    ["null", null],
    ["a text", "Too many connections"],
    ["a number", 0],
  ])("rejects %s", async (_name, reply) => {
    await expect(page(reply)).rejects.toMatchObject({ name: "WebError", fault: "invalid", status: 200 });
  });

  it("passes the error of the web client on", async () => {
    const away = new WebError("unreachable", "steamspy_all: no answer");
    const web: WebClient = { json: () => Promise.reject(away), status: () => [] };
    await expect(gamesPage(web, 0, signal)).rejects.toBe(away);
  });
});

describe("gameDetails", () => {
  it("requests one game and reads every field", async () => {
    const { web, asked } = answering(sentDetails);
    expect(await gameDetails(web, { appid: 10, listed: true }, signal)).toEqual({
      ...numbers,
      genre: "Action",
      languages: "English, French",
      tags_json: { Action: 5_448, "1990's": 1_212 },
    });
    expect(asked).toEqual([["steamspy", "https://steamspy.com/api.php", { request: "appdetails", appid: "10" }]]);
  });

  it.each(oddValues)("reads %s of %j as %s %j", async (field, value, column, expected) => {
    expect(await details({ ...sentDetails, [field]: value })).toMatchObject({ ...numbers, [column]: expected });
  });

  it.each([
    ["genre", "", null],
    ["genre", " Action, RPG ", "Action, RPG"],
    ["genre", null, null],
    ["genre", ["Action"], null],
    ["languages", null, null],
    ["languages", undefined, null],
    ["languages", "Eng\u0000lish", "English"],
    ["languages", "\udc00", "\ufffd"],
  ])("reads %s of %j as %j", async (field, value, expected) => {
    expect(await details({ ...sentDetails, [field]: value })).toMatchObject({ [field]: expected });
  });

  it.each([
    ["no tags", [], {}],
    ["an object without tags", {}, {}],
    ["null", null, {}],
    ["tags left out", undefined, {}],
    ["a list of names", ["Action", "FPS"], {}],
    ["a text", "Action", {}],
    ["votes sent as texts", { Action: "12" }, { Action: 12 }],
    ["votes that are no numbers", { A: null, B: -1, C: 1.5, D: {}, E: "", F: 2 ** 31, G: 0 }, { G: 0 }],
    [
      "names with NUL, lone surrogates and none",
      { "N\u0000ew": 1, "\ud83d": 2, " ": 3, "": 4 },
      { New: 1, "\ufffd": 2 },
    ],
    ["names that end in a blank, as Steam's do", { "Dystopian ": 238 }, { "Dystopian ": 238 }],
    ["names that are keys of objects", { length: 3, constructor: 4 }, { length: 3, constructor: 4 }],
  ])("reads as votes: %s", async (_name, tags, expected) => {
    expect((await details({ ...sentDetails, tags }))?.tags_json).toEqual(expected);
  });

  it.each([
    ["an empty object", {}],
    ["an empty list", []],
    ["an echo with nulls", { ...sentDetails, name: null, developer: null }],
    ["an echo with blanks", { ...sentDetails, name: " ", developer: "\u0000" }],
    ["an echo of the appid alone", { appid: 10 }],
  ])("reads a blank answer as unknown, and as an outage for a listed game: %s", async (_name, reply) => {
    expect(await details(reply)).toBeNull();
    await expect(details(reply, true)).rejects.toMatchObject({
      ...{ name: "WebError", fault: "unreachable", status: 200 },
      message: expect.stringContaining("app 10"),
    });
  });

  it.each([999_999, "999999"])("returns null for a game that SteamSpy hides under %j", async (appid) => {
    expect(await details({ ...sentDetails, appid }, true)).toBeNull();
  });

  it.each([
    ["name", { name: "", developer: "Valve" }, { developer: "Valve" }],
    ["developer", { name: "Counter-Strike", developer: null }, { developer: null }],
  ])("returns a game that lacks only its %s", async (_name, change, expected) => {
    expect(await details({ ...sentDetails, ...change }, true)).toMatchObject({ appid: 10, ...expected });
  });

  it("accepts an appid that is a string", async () => {
    expect(await details({ ...sentDetails, appid: "10" })).toMatchObject(numbers);
  });

  it.each([
    ["another app", { ...sentDetails, appid: 20 }, "answered for 20"],
    ["another app that it does not know", { appid: 20, name: null, developer: null }, "answered for 20"],
    ["no app", { ...sentDetails, appid: undefined }, "answered for undefined"],
    ["an error", { error: "too many connections" }, "was asked for app 10"],
  ])("rejects an answer for %s", async (_name, reply, message) => {
    await expect(details(reply)).rejects.toMatchObject({
      ...{ name: "WebError", fault: "invalid", status: 200 },
      message: expect.stringContaining(message),
    });
  });

  it.each([null, "text", 10, [sentDetails]])("rejects %j", async (reply) => {
    await expect(details(reply)).rejects.toMatchObject({ name: "WebError", fault: "invalid" });
  });
});

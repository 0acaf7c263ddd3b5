import { describe, expect, it } from "vitest";
import { chooseByName, chooseGame } from "../../../src/library/choose.ts";
import type { IgdbGame } from "../../../src/library/rows.ts";
import { igdbGame } from "./samples.ts";

const [main, dlc, expansion, bundle, remake, remaster, port, pack, update] = [0, 1, 2, 3, 8, 9, 11, 13, 14];
const game = (id: number, name: string, game_type: number | null = main, year?: number): IgdbGame =>
  igdbGame({ id, name, game_type, release_date: year ? `${year}-06-01T00:00:00.000Z` : null });

/** The id of the chosen game, whatever the order of the candidates. */
function chosen(candidates: readonly IgdbGame[], name: string, year: number | null = null): number | undefined {
  const ids = [candidates, candidates.toReversed()].map((each) => chooseGame(each, { name, year })?.id);
  expect(new Set(ids).size).toBe(1);
  return ids[0];
}

describe("chooseGame", () => {
  it.each<[string, number, IgdbGame[], string, number?]>([
    ["the normalized name", 2, [game(1, "Portal 2"), game(2, "PORTAL")], "Portal™"],
    [
      "the name before the kind",
      2,
      [game(1, "Half-Life"), game(2, "Half-Life: Opposing Force", expansion)],
      "Half-Life: Opposing Force",
    ],
    ["a game before a bundle", 2, [game(1, "Foo", bundle), game(2, "Foo")], "Foo"],
    ["a remake before a bundle", 2, [game(1, "Foo", bundle), game(2, "Foo", remake)], "Foo"],
    ["a bundle before a DLC", 2, [game(1, "Foo", dlc), game(2, "Foo", bundle)], "Foo"],
    [
      "a bundle before a pack or update",
      3,
      [game(1, "Foo", pack), game(2, "Foo", update), game(3, "Foo", bundle)],
      "Foo",
    ],
    ["a renamed game before its DLC", 2, [game(1, "Foo: The Hat", dlc), game(2, "Bar")], "Foo"],
    ["a name that begins with the other", 2, [game(1, "Bar"), game(2, "Foo")], "Foo Game of the Year Edition"],
    ["a name that begins with the other, at whole words", 2, [game(1, "Foolish"), game(2, "Foo: Remade")], "Foo"],
    [
      "the year before remake and remaster",
      2,
      [game(1, "Dead Space", main, 2008), game(2, "Dead Space", remake, 2023)],
      "Dead Space",
      2023,
    ],
    [
      "the main game where no year fits",
      1,
      [game(1, "Dead Space", main, 2008), game(2, "Dead Space", remake, 2023)],
      "Dead Space",
      2010,
    ],
    [
      "main game, remake, remaster and port in this order",
      4,
      [game(1, "Foo", port), game(2, "Foo", remaster), game(3, "Foo", remake), game(4, "Foo")],
      "Foo",
    ],
    ["a remake before a remaster", 2, [game(1, "Foo", remaster), game(2, "Foo", remake)], "Foo"],
    ["an unknown kind like a main game", 2, [game(1, "Foo", port), game(2, "Foo", null)], "Foo"],
    ["the lowest id", 1, [game(2, "Foo"), game(1, "Foo")], "Foo"],
    ["the kind where Steam gives no name", 2, [game(1, "Foo", dlc), game(2, "Bar")], ""],
    ["the only one, whatever its name and kind", 1, [game(1, "Foo", dlc)], "Bar"],
  ])("prefers %s", (_, id, candidates, name, year) => {
    expect(chosen(candidates, name, year ?? null)).toBe(id);
  });

  it("returns undefined without candidates", () => {
    expect(chooseGame([], { name: "Foo", year: null })).toBeUndefined();
  });
});

describe("chooseByName", () => {
  const wanted = { name: "Foo™", year: 2016 };
  it.each<[string, IgdbGame[], number | "ambiguous" | undefined]>([
    [
      "the game of that name and year",
      [game(1, "FOO", main, 2016), game(2, "Foo", main, 2017), game(3, "Bar", main, 2016)],
      1,
    ],
    ["ambiguous for two games of one kind", [game(1, "Foo", main, 2016), game(2, "Foo", port, 2016)], "ambiguous"],
    [
      "the game before its bundle and DLC",
      [game(1, "Foo", dlc, 2016), game(2, "Foo", main, 2016), game(3, "Foo", bundle, 2016)],
      2,
    ],
    ["nothing without a date", [game(1, "Foo")], undefined],
  ])("returns %s", (_, candidates, expected) => {
    const found = chooseByName(candidates, wanted);
    expect(typeof found === "object" ? found.id : found).toBe(expected);
  });

  it("returns nothing for a name without letters and digits", () => {
    expect(chooseByName([game(1, "™", main, 2016)], { name: "!", year: 2016 })).toBeUndefined();
  });
});

import { describe, expect, it } from "vitest";
import { common } from "./sample-app.ts";
import { numbered, type Tree } from "./writer.ts";

describe("Steam Deck", () => {
  const deck = (inner: Tree) => common({ steam_deck_compatibility: inner }).steam_deck;
  const withoutReports = { steamos_tests: null, machine_tests: null, frame_tests: null, configuration: null };

  it("returns verdicts, the tested build and the tests in order", () => {
    const tests: Tree = [
      ["10", { display: "1", token: "#Last" }],
      ["1", { display: "x", token: " #Second " }],
      ["0", { display: "4", token: "#First" }],
      ["2", { display: "4", token: "" }],
      ["3", "4"],
    ];
    const verdict = { category: "2", steamos_compatibility: "2" };
    expect(deck({ ...verdict, test_timestamp: "1647648000", tested_build_id: "8226293", tests })).toEqual({
      ...withoutReports,
      category: "playable",
      steamos_category: "compatible",
      machine_category: null,
      frame_category: null,
      test_timestamp: "2022-03-19T00:00:00.000Z",
      tested_build_id: "8226293",
      tests: [
        { display: 4, token: "#First" },
        { display: null, token: "#Second" },
        { display: 1, token: "#Last" },
      ],
    });
  });

  it.each([
    ["0", "unknown"],
    ["1", "unsupported"],
    ["2", "playable"],
    ["3", "verified"],
    ["4", "unknown"],
    ["-1", "unknown"],
    ["x", "unknown"],
    ["", null],
  ])("category %j is %j, of the Deck, Steam Machine and Steam Frame", (raw, expected) => {
    expect(deck({ category: raw })?.category).toBe(expected ?? "unknown");
    const machine = deck({ category: "3", steam_machine_compatibility: raw });
    expect(machine).toMatchObject({ category: "verified", machine_category: expected, frame_category: null });
    const frame = deck({ category: "3", steam_frame_compatibility: raw });
    expect(frame).toMatchObject({ category: "verified", machine_category: null, frame_category: expected });
  });

  it.each([
    ["0", "unknown"],
    ["1", "unsupported"],
    ["2", "compatible"],
    ["3", "unknown"],
    ["x", "unknown"],
    ["", null],
  ])("SteamOS %j is %j", (raw, expected) => {
    expect(deck({ steamos_compatibility: raw })?.steamos_category).toBe(expected);
  });

  it("is a row of unknowns when the block has other content, and null when it is empty", () => {
    expect(deck({ configuration: {} })).toEqual({
      ...withoutReports,
      category: "unknown",
      steamos_category: null,
      machine_category: null,
      frame_category: null,
      test_timestamp: null,
      tested_build_id: null,
      tests: null,
    });
    expect(deck({})).toBeNull();
  });

  it("returns the tests of the other systems", () => {
    const report = (token: string) => numbered({ display: "4", token });
    const reports = {
      steamos_tests: report("#A"),
      steam_machine_tests: report("#B"),
      steam_frame_tests: report("#C"),
    };
    expect(deck(reports)).toMatchObject({
      tests: null,
      steamos_tests: [{ display: 4, token: "#A" }],
      machine_tests: [{ display: 4, token: "#B" }],
      frame_tests: [{ display: 4, token: "#C" }],
    });
  });

  it("returns the configuration as Steam writes it, without what is empty or a block", () => {
    const configuration = { Supported_Input: " gamepad ", small_text: "0", hdr: "", " \0": "1", nested: { x: "1" } };
    expect(deck({ configuration })?.configuration).toEqual({ Supported_Input: "gamepad", small_text: "0" });
    expect(deck({ configuration: "1" })?.configuration).toBeNull();
  });
});

import { describe, expect, it } from "vitest";
import { type Classification, classify, type Evidence } from "../../../src/library/classify.ts";

const classificationOf = (evidence: Evidence) => classify(evidence).classification;
const named = (name: string) => classificationOf({ steamType: null, igdbGameType: null, name });

/** Real games that a classification by name alone gets wrong. */
const misleading = [
  "The Turing Test",
  "Secret Neighbor: Hello Neighbor Multiplayer",
  "Legion TD 2 - Multiplayer Tower Defense",
  "Unreal Tournament 2004: Editor's Choice Edition",
  "Virus Expansion",
];

describe("classify by name", () => {
  it.each(misleading.filter((name) => name !== "Virus Expansion"))("%s is GAME", (name) => {
    expect(named(name)).toBe("GAME");
  });

  const patterns: [string, Classification][] = [
    ["Call of Duty: Black Ops - Multiplayer", "MULTIPLAYER_COMPONENT"],
    ["Call of Duty: Modern Warfare 2 - Multi-Player", "MULTIPLAYER_COMPONENT"],
    ["SOMETHING - MULTIPLAYER", "MULTIPLAYER_COMPONENT"],
    ["Something - Multiplayer  ", "MULTIPLAYER_COMPONENT"],
    ["Something - DLC", "DLC"],
    ["Something Season Pass", "DLC"],
    ["Something: Expansion", "DLC"],
    ["Something DLC", "DLC"],
    ["Something - Rapture Pack", "DLC"],
    ["Something Weapon Pack", "DLC"],
    // A false positive that only the catalog or IGDB can correct.
    ["Virus Expansion", "DLC"],
    ["Something - Demo", "NON_GAME"],
    ["Something - Soundtrack", "NON_GAME"],
    ["Something Level Editor", "NON_GAME"],
    ["Something Demo", "NON_GAME"],
    ["Something Playtest", "NON_GAME"],
    ["Something - Testing Branch", "NON_GAME"],
    ["Something Soundtracks", "NON_GAME"],
    ["Something OST", "NON_GAME"],
    ["Something Dedicated Server - Linux", "NON_GAME"],
    ["Something Server", "NON_GAME"],
    ["Something SDK", "NON_GAME"],
    ["Something Authoring Tools", "NON_GAME"],
    ["Something Creation Kit", "NON_GAME"],
    ["Proton 9.0", "NON_GAME"],
    ["Proton Experimental", "NON_GAME"],
    ["Steam Linux Runtime 3.0 (sniper)", "NON_GAME"],
    ["Multiplayer", "GAME"],
    ["Demolition", "GAME"],
    ["Demo Derby - Demolition", "GAME"],
    ["Season Pass: The Game", "GAME"],
    ["Expansions", "GAME"],
    ["Superexpansion", "GAME"],
    ["Editors", "GAME"],
    ["Subeditor", "GAME"],
    ["Soundtracker", "GAME"],
    ["DLC Quest", "GAME"],
    ["The Jackbox Party Pack", "GAME"],
    ["Nickelodeon Splat Pack", "GAME"],
    ["Something: Prologue", "GAME"],
    ["Something (Test Server)", "GAME"],
    ["Cloud Server Simulator", "GAME"],
    ["Lost", "GAME"],
    ["Proton Pulse", "GAME"],
    ["Demo", "GAME"],
    ["Self-Demo", "GAME"],
    ["Half-Life 2", "GAME"],
    ["", "GAME"],
  ];
  it.each(patterns)("%j is %s", (name, expected) => {
    expect(named(name)).toBe(expected);
  });
});

describe("classify by IGDB's game type, for apps whose Steam type is unknown", () => {
  const types: [number, string, Classification][] = [
    [0, "main game", "GAME"],
    [1, "DLC", "DLC"],
    [2, "expansion", "DLC"],
    [3, "bundle", "GAME"],
    [4, "standalone expansion", "GAME"],
    [5, "mod", "GAME"],
    [6, "episode", "GAME"],
    [7, "season", "GAME"],
    [8, "remake", "GAME"],
    [9, "remaster", "GAME"],
    [10, "expanded game", "GAME"],
    [11, "port", "GAME"],
    [12, "fork", "GAME"],
    [13, "pack", "DLC"],
    [14, "update", "NON_GAME"],
    [15, "an unknown type", "GAME"],
  ];
  it.each(types)("%i, %s, is %s for any name", (igdbGameType, _, expected) => {
    for (const name of [...misleading, "Something - Demo", "Something - Multiplayer", "Plain"])
      expect(classificationOf({ steamType: null, igdbGameType, name })).toBe(expected);
  });
});

describe("classify by Steam's type, which takes precedence", () => {
  const types: [string, Classification][] = [
    ["game", "GAME"],
    ["mod", "GAME"],
    ["dlc", "DLC"],
    ["demo", "NON_GAME"],
    ["beta", "NON_GAME"],
    ["music", "NON_GAME"],
    ["tool", "NON_GAME"],
    ["application", "NON_GAME"],
    ["video", "NON_GAME"],
    ["series", "NON_GAME"],
    ["episode", "NON_GAME"],
    ["hardware", "NON_GAME"],
    ["config", "NON_GAME"],
    ["", "NON_GAME"],
    ["constructor", "NON_GAME"],
  ];
  it.each(types)("%s is %s for any IGDB type and name", (steamType, expected) => {
    for (const igdbGameType of [null, 0, 1, 2, 14])
      for (const name of [...misleading, "Something - Demo", "Something - Multiplayer"])
        expect(classificationOf({ steamType, igdbGameType, name })).toBe(expected);
  });
});

describe("the reason of a classification", () => {
  it.each<[string, Evidence, string | null]>([
    ["Steam's type", { steamType: "demo", igdbGameType: 0, name: "Some Demo" }, "Steam's type: demo"],
    ["IGDB's type", { steamType: null, igdbGameType: 2, name: "Some Demo" }, "IGDB's type: expansion"],
    ["the name", { steamType: null, igdbGameType: null, name: "Some Demo" }, "by its name: demo"],
    ["null for a game", { steamType: "game", igdbGameType: 2, name: "Some Demo" }, null],
  ])("is %s", (_, evidence, reason) => {
    expect(classify(evidence).reason).toBe(reason);
  });
});

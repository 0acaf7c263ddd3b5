import { describe, expect, it } from "vitest";
import { normalizeName, stripTrademarks } from "../../../src/library/names.ts";

describe("normalizeName", () => {
  const same: [string, string][] = [
    ["South Park™: The Stick of Truth™", "south park the stick of truth"],
    ["DARKEST DUNGEON®", "Darkest Dungeon"],
    ["Pokémon", "Pokemon"],
    ["Pokémon", "Poke\u0301mon"],
    ["NieR:Automata", "NieR: Automata"],
    ["Middle-earth: Shadow of War", "Middle earth – Shadow of War"],
    ["  Party Hard 2 ", "Party Hard 2"],
    ["Portal\u00a02", "Portal 2"],
    ["Half-Life²", "Half Life2"],
    ["ＦＵＬＬ ｗｉｄｔｈ", "full width"],
    ["ẞtraße", "ßtrasse".replace("ss", "ß")],
  ];
  it.each(same)("of %j equals that of %j", (one, other) => {
    expect(normalizeName(one)).toBe(normalizeName(other));
    expect(normalizeName(one)).not.toBe("");
  });

  const different: [string, string][] = [
    ["Portal", "Portal 2"],
    ["Final Fantasy VII", "Final Fantasy VIII"],
    ["夜勤事件", "夜勤事件 2"],
    ["Doom", "Doom 3"],
    ["S.T.A.L.K.E.R.", "STALKER"],
    ["Ведьмак", "Witcher"],
  ];
  it.each(different)("of %j differs from that of %j", (one, other) => {
    expect(normalizeName(one)).not.toBe(normalizeName(other));
  });

  it.each(["", "   ", "™®", "!?…", "🎮"])("of %j is empty", (name) => {
    expect(normalizeName(name)).toBe("");
  });

  it.each(["South Park™", "Pokémon – Épée", "Ⅷ ½ ﬁn"])("of %j is idempotent", (name) => {
    expect(normalizeName(normalizeName(name))).toBe(normalizeName(name));
  });
});

it("stripTrademarks removes trademark signs and collapses white space, and nothing else", () => {
  expect(stripTrademarks("South  Park™:\tThe Stick® of Truth℠ © ")).toBe("South Park: The Stick of Truth");
  expect(stripTrademarks('Pokémon "Épée", – ½ 🎮')).toBe('Pokémon "Épée", – ½ 🎮');
});

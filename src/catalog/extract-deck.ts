import {
  type DeckCategory,
  deckCategories,
  type SteamDeckRecord,
  type SteamDeckTest,
  steamosCategories,
} from "./app-record.ts";
import type { KeyValues } from "./key-values.ts";
import { block, int, listed, maxId, orNull, text, texts, time, type Value } from "./values.ts";

/** Valve's verdict; codes as in `SteamDeckRecord`, one outside of the known range reads as `unknown`. */
export function steamDeck(deck: KeyValues): SteamDeckRecord | null {
  if (deck.size === 0) return null;
  const steamos = deck.get("steamos_compatibility");
  return {
    category: deckCategory(deck.get("category")) ?? "unknown",
    steamos_category: text(steamos) === null ? null : (steamosCategories[int(steamos, 0, 2) ?? 0] ?? "unknown"),
    machine_category: deckCategory(deck.get("steam_machine_compatibility")),
    frame_category: deckCategory(deck.get("steam_frame_compatibility")),
    test_timestamp: time(deck.get("test_timestamp")),
    tested_build_id: text(deck.get("tested_build_id")),
    tests: deckTests(deck.get("tests")),
    steamos_tests: deckTests(deck.get("steamos_tests")),
    machine_tests: deckTests(deck.get("steam_machine_tests")),
    frame_tests: deckTests(deck.get("steam_frame_tests")),
    configuration: texts(deck.get("configuration"), (key) => text(key)),
  };
}

function deckCategory(code: Value): DeckCategory | null {
  return text(code) === null ? null : (deckCategories[int(code, 0, 3) ?? 0] ?? "unknown");
}

function deckTests(tests: Value): SteamDeckTest[] | null {
  const results = listed(tests).map(block).map(deckTest);
  return orNull(results.filter((test) => test !== null));
}

function deckTest(test: KeyValues): SteamDeckTest | null {
  const token = text(test.get("token"));
  return token === null ? null : { display: int(test.get("display"), 0, maxId), token };
}

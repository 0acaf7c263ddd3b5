// @ts-check
import { deckTest, deckTestResult } from "../code-words.js";
import { el, facts, panel, tag } from "../dom.js";
import { dateAndClock, words } from "../format.js";
import { capitalized, notedValue, verdictTone } from "../names.js";

/** Valve's verdicts on Steam Deck, SteamOS, Steam Machine and Steam Frame. */

/** @typedef {import("./app.js").App} App */

/** Valve's verdicts with the tests behind them; nothing without any. @param {App} app */
export function compatibilityPanel({ steam_deck: deck }) {
  if (deck === null) return null;
  const groups = [
    testGroup("Steam Deck", deck.category, deck.tests),
    testGroup("SteamOS", deck.steamos_category, deck.steamos_tests),
    testGroup("Steam Machine", deck.machine_category, deck.machine_tests),
    testGroup("Steam Frame", deck.frame_category, deck.frame_tests),
  ];
  const tested = [
    deck.test_timestamp && dateAndClock(deck.test_timestamp),
    deck.tested_build_id && `build ${deck.tested_build_id}`,
  ];
  return panel(
    "Compatibility",
    null,
    ...groups,
    facts([
      ["Tested", tested.filter(Boolean).join(", ")],
      ...Object.entries(deck.configuration ?? {}).map(
        /** @returns {[string, string]} */ ([name, value]) => [capitalized(words(name)), notedValue(value)],
      ),
    ]),
  );
}

/** @param {string} system @param {string | null} verdict @param {App["steam_deck"] extends infer Deck | null ? Deck extends { tests: infer Tests } ? Tests : never : never} tests */
function testGroup(system, verdict, tests) {
  if (verdict === null && !tests?.length) return null;
  return el(
    "div",
    { class: "tests" },
    el("h3", {}, system, " ", tag(verdictTone(verdict ?? ""), capitalized(verdict ?? "no verdict"))),
    el(
      "ul",
      {},
      ...(tests ?? []).map(({ display, token }) => {
        const { mark, word, tone } = deckTestResult(display, system === "SteamOS");
        return el(
          "li",
          { "data-tone": tone },
          el("span", { class: "mark", role: "img", "aria-label": word, title: word }, mark),
          ` ${deckTest(token)}`,
        );
      }),
    ),
  );
}

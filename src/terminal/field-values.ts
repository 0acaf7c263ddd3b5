import type { LanguageSupport, SteamDeckRecord, SteamDeckTest } from "../catalog/app-record.ts";
import { deckTestResults, deckTests, steamosTestResults } from "../catalog/code-names.ts";
import { clean, formatTime } from "./layout.ts";

/** Values of fields, formatted for a terminal or brought into the canonical form in which two sources can be compared. */

/** `Puzzle (1664), 5055`: ids with their names where known. */
export function formatIds(ids: readonly number[], names: ReadonlyMap<number, string>): string {
  return ids
    .map((id) => {
      const name = clean(names.get(id) ?? "");
      return name === "" ? String(id) : `${name} (${id})`;
    })
    .join(", ");
}

/** `english (audio, subtitles), thai, french (subtitles, no interface)`: a language alone is supported in the interface only. */
export function formatLanguages(languages: Record<string, LanguageSupport>): string {
  return Object.entries(languages)
    .map(([name, { supported, full_audio, subtitles }]) => {
      const parts = [full_audio && "audio", subtitles && "subtitles", !supported && "no interface"];
      const support = parts.filter(Boolean).join(", ");
      return support === "" ? name : `${name} (${support})`;
    })
    .join(", ");
}

/** The verdicts, then one line per test with its result, then what Valve noted. */
export function formatDeck(deck: SteamDeckRecord): string {
  const { category, steamos_category, machine_category, frame_category, test_timestamp, tested_build_id } = deck;
  const verdict = [
    category,
    steamos_category && `SteamOS ${steamos_category}`,
    machine_category && `Steam Machine ${machine_category}`,
    frame_category && `Steam Frame ${frame_category}`,
    test_timestamp && `tested ${formatTime(test_timestamp)}`,
    tested_build_id && `build ${clean(tested_build_id)}`,
  ];
  return [
    verdict.filter(Boolean).join(", "),
    ...formatTests(deck.tests, "", deckTestResults),
    ...formatTests(deck.steamos_tests, "SteamOS ", steamosTestResults),
    ...formatTests(deck.machine_tests, "Steam Machine ", deckTestResults),
    ...formatTests(deck.frame_tests, "Steam Frame ", deckTestResults),
    ...Object.entries(deck.configuration ?? {}).map(([key, value]) => `${clean(key)}: ${clean(value)}`),
  ].join("\n");
}

function formatTests(
  tests: readonly SteamDeckTest[] | null,
  system: string,
  results: ReadonlyMap<number, string>,
): string[] {
  return (tests ?? []).map(({ display, token }) => {
    const result = display === null ? "no result" : (results.get(display) ?? `result ${display}`);
    return `${system}${result}: ${testWords(token)}`;
  });
}

/** `shows the icons of the Deck's buttons`, of `#SteamDeckVerified_TestResult_ControllerGlyphsMatchDeckDevice`; of an unknown one its end. */
function testWords(token: string): string {
  const name = token.replace(/^#\w*?_TestResult_/, "");
  return deckTests.get(name) ?? clean(name);
}

/** With milliseconds and `Z`. */
export const canonicalTime = (time: string) => new Date(time).toISOString();

export const ascending = (ids: readonly number[]) => ids.toSorted((a, b) => a - b);

export const sorted = (texts: readonly string[]) => texts.toSorted();

/** With its keys in one order, since comparisons are by JSON. */
export function byKey<T>(record: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function canonicalLanguages(languages: Record<string, LanguageSupport>): Record<string, LanguageSupport> {
  const entries = Object.entries(byKey(languages));
  return Object.fromEntries(
    entries.map(([name, { supported, full_audio, subtitles }]) => [name, { supported, full_audio, subtitles }]),
  );
}

/** With its keys in one order. */
export function canonicalDeck(deck: SteamDeckRecord): SteamDeckRecord {
  const { category, steamos_category, machine_category, frame_category, test_timestamp, tested_build_id } = deck;
  return {
    category,
    steamos_category,
    machine_category,
    frame_category,
    test_timestamp: test_timestamp && canonicalTime(test_timestamp),
    tested_build_id,
    tests: canonicalTests(deck.tests),
    steamos_tests: canonicalTests(deck.steamos_tests),
    machine_tests: canonicalTests(deck.machine_tests),
    frame_tests: canonicalTests(deck.frame_tests),
    configuration: deck.configuration && byKey(deck.configuration),
  };
}

function canonicalTests(tests: readonly SteamDeckTest[] | null): SteamDeckTest[] | null {
  return tests?.map(({ display, token }) => ({ display, token })) ?? null;
}

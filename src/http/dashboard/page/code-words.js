// @ts-check
import {
  contentDescriptors,
  deckTestResults,
  deckTests,
  languageNames,
  reviewScores,
  steamosTestResults,
} from "/dashboard/code-names.js";
import { titled, unknown, words } from "./format.js";
import { capitalized, testName } from "./names.js";

/** Steam's codes in people's words, from src/catalog/code-names.ts. */

/** `Very Positive`, of a review score; null for none. @param {number | null} score */
export const reviewWord = (score) => (score ? titled(reviewScores.get(score) ?? `score ${score}`) : null);

/** `Very Positive 91 %`; null without a score. @param {number | null} score @param {number | null} share */
export function reviewVerdict(score, share) {
  const word = reviewWord(score);
  return word && (share === null ? word : `${word} ${share} %`);
}

/** @param {number} code */
export const contentWarning = (code) => contentDescriptors.get(code) ?? `code ${code}`;

/** `German`, of Steam's name of a language. @param {string} name */
export const language = (name) => languageNames.get(name) ?? capitalized(words(name));

/** @type {Record<string, { mark: string, tone: import("./names.js").Tone }>} */
const testMarks = {
  informational: { mark: "i", tone: "info" },
  unsupported: { mark: "✕", tone: "warn" },
  playable: { mark: "!", tone: "neutral" },
  compatible: { mark: "✓", tone: "good" },
  verified: { mark: "✓", tone: "good" },
};
/** A test's result as a mark with its word. @param {number | null} code @param {boolean} onSteamos its codes differ @returns {{ mark: string, word: string, tone: import("./names.js").Tone }} */
export function deckTestResult(code, onSteamos) {
  const results = onSteamos ? steamosTestResults : deckTestResults;
  const word = results.get(code ?? 0) ?? (code === null ? "no result" : `result ${code}`);
  return { ...(testMarks[word] ?? { mark: unknown, tone: "neutral" }), word };
}

/** What a test says, of its token `#SteamDeckVerified_TestResult_GameStartupFunctional`. @param {string} token */
export function deckTest(token) {
  const name = token.replace(/^#\w*?_TestResult_/, "");
  const known = deckTests.get(name);
  return known ? capitalized(known) : testName(name);
}

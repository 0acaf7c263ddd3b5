// @ts-check
import { words } from "./format.js";

/** The API's names in people's words, as far as no code stands behind them (code-words.js). Pure. */

/** @typedef {"info" | "good" | "warn" | "neutral"} Tone of a tag */

/** @param {string} text */
export const capitalized = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** @param {string} name */
export const platform = (name) => (name === "macos" ? "macOS" : capitalized(name));

/** @param {number} score @returns {Tone} */
export const reviewTone = (score) => (score >= 6 ? "good" : score === 5 ? "neutral" : "warn");

/** @type {Record<string, Tone>} */
const verdictTones = { verified: "good", compatible: "good", playable: "info", unsupported: "warn" };
/** Of a verdict on the Steam Deck and its siblings. @param {string} verdict @returns {Tone} */
export const verdictTone = (verdict) => verdictTones[verdict] ?? "neutral";

/**
 * A test of the Steam Deck in words: `#SteamDeckVerified_TestResult_InterfaceTextIsLegible` is `Interface text is legible`. Steam's own
 * texts are not part of app info.
 *
 * @param {string} token
 */
export function testName(token) {
  const name = words(token.replace(/^#\w*?_TestResult_/, ""));
  // A word begins at a capital letter; a run of capitals, such as USB, is one word.
  const parts = name.match(/[A-Z]{2,}(?![a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^A-Za-z\d\s]+/g) ?? [name];
  return capitalized(parts.map((part) => (/^[A-Z]{2,}$/.test(part) ? part : part.toLowerCase())).join(" "));
}

/** A value of what Valve noted: `0` and `1` are no and yes. @param {string} value */
export const notedValue = (value) => ({ 0: "no", 1: "yes" })[value] ?? words(value);

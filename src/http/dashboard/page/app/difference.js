// @ts-check
import { dateAndClock, words } from "../format.js";

/**
 * What a change of a field did, as short texts. Pure.
 *
 * @typedef {{ before: string | null, after: string | null, removed: string[], added: string[] }} Difference
 *   `before` and `after` of a single value; of lists and blocks what left and what came
 */

/** @param {unknown} old @param {unknown} now @param {ReadonlyMap<unknown, string>} names of ids @returns {Difference} */
export function differenceOf(old, now, names) {
  const had = partsOf(old, names);
  const has = partsOf(now, names);
  if (had === null && has === null)
    return { before: text(old, names), after: text(now, names), removed: [], added: [] };
  const [before, after] = [had ?? [], has ?? []];
  return {
    before: null,
    after: null,
    removed: before.filter((part) => !after.includes(part)),
    added: after.filter((part) => !before.includes(part)),
  };
}

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/;

/** The parts of a list or a block; null for a single value. @param {unknown} value @param {ReadonlyMap<unknown, string>} names */
function partsOf(value, names) {
  if (Array.isArray(value)) return value.map((item) => text(item, names));
  if (typeof value !== "object" || value === null) return null;
  return Object.entries(value).map(([key, part]) => `${words(key)}: ${text(part, names)}`);
}

/** @param {unknown} value @param {ReadonlyMap<unknown, string>} names @returns {string} */
function text(value, names) {
  if (value === null || value === undefined || value === "") return "none";
  const name = names.get(value);
  if (name !== undefined) return name;
  if (Array.isArray(value)) return value.map((item) => text(item, names)).join(", ");
  if (typeof value === "string") return timestamp.test(value) ? dateAndClock(value) : value;
  if (typeof value !== "object") return String(value);
  const parts = Object.entries(value).filter(([, part]) => part !== null && part !== false && part !== "");
  return parts.map(([key, part]) => (part === true ? words(key) : text(part, names))).join(" ");
}

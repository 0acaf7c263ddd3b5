// @ts-check
/** Formats values for the page. Pure. */

const numbers = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

/** @param {number | null | undefined} value */
export const count = (value) => (value === null || value === undefined ? "–" : numbers.format(value));

const units = ["B", "kB", "MB", "GB", "TB"];

/** `812 B`, `4.2 MB`. @param {number} value */
export function bytes(value) {
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
  const shown = value / 1000 ** power;
  return `${power === 0 || shown >= 100 ? Math.round(shown) : shown.toFixed(1)} ${units[power]}`;
}

/** A size and its growth a day: `4.2 MB, +12 kB a day`. @param {{ bytes: number, growth_per_day: number | null }} size */
export function sizeWithGrowth({ bytes: size, growth_per_day: growth }) {
  return growth === null ? bytes(size) : `${bytes(size)}, ${growth < 0 ? "-" : "+"}${bytes(Math.abs(growth))} a day`;
}

const percents = new Intl.NumberFormat("en-US", { style: "percent" });

/** @param {number} value */
export const percent = (value) => percents.format(value);

/** `8 s`, `5 min`, `2 h 05 min`, `3 d 4 h`. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 120) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {string | null | undefined} time @param {number} [now] */
export const ago = (time, now = Date.now()) => (time ? `${duration((now - Date.parse(time)) / 1000)} ago` : "–");

/** 0 to 1, or null while either is unknown. @param {number | null | undefined} part @param {number | null | undefined} whole */
export const share = (part, whole) =>
  part === undefined || part === null || !whole ? null : Math.min(1, part / whole);

/** A name of the API as words: `bulk_sync` becomes `bulk sync`. @param {string} name */
export const words = (name) => name.replaceAll("_", " ");

const maxLength = 120;
const timestamp = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d\S*$/;

/** Formats a value of a change as one short line; times to the minute, in UTC. @param {unknown} value @returns {string} */
export function shortValue(value) {
  const text =
    typeof value === "string"
      ? value.replace(timestamp, "$1 $2")
      : isObject(value)
        ? Object.values(value).map(shortValue).join(" ")
        : JSON.stringify(value);
  return text.length > maxLength ? `${text.slice(0, maxLength)}…` : text;
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The values that a change removed and added; of lists and objects only those that differ.
 *
 * @param {unknown} before @param {unknown} after @returns {{ removed: string[], added: string[] }}
 */
export function difference(before, after) {
  if (Array.isArray(before) && Array.isArray(after)) {
    const had = new Set(before.map(shortValue));
    const has = new Set(after.map(shortValue));
    return { removed: [...had].filter((item) => !has.has(item)), added: [...has].filter((item) => !had.has(item)) };
  }
  if (isObject(before) && isObject(after)) {
    const parts = [...new Set([...Object.keys(before), ...Object.keys(after)])].map((key) => {
      const { removed, added } = difference(before[key], after[key]);
      const prefixed = (/** @type {string} */ text) => `${words(key)}: ${text}`;
      return { removed: removed.map(prefixed), added: added.map(prefixed) };
    });
    return { removed: parts.flatMap(({ removed }) => removed), added: parts.flatMap(({ added }) => added) };
  }
  const listed = (/** @type {unknown} */ value) => (value === null || value === undefined ? [] : [shortValue(value)]);
  const isSame = JSON.stringify(before) === JSON.stringify(after);
  return isSame ? { removed: [], added: [] } : { removed: listed(before), added: listed(after) };
}

/**
 * Groups consecutive changes of one app and change number.
 *
 * @template {{ appid: number, change_number: number }} Change
 * @param {readonly Change[]} changes @returns {Change[][]}
 */
export function grouped(changes) {
  /** @type {Change[][]} */
  const groups = [];
  for (const change of changes) {
    const last = groups.at(-1);
    if (last?.[0]?.appid === change.appid && last[0].change_number === change.change_number) last.push(change);
    else groups.push([change]);
  }
  return groups;
}

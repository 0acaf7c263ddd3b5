// @ts-check
/** Formats values for the page. Pure. Unknown is "–", never 0. */

export const unknown = "–";

const numbers = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

/** @param {number | null | undefined} value */
export const count = (value) => (value === null || value === undefined ? unknown : numbers.format(value));

const units = ["B", "kB", "MB", "GB", "TB"];

/** `812 B`, `4.2 MB`. @param {number} value */
export function bytes(value) {
  const power = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log10(value) / 3));
  const shown = value / 1000 ** power;
  return `${power === 0 || shown >= 100 ? Math.round(shown) : shown.toFixed(1)} ${units[power]}`;
}

/** A size and its growth a day: `4.2 MB, +12 kB a day`. @param {{ bytes: number, growth_per_day: number | null }} size */
export function sizeWithGrowth({ bytes: size, growth_per_day: growth }) {
  return growth === null ? bytes(size) : `${bytes(size)}, ${growth < 0 ? "−" : "+"}${bytes(Math.abs(growth))} a day`;
}

/** A share as `64 %`; one that is neither nothing nor all is not rounded to it: `< 1 %`, `99.9 %`. @param {number | null | undefined} value 0 to 1 */
export function percent(value) {
  if (value === null || value === undefined) return unknown;
  if (value > 0 && value < 0.01) return "< 1 %";
  return value > 0.99 && value < 1 ? `${Math.floor(value * 1_000) / 10} %` : `${Math.round(value * 100)} %`;
}

/** `46 s`, `1 min 46 s`, `12 min`, `2 h 05 min`, `3 d 4 h`: to the second below ten minutes. @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return unknown;
  const total = Math.max(0, Math.round(seconds));
  const minutes = Math.floor(total / 60);
  if (minutes === 0) return `${total} s`;
  if (minutes < 10) return total % 60 === 0 ? `${minutes} min` : `${minutes} min ${total % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours === 0) return `${minutes} min`;
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {string | null | undefined} time ISO 8601 @param {number} now milliseconds since 1970, by the same clock */
export const ago = (time, now) => (time ? `${duration((now - Date.parse(time)) / 1000)} ago` : unknown);

/** 0 to 1, or null while either is unknown. @param {number | null | undefined} part @param {number | null | undefined} all */
export const share = (part, all) => (part === undefined || part === null || !all ? null : Math.min(1, part / all));

/** A name of the API as words: `bulk_sync` becomes `bulk sync`. @param {string} name */
export const words = (name) => name.replaceAll("_", " ");

/** `mostly positive` becomes `Mostly Positive`, as the store writes it. @param {string} text */
export const titled = (text) => text.replace(/(^|\s)\p{L}/gu, (start) => start.toUpperCase());

/** `7 apps`, `1 app`. @param {number} number @param {string} noun */
export const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** @param {Intl.DateTimeFormatOptions} options */
const format = (options) => new Intl.DateTimeFormat("en-GB", { hourCycle: "h23", ...options });
const ofDay = format({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const ofHour = format({ hour: "2-digit", minute: "2-digit" });
const withZone = format({ hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

/** @typedef {string | number} Time ISO 8601 or milliseconds since 1970 */

/** Name of the viewer's time zone, of all times on the page: `UTC`, `CET`, `GMT+9`. */
export const zone = () => withZone.formatToParts(0).find(({ type }) => type === "timeZoneName")?.value ?? "";

/** `02:08:05`, where the zone stands nearby. @param {Time} time */
export const timeOfDay = (time) => ofDay.format(new Date(time));
/** `02:08`, where the zone stands nearby. @param {Time} time */
export const hourOfDay = (time) => ofHour.format(new Date(time));
/** `02:08:05 UTC`. @param {Time} time */
export const clock = (time) => `${timeOfDay(time)} ${zone()}`;
/** `2026-11-28 02:08:05 UTC`. @param {Time} time */
export const dateAndClock = (time) => `${day(time)} ${clock(time)}`;

/** `2026-11-28`, in the viewer's zone. @param {Time} time */
export function day(time) {
  const at = new Date(time);
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

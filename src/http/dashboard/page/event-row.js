// @ts-check
import * as codeNames from "/dashboard/code-names.js";
import { appLink, el, tag } from "./dom.js";
import { eventWords } from "./event-words.js";
import { dateAndClock, day, timeOfDay } from "./format.js";

/**
 * An event as an entry of a `.feed`.
 *
 * @typedef {import("./event-words.js").AppEvent} AppEvent
 */

const maxNames = 6;

/**
 * @param {AppEvent} event
 * @param {{ withApp?: boolean, more?: number }} [options]
 *   `withApp`: the title is the app, else what has changed; `more`: builds of other branches that this entry stands for
 */
export function eventRow(event, { withApp = true, more = 0 } = {}) {
  const words = eventWords(event, codeNames);
  const { about, isAboutNeeded } = words;
  const title = withApp
    ? [appLink(event.appid, event.name), el("span", { class: "about" }, `${event.type ?? "app"} · ${event.appid}`)]
    : [el("strong", {}, about)];
  const changed = detail(words, withApp && isAboutNeeded ? about : null, more);
  const time = timed(event.detected_at, withApp ? recent : day);
  return el(
    "li",
    { "data-id": event.id },
    time,
    el("div", {}, el("div", { class: "title" }, tag(words.tone, words.label), ...title), changed),
  );
}

/** The time of a day that is today, else its date; the zone stands nearby. @param {string} time */
const recent = (time) => (day(time) === day(Date.now()) ? timeOfDay(time) : day(time));

/** A time with its date and zone as a tooltip. @param {string} time @param {(time: string) => string} [show] */
export const timed = (time, show = recent) => el("time", { datetime: time, title: dateAndClock(time) }, show(time));

/** @param {import("./event-words.js").EventWords} words @param {string | null} about @param {number} more */
function detail({ old, now, added, removed, text }, about, more) {
  const prefix = about === null ? null : el("span", { class: "of" }, `${about} `);
  const others = more === 0 ? null : ` · and ${more} more ${more === 1 ? "branch" : "branches"}`;
  if (text !== null) return el("div", { class: "detail" }, prefix, text, others);
  if (now !== null) return el("div", { class: "detail" }, prefix, el("s", {}, old), " → ", el("b", {}, now), others);
  return el("div", { class: "detail" }, ...listed("+ ", added), ...listed(added.length > 0 ? " − " : "− ", removed));
}

/** @param {string} sign @param {string[]} names */
function listed(sign, names) {
  if (names.length === 0) return [];
  const rest = names.length > maxNames ? ` and ${names.length - maxNames} more` : null;
  const shown = names.slice(0, maxNames).join(", ");
  return [sign, sign.includes("+") ? el("b", {}, shown) : shown, rest];
}

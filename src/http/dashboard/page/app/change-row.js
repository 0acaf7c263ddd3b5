// @ts-check
import { el } from "../dom.js";
import { timed } from "../event-row.js";
import { day, words } from "../format.js";
import { capitalized } from "../names.js";
import { differenceOf } from "./difference.js";

/** A change of one field as an entry of a `.feed`: `old → new`, or of lists and blocks what left and what came. */

const maxParts = 8;
const maxLength = 160;

/**
 * @param {import("../../../../catalog/views.ts").ChangeView} change
 * @param {import("./app.js").App} app whose tags, genres and categories name the ids
 */
export function changeRow({ field, old, new: now, detected_at }, app) {
  const name = namesOf(field, app);
  const { before, after, removed, added } = differenceOf(old, now, name);
  const moved = before === null ? [] : [el("s", {}, short(before)), " → ", el("b", {}, short(after ?? ""))];
  return el(
    "li",
    {},
    timed(detected_at, day),
    el(
      "div",
      {},
      el("div", { class: "title" }, el("strong", {}, fieldName(field))),
      el(
        "div",
        { class: "detail" },
        ...moved,
        ...listed("+ ", added),
        ...listed(added.length > 0 ? " − " : "− ", removed),
      ),
    ),
  );
}

/** @param {string} field */
const fieldName = (field) => capitalized(words(field.replace(/^pics_/, "")));

/** @param {string} sign @param {string[]} parts */
function listed(sign, parts) {
  if (parts.length === 0) return [];
  const shown = parts.slice(0, maxParts).map(short).join(", ");
  const rest = parts.length > maxParts ? ` and ${parts.length - maxParts} more` : null;
  return [sign, sign.includes("+") ? el("b", {}, shown) : shown, rest];
}

/** @param {string} text */
const short = (text) => (text.length > maxLength ? `${text.slice(0, maxLength)}…` : text);

/** Names of the ids in a field of labels, as far as the app has them now. @param {string} field @param {import("./app.js").App} app @returns {ReadonlyMap<unknown, string>} */
function namesOf(field, { tags, genres, categories }) {
  /** @type {Record<string, import("./app.js").App["tags"]>} */
  const labels = { tags, genres, categories, primary_genre_id: genres };
  return new Map((labels[field] ?? []).flatMap(({ id, name }) => (name === null ? [] : [[id, name]])));
}

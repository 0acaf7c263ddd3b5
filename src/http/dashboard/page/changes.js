// @ts-check
import { byId, el, show, storeLink } from "./dom.js";
import { difference, grouped, words } from "./format.js";

/**
 * The list of the latest changes, one entry per app and change number.
 *
 * @typedef {import("../../../catalog/views.ts").ChangeView} Change
 * @typedef {Record<string, string | null>} Names by id
 */

const maxGroups = 40;
/** Fields shown per entry: the first complete reply after a partial one changes nearly all of them. */
const maxFields = 6;
const maxValues = 6;

/** @type {{ tags: Names, genres: Names, categories: Names }} */
const names = { tags: {}, genres: {}, categories: {} };

let newestId = 0;

/** @param {{ kind: keyof typeof names, names: Names }} event */
export function setNames(event) {
  names[event.kind] = event.names;
}

/** After a reconnect the stream repeats changes; those already shown are skipped. @param {Change[]} changes oldest first */
export function showChanges(changes) {
  const fresh = changes.filter(({ id }) => id > newestId);
  if (fresh.length === 0) return;
  newestId = fresh.at(-1)?.id ?? newestId;
  const list = byId("changes");
  list.prepend(...grouped(fresh).slice(-maxGroups).reverse().map(changeItem));
  while (list.children.length > maxGroups) list.lastElementChild?.remove();
  show("no-changes", false);
}

/** @param {Change[]} group */
function changeItem(group) {
  const [first] = group;
  if (!first) return el("li", {});
  const fields = group.slice(0, maxFields).map(fieldItem);
  if (group.length > maxFields) fields.push(el("li", { class: "quiet" }, `and ${group.length - maxFields} more`));
  const time = new Date(first.detected_at).toLocaleTimeString();
  const heading = el(
    "div",
    { class: "heading" },
    storeLink(first.appid, first.name),
    el("span", { class: "quiet" }, `${first.type ?? "app"} ${first.appid}`),
    el("time", { class: "quiet", datetime: first.detected_at }, time),
  );
  return el("li", { class: "fresh" }, heading, el("ul", {}, ...fields));
}

/** @param {Change} change */
function fieldItem(change) {
  const { removed, added } = difference(withNames(change.field, change.old), withNames(change.field, change.new));
  return el(
    "li",
    {},
    el("span", { class: "field" }, words(change.field)),
    ...removed.slice(0, maxValues).map((text) => el("del", {}, text)),
    ...added.slice(0, maxValues).map((text) => el("ins", {}, text)),
  );
}

/** Replaces the ids in a value by names, where they are known. @param {string} field @param {unknown} value @returns {unknown} */
function withNames(field, value) {
  const known = /^primary_genre/.test(field) ? names.genres : names[/** @type {keyof typeof names} */ (field)];
  if (known === undefined || value === null) return value;
  return Array.isArray(value) ? value.map((id) => known[id] ?? id) : (known[String(value)] ?? value);
}

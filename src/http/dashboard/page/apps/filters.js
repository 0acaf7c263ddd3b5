// @ts-check
import { words } from "../format.js";
import { platform } from "../names.js";

/**
 * The filters of a list of apps, which are the parameters of `/v1/apps` in the page's address. Pure.
 *
 * @typedef {{ name: string, value: string, label: string, address: string }} Chip a filter in words; `address` is the list without it
 */

/** Parameters whose values may be joined by commas. */
const joinedNames = ["appid", "type", "deck", "machine", "frame", "ai", "vr", "platform"];
/** Parameters of the page and of paging, which are no filters. */
const otherNames = ["sort", "cursor", "limit"];

/** @type {Record<string, (value: string) => string>} */
const labels = {
  q: (text) => `named “${text}”`,
  type: words,
  deck: (verdict) => `Deck: ${verdict}`,
  machine: (verdict) => `Steam Machine: ${verdict}`,
  frame: (verdict) => `Steam Frame: ${verdict}`,
  platform: (name) => platform(name),
  free: (value) => (value === "true" ? "free" : "not marked as free"),
  active: (value) => (value === "true" ? "available" : "removed or delisted"),
  parent: (appid) => `belongs to ${appid}`,
  vr: (support) => (support === "only" ? "VR only" : "VR supported"),
  ai: (kind) => `AI content: ${words(kind)}`,
  released_since: (time) => `released since ${time}`,
  released_before: (time) => `released before ${time}`,
  changed_since: (time) => `changed since ${time}`,
};

/** @param {URLSearchParams} query @returns {Chip[]} */
export function chipsOf(query) {
  return [...query]
    .filter(([name]) => !otherNames.includes(name))
    .flatMap(([name, text]) =>
      (joinedNames.includes(name) ? text.split(",") : [text]).map((value) => ({
        name,
        value,
        label: labels[name]?.(value) ?? `${words(name)}: ${value}`,
        address: addressOf(without(query, name, value)),
      })),
    );
}

/** The list with one more value of a filter; one that takes a single value gets this one. @param {URLSearchParams} query @param {string} name @param {string} value */
export function withFilter(query, name, value) {
  const next = new URLSearchParams(query);
  next.delete("cursor");
  const values = next.getAll(name);
  if (values.some((each) => each === value || (joinedNames.includes(name) && each.split(",").includes(value))))
    return addressOf(next);
  if (joinedNames.includes(name) && values.length > 0) next.set(name, [...values, value].join(","));
  else if (["tag", "genre", "category", "developer", "publisher", "franchise"].includes(name)) next.append(name, value);
  else next.set(name, value);
  return addressOf(next);
}

/** @param {URLSearchParams} query @param {string} name @param {string} value */
function without(query, name, value) {
  const next = new URLSearchParams();
  for (const [each, text] of query) {
    if (each === "cursor") continue;
    if (each !== name) next.append(each, text);
    else {
      const left = joinedNames.includes(name)
        ? text.split(",").filter((one) => one !== value)
        : text === value
          ? []
          : [text];
      if (left.length > 0) next.append(each, left.join(","));
    }
  }
  return next;
}

/** @param {URLSearchParams} query */
export const addressOf = (query) => (query.size === 0 ? "/apps" : `/apps?${query}`);

/** Title of the list: its filters in words. @param {readonly Chip[]} chips */
export const titleOf = (chips) => (chips.length === 0 ? "Apps" : `Apps: ${chips.map(({ label }) => label).join(", ")}`);

/** Sort orders of the list by the API's names; relevance needs words that are searched for. @param {URLSearchParams} query @returns {[name: string, label: string][]} */
export const sortsOf = (query) => [
  ...(query.has("q") ? /** @type {[string, string][]} */ ([["relevance", "best match"]]) : []),
  ["appid", "appid"],
  ["name", "name"],
  ["-reviews", "best reviews"],
  ["-release_date", "newest release"],
  ["-updated", "last changed"],
];

/** The sort order of a list that names none. @param {URLSearchParams} query */
export const defaultSort = (query) => (query.has("q") ? "relevance" : "appid");
